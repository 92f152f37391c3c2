"""The rendered overlays, and a PostgreSQL that is set up as one of them says."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

# The modules beside the tests; pytest's import mode adds no folder to the path by itself.
sys.path.insert(0, str(Path(__file__).parent))

from cluster import Cluster, probe
from objects import Objects
from render import OVERLAYS, render


@pytest.fixture(scope="session")
def overlays() -> dict[str, Objects]:
    return {overlay: Objects(render(overlay)) for overlay in OVERLAYS}


@pytest.fixture(scope="session")
def bootstrap(overlays: dict[str, Objects]) -> Iterator[tuple[Cluster, int]]:
    """The cluster, and what its readiness probe said while it was initialised."""
    cluster = Cluster(overlays["dev"])
    try:
        cluster.initdb()
        cluster.start(bootstrap=True)
        cluster.create()
        ready = probe(cluster, "readinessProbe")
        cluster.stop()
        cluster.start()
        yield cluster, ready
    finally:
        cluster.remove()


@pytest.fixture
def cluster(bootstrap: tuple[Cluster, int]) -> Cluster:
    return bootstrap[0]
