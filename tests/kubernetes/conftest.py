"""The rendered overlays."""

import sys
from pathlib import Path

import pytest

# The modules beside the tests; pytest's import mode adds no folder to the path by itself.
sys.path.insert(0, str(Path(__file__).parent))

from objects import Objects
from render import OVERLAYS, render


@pytest.fixture(scope="session")
def overlays() -> dict[str, Objects]:
    return {overlay: Objects(render(overlay)) for overlay in OVERLAYS}
