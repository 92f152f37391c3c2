"""That requests go on through rollouts, drains and restarts."""

from collections.abc import Iterator
from typing import Any

from objects import API, Objects, labels_match
from rule import rule


def probe_paths(container: dict[str, Any]) -> dict[str, Any]:
    probes = ("startupProbe", "livenessProbe", "readinessProbe")
    return {probe: container.get(probe, {}).get("httpGet", {}).get("path") for probe in probes}


@rule
def rollout_keeps_serving(objects: Objects) -> Iterator[str]:
    spec = objects.api["spec"]
    strategy = spec["strategy"]
    if strategy["type"] != "RollingUpdate" or strategy["rollingUpdate"]["maxUnavailable"] != 0:
        yield "a rollout takes pods away before others are ready"
    surge = strategy["rollingUpdate"]["maxSurge"]
    if not isinstance(surge, int) or surge < 1:
        yield f"maxSurge is {surge}: the budget counts on a number"
    if spec.get("minReadySeconds", 0) < 5:
        yield "a pod counts as available at its first good answer"
    if "replicas" in spec:
        yield "the Deployment fights the autoscaler over its replicas"


@rule
def pod_drains_before_it_goes(objects: Objects) -> Iterator[str]:
    config = objects.config()
    delay = int(config["QUERY_DRAIN_DELAY_MS"]) / 1000
    drain = int(config["QUERY_DRAIN_TIMEOUT_MS"]) / 1000
    (container,) = objects.api_pod["containers"]
    readiness = container["readinessProbe"]
    if delay < readiness["periodSeconds"] * readiness["failureThreshold"]:
        yield "the drain delay is over before the endpoints know"
    if objects.api_pod["terminationGracePeriodSeconds"] < delay + drain + 5:
        yield "the grace period ends before the drain does"


@rule
def api_probes_tell_alive_from_ready(objects: Objects) -> Iterator[str]:
    (container,) = objects.api_pod["containers"]
    expected = {
        "startupProbe": "/livez",
        # A dead database must not restart API pods.
        "livenessProbe": "/livez",
        "readinessProbe": "/readyz",
    }
    if probe_paths(container) != expected:
        yield f"the probes ask {probe_paths(container)}"
    for probe in expected:
        if container.get(probe, {}).get("httpGet", {}).get("port") != "http":
            yield f"the {probe} asks another port than http"


@rule
def api_listens_where_its_service_leads(objects: Objects) -> Iterator[str]:
    config = objects.config()
    host, _, port = config["QUERY_LISTEN"].rpartition(":")
    (container,) = objects.api_pod["containers"]
    if host != "0.0.0.0":
        yield f"the API listens on {host}, where no Service leads"
    if config.get("QUERY_AUTH") != "none":
        yield "the API would refuse to listen beyond loopback"
    if container["ports"] != [{"name": "http", "containerPort": int(port)}]:
        yield f"the API listens on {port}, and its pod says {container['ports']}"


@rule
def api_scales(objects: Objects) -> Iterator[str]:
    (autoscaler,) = objects.all("HorizontalPodAutoscaler")
    if autoscaler["apiVersion"] != "autoscaling/v2":
        yield "the autoscaler is of an old API"
    spec = autoscaler["spec"]
    target = spec["scaleTargetRef"]
    if (target["apiVersion"], target["kind"], target["name"]) != ("apps/v1", "Deployment", API):
        yield f"the autoscaler scales {target}"
    if not 1 <= spec["minReplicas"] < spec["maxReplicas"]:
        yield "the autoscaler has nothing to choose"
    if spec["behavior"]["scaleDown"]["stabilizationWindowSeconds"] < 300:
        yield "the autoscaler flaps"


@rule
def drains_of_nodes_are_bounded(objects: Objects) -> Iterator[str]:
    for owner in objects.owners():
        budgets = [
            budget["spec"]
            for budget in objects.all("PodDisruptionBudget")
            if labels_match(budget["spec"]["selector"], objects.pod_labels(owner))
        ]
        name = owner["metadata"]["name"]
        if len(budgets) != 1:
            yield f"{name} has {len(budgets)} disruption budgets"
        for spec in budgets:
            if spec.get("maxUnavailable") != 1 or "minAvailable" in spec:
                yield f"the disruption budget of {name} is not maxUnavailable 1"
            if spec.get("unhealthyPodEvictionPolicy") != "AlwaysAllow":
                yield f"a broken pod of {name} blocks the drain of its node"


@rule
def api_spreads(objects: Objects) -> Iterator[str]:
    constraints = objects.api_pod.get("topologySpreadConstraints", [])
    keys = {constraint["topologyKey"] for constraint in constraints}
    if keys != {"kubernetes.io/hostname", "topology.kubernetes.io/zone"}:
        yield f"the pods spread over {sorted(keys)}"
    for constraint in constraints:
        if not labels_match(constraint["labelSelector"], objects.pod_labels(objects.api)):
            yield "a spread constraint counts other pods"
        if constraint.get("matchLabelKeys") != ["pod-template-hash"]:
            yield "pods of the last rollout count in the spread"
