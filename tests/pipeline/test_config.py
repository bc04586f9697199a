"""Every profile resolves to the configuration on record, and no profile drops a label's resources."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion

from tests.pipeline import nextflow

pytestmark = pytest.mark.usefixtures("needs_nextflow")

PROFILES = (
    "test", "test_full", "slurm", "docker", "podman", "singularity", "apptainer", "charliecloud", "conda", "k8s",
    "awsbatch", "google_batch", "gpu", "tower",
)  # fmt: skip
COMBINED = ("slurm,singularity", "test,slurm,podman")


@pytest.fixture(scope="module")
def launch_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("config")


@pytest.mark.parametrize("profiles", [*PROFILES, *COMBINED])
def test_flat_configuration_is_the_one_on_record(profiles: str, launch_dir: Path, snapshot: SnapshotAssertion) -> None:
    text = nextflow.flat_config(profiles, launch_dir=launch_dir)
    labels = set(re.findall(r"process\.'withLabel:(\w+)'\.(\w+)", text))
    assert {("process_gpu", key) for key in ("accelerator", "containerOptions", "queue", "ext")} <= labels
    assert len(re.findall(r"^process\.(?:'.*'\.)?clusterOptions", text, flags=re.MULTILINE)) == 1, (
        "SLURM options stand once"
    )
    for label in ("process_single", "process_low", "process_medium", "process_high"):
        assert {(label, key) for key in ("cpus", "memory", "time")} <= labels, f"{profiles} drops resources of {label}"
    assert text == snapshot


def test_the_list_above_holds_every_profile() -> None:
    config = (nextflow.ROOT / "nextflow.config").read_text()
    block = config.split("\nprofiles {\n", 1)[1].split("\n}\n", 1)[0]
    assert set(re.findall(r"^    (\w+) \{", block, flags=re.MULTILINE)) == set(PROFILES)


def test_no_selector_stands_in_a_profile() -> None:
    config = (nextflow.ROOT / "nextflow.config").read_text()
    outside = ("base.config", "modules.config")
    files = [path for path in (nextflow.ROOT / "conf").glob("*.config") if path.name not in outside]
    for text in (config, *(path.read_text() for path in files)):
        code = re.sub(r"/\*.*?\*/|//[^\n]*", "", text, flags=re.DOTALL)
        assert not re.search(r"\bwith(Label|Name)\b", code)


def test_no_plugin_is_declared() -> None:
    for path in [nextflow.ROOT / "nextflow.config", *(nextflow.ROOT / "conf").glob("*.config")]:
        assert not re.search(r"^\s*plugins\b", path.read_text(), flags=re.MULTILINE)
