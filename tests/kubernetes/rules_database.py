"""The cluster's own database: its data, its access, its connections."""

import re
from collections.abc import Iterator

from objects import API, Objects, quantity
from rule import rule

ATTRIBUTES = (
    "LOGIN",
    "NOSUPERUSER",
    "NOCREATEDB",
    "NOCREATEROLE",
    "NOREPLICATION",
    "NOBYPASSRLS",
)


def settings(objects: Objects) -> dict[str, str]:
    """What the server runs with: postgresql.conf, then its arguments."""
    text = objects.generated("ConfigMap", "postgres-conf")["data"]["postgresql.conf"]
    found = dict(re.findall(r"^(\w+) = '?([^'\n]*)'?$", text, re.MULTILINE))
    args = objects.database_pod["containers"][0]["args"]
    found.update(arg.split("=", 1) for arg in args if "=" in arg)
    return found


def init_sql(objects: Objects) -> str:
    files = objects.generated("ConfigMap", "postgres-initdb")["data"]
    return "\n".join(files[name] for name in sorted(files))


def megabytes(setting: str) -> float:
    match = re.fullmatch(r"(\d+)(MB|GB)", setting)
    if not match:
        message = f"not an amount of memory: {setting}"
        raise LookupError(message)
    return int(match[1]) * {"MB": 1, "GB": 1024}[match[2]]


@rule
def data_outlives_pods(objects: Objects) -> Iterator[str]:
    if not objects.has_database:
        return
    spec = objects.database["spec"]
    retention = spec.get("persistentVolumeClaimRetentionPolicy", {})
    if retention != {"whenDeleted": "Retain", "whenScaled": "Retain"}:
        yield f"the claims' retention is {retention}"
    if spec["replicas"] != 1:
        yield "replicas of this StatefulSet do not replicate"
    if objects.get("Service", spec["serviceName"])["spec"].get("clusterIP") != "None":
        yield "the Service of the StatefulSet is not headless"
    if objects.get("Service", "db-rw")["spec"].get("clusterIP") == "None":
        yield "db-rw is headless"
    (claim,) = spec["volumeClaimTemplates"]
    if claim["spec"]["accessModes"] != ["ReadWriteOnce"]:
        yield "two nodes may mount the data"
    (container,) = objects.database_pod["containers"]
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    pgdata = next(item["value"] for item in container["env"] if item["name"] == "PGDATA")
    if not pgdata.startswith(mounts[claim["metadata"]["name"]] + "/"):
        yield f"PGDATA is {pgdata}, not a directory below the volume's mount"


@rule
def database_may_write_where_it_must(objects: Objects) -> Iterator[str]:
    if not objects.has_database:
        return
    (container,) = objects.database_pod["containers"]
    mounts = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
    volumes = {volume["name"]: volume for volume in objects.database_pod["volumes"]}
    for path in ("/tmp", "/dev/shm", "/var/run/postgresql"):
        volume = volumes.get(mounts.get(path, ""), {})
        if "sizeLimit" not in volume.get("emptyDir", {}):
            yield f"{path} is no bounded emptyDir"


@rule
def database_probes_use_the_socket(objects: Objects) -> Iterator[str]:
    if not objects.has_database:
        return
    (container,) = objects.database_pod["containers"]
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        command = container.get(probe, {}).get("exec", {}).get("command", [""])[-1]
        if not command.startswith("pg_isready -q -h /var/run/postgresql"):
            yield f"the {probe} does not ask over the socket"
        if probe == "livenessProbe":
            if not command.endswith("[ $? -ne 2 ]"):
                yield "recovery and shutdown count as dead"
        elif "postmaster.pid" not in command:
            yield f"the {probe} takes the server of the first initialisation for the real one"
    startup, liveness = container["startupProbe"], container["livenessProbe"]
    if startup["periodSeconds"] * startup["failureThreshold"] < 600:
        yield "crash recovery has not the time that it needs"
    if liveness["periodSeconds"] * liveness["failureThreshold"] < 60:
        yield "a busy minute restarts the database"


@rule
def database_shuts_down_fast(objects: Objects) -> Iterator[str]:
    if not objects.has_database:
        return
    (container,) = objects.database_pod["containers"]
    command = container["lifecycle"]["preStop"]["exec"]["command"][-1]
    if "pg_ctl stop" not in command or "-m fast" not in command:
        yield "the shutdown waits for clients"
    if objects.database_pod["terminationGracePeriodSeconds"] < 60:
        yield "the shutdown has no time for its checkpoint"


@rule
def only_app_rw_comes_over_the_network(objects: Objects) -> Iterator[str]:
    if not objects.has_database:
        return
    data = objects.generated("ConfigMap", "postgres-conf")["data"]
    lines = [line.split() for line in data["pg_hba.conf"].splitlines()]
    rules = [line for line in lines if line and not line[0].startswith("#")]
    expected = [
        ["local", "all", "postgres", "peer"],
        ["host", "app", "app_rw", "all", "scram-sha-256"],
    ]
    if rules != expected:
        yield f"pg_hba.conf says {rules}"
    (container,) = objects.database_pod["containers"]
    (mount,) = (mount for mount in container["volumeMounts"] if mount["name"] == "conf")
    path = mount["mountPath"]
    if settings(objects).get("hba_file") != f"{path}/pg_hba.conf":
        yield "pg_hba.conf is not the one that the server reads"
    if f"config_file={path}/postgresql.conf" not in container["args"]:
        yield "postgresql.conf is not the one that the server reads"
    if settings(objects).get("password_encryption") != "scram-sha-256":
        yield "passwords are not kept as SCRAM"


@rule
def role_has_least_privilege(objects: Objects) -> Iterator[str]:
    if not objects.has_database:
        return
    sql = init_sql(objects)
    (role,) = re.findall(r"CREATE ROLE app_rw ([^;]*);", sql)
    for attribute in ATTRIBUTES:
        if attribute not in role.split():
            yield f"app_rw is not {attribute}"
    for timeout in (
        "statement_timeout",
        "lock_timeout",
        "idle_in_transaction_session_timeout",
        "transaction_timeout",
    ):
        if f"ALTER ROLE app_rw SET {timeout} = " not in sql:
            yield f"app_rw has no {timeout}"
    for revoke in ("ON DATABASE postgres, template1", "ON SCHEMA public FROM PUBLIC"):
        if f"REVOKE ALL {revoke}" not in sql:
            yield f"nothing is revoked {revoke}"


@rule
def memory_fits_its_limit(objects: Objects) -> Iterator[str]:
    if not objects.has_database:
        return
    (container,) = objects.database_pod["containers"]
    limit = quantity(container["resources"]["limits"]["memory"]) / 2**20
    found = settings(objects)
    for setting, low, high in (("shared_buffers", 0.2, 0.3), ("effective_cache_size", 0.5, 0.75)):
        if not low <= megabytes(found[setting]) / limit <= high:
            yield f"{setting} is {found[setting]} of {limit} MiB"


@rule
def connections_are_within_the_budget(objects: Objects) -> Iterator[str]:
    """Pods that drain hold their connections, and nothing but time bounds their number."""
    (autoscaler,) = objects.all("HorizontalPodAutoscaler")
    pool = int(objects.config()["QUERY_POOL_SIZE"])
    surge = objects.api["spec"]["strategy"]["rollingUpdate"]["maxSurge"]
    need = (2 * autoscaler["spec"]["maxReplicas"] + surge) * pool
    if not objects.has_database:
        # The README states this number for the role of an outside database.
        if need > 110:
            yield f"{API} may open {need} connections, and the README promises 110 at most"
        return
    (limit,) = re.findall(r"CONNECTION LIMIT (\d+)", init_sql(objects))
    found = settings(objects)
    free = int(found["max_connections"]) - int(found["superuser_reserved_connections"])
    if need > int(limit):
        yield f"{API} may open {need} connections, and app_rw has {limit}"
    if int(limit) > free:
        yield f"app_rw has {limit} connections, and the server {free}"
