"""What a rule is: a function that names the problems it finds in the objects of one overlay."""

from collections.abc import Callable, Iterator

from objects import Objects

Check = Callable[[Objects], Iterator[str]]
RULES: dict[str, Check] = {}


def rule(check: Check) -> Check:
    RULES[check.__name__] = check
    return check


def problems(check: Check, objects: Objects) -> list[str]:
    # What is missing altogether is a problem like any other.
    try:
        return list(check(objects))
    except (KeyError, LookupError) as error:
        return [f"missing: {error}"]
