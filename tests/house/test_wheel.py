"""The wheel alone: installed into an empty environment, it annotates genes far from any checkout."""

from __future__ import annotations

import os
import re
import shutil
import zipfile
from pathlib import Path

import pytest

from tests import progress
from tests.report.test_genome_browser import chromium, local_errors, served, shown_by_jbrowse
from transgenic_tools.cli import entry

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "assets" / "demo" / "athaliana_chr1_slice"
TOOLS = ROOT / ".venv" / "bin"


def uv() -> str:
    """uv shares packages with its cache, so that an empty environment is filled in seconds."""
    for candidate in (shutil.which("uv"), str(TOOLS / "uv")):
        if candidate and Path(candidate).exists() and progress.run([candidate, "--version"]).returncode == 0:
            return candidate
    pytest.skip("uv is not installed (bin/bootstrap does so)")


def outside(home: Path) -> dict[str, str]:
    """An environment in which nothing leads to the checkout; caches and package indexes stay those of the user."""
    kept = {
        name: value for name, value in os.environ.items() if name.startswith(("UV_", "PIP_", "SSL_", "http", "HTTP"))
    }
    cache = os.environ.get("UV_CACHE_DIR", str(Path.home() / ".cache" / "uv"))
    return {**kept, "PATH": "/usr/bin:/bin", "HOME": str(home), "UV_CACHE_DIR": cache}


def must(*command: object, cwd: Path, env: dict[str, str]) -> str:
    done = progress.run([str(word) for word in command], cwd=cwd, env=env)
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


def installed(wheel: Path, folder: Path) -> tuple[dict[str, str], Path]:
    """The wheel alone in an empty environment: its variables, and its interpreter."""
    env, python = outside(folder), folder / "env" / "bin" / "python"
    must(uv(), "venv", "-q", "--python", TOOLS / "python", folder / "env", cwd=folder, env=env)
    must(uv(), "pip", "install", "-q", "-p", python, "-c", ROOT / "constraints.txt", wheel, cwd=folder, env=env)
    return env, python


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from the sdist, as an index would get it."""
    folder = tmp_path_factory.mktemp("dist")
    must(uv(), "build", "-q", "--out-dir", folder, ROOT, cwd=folder, env=outside(Path.home()))
    [built] = folder.glob("*.whl")
    return built


def test_the_wheel_holds_every_file_of_the_package_and_the_weights_once(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    package = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "transgenic_tools").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".pyc"
    }
    assert package <= set(names)
    assert sorted(name for name in names if name.endswith(".safetensors")) == [
        "transgenic_tools/assets/model/model.safetensors"
    ]
    assert {path.resolve() for path in ROOT.glob("*/model/model.safetensors")} == {
        ROOT / "transgenic_tools" / "assets" / "model" / "model.safetensors"
    }


@pytest.mark.slow
def test_an_empty_environment_and_an_empty_folder_are_enough(wheel: Path, tmp_path: Path) -> None:
    """Preparation, generation, backmapping, evaluation, report, and a preset: the same bytes as in the checkout."""
    env, python = installed(wheel, tmp_path)
    folders = {"wheel": (tmp_path / "env" / "bin", env), "checkout": (TOOLS, {**os.environ, "PYTHONPATH": str(ROOT)})}
    for name, (tools, own) in folders.items():
        folder = tmp_path / name
        folder.mkdir()

        def tg(tool: str, *flags: object, tools: Path = tools, folder: Path = folder, own: dict[str, str] = own) -> str:
            return must(tools / f"tg-{tool}", *flags, cwd=folder, env=own)

        tg("prep", "genes", "--fasta", f"{DEMO}.fa.gz", "--annotation", f"{DEMO}.gff3.gz", "--outdir", "shards")
        tg("generate", "shards", "--outdir", "predictions", "--precision", "fp32")
        tg("backmap", "predictions", "--out", "out.gff3")
        tg("evaluate", "--reference", f"{DEMO}.gff3.gz", "--prediction", "out.gff3", "--json", "out.json")
        tg("report", "--annotation", "demo=out.gff3", "--evaluation", "demo=out.json", "--out", "report.html")
    (tmp_path / "loci.bed").write_text("NC_003070.9\t37541\t39305\tone\t0\t-\n")
    words = (f"{DEMO}.fa.gz", "--regions", "loci.bed", "--out", "annotated", "--proteins", "--jbrowse")
    must(tmp_path / "env" / "bin" / "tg-annotate", *words, cwd=tmp_path, env=env)
    names = ("annotation/athaliana_chr1_slice.gff3", "annotation/athaliana_chr1_slice.pep.fa", "report/report.html")
    browsers = ("config.json", "athaliana_chr1_slice.igv.json", "athaliana_chr1_slice.gff3.gz.tbi")
    for name in (*names, *(f"jbrowse/{file}" for file in browsers)):
        assert (tmp_path / "annotated" / name).stat().st_size > 100, name
    where = must(python, "-c", "import transgenic_tools; print(transgenic_tools.__file__)", cwd=tmp_path, env=env)
    assert Path(where).is_relative_to(tmp_path / "env")
    for file in ("out.gff3", "out.json", "report.html"):
        assert (tmp_path / "wheel" / file).read_bytes() == (tmp_path / "checkout" / file).read_bytes(), file
    presets = must(
        python, "-c", "from transgenic_tools.model.presets import preset_names as p; print(*p())", cwd=tmp_path, env=env
    )
    assert {"mini", "embedded"} <= set(presets.split())
    for tool in re.findall(r"^(tg-[a-z]+) = ", (ROOT / "pyproject.toml").read_text(), flags=re.MULTILINE):
        must(tmp_path / "env" / "bin" / tool, "--help", cwd=tmp_path, env=env)


@pytest.mark.browser
@pytest.mark.slow
def test_a_newcomers_gene_is_seen_in_a_browser(wheel: Path, tmp_path: Path) -> None:
    """The wheel in an empty environment, one command, and the folder that it wrote, in JBrowse 2."""
    env, _ = installed(wheel, tmp_path)
    (tmp_path / "loci.bed").write_text("NC_003070.9\t37541\t39305\tnewcomer\t0\t-\n")
    words = (f"{DEMO}.fa.gz", "--regions", "loci.bed", "--out", "results", "--sample", "ath", "--jbrowse")
    must(tmp_path / "env" / "bin" / "tg-annotate", *words, cwd=tmp_path, env=env)
    assert "\tmRNA\t" in (tmp_path / "results" / "annotation" / "ath.gff3").read_text()
    with served(tmp_path / "results") as site, chromium() as browser:
        shown_by_jbrowse(browser, site, "newcomer", "Prediction (ath)")
        assert local_errors(browser, site) == []


def test_every_tool_has_an_entry() -> None:
    """`tg-scan` in pyproject.toml is `scan` in `cli.entry`, which calls `main` of `cli/scan.py`."""
    scripts = re.findall(r'^tg-([a-z]+) = "(.*)"', (ROOT / "pyproject.toml").read_text(), flags=re.MULTILINE)
    tools = {path.stem for path in (ROOT / "transgenic_tools" / "cli").glob("[a-z]*.py")}
    assert scripts
    for tool, target in scripts:
        assert target == f"transgenic_tools.cli.entry:{tool}"
        assert tool in tools
        assert callable(getattr(entry, tool))
