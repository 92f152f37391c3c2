"""One thing broken in the objects, what a rule has to say to it, and how to reach the thing."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from objects import Object, Objects


@dataclass(frozen=True)
class Mutation:
    rule: str
    what: str
    says: str
    apply: Callable[[Objects], Any]
    overlay: str = "prod"


def api(objects: Objects) -> Object:
    container: Object = objects.api_pod["containers"][0]
    return container


def db(objects: Objects) -> Object:
    container: Object = objects.database_pod["containers"][0]
    return container


def spec(kind: str, name: str) -> Callable[[Objects], Object]:
    def find(objects: Objects) -> Object:
        found: Object = objects.get(kind, name)["spec"]
        return found

    return find


def edit(config: str, file: str, old: str, new: str) -> Callable[[Objects], None]:
    def apply(objects: Objects) -> None:
        data = objects.generated("ConfigMap", config)["data"]
        data[file] = data[file].replace(old, new)

    return apply


def setting(name: str, value: str) -> Callable[[Objects], None]:
    return lambda objects: objects.config().update({name: value})


def remove(kind: str, name: str) -> Callable[[Objects], None]:
    return lambda objects: objects.documents.remove(objects.get(kind, name))


def remove_item(items: list[Object], name: str) -> None:
    items.remove(next(item for item in items if item["name"] == name))
