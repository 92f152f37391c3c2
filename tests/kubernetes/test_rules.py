"""Every rule holds in every overlay, and reports the mutations that break it."""

import copy

import mutations_availability
import mutations_database
import mutations_network
import mutations_pods
import mutations_wiring
import pytest
import rules_availability
import rules_database
import rules_network
import rules_pods
import rules_wiring
from mutation import Mutation
from objects import Objects
from render import OVERLAYS
from rule import RULES, problems

MODULES = (rules_availability, rules_database, rules_network, rules_pods, rules_wiring)
MUTATIONS = [
    *mutations_availability.MUTATIONS,
    *mutations_database.MUTATIONS,
    *mutations_network.MUTATIONS,
    *mutations_pods.MUTATIONS,
    *mutations_wiring.MUTATIONS,
]


def test_every_rule_is_registered() -> None:
    checks = {
        name
        for module in MODULES
        for name, value in vars(module).items()
        if callable(value) and RULES.get(name) is value
    }
    assert checks == set(RULES)
    assert len(RULES) > 25


@pytest.mark.parametrize("overlay", OVERLAYS)
@pytest.mark.parametrize("name", sorted(RULES))
def test_rule_holds(overlays: dict[str, Objects], overlay: str, name: str) -> None:
    assert problems(RULES[name], overlays[overlay]) == []


def test_every_rule_has_a_mutation() -> None:
    assert {mutation.rule for mutation in MUTATIONS} == set(RULES)


@pytest.mark.parametrize(
    "mutation", MUTATIONS, ids=lambda mutation: f"{mutation.rule}: {mutation.what}"
)
def test_mutation_is_reported(overlays: dict[str, Objects], mutation: Mutation) -> None:
    before = overlays[mutation.overlay].documents
    broken = Objects(copy.deepcopy(before))
    mutation.apply(broken)
    assert broken.documents != before, "the mutation changed nothing"
    found = problems(RULES[mutation.rule], broken)
    assert any(mutation.says in problem for problem in found), found
