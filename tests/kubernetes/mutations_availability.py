"""Breaks what rules_availability.py guards."""

from mutation import Mutation, api, remove, setting, spec

autoscaler = spec("HorizontalPodAutoscaler", "query-server")
db_budget = spec("PodDisruptionBudget", "postgres")

MUTATIONS = [
    Mutation(
        "rollout_keeps_serving",
        "takes one away",
        "takes pods away",
        lambda o: o.api["spec"]["strategy"]["rollingUpdate"].update(maxUnavailable=1),
    ),
    Mutation(
        "rollout_keeps_serving",
        "surge in percent",
        "maxSurge",
        lambda o: o.api["spec"]["strategy"]["rollingUpdate"].update(maxSurge="25%"),
    ),
    Mutation(
        "rollout_keeps_serving",
        "available at once",
        "first good answer",
        lambda o: o.api["spec"].pop("minReadySeconds"),
    ),
    Mutation(
        "rollout_keeps_serving",
        "replicas named",
        "fights",
        lambda o: o.api["spec"].update(replicas=3),
    ),
    Mutation(
        "pod_drains_before_it_goes", "no delay", "drain delay", setting("QUERY_DRAIN_DELAY_MS", "0")
    ),
    Mutation(
        "pod_drains_before_it_goes",
        "short grace",
        "grace period",
        lambda o: o.api_pod.update(terminationGracePeriodSeconds=30),
    ),
    Mutation(
        "api_probes_tell_alive_from_ready",
        "liveness asks the database",
        "the probes ask",
        lambda o: api(o)["livenessProbe"]["httpGet"].update(path="/readyz"),
    ),
    Mutation(
        "api_probes_tell_alive_from_ready",
        "no startup probe",
        "the probes ask",
        lambda o: api(o).pop("startupProbe"),
    ),
    Mutation(
        "api_probes_tell_alive_from_ready",
        "another port",
        "another port",
        lambda o: api(o)["readinessProbe"]["httpGet"].update(port=9090),
    ),
    Mutation(
        "api_listens_where_its_service_leads",
        "loopback",
        "where no Service leads",
        setting("QUERY_LISTEN", "127.0.0.1:8080"),
    ),
    Mutation(
        "api_listens_where_its_service_leads",
        "no word on authentication",
        "refuse",
        lambda o: o.config().pop("QUERY_AUTH"),
    ),
    Mutation(
        "api_listens_where_its_service_leads",
        "another port",
        "its pod says",
        setting("QUERY_LISTEN", "0.0.0.0:9090"),
    ),
    Mutation(
        "api_scales",
        "another target",
        "scales",
        lambda o: autoscaler(o)["scaleTargetRef"].update(name="api"),
    ),
    Mutation(
        "api_scales",
        "nothing to choose",
        "nothing to choose",
        lambda o: autoscaler(o).update(maxReplicas=3),
    ),
    Mutation(
        "api_scales",
        "an old API",
        "old API",
        lambda o: o.all("HorizontalPodAutoscaler")[0].update(apiVersion="autoscaling/v1"),
    ),
    Mutation(
        "api_scales",
        "no window",
        "flaps",
        lambda o: autoscaler(o)["behavior"]["scaleDown"].update(stabilizationWindowSeconds=0),
    ),
    Mutation(
        "drains_of_nodes_are_bounded",
        "no budget",
        "0 disruption budgets",
        remove("PodDisruptionBudget", "query-server"),
    ),
    Mutation(
        "drains_of_nodes_are_bounded",
        "blocks for ever",
        "not maxUnavailable 1",
        lambda o: db_budget(o).update(maxUnavailable=0),
    ),
    Mutation(
        "drains_of_nodes_are_bounded",
        "broken pods block",
        "blocks the drain",
        lambda o: db_budget(o).pop("unhealthyPodEvictionPolicy"),
    ),
    Mutation(
        "api_spreads",
        "no constraint",
        "spread over",
        lambda o: o.api_pod.update(topologySpreadConstraints=[]),
    ),
    Mutation(
        "api_spreads",
        "other pods",
        "other pods",
        lambda o: o.api_pod["topologySpreadConstraints"][0]["labelSelector"]["matchLabels"].update(
            a="b"
        ),
    ),
    Mutation(
        "api_spreads",
        "old pods count",
        "last rollout",
        lambda o: o.api_pod["topologySpreadConstraints"][0].pop("matchLabelKeys"),
    ),
]
