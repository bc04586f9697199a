"""A SLURM cluster and container images for the tests, each made once a session and only where it can be."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.executors import images, slurm
from tests.pipeline import nextflow

#: Polling for a machine that nobody else uses; a site would not do this.
FAST = """
process.resourceLimits = [cpus: 1, memory: '3.GB', time: '1.h']
executor {
    pollInterval      = '1 sec'
    queueStatInterval = '2 sec'
    exitReadTimeout   = '5 sec'
    submitRateLimit   = null
}
"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.executors)


@pytest.fixture(scope="session")
def cluster() -> Iterator[None]:
    """SLURM with two partitions, `cpu` and `gpu`, and two GPUs that are no GPUs."""
    if reason := nextflow.missing() or slurm.missing():
        pytest.skip(reason)
    started = slurm.up()
    yield
    slurm.down(started)


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A site config, as a user's -c file; tests append to it."""
    config = tmp_path / "site.config"
    config.write_text(FAST)
    return config


@pytest.fixture(scope="session")
def podman_image() -> str:
    """The thin image, and on top of it a door to this machine's own torch."""
    if reason := nextflow.missing() or images.missing("podman"):
        pytest.skip(reason)
    return images.build()


@pytest.fixture(scope="session")
def image_dir(podman_image: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same image unpacked, as charliecloud and the singularity stand-in read it."""
    if reason := images.missing("charliecloud"):
        pytest.skip(reason)
    return images.unpack(podman_image, tmp_path_factory.mktemp("image"))
