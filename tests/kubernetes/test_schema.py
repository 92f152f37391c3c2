"""Every object is what its API says, with no member that the API does not know."""

import kubernetes_validate  # type: ignore[import-untyped]
import pytest
from objects import Objects
from render import OVERLAYS

# The oldest supported version of Kubernetes, and newer ones.
VERSIONS = ("1.32", "1.33", "1.34")


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("overlay", OVERLAYS)
def test_objects_are_valid(overlays: dict[str, Objects], overlay: str, version: str) -> None:
    documents = overlays[overlay].documents
    assert len(documents) > 10
    for document in documents:
        kubernetes_validate.validate(document, version, strict=True)


def test_an_unknown_member_is_an_error(overlays: dict[str, Objects]) -> None:
    broken = {**overlays["dev"].get("Service", "db-rw"), "sepc": {}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(broken, VERSIONS[0], strict=True)
