"""What holds for every pod."""

from collections.abc import Iterator

from objects import Objects, quantity
from rule import rule

RESTRICTED_VOLUMES = {
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "persistentVolumeClaim",
    "projected",
    "secret",
}


@rule
def namespace_is_restricted(objects: Objects) -> Iterator[str]:
    (namespace,) = objects.all("Namespace")
    labels = namespace["metadata"].get("labels", {})
    for mode in ("enforce", "audit", "warn"):
        if labels.get(f"pod-security.kubernetes.io/{mode}") != "restricted":
            yield f"pod security is not restricted in mode {mode}"
        version = labels.get(f"pod-security.kubernetes.io/{mode}-version", "latest")
        if not version.startswith("v1."):
            yield f"the version of pod security is not pinned in mode {mode}"
    for document in objects.documents:
        if document["kind"] == "Namespace":
            continue
        if document["metadata"].get("namespace") != namespace["metadata"]["name"]:
            yield f"{document['kind']} {document['metadata']['name']} is outside of the namespace"


@rule
def pods_are_restricted(objects: Objects) -> Iterator[str]:
    for name, pod in objects.pods():
        context = pod.get("securityContext", {})
        if context.get("runAsNonRoot") is not True:
            yield f"{name} may run as root"
        for identity in ("runAsUser", "runAsGroup", "fsGroup"):
            if context.get(identity, 0) == 0:
                yield f"{name}: {identity} is unset or root's"
        if context.get("seccompProfile", {}).get("type") != "RuntimeDefault":
            yield f"{name} has no seccomp profile"
        for host in ("hostNetwork", "hostPID", "hostIPC", "hostUsers"):
            if pod.get(host):
                yield f"{name} has {host}"
        for volume in pod.get("volumes", []):
            if not set(volume) - {"name"} <= RESTRICTED_VOLUMES:
                yield f"{name}: the volume {volume['name']} is of a forbidden kind"


@rule
def containers_are_restricted(objects: Objects) -> Iterator[str]:
    for name, container in objects.containers():
        context = container.get("securityContext", {})
        if context.get("allowPrivilegeEscalation") is not False:
            yield f"{name} may gain privileges"
        if context.get("readOnlyRootFilesystem") is not True:
            yield f"{name} may write to its root"
        if context.get("capabilities") != {"drop": ["ALL"]}:
            yield f"{name} keeps capabilities"
        for key in ("privileged", "runAsUser", "runAsNonRoot", "seccompProfile"):
            if key in context:
                yield f"{name} overrides {key} of its pod"
        if any("hostPort" in port for port in container.get("ports", [])):
            yield f"{name} takes a port of the host"


@rule
def containers_have_resources(objects: Objects) -> Iterator[str]:
    for name, container in objects.containers():
        requests = container.get("resources", {}).get("requests", {})
        limits = container.get("resources", {}).get("limits", {})
        for resource in ("cpu", "memory", "ephemeral-storage"):
            if resource not in requests:
                yield f"{name} requests no {resource}"
        for resource in ("memory", "ephemeral-storage"):
            if resource not in limits:
                yield f"{name} has no limit of {resource}"
        if requests.get("memory") != limits.get("memory"):
            yield f"{name}: its memory request is not its limit"


@rule
def accounts_have_no_token(objects: Objects) -> Iterator[str]:
    used = []
    for name, pod in objects.pods():
        account = pod.get("serviceAccountName", "default")
        used.append(account)
        found = objects.find("ServiceAccount", account)
        if found is None:
            yield f"{name} runs as {account}, which does not exist"
        elif found.get("automountServiceAccountToken") is not False:
            yield f"the account {account} hands out its token"
        if pod.get("automountServiceAccountToken") is not False:
            yield f"{name} mounts a token"
        if pod.get("enableServiceLinks") is not False:
            yield f"{name} gets variables named after Services"
    if len(set(used)) != len(used):
        yield "an account is shared"
    for kind in ("Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding"):
        if objects.all(kind):
            yield f"there is a {kind}, and nothing here talks to the API server"


@rule
def images_are_pinned(objects: Objects) -> Iterator[str]:
    for name, container in objects.containers():
        image = container["image"]
        tag = image.rsplit("/", 1)[-1].partition(":")[2]
        if "@sha256:" not in image and tag in ("", "latest"):
            yield f"{name}: the image {image} is not pinned"
        if container.get("imagePullPolicy") != "IfNotPresent":
            yield f"{name}: an image loaded into the cluster would not be used"


@rule
def quota_has_room(objects: Objects) -> Iterator[str]:
    """For all API pods, as many again that still drain, one more in a rollout, and the database."""
    if not objects.all("LimitRange"):
        yield "there is no LimitRange"
    (quota,) = objects.all("ResourceQuota")
    hard = quota["spec"]["hard"]
    (autoscaler,) = objects.all("HorizontalPodAutoscaler")
    surge = objects.api["spec"]["strategy"]["rollingUpdate"]["maxSurge"]
    counts = {"Deployment": 2 * autoscaler["spec"]["maxReplicas"] + surge, "StatefulSet": 1}
    need = {"pods": 0.0, "requests.cpu": 0.0, "requests.memory": 0.0, "limits.memory": 0.0}
    for owner in objects.owners():
        count = counts[owner["kind"]]
        need["pods"] += count
        for container in owner["spec"]["template"]["spec"]["containers"]:
            resources = container["resources"]
            need["requests.cpu"] += count * quantity(resources["requests"]["cpu"])
            need["requests.memory"] += count * quantity(resources["requests"]["memory"])
            need["limits.memory"] += count * quantity(resources["limits"]["memory"])
    for resource, amount in need.items():
        if quantity(hard[resource]) < amount:
            yield f"the quota of {resource} is {hard[resource]}, and {amount} is needed"
