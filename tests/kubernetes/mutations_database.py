"""Breaks what rules_database.py guards."""

from mutation import Mutation, db, edit, remove_item, setting, spec

autoscaler = spec("HorizontalPodAutoscaler", "query-server")

MUTATIONS = [
    Mutation(
        "data_outlives_pods",
        "deleted with it",
        "retention",
        lambda o: o.database["spec"]["persistentVolumeClaimRetentionPolicy"].update(
            whenDeleted="Delete"
        ),
    ),
    Mutation(
        "data_outlives_pods",
        "two of them",
        "do not replicate",
        lambda o: o.database["spec"].update(replicas=2),
    ),
    Mutation(
        "data_outlives_pods",
        "mount root",
        "not a directory below",
        lambda o: db(o)["env"][0].update(value="/var/lib/postgresql/data"),
    ),
    Mutation(
        "data_outlives_pods",
        "not headless",
        "not headless",
        lambda o: spec("Service", "db-headless")(o).pop("clusterIP"),
    ),
    Mutation(
        "data_outlives_pods",
        "headless",
        "db-rw is headless",
        lambda o: spec("Service", "db-rw")(o).update(clusterIP="None"),
    ),
    Mutation(
        "data_outlives_pods",
        "many writers",
        "two nodes",
        lambda o: o.database["spec"]["volumeClaimTemplates"][0]["spec"].update(
            accessModes=["ReadWriteMany"]
        ),
    ),
    Mutation(
        "database_may_write_where_it_must",
        "no shared memory",
        "/dev/shm",
        lambda o: remove_item(o.database_pod["volumes"], "shm"),
    ),
    Mutation(
        "database_may_write_where_it_must",
        "unbounded",
        "/tmp",
        lambda o: o.database_pod["volumes"][-1]["emptyDir"].pop("sizeLimit"),
    ),
    Mutation(
        "database_probes_use_the_socket",
        "TCP",
        "over the socket",
        lambda o: db(o).update(readinessProbe={"tcpSocket": {"port": "postgres"}}),
    ),
    Mutation(
        "database_probes_use_the_socket",
        "recovery is dead",
        "count as dead",
        lambda o: db(o)["livenessProbe"]["exec"].update(
            command=["pg_isready -q -h /var/run/postgresql"]
        ),
    ),
    Mutation(
        "database_probes_use_the_socket",
        "ready in bootstrap",
        "first initialisation",
        lambda o: db(o)["readinessProbe"]["exec"].update(
            command=["pg_isready -q -h /var/run/postgresql"]
        ),
    ),
    Mutation(
        "database_probes_use_the_socket",
        "impatient start",
        "crash recovery",
        lambda o: db(o)["startupProbe"].update(failureThreshold=30),
    ),
    Mutation(
        "database_probes_use_the_socket",
        "impatient",
        "busy minute",
        lambda o: db(o)["livenessProbe"].update(failureThreshold=1),
    ),
    Mutation(
        "database_shuts_down_fast",
        "smart",
        "waits for clients",
        lambda o: db(o)["lifecycle"]["preStop"]["exec"].update(command=["pg_ctl stop -m smart"]),
    ),
    Mutation(
        "database_shuts_down_fast",
        "killed",
        "checkpoint",
        lambda o: o.database_pod.update(terminationGracePeriodSeconds=10),
    ),
    Mutation(
        "only_app_rw_comes_over_the_network",
        "superuser by TCP",
        "pg_hba.conf says",
        edit("postgres-conf", "pg_hba.conf", "app_rw    all", "all    all"),
    ),
    Mutation(
        "only_app_rw_comes_over_the_network",
        "trust",
        "pg_hba.conf says",
        edit("postgres-conf", "pg_hba.conf", "peer", "trust"),
    ),
    Mutation(
        "only_app_rw_comes_over_the_network",
        "default pg_hba.conf",
        "not the one",
        edit("postgres-conf", "postgresql.conf", "hba_file", "# hba_file"),
    ),
    Mutation(
        "only_app_rw_comes_over_the_network",
        "default postgresql.conf",
        "not the one",
        lambda o: db(o).update(args=["postgres", "-c", "a=b"]),
    ),
    Mutation(
        "only_app_rw_comes_over_the_network",
        "md5",
        "SCRAM",
        edit("postgres-conf", "postgresql.conf", "= 'scram-sha-256'", "= 'md5'"),
    ),
    Mutation(
        "role_has_least_privilege",
        "may create roles",
        "NOCREATEROLE",
        edit("postgres-initdb", "20-app-rw.sql", "NOCREATEROLE", "CREATEROLE"),
    ),
    Mutation(
        "role_has_least_privilege",
        "no timeout",
        "no lock_timeout",
        edit("postgres-initdb", "20-app-rw.sql", "SET lock_timeout", "SET work_mem"),
    ),
    Mutation(
        "role_has_least_privilege",
        "public as it was",
        "SCHEMA public",
        edit(
            "postgres-initdb", "10-lock-down.sql", "REVOKE ALL ON SCHEMA", "REVOKE USAGE ON SCHEMA"
        ),
    ),
    Mutation(
        "memory_fits_its_limit",
        "too large",
        "shared_buffers",
        lambda o: db(o)["args"].append("shared_buffers=1536MB"),
    ),
    Mutation(
        "memory_fits_its_limit",
        "limit halved",
        "effective_cache_size",
        lambda o: db(o)["resources"]["limits"].update(memory="1Gi"),
    ),
    Mutation(
        "connections_are_within_the_budget",
        "more pods",
        "and app_rw has",
        lambda o: autoscaler(o).update(maxReplicas=7),
    ),
    Mutation(
        "connections_are_within_the_budget",
        "a larger pool",
        "and app_rw has",
        setting("QUERY_POOL_SIZE", "10"),
    ),
    Mutation(
        "connections_are_within_the_budget",
        "a smaller server",
        "and the server",
        edit("postgres-conf", "postgresql.conf", "max_connections = 120", "max_connections = 100"),
    ),
    Mutation(
        "connections_are_within_the_budget",
        "a larger pool outside",
        "README promises",
        setting("QUERY_POOL_SIZE", "10"),
        "external-database",
    ),
]
