"""Who may talk to whom."""

from collections.abc import Iterator
from typing import Any

from objects import API, DATABASE, Objects
from rule import rule

DNS = {("UDP", 53), ("TCP", 53)}
ACCESS = {"matchLabels": {"query-server/access": "true"}}


def ports(entry: dict[str, Any]) -> set[tuple[str, Any]]:
    return {(port["protocol"], port["port"]) for port in entry.get("ports", [])}


def is_dns(entry: dict[str, Any]) -> bool:
    cluster_dns = {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}},
        "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}},
    }
    return entry.get("to") == [cluster_dns] and ports(entry) == DNS


def selector_of(objects: Objects, kind: str, name: str) -> dict[str, Any]:
    selector: dict[str, Any] = objects.get(kind, name)["spec"]["selector"]
    return selector


@rule
def everything_is_denied_first(objects: Objects) -> Iterator[str]:
    deny = objects.get("NetworkPolicy", "default-deny")["spec"]
    if deny["podSelector"] != {}:
        yield "default-deny does not select every pod"
    if set(deny["policyTypes"]) != {"Ingress", "Egress"}:
        yield "default-deny leaves a direction open"
    if deny.get("ingress") or deny.get("egress"):
        yield "default-deny allows something"
    for policy in objects.all("NetworkPolicy"):
        for direction in ("ingress", "egress"):
            if policy["spec"].get(direction) and (
                direction.capitalize() not in policy["spec"]["policyTypes"]
            ):
                yield f"{policy['metadata']['name']} has rules of {direction} that do not count"


@rule
def api_is_the_only_way_to_the_database(objects: Objects) -> Iterator[str]:
    if not objects.has_database:
        return
    entries = [
        entry
        for policy in objects.policies_of(objects.database)
        for entry in policy["spec"].get("ingress", [])
    ]
    api = [{"podSelector": selector_of(objects, "Deployment", API)}]
    if not entries:
        yield "nobody reaches the database"
    for entry in entries:
        if entry.get("from") != api:
            yield f"the database is open to {entry.get('from', 'everybody')}"
        if ports(entry) != {("TCP", "postgres")}:
            yield f"the database is open on {ports(entry) or 'every port'}"


@rule
def database_reaches_nothing(objects: Objects) -> Iterator[str]:
    if objects.has_database:
        for policy in objects.policies_of(objects.database):
            if policy["spec"].get("egress"):
                yield f"the policy {policy['metadata']['name']} lets the database out"


@rule
def api_is_reached_by_its_clients_only(objects: Objects) -> Iterator[str]:
    entries = [
        entry
        for policy in objects.policies_of(objects.api)
        for entry in policy["spec"].get("ingress", [])
    ]
    if not entries:
        yield "nobody reaches the API"
    for entry in entries:
        if entry.get("from") != [{"namespaceSelector": ACCESS}]:
            yield f"the API is open to {entry.get('from', 'everybody')}"
        if ports(entry) != {("TCP", "http")}:
            yield f"the API is open on {ports(entry) or 'every port'}"


@rule
def api_reaches_dns_and_the_database_only(objects: Objects) -> Iterator[str]:
    entries = [
        entry
        for policy in objects.policies_of(objects.api)
        for entry in policy["spec"].get("egress", [])
    ]
    others = [entry for entry in entries if not is_dns(entry)]
    if len(entries) - len(others) != 1:
        yield "the API has no way to the cluster's DNS"
    if len(others) != 1:
        yield f"the API has {len(others)} ways to a database"
    for entry in others:
        if ports(entry) != {("TCP", 5432)}:
            yield f"the API may reach {ports(entry) or 'every port'}"
        peers = entry.get("to", [])
        if objects.has_database:
            if peers != [{"podSelector": selector_of(objects, "StatefulSet", DATABASE)}]:
                yield f"the API may reach {peers or 'everything'}"
        elif not peers or any(set(peer) != {"ipBlock"} for peer in peers):
            yield "the way to an outside database is not one of addresses"
        else:
            for block in (peer["ipBlock"] for peer in peers):
                if block["cidr"].endswith("/0") and "169.254.0.0/16" not in block.get("except", []):
                    yield "the API may reach the cloud's metadata service"
