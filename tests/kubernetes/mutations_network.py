"""Breaks what rules_network.py guards."""

from mutation import Mutation, remove, spec

api_policy = spec("NetworkPolicy", "query-server")
db_policy = spec("NetworkPolicy", "postgres")
to_db = spec("NetworkPolicy", "query-server-to-postgres")
to_outside = spec("NetworkPolicy", "query-server-to-database")
deny = spec("NetworkPolicy", "default-deny")

MUTATIONS = [
    Mutation(
        "everything_is_denied_first",
        "no policy",
        "missing",
        remove("NetworkPolicy", "default-deny"),
    ),
    Mutation(
        "everything_is_denied_first",
        "some pods",
        "every pod",
        lambda o: deny(o).update(podSelector={"matchLabels": {"a": "b"}}),
    ),
    Mutation(
        "everything_is_denied_first",
        "egress open",
        "direction open",
        lambda o: deny(o).update(policyTypes=["Ingress"]),
    ),
    Mutation(
        "everything_is_denied_first",
        "allows all",
        "allows something",
        lambda o: deny(o).update(ingress=[{}]),
    ),
    Mutation(
        "everything_is_denied_first",
        "rules without effect",
        "do not count",
        lambda o: api_policy(o).update(policyTypes=["Ingress"]),
    ),
    Mutation(
        "api_is_the_only_way_to_the_database",
        "open to all",
        "open to everybody",
        lambda o: db_policy(o)["ingress"][0].pop("from"),
    ),
    Mutation(
        "api_is_the_only_way_to_the_database",
        "open to the namespace",
        "open to",
        lambda o: db_policy(o)["ingress"][0]["from"].append({"podSelector": {}}),
    ),
    Mutation(
        "api_is_the_only_way_to_the_database",
        "another policy",
        "open to",
        lambda o: o.documents.append(
            {
                "kind": "NetworkPolicy",
                "metadata": {"name": "more"},
                "spec": {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{}]},
            }
        ),
    ),
    Mutation(
        "api_is_the_only_way_to_the_database",
        "every port",
        "every port",
        lambda o: db_policy(o)["ingress"][0].pop("ports"),
    ),
    Mutation(
        "api_is_the_only_way_to_the_database",
        "closed",
        "nobody reaches",
        lambda o: db_policy(o).update(ingress=[]),
    ),
    Mutation(
        "database_reaches_nothing",
        "egress",
        "lets the database out",
        lambda o: db_policy(o).update(egress=[{}]),
    ),
    Mutation(
        "api_is_reached_by_its_clients_only",
        "open to all",
        "open to everybody",
        lambda o: api_policy(o)["ingress"][0].pop("from"),
    ),
    Mutation(
        "api_is_reached_by_its_clients_only",
        "open to all namespaces",
        "open to",
        lambda o: api_policy(o)["ingress"][0]["from"][0].update(namespaceSelector={}),
    ),
    Mutation(
        "api_is_reached_by_its_clients_only",
        "every port",
        "every port",
        lambda o: api_policy(o)["ingress"][0].pop("ports"),
    ),
    Mutation(
        "api_is_reached_by_its_clients_only",
        "closed",
        "nobody reaches",
        lambda o: api_policy(o).pop("ingress"),
    ),
    Mutation(
        "api_reaches_dns_and_the_database_only",
        "no DNS",
        "DNS",
        lambda o: api_policy(o)["egress"].pop(),
    ),
    Mutation(
        "api_reaches_dns_and_the_database_only",
        "DNS anywhere",
        "2 ways",
        lambda o: api_policy(o)["egress"][0].pop("to"),
    ),
    Mutation(
        "api_reaches_dns_and_the_database_only",
        "any pod",
        "may reach everything",
        lambda o: to_db(o)["egress"][0].pop("to"),
    ),
    Mutation(
        "api_reaches_dns_and_the_database_only",
        "any port",
        "every port",
        lambda o: to_db(o)["egress"][0].pop("ports"),
    ),
    Mutation(
        "api_reaches_dns_and_the_database_only",
        "pods for addresses",
        "not one of addresses",
        lambda o: to_outside(o)["egress"][0].update(to=[{"podSelector": {}}]),
        "external-database",
    ),
    Mutation(
        "api_reaches_dns_and_the_database_only",
        "metadata service",
        "metadata",
        lambda o: to_outside(o)["egress"][0]["to"][0]["ipBlock"].pop("except"),
        "external-database",
    ),
]
