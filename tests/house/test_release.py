"""`make release` from a fresh clone: each artefact is there, says one version, and does what it is for.

conda-build is on no package index of Python, so meta.yaml is read as conda-build would (Jinja out, YAML, the fields
that conda-forge's linter asks for), and its build script is run on the sdist. rattler-build is on PyPI: it builds
recipe.yaml, which says the same, and runs its tests, from a channel whose packages are the checkout's environment's.
The wheel's own smoke test is test_wheel.py. A surprise: the clone holds what is committed, not what is being edited.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import warnings
import zipfile
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
import yaml

from release.recipe import NAMES, SAME, conda_requirement
from release.version import PLACES, disagreeing, stamp, version
from tests.executors import images
from tests.house.test_wheel import ROOT, must, uv
from transgenic_tools import __version__
from transgenic_tools.provenance import file_sha256

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def git(*words: object, cwd: Path = ROOT) -> str:
    done = subprocess.run(["git", *map(str, words)], cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no clone can be made here: {done.stderr}")
    return done.stdout


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("clone") / "checkout"
    git("clone", "-q", "--depth", "1", f"file://{ROOT}", target)
    return target


def release(clone: Path, *words: object) -> subprocess.CompletedProcess[str]:
    uv()
    env = {**os.environ, "PYTHONPATH": str(clone), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    env |= {"PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "release.build", *map(str, words)]
    return subprocess.run(command, cwd=clone, env=env, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def dist(clone: Path) -> Path:
    done = release(clone)
    assert done.returncode == 0, done.stdout + done.stderr
    assert git("status", "--porcelain", cwd=clone) == ""
    return clone / "dist"


@pytest.mark.slow
def test_checksums_are_those_of_all_files(dist: Path) -> None:
    lines = [line.split("  ") for line in (dist / "SHA256SUMS").read_text().splitlines()]
    files = {str(path.relative_to(dist)) for path in dist.rglob("*") if path.is_file()} - {"SHA256SUMS"}
    assert {name for _, name in lines} == files
    assert [name for digest, name in lines if file_sha256(dist / name) != digest] == []
    kinds = ("transgenic_tools-*.tar.gz", "*.whl", "conda/meta.yaml", "conda/recipe.yaml", "*-image-context.tar.gz")
    assert all(list(dist.glob(kind)) for kind in kinds)
    assert (ROOT / "mkdocs.yml").exists() == bool(list(dist.glob("*-docs.tar.gz")))


@pytest.mark.slow
def test_the_wheel_and_the_sdist_say_the_version_and_hold_the_licence(dist: Path) -> None:
    [wheel], [sdist] = dist.glob("*.whl"), dist.glob("transgenic_tools-*.tar.gz")
    assert sdist.name == f"transgenic_tools-{__version__}.tar.gz"
    with zipfile.ZipFile(wheel) as archive:
        [metadata] = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        text = archive.read(metadata).decode()
        assert any(name.endswith("LICENSE") for name in archive.namelist())
    assert f"\nVersion: {__version__}\n" in text
    assert "# transgenic_tools" in text
    with tarfile.open(sdist) as packed:
        names = {name.partition("/")[2] for name in packed.getnames()}
    assert {"LICENSE", "pyproject.toml", "README.md", "transgenic_tools/assets/model/model.safetensors"} <= names


def read_recipe(text: str) -> dict[str, Any]:
    """As conda-build would: Jinja's one expression filled in, then YAML."""
    plain = text.replace("{{ PYTHON }}", "python")
    assert "{{" not in plain
    assert "{%" not in plain
    return yaml.safe_load(plain)


@pytest.mark.slow
def test_the_recipe_is_whole_and_fits_the_sdist(dist: Path) -> None:
    meta = read_recipe((dist / "conda" / "meta.yaml").read_text())
    assert list(meta) == ["package", "source", "build", "requirements", "test", "about"]  # conda-forge's order
    assert meta["package"] == {"name": "transgenic-tools", "version": __version__}
    sdist = (dist / "conda" / meta["source"]["url"]).resolve()
    assert file_sha256(sdist) == meta["source"]["sha256"]
    assert meta["build"]["noarch"] == "python"
    assert meta["build"]["number"] == 0
    assert {line.split(" = ")[0] for line in meta["build"]["entry_points"]} == set(PROJECT["scripts"])
    run = meta["requirements"]["run"]
    assert run[0] == f"python {PROJECT['requires-python']}"
    assert run[1:] == sorted(conda_requirement(one) for one in PROJECT["dependencies"])
    assert all(re.fullmatch(r"[a-z0-9_.-]+( [<>=!0-9.,]+)?", one) for one in run + meta["requirements"]["host"])
    assert {"python >=3.11", "pip"} <= set(meta["requirements"]["host"])
    assert {f"{tool} --version" for tool in PROJECT["scripts"]} == set(meta["test"]["commands"])
    assert {"home", "summary", "license", "license_file"} <= set(meta["about"])


@pytest.mark.slow
def test_the_recipes_build_script_and_tests_run_on_the_sdist(dist: Path, tmp_path: Path) -> None:
    """In an environment with pip and the backend alone, dependencies lent by the checkout's: what conda's build has."""
    meta = read_recipe((dist / "conda" / "meta.yaml").read_text())
    with tarfile.open((dist / "conda" / meta["source"]["url"]).resolve()) as packed:
        packed.extractall(tmp_path / "src", filter="data")
    [source] = (tmp_path / "src").iterdir()
    must(uv(), "venv", "-q", "--python", sys.executable, tmp_path / "env", cwd=tmp_path, env=dict(os.environ))
    python = tmp_path / "env" / "bin" / "python"
    must(uv(), "pip", "install", "-q", "-p", python, "pip", "setuptools>=77", cwd=tmp_path, env=dict(os.environ))
    must(*meta["build"]["script"].replace("python", str(python), 1).split(), cwd=source, env=dict(os.environ))
    [lent] = [path for path in sys.path if path.endswith("site-packages")][:1]
    env = {"PATH": f"{python.parent}:/usr/bin:/bin", "HOME": str(tmp_path), "PYTHONPATH": lent}
    for module in meta["test"]["imports"]:
        where = must(python, "-c", f"import {module} as m; print(m.__file__)", cwd=tmp_path, env=env)
        assert Path(where.strip()).is_relative_to(tmp_path / "env")
    for command in meta["test"]["commands"]:
        tool, flag = command.split()
        assert must(python.parent / tool, flag, cwd=tmp_path, env=env).strip().endswith(__version__)


def lent_channel(folder: Path, needed: list[str]) -> Path:
    """A conda channel: the interpreter, pip and setuptools as they are, and of all else a name and a version.

    The packages behind those names are seen where `pytorch` is installed: when tests run, not when the wheel is made.
    """
    rattler = pytest.importorskip("rattler_build")
    channel, platform = folder / "channel", "linux-64"
    [site] = [Path(path) for path in sys.path if path.endswith("site-packages")][:1]
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    for name in (platform, "noarch"):
        (channel / name).mkdir(parents=True)

    def package(name: str, release: str, files: Path, *depends: str) -> None:
        rattler.assemble_package(
            name, release, platform, "0", channel / platform, files_dir=files, depends=depends, compression_level=1,
            detect_prefix=False,
        )  # fmt: skip

    def packages_of(name: str) -> Path:
        target = folder / name / "lib" / f"python{python}" / "site-packages"
        target.mkdir(parents=True)
        return target

    interpreter = Path(sys.executable).resolve()
    (packages_of("python") / "README.txt").write_text("lent")
    (folder / "python" / "bin").mkdir()
    (folder / "python" / "pyvenv.cfg").write_text(f"home = {interpreter.parent}\n")
    for name in ("python", "python3", f"python{python}"):
        (folder / "python" / "bin" / name).symlink_to(interpreter)
    package("python", ".".join(map(str, sys.version_info[:3])), folder / "python")
    own = folder / "build"  # the checkout's environment has no pip where uv made it
    env, into = dict(os.environ), own / "bin" / "python"
    must(uv(), "venv", "-q", "--python", sys.executable, own, cwd=folder, env=env)
    must(uv(), "pip", "install", "-q", "-p", into, "pip", "setuptools>=77", cwd=folder, env=env)
    tools = own / "lib" / f"python{python}" / "site-packages"
    for name, pattern in (("pip", "pip*"), ("setuptools", "*setuptools*"), ("setuptools", "*distutils*")):
        target = folder / name / "lib" / f"python{python}" / "site-packages"
        target.mkdir(parents=True, exist_ok=True)
        for path in tools.glob(pattern):
            shutil.copytree(path, target / path.name) if path.is_dir() else shutil.copy(path, target)
    for name in ("pip", "setuptools"):
        [version] = {found.version for found in metadata.distributions(name=name, path=[str(tools)])}
        package(name, version, folder / name, "python")
    theirs = {conda: ours for ours, conda in NAMES.items()}
    for name in (one.split()[0] for one in needed):
        target = packages_of(name)
        (target / f"{name}.txt").write_text("lent")
        if name == "pytorch":
            (target / "lent.pth").write_text(f"{site}\n")
        package(name, metadata.version(theirs.get(name, name)), folder / name)
    return channel


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the channel is made for Linux")
def test_rattler_build_makes_the_package_from_the_sdist(dist: Path, tmp_path: Path) -> None:
    """Built, installed into an environment of its own and tested there; a test that fails is an error."""
    rattler = pytest.importorskip("rattler_build")
    text = (dist / "conda" / "recipe.yaml").read_text()
    needed = yaml.safe_load(text)["requirements"]["run"][1:]
    channel = lent_channel(tmp_path / "lent", needed)

    def build(recipe: Path) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            rattler.build_recipes([recipe], channel=[], output_dir=channel, no_build_id=True)

    build(dist / "conda" / "recipe.yaml")
    [built] = (channel / "noarch").glob(f"transgenic-tools-{__version__}-*.conda")
    weights = ROOT / "transgenic_tools" / "assets" / "model" / "model.safetensors"
    assert built.stat().st_size > 0.8 * weights.stat().st_size, "the model is in it"
    wrong = dist / "conda" / "wrong.yaml"
    wrong.write_text(text.replace("tg-prep --version", "tg-prep --nothing"))
    try:
        with pytest.raises(Exception, match="Test failed"):
            build(wrong)
    finally:
        wrong.unlink()


@pytest.mark.slow
def test_the_context_holds_what_the_images_are_built_from(dist: Path) -> None:
    [archive] = dist.glob("*-image-context.tar.gz")
    with tarfile.open(archive) as packed:
        names = {
            name.partition("/")[2]: member for name, member in zip(packed.getnames(), packed.getmembers(), strict=True)
        }
    dockerfile = (ROOT / "containers" / "Dockerfile").read_text()
    copied = {
        word for line in re.findall(r"^COPY (?!--from)(.*)$", dockerfile, flags=re.M) for word in line.split()[:-1]
    }
    assert copied
    for source in copied:
        assert source in names or any(name.startswith(f"{source}/") for name in names), source
    assert names["containers/build"].mode & 0o100
    assert "transgenic_tools/assets/model/model.safetensors" in names
    assert ".dockerignore" in names


#: What the thin image is for: a genome prepared, its annotation held against itself, a page; no torch, no network.
_IN_THE_IMAGE = """
set -eu
cd /tmp
genome=/demo/athaliana_chr1_slice.fa.gz
genes=/demo/athaliana_chr1_slice.gff3.gz
tg-prep genes --fasta $genome --annotation $genes --outdir prep
tg-evaluate --reference $genes --prediction $genes --json evaluation.json
tg-report --annotation a=$genes --evaluation a=evaluation.json --prep a=prep/prep.json --out report.html
test -s report.html
! tg-generate prep --outdir predictions 2>generate.err
grep -q "torch is not installed here" generate.err
python -c "import json; print(json.load(open('evaluation.json'))['gene_exact'])"
"""


@pytest.mark.slow
@pytest.mark.executors
def test_the_context_alone_becomes_an_image_that_works(dist: Path, tmp_path: Path) -> None:
    """Unpacked far from the checkout, built by its own script. The torch image's tests: tests/executors."""
    if reason := images.missing("podman"):
        pytest.skip(reason)
    images.configure_podman()
    [archive] = dist.glob("*-image-context.tar.gz")
    with tarfile.open(archive) as packed:
        packed.extractall(tmp_path, filter="data")
    [context] = tmp_path.iterdir()
    must(context / "containers" / "build", "thin", cwd=tmp_path, env=images.build_variables())
    run = ("podman", "run", "--rm", "--network", "none", "-v", f"{ROOT}/assets/demo:/demo:ro")
    said = must(*run, images.THIN, "bash", "-c", _IN_THE_IMAGE, cwd=tmp_path, env=dict(os.environ))
    assert said.split()[-1] == "1.0"


@pytest.mark.slow
def test_the_same_commit_gives_the_same_archives(dist: Path, clone: Path, tmp_path: Path) -> None:
    done = release(clone, "--out", tmp_path / "again")
    assert done.returncode == 0, done.stderr
    [context] = (tmp_path / "again").glob("*-image-context.tar.gz")
    assert file_sha256(context) == file_sha256(dist / context.name)


@pytest.mark.slow
def test_a_tree_with_changes_is_refused(clone: Path, dist: Path) -> None:
    assert dist.exists()
    stray = clone / "notes.txt"
    stray.write_text("x")
    try:
        done = release(clone, "--out", clone / "other")
    finally:
        stray.unlink()
    assert done.returncode == 1
    assert "notes.txt" in done.stderr
    assert not (clone / "other").exists()


def test_the_version_stands_in_one_place_and_is_the_same_elsewhere() -> None:
    assert version() == __version__
    assert disagreeing() == []


def test_a_version_can_be_set(tmp_path: Path) -> None:
    for name in {"transgenic_tools/__init__.py", *(name for name, _ in PLACES)}:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text((ROOT / name).read_text())
    (tmp_path / "containers" / "Dockerfile").write_text("ARG VERSION=9.9.9\n")
    assert disagreeing(tmp_path) == [f"containers/Dockerfile: 9.9.9 instead of {__version__}"]
    stamp("12.0.3", tmp_path)
    assert version(tmp_path) == "12.0.3"
    assert disagreeing(tmp_path) == []
    assert __version__ not in (tmp_path / "nextflow.config").read_text()


def test_every_dependency_has_a_name_in_conda() -> None:
    for one in PROJECT["dependencies"]:
        assert conda_requirement(one)
    assert conda_requirement("torch<2.16") == "pytorch <2.16"
    assert conda_requirement("isal<1.10; platform_machine == 'x86_64'") == "python-isal <1.10"
    assert not SAME & set(NAMES)
    with pytest.raises(KeyError, match="nothing"):
        conda_requirement("nothing")
