"""Breaks what rules_wiring.py guards."""

from mutation import Mutation, api, db, remove, remove_item, setting, spec

db_policy = spec("NetworkPolicy", "postgres")

MUTATIONS = [
    Mutation(
        "selectors_select",
        "Service to nowhere",
        "leads to 0",
        lambda o: spec("Service", "db-rw")(o)["selector"].update({"app.kubernetes.io/name": "db"}),
    ),
    Mutation(
        "selectors_select",
        "unknown port",
        "nobody has",
        lambda o: spec("Service", "query-server")(o)["ports"][0].update(targetPort="admin"),
    ),
    Mutation(
        "selectors_select",
        "NodePort",
        "open to the outside",
        lambda o: spec("Service", "query-server")(o).update(type="NodePort"),
    ),
    Mutation(
        "selectors_select",
        "lost pods",
        "its own pods",
        lambda o: o.pod_labels(o.api).update({"app.kubernetes.io/component": "web"}),
    ),
    Mutation(
        "selectors_select",
        "a version in the selector",
        "may change",
        lambda o: o.api["spec"]["selector"]["matchLabels"].update(version="1"),
    ),
    Mutation(
        "selectors_select",
        "policy on nothing",
        "selects nothing",
        lambda o: db_policy(o)["podSelector"]["matchLabels"].update(role="db"),
    ),
    Mutation(
        "configuration_exists_and_rolls_pods",
        "no ConfigMap",
        "does not exist",
        lambda o: o.documents.remove(o.generated("ConfigMap", "postgres-initdb")),
    ),
    Mutation(
        "configuration_exists_and_rolls_pods",
        "no hash",
        "does not roll",
        lambda o: api(o)["envFrom"][0]["configMapRef"].update(name="query-server"),
    ),
    Mutation(
        "configuration_exists_and_rolls_pods",
        "volume not mounted",
        "mounts",
        lambda o: db(o)["volumeMounts"].pop(),
    ),
    Mutation(
        "settings_reach_the_containers",
        "ConfigMap not read",
        "does not read its ConfigMap",
        lambda o: api(o).pop("envFrom"),
    ),
    Mutation(
        "settings_reach_the_containers",
        "setting overridden",
        "overrides",
        lambda o: api(o)["env"].append({"name": "QUERY_POOL_SIZE", "value": "80"}),
    ),
    Mutation(
        "settings_reach_the_containers",
        "password file elsewhere",
        "APP_RW_PASSWORD_FILE",
        lambda o: o.database_pod["volumes"][2]["secret"]["items"].pop(),
    ),
    Mutation(
        "settings_reach_the_containers",
        "superuser's password not named",
        "POSTGRES_PASSWORD_FILE",
        lambda o: remove_item(db(o)["env"], "POSTGRES_PASSWORD_FILE"),
    ),
    Mutation(
        "settings_reach_the_containers",
        "another database",
        "database app",
        lambda o: remove_item(db(o)["env"], "POSTGRES_DB"),
    ),
    Mutation(
        "settings_reach_the_containers",
        "the image's postgresql.conf",
        "postgresql.conf",
        lambda o: db(o)["args"].pop(1),
    ),
    Mutation(
        "settings_reach_the_containers",
        "init scripts elsewhere",
        "no init script",
        lambda o: next(m for m in db(o)["volumeMounts"] if m["name"] == "initdb").update(
            mountPath="/initdb"
        ),
    ),
    Mutation(
        "secrets_are_files",
        "secret by envFrom",
        "in its environment",
        lambda o: api(o)["envFrom"].append({"secretRef": {"name": "query-server"}}),
    ),
    Mutation(
        "secrets_are_files",
        "secret by variable",
        "in its environment",
        lambda o: db(o)["env"].append(
            {"name": "X", "valueFrom": {"secretKeyRef": {"name": "postgres", "key": "X"}}}
        ),
    ),
    Mutation(
        "secrets_are_files",
        "plain password",
        "POSTGRES_PASSWORD",
        lambda o: db(o)["env"].append({"name": "POSTGRES_PASSWORD", "value": "x"}),
    ),
    Mutation(
        "secrets_are_files",
        "readable by all",
        "0440",
        lambda o: o.api_pod["volumes"][0]["secret"].update(defaultMode=0o444),
    ),
    Mutation(
        "secrets_are_files",
        "password in a ConfigMap",
        "ConfigMap",
        setting("QUERY_DATABASE_URL", "postgresql://a:b@c"),
    ),
    Mutation(
        "api_knows_its_own_password_only",
        "the superuser's secret",
        "another secret",
        lambda o: o.api_pod["volumes"][0]["secret"].update(secretName="postgres-0123456789"),
    ),
    Mutation(
        "api_knows_its_own_password_only",
        "file elsewhere",
        "not where",
        setting("QUERY_DATABASE_FILE", "/run/secrets/url"),
    ),
    Mutation(
        "api_knows_its_own_password_only",
        "another password",
        "password of app_rw",
        lambda o: o.set_secret("postgres", "APP_RW_PASSWORD", "changed"),
    ),
    Mutation(
        "api_knows_its_own_password_only",
        "as superuser",
        "not that of app_rw",
        lambda o: o.set_secret("query-server", "DATABASE_URL", "postgresql://postgres:x@db-rw/app"),
    ),
    Mutation(
        "api_knows_its_own_password_only",
        "to no Service",
        "which is no Service",
        lambda o: o.set_secret("query-server", "DATABASE_URL", "postgresql://app_rw:x@db/app"),
    ),
    Mutation(
        "outside_database_leaves_nothing_behind",
        "a policy left",
        "and yet",
        lambda o: o.documents.append(
            {"kind": "NetworkPolicy", "metadata": {"name": "query-server-to-postgres"}}
        ),
        "external-database",
    ),
    Mutation(
        "outside_database_leaves_nothing_behind",
        "StatefulSet removed alone",
        "and yet",
        remove("StatefulSet", "postgres"),
    ),
    Mutation(
        "outside_database_leaves_nothing_behind",
        "a part lost",
        "has the parts",
        remove("Service", "db-rw"),
    ),
]
