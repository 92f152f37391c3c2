"""That names lead somewhere: selectors, ports, ConfigMaps, Secrets."""

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from objects import API, DATABASE, Objects, labels_match
from rule import rule

GENERATED = r".+-[a-z0-9]{10}"
STABLE_LABELS = {
    "app.kubernetes.io/name",
    "app.kubernetes.io/instance",
    "app.kubernetes.io/component",
}


@rule
def selectors_select(objects: Objects) -> Iterator[str]:
    owners = objects.owners()
    for owner in owners:
        selector = owner["spec"]["selector"]
        if not labels_match(selector, objects.pod_labels(owner)):
            yield f"{owner['metadata']['name']} does not select its own pods"
        if set(selector["matchLabels"]) != STABLE_LABELS:
            yield f"{owner['metadata']['name']} selects by labels that may change"
    for service in objects.all("Service"):
        selector = {"matchLabels": service["spec"]["selector"]}
        found = [owner for owner in owners if labels_match(selector, objects.pod_labels(owner))]
        if len(found) != 1:
            yield f"the Service {service['metadata']['name']} leads to {len(found)} workloads"
            continue
        containers = found[0]["spec"]["template"]["spec"]["containers"]
        names = {port["name"] for container in containers for port in container["ports"]}
        for port in service["spec"]["ports"]:
            if port["targetPort"] not in names:
                yield f"the Service {service['metadata']['name']} targets a port that nobody has"
        if service["spec"].get("type", "ClusterIP") != "ClusterIP":
            yield f"the Service {service['metadata']['name']} is open to the outside"
    for policy in objects.all("NetworkPolicy"):
        selector = policy["spec"]["podSelector"]
        if not any(labels_match(selector, objects.pod_labels(owner)) for owner in owners):
            yield f"the policy {policy['metadata']['name']} selects nothing"


def references(pod: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for container in pod["containers"]:
        for source in container.get("envFrom", []):
            for key, kind in (("configMapRef", "ConfigMap"), ("secretRef", "Secret")):
                if key in source:
                    yield kind, source[key]["name"]
    for volume in pod.get("volumes", []):
        if "configMap" in volume:
            yield "ConfigMap", volume["configMap"]["name"]
        if "secret" in volume:
            yield "Secret", volume["secret"]["secretName"]


@rule
def configuration_exists_and_rolls_pods(objects: Objects) -> Iterator[str]:
    for name, pod in objects.pods():
        for kind, reference in references(pod):
            if objects.find(kind, reference) is None:
                yield f"{name} names the {kind} {reference}, which does not exist"
            if not re.fullmatch(GENERATED, reference):
                yield f"{name}: a change of the {kind} {reference} does not roll its pods"
        volumes = {volume["name"] for volume in pod.get("volumes", [])}
        if name == f"StatefulSet {DATABASE}":
            claims = objects.database["spec"]["volumeClaimTemplates"]
            volumes |= {claim["metadata"]["name"] for claim in claims}
        for container in pod["containers"]:
            mounted = {mount["name"] for mount in container.get("volumeMounts", [])}
            if mounted != volumes:
                yield f"{name} mounts {sorted(mounted)} and has {sorted(volumes)}"


def mounted_files(objects: Objects, pod: dict[str, Any]) -> set[str]:
    """The paths at which the keys of ConfigMaps and Secrets appear in a pod of one container."""
    (container,) = pod["containers"]
    places = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    files = set()
    for volume in pod["volumes"]:
        place = places.get(volume["name"])
        if "configMap" in volume:
            keys = objects.get("ConfigMap", volume["configMap"]["name"])["data"]
            files |= {f"{place}/{key}" for key in keys}
        if "secret" in volume:
            keys = objects.get("Secret", volume["secret"]["secretName"])["data"]
            items = volume["secret"].get("items", [])
            files |= {f"{place}/{item['path']}" for item in items if item["key"] in keys}
    return files


@rule
def settings_reach_the_containers(objects: Objects) -> Iterator[str]:
    # Whatever the other rules say about query-server.env holds for a pod that reads it.
    (container,) = objects.api_pod["containers"]
    config = objects.generated("ConfigMap", API)["metadata"]["name"]
    if {"configMapRef": {"name": config}} not in container.get("envFrom", []):
        yield "the API does not read its ConfigMap"
    settings = {item["name"]: item.get("value", "") for item in container.get("env", [])}
    for name in sorted(settings.keys() & objects.config().keys()):
        yield f"the API's {name} overrides its ConfigMap"
    if not objects.has_database:
        return
    (container,) = objects.database_pod["containers"]
    settings = {item["name"]: item.get("value", "") for item in container["env"]}
    files = mounted_files(objects, objects.database_pod)
    for name in ("POSTGRES_PASSWORD_FILE", "APP_RW_PASSWORD_FILE"):
        if settings.get(name) not in files:
            yield f"{name} of the database names no file that is mounted"
    if settings.get("POSTGRES_DB") != "app":
        yield "the first start does not make the database app"
    arguments = " ".join(container["args"])
    found = re.fullmatch(r"postgres -c config_file=(\S+)(?: -c \S+=\S+)*", arguments)
    if not found or found[1] not in files:
        yield "the database does not read the postgresql.conf that is mounted"
    if not any(file.startswith("/docker-entrypoint-initdb.d/") for file in files):
        yield "no init script is where the entrypoint looks for them"


@rule
def secrets_are_files(objects: Objects) -> Iterator[str]:
    for name, container in objects.containers():
        if any("secretRef" in source for source in container.get("envFrom", [])):
            yield f"{name} has a secret in its environment"
        for variable in container.get("env", []):
            if "secretKeyRef" in variable.get("valueFrom", {}):
                yield f"{name} has a secret in its environment"
            if variable["name"] in ("POSTGRES_PASSWORD", "PGPASSWORD", "DATABASE_URL"):
                yield f"{name} has a password in {variable['name']}"
    for name, pod in objects.pods():
        for volume in pod.get("volumes", []):
            if "secret" in volume and volume["secret"].get("defaultMode") != 0o440:
                yield f"{name}: the files of {volume['name']} are not 0440"
    if any(re.search("PASSWORD|DATABASE_URL", key) for key in objects.config()):
        yield "a ConfigMap holds a password"


@rule
def api_knows_its_own_password_only(objects: Objects) -> Iterator[str]:
    (container,) = objects.api_pod["containers"]
    (volume,) = (volume for volume in objects.api_pod["volumes"] if "secret" in volume)
    if not re.fullmatch(f"{API}-[a-z0-9]{{10}}", volume["secret"]["secretName"]):
        yield "the API mounts another secret than its own"
    (item,) = volume["secret"]["items"]
    (mount,) = (m for m in container["volumeMounts"] if m["name"] == volume["name"])
    if objects.config()["QUERY_DATABASE_FILE"] != f"{mount['mountPath']}/{item['path']}":
        yield "QUERY_DATABASE_FILE is not where the secret is mounted"
    secret = objects.secret(API)
    if set(secret) != {item["key"]}:
        yield f"the API's secret has {sorted(secret)}"
    if not objects.has_database:
        return
    url = urlsplit(secret["DATABASE_URL"])
    if url.username != "app_rw" or url.path != "/app":
        yield "DATABASE_URL is not that of app_rw in app"
    if url.password != objects.secret(DATABASE)["APP_RW_PASSWORD"]:
        yield "DATABASE_URL has not the password of app_rw"
    if url.hostname is None or objects.find("Service", url.hostname) is None:
        yield f"DATABASE_URL leads to {url.hostname}, which is no Service"


@rule
def outside_database_leaves_nothing_behind(objects: Objects) -> Iterator[str]:
    """With a StatefulSet come its parts; without it, none of them."""
    parts = [
        f"{document['kind']} {document['metadata']['name']}"
        for document in objects.documents
        if document["kind"] != "StatefulSet"
        and re.match(r"(postgres|db-)|.*-to-postgres", document["metadata"]["name"])
    ]
    if objects.has_database and len(parts) != 9:
        yield f"the database has the parts {parts}"
    if not objects.has_database and parts:
        yield f"there is no database, and yet: {parts}"
