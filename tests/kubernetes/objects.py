"""Questions to a set of rendered objects."""

import base64
import re
from collections.abc import Iterator
from typing import Any

Object = dict[str, Any]

API = "query-server"
DATABASE = "postgres"
POD_OWNERS = ("Deployment", "StatefulSet", "DaemonSet", "Job")


def labels_match(selector: Object | None, labels: dict[str, str]) -> bool:
    """Whether a label selector (matchLabels alone, as all of ours) selects such a pod."""
    if selector is None:
        return False
    if set(selector) - {"matchLabels"}:
        message = f"the rules do not understand the selector {selector}"
        raise ValueError(message)
    return all(labels.get(key) == value for key, value in selector.get("matchLabels", {}).items())


def quantity(text: str | float) -> float:
    """A number of Kubernetes: 100m, 512Mi, 2."""
    match = re.fullmatch(r"([0-9.]+)(m|Ki|Mi|Gi|Ti)?", str(text))
    if not match:
        message = f"not a quantity: {text}"
        raise ValueError(message)
    factor = {"": 1, "m": 0.001, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}
    return float(match[1]) * factor[match[2] or ""]


class Objects:
    def __init__(self, documents: list[Object]) -> None:
        self.documents = documents

    def all(self, *kinds: str) -> list[Object]:
        return [document for document in self.documents if document["kind"] in kinds]

    def find(self, kind: str, name: str) -> Object | None:
        for document in self.all(kind):
            if document["metadata"]["name"] == name:
                return document
        return None

    def get(self, kind: str, name: str) -> Object:
        found = self.find(kind, name)
        if found is None:
            message = f"there is no {kind} {name}"
            raise LookupError(message)
        return found

    def generated(self, kind: str, name: str) -> Object:
        """A ConfigMap or Secret whose name got a hash."""
        for document in self.all(kind):
            if re.fullmatch(re.escape(name) + "-[a-z0-9]{10}", document["metadata"]["name"]):
                return document
        message = f"there is no {kind} {name} with a hash in its name"
        raise LookupError(message)

    def secret(self, name: str) -> dict[str, str]:
        data = self.generated("Secret", name)["data"]
        return {key: base64.b64decode(value).decode() for key, value in data.items()}

    def set_secret(self, name: str, key: str, value: str) -> None:
        encoded = base64.b64encode(value.encode()).decode()
        self.generated("Secret", name)["data"][key] = encoded

    def owners(self) -> list[Object]:
        return self.all(*POD_OWNERS)

    def pods(self) -> Iterator[tuple[str, Object]]:
        """(what, pod spec) of everything that makes pods."""
        for owner in self.owners():
            name = f"{owner['kind']} {owner['metadata']['name']}"
            yield name, owner["spec"]["template"]["spec"]

    def containers(self) -> Iterator[tuple[str, Object]]:
        for name, pod in self.pods():
            for container in pod.get("initContainers", []) + pod["containers"]:
                yield f"{name}, container {container['name']}", container

    def pod_labels(self, owner: Object) -> dict[str, str]:
        labels: dict[str, str] = owner["spec"]["template"]["metadata"]["labels"]
        return labels

    @property
    def api(self) -> Object:
        return self.get("Deployment", API)

    @property
    def api_pod(self) -> Object:
        pod: Object = self.api["spec"]["template"]["spec"]
        return pod

    @property
    def has_database(self) -> bool:
        return self.find("StatefulSet", DATABASE) is not None

    @property
    def database(self) -> Object:
        return self.get("StatefulSet", DATABASE)

    @property
    def database_pod(self) -> Object:
        pod: Object = self.database["spec"]["template"]["spec"]
        return pod

    def policies_of(self, owner: Object) -> list[Object]:
        return [
            policy
            for policy in self.all("NetworkPolicy")
            if labels_match(policy["spec"]["podSelector"], self.pod_labels(owner))
        ]

    def config(self) -> dict[str, str]:
        """The environment that the API gets from its ConfigMap."""
        data: dict[str, str] = self.generated("ConfigMap", API)["data"]
        return data
