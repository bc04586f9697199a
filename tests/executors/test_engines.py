"""The demo in containers: podman, docker, charliecloud, the singularity profile, and SLURM with an engine.

The thin image comes from containers/Dockerfile. The torch tool runs from this machine's .venv, mounted read-only, since
an image with torch is 6 GB; `make images` builds that one.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.executors import images
from tests.pipeline import nextflow
from transgenic_tools import __version__

DEMO_GFF3 = "annotation/athaliana_chr1_slice.gff3"


def run_demo(
    folder: Path, site: Path, profiles: str, image: str, *arguments: str, options: str = "", **env: str
) -> nextflow.Run:
    """The test profile with one image for all tools; `options` is a line of site config."""
    site.write_text(site.read_text() + options + "\n")
    return nextflow.run(
        "-profile", profiles, "-c", str(site), "--thin_image", image, "--torch_image", image, *arguments,
        launch_dir=folder, env=env, quiet_s=590,
    )  # fmt: skip


def check(done: nextflow.Run) -> None:
    assert done.code == 0, done.text
    assert done.count()["TG_GENERATE"] >= 3
    assert done.file(DEMO_GFF3).stat().st_size > 10_000
    assert done.file("report/report.html").is_file()


def scripts_of(done: nextflow.Run, process: str) -> list[str]:
    found = (path.read_text() for path in (done.launch_dir / "work").glob("*/*/.command.run"))
    return [text for text in found if f":{process} (" in text]


def test_thin_image_is_small_complete_and_without_torch(podman_image: str) -> None:
    listed = subprocess.run(
        ["podman", "image", "inspect", "--format", "{{.Size}} {{.User}} {{.Labels}}", images.THIN],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    size, user = listed.split()[:2]
    assert int(size) < 600e6
    assert user == "transgenic"
    assert "org.opencontainers.image.version:" in listed
    probe = (
        "ps --version && for t in prep backmap evaluate report; do tg-$t --version; done && ! python -c 'import torch' "
        "&& tg-prep samplesheet /demo/samplesheet.csv"
    )
    demo = f"{nextflow.ROOT}/assets/demo:/demo:ro"
    done = subprocess.run(
        ["podman", "run", "--rm", "-v", demo, images.THIN, "bash", "-c", probe],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("transgenic_tools ") == 4


@pytest.mark.slow
def test_slurm_with_podman(cluster: None, podman_image: str, tmp_path: Path, site: Path) -> None:
    options = f"podman.runOptions = '-u 0:0 {images.mounts()}'"
    done = run_demo(tmp_path, site, "test,slurm,podman", podman_image, options=options)
    check(done)
    assert all("podman run" in text for text in scripts_of(done, "TG_GENERATE"))
    assert all(task.native_id.isdigit() for task in done.tasks)


@pytest.mark.slow
@pytest.mark.all_engines
def test_podman_alone(podman_image: str, tmp_path: Path, site: Path) -> None:
    options = f"podman.runOptions = '-u 0:0 {images.mounts()}'"
    check(run_demo(tmp_path, site, "test,podman", podman_image, options=options))


@pytest.fixture
def torch_image(podman_image: str) -> str:
    """The real one: built by `make images`, never by a test, since it takes minutes and 16 GB on the way."""
    if not images.exists(images.TORCH):
        pytest.skip(f"there is no {images.TORCH}: containers/build torch makes it")
    if not images.holds_this_code(images.TORCH):
        pytest.skip(f"{images.TORCH} was built from other code: containers/build torch makes it anew")
    return images.TORCH


@pytest.mark.slow
@pytest.mark.all_engines
def test_torch_image_is_complete(torch_image: str) -> None:
    tools = ("prep", "encode", "train", "generate", "backmap", "evaluate", "report")
    probe = (
        "set -e; ps --version; test $(id -u) = 1000; "
        f"for t in {' '.join(tools)}; do tg-$t --version; tg-$t --help >/dev/null; done; "
        "python -c 'import accelerate, mappy, numba, peft, safetensors, torch, transformers; "
        "import transgenic_tools.encode.run, transgenic_tools.generate.run, transgenic_tools.train.pipeline; "
        'from transgenic_tools.model.presets import preset_names; assert "mini" in preset_names(); '
        "from transgenic_tools.model.files import load_model; load_model(None); "
        "print(torch.nn.Linear(3, 2)(torch.ones(1, 3)).shape)'"
    )
    done = subprocess.run(
        ["podman", "run", "--rm", torch_image, "bash", "-c", probe], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("transgenic_tools ") == len(tools)
    assert "torch.Size([1, 2])" in done.stdout


@pytest.mark.slow
@pytest.mark.all_engines
def test_podman_with_the_images_as_they_are(torch_image: str, tmp_path: Path, site: Path) -> None:
    """No mount of this machine's .venv: the images by the names that the profile has."""
    done = nextflow.run("-profile", "test,podman", "-c", str(site), launch_dir=tmp_path, quiet_s=590)
    check(done)
    assert all(f" transgenic-tools:{__version__} " in text for text in scripts_of(done, "TG_GENERATE"))
    assert all(f" transgenic-tools:{__version__}-thin " in text for text in scripts_of(done, "TG_BACKMAP"))


@pytest.fixture
def dockerd(podman_image: str) -> Iterator[None]:
    """Debian's dockerd without systemd, iptables or raised limits; left alone where one runs already."""
    if reason := images.missing("docker"):
        pytest.skip(reason)
    daemon = None
    if not _docker_answers():
        daemon = subprocess.Popen(
            [
                "dockerd", "--data-root", "/var/lib/docker-ci", "--exec-root", "/run/docker-exec",
                "-p", "/run/docker-exec.pid", "--bridge=none", "--iptables=false", "--ip6tables=false",
                "--ip-forward=false", "--oom-score-adjust=0", "--default-ulimit", "nofile=1024:1024",
                "--default-ulimit", "nproc=1024:1024", "--exec-opt", "native.cgroupdriver=cgroupfs",
                "--storage-driver", "overlay2",
            ],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        end = time.monotonic() + 60
        while not _docker_answers():
            assert time.monotonic() < end, "dockerd did not answer within 60 s"
            time.sleep(0.5)
    with subprocess.Popen(["podman", "save", podman_image], stdout=subprocess.PIPE) as saved:
        subprocess.run(["docker", "load", "-q"], stdin=saved.stdout, check=True, timeout=300, capture_output=True)
    yield
    if daemon:
        daemon.terminate()
        daemon.wait(60)


def _docker_answers() -> bool:
    return subprocess.run(["docker", "info"], capture_output=True, check=False, timeout=60).returncode == 0


@pytest.mark.slow
@pytest.mark.all_engines
def test_docker(dockerd: None, podman_image: str, tmp_path: Path, site: Path) -> None:
    options = f"docker.runOptions = '-u 0:0 --network host {images.mounts()}'"
    check(run_demo(tmp_path, site, "test,docker", podman_image, options=options))


@pytest.mark.slow
@pytest.mark.all_engines
def test_charliecloud(image_dir: Path, tmp_path: Path, site: Path) -> None:
    options = f"charliecloud.runOptions = '{images.mounts('-b', '')}'"
    done = run_demo(tmp_path, site, "test,charliecloud", str(image_dir), options=options, USER="root")
    check(done)
    assert all("ch-run" in text for text in scripts_of(done, "TG_GENERATE"))


@pytest.mark.slow
@pytest.mark.all_engines
def test_the_singularity_definition_holds_in_the_image(image_dir: Path) -> None:
    """No SIF file can be made without apptainer: its %environment and %test run in the image that it is made from."""
    text = (nextflow.ROOT / "containers" / "singularity.def").read_text()
    sections = dict(re.findall(r"^%(\w+)\n(.*?)(?=^%|\Z)", text, flags=re.MULTILINE | re.DOTALL))
    script = f"set -e\n{sections['environment']}\n{sections['test']}\necho $MPLCONFIGDIR\n"
    done = subprocess.run(
        [str(images.SHIM), "exec", str(image_dir), "bash", "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "transgenic_tools " in done.stdout
    assert "/tmp/matplotlib" in done.stdout


@pytest.mark.slow
@pytest.mark.all_engines
@pytest.mark.parametrize("engine", ["singularity", "apptainer"])
def test_singularity_on_slurm_with_a_gpu(
    engine: str, cluster: None, image_dir: Path, tmp_path: Path, site: Path
) -> None:
    """The design target `-profile slurm,singularity --use_gpu`, with a stand-in that runs the unpacked image."""
    if shutil.which(engine):
        pytest.skip(f"a real {engine} is installed: the stand-in would hide it")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / engine).symlink_to(images.SHIM)
    path = f"{tmp_path / 'bin'}:{os.environ['PATH']}"
    options = f"{engine}.runOptions = '{images.mounts('-B', '')}'"
    done = run_demo(
        tmp_path, site, f"test,slurm,{engine}", str(image_dir), "--use_gpu", "true", "--gpu_queue", "gpu",
        options=options, PATH=path, USER="root",
    )  # fmt: skip
    check(done)
    assert all(f"{engine} exec" in text and " --nv " in text for text in scripts_of(done, "TG_GENERATE"))
    assert all("--gres=gpu:1" in text for text in scripts_of(done, "TG_GENERATE"))
    assert not any(" --nv " in text for text in scripts_of(done, "TG_BACKMAP"))
    assert "found no GPU and ran on the CPU" in done.text
