"""Breaks what rules_pods.py guards."""

from mutation import Mutation, api, db, remove, spec
from objects import Objects

PSA = "pod-security.kubernetes.io"

quota = spec("ResourceQuota", "quota")


def namespace_labels(objects: Objects) -> dict[str, str]:
    labels: dict[str, str] = objects.get("Namespace", "libquery")["metadata"]["labels"]
    return labels


MUTATIONS = [
    Mutation(
        "namespace_is_restricted",
        "baseline",
        "mode enforce",
        lambda o: namespace_labels(o).update({f"{PSA}/enforce": "baseline"}),
    ),
    Mutation(
        "namespace_is_restricted",
        "version not pinned",
        "not pinned",
        lambda o: namespace_labels(o).update({f"{PSA}/enforce-version": "latest"}),
    ),
    Mutation(
        "namespace_is_restricted",
        "an object elsewhere",
        "outside",
        lambda o: o.get("Service", "db-rw")["metadata"].update(namespace="default"),
    ),
    Mutation(
        "pods_are_restricted",
        "root allowed",
        "as root",
        lambda o: o.api_pod["securityContext"].pop("runAsNonRoot"),
    ),
    Mutation(
        "pods_are_restricted",
        "uid 0",
        "runAsUser",
        lambda o: o.database_pod["securityContext"].update(runAsUser=0),
    ),
    Mutation(
        "pods_are_restricted",
        "no seccomp",
        "seccomp",
        lambda o: o.api_pod["securityContext"].pop("seccompProfile"),
    ),
    Mutation(
        "pods_are_restricted",
        "the host's network",
        "hostNetwork",
        lambda o: o.api_pod.update(hostNetwork=True),
    ),
    Mutation(
        "pods_are_restricted",
        "a hostPath",
        "forbidden kind",
        lambda o: o.api_pod["volumes"].append({"name": "host", "hostPath": {"path": "/"}}),
    ),
    Mutation(
        "containers_are_restricted",
        "escalation",
        "gain privileges",
        lambda o: api(o)["securityContext"].pop("allowPrivilegeEscalation"),
    ),
    Mutation(
        "containers_are_restricted",
        "writable root",
        "write to its root",
        lambda o: db(o)["securityContext"].update(readOnlyRootFilesystem=False),
    ),
    Mutation(
        "containers_are_restricted",
        "a capability",
        "capabilities",
        lambda o: api(o)["securityContext"]["capabilities"].update(add=["NET_RAW"]),
    ),
    Mutation(
        "containers_are_restricted",
        "privileged",
        "overrides privileged",
        lambda o: api(o)["securityContext"].update(privileged=True),
    ),
    Mutation(
        "containers_are_restricted",
        "a host port",
        "port of the host",
        lambda o: api(o)["ports"][0].update(hostPort=80),
    ),
    Mutation(
        "containers_have_resources",
        "no cpu",
        "requests no cpu",
        lambda o: api(o)["resources"]["requests"].pop("cpu"),
    ),
    Mutation(
        "containers_have_resources",
        "no limit",
        "no limit of memory",
        lambda o: db(o)["resources"]["limits"].pop("memory"),
    ),
    Mutation(
        "containers_have_resources",
        "burstable memory",
        "not its limit",
        lambda o: db(o)["resources"]["limits"].update(memory="4Gi"),
    ),
    Mutation(
        "accounts_have_no_token",
        "token in the pod",
        "mounts a token",
        lambda o: o.api_pod.pop("automountServiceAccountToken"),
    ),
    Mutation(
        "accounts_have_no_token",
        "token of the account",
        "hands out",
        lambda o: o.get("ServiceAccount", "postgres").pop("automountServiceAccountToken"),
    ),
    Mutation(
        "accounts_have_no_token",
        "no account",
        "does not exist",
        remove("ServiceAccount", "query-server"),
    ),
    Mutation(
        "accounts_have_no_token",
        "service links",
        "named after Services",
        lambda o: o.api_pod.pop("enableServiceLinks"),
    ),
    Mutation(
        "accounts_have_no_token",
        "a shared account",
        "shared",
        lambda o: o.database_pod.update(serviceAccountName="query-server"),
    ),
    Mutation(
        "accounts_have_no_token",
        "a role",
        "there is a Role",
        lambda o: o.documents.append({"kind": "Role", "metadata": {"name": "r"}}),
    ),
    Mutation(
        "images_are_pinned",
        "latest",
        "not pinned",
        lambda o: api(o).update(image="registry.example.com:5000/query-server:latest"),
    ),
    Mutation(
        "images_are_pinned",
        "no tag",
        "not pinned",
        lambda o: db(o).update(image="registry.example.com:5000/postgres"),
    ),
    Mutation(
        "images_are_pinned",
        "always pulled",
        "would not be used",
        lambda o: api(o).update(imagePullPolicy="Always"),
    ),
    Mutation(
        "quota_has_room", "few pods", "quota of pods", lambda o: quota(o)["hard"].update(pods="5")
    ),
    Mutation(
        "quota_has_room",
        "little memory",
        "limits.memory",
        lambda o: quota(o)["hard"].update({"limits.memory": "2Gi"}),
    ),
    Mutation("quota_has_room", "no LimitRange", "no LimitRange", remove("LimitRange", "defaults")),
]
