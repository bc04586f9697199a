"""bin/make-model: which genomes it learns from and by which steps, with stand-ins for the long ones."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from transgenic_tools.train.trunk import read_plan

ROOT = Path(__file__).parents[2]
#: Writes a shard of two genes, whatever tg-prep is asked for, and what it was asked.
TG_PREP = """
import sys
from pathlib import Path
from tests.train.builders import shards
flags = sys.argv[1:]
outdir = Path(flags[flags.index("--outdir") + 1])
shards(outdir, n_train=2, n_validation=1)
for note in ("prep.json", "lift.json"):
    (outdir / note).write_text("{}")
"""
#: Steps that take hours leave their files alone; the table of sources is the real one.
PYTHON = """
import runpy
import sys
from pathlib import Path
flags = sys.argv[1:]
if flags[:1] == ["-c"]:
    print(Path(__file__).parent / "package")
elif flags[1] == "transgenic_tools.train.sources":
    sys.argv = flags[1:]
    runpy.run_module(flags[1], run_name="__main__")
elif flags[1] == "transgenic_tools.prep.near":
    Path(flags[flags.index("--out") + 1]).write_text("")
elif flags[1] == "transgenic_tools.train.trunk":
    Path(flags[flags.index("--outdir") + 1]).mkdir(parents=True, exist_ok=True)
elif flags[1] == "transgenic_tools.train.narrow":
    Path(flags[flags.index("--outdir") + 1]).mkdir(parents=True)
elif flags[1] == "transgenic_tools.train.trunk_model":
    Path(flags[3]).mkdir(parents=True, exist_ok=True)
elif flags[1] == "transgenic_tools.train.scan_scoring":
    outdir = Path(flags[flags.index("--outdir") + 1])
    outdir.mkdir(parents=True)
    (outdir / "loci.json").write_text("{}")
elif "--out" in flags:
    Path(flags[flags.index("--out") + 1]).write_text("{}")
"""
TG_EVIDENCE = ""
TG_TRAIN = """
import sys
from pathlib import Path
outdir = Path(sys.argv[sys.argv.index("--outdir") + 1])
outdir.mkdir(parents=True, exist_ok=True)
for name in ("training.json", "metrics.jsonl"):
    (outdir / name).write_text("{}")
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with the recipes, whose tools are stand-ins that note each call."""
    root = tmp_path / "checkout"
    for name in ("bin/make-model", "bin/make-trunk", "conf/trunk.yaml", "conf/open.yaml", "conf/student.yaml"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, root / name)
    tools = root / ".venv" / "bin"
    (tools / "package" / "data").mkdir(parents=True)
    (tools / "package" / "data" / "AthaTAIR10_chr1.gff.gz").write_bytes(
        subprocess.run(["gzip", "-c"], input=b"", capture_output=True, check=True).stdout
    )
    (tools / "package" / "data" / "AthaTAIR10_chr1_GCF_000001735.4_TAIR10.1_genomic.fna.gz").write_text("x")
    for name, body in (("tg-prep", TG_PREP), ("python", PYTHON), ("tg-train", TG_TRAIN), ("tg-evidence", TG_EVIDENCE)):
        path = tools / name
        note = f"import json, sys\nwith open({str(root / 'calls')!r}, 'a') as calls:\n"
        note += f"    print(json.dumps([{name!r}, *sys.argv[1:]]), file=calls)\n"
        path.write_text(f"#!{sys.executable}\n{note}{body}")
        path.chmod(0o755)
    return root


def make(root: Path, sources: str, **more: str) -> tuple[subprocess.CompletedProcess[str], list[list[str]]]:
    species = root / "species"
    species.mkdir(exist_ok=True)
    for name in ("bertholletia_train", "bertholletia_regions", "bertholletia_test", "capsella_grandiflora_genes"):
        for ending in ("fa.gz", "gff3.gz"):
            (species / f"{name}.{ending}").write_text("x")
    environment = {**os.environ, "SOURCES": sources, "SPECIES": str(species), "PYTHONPATH": str(ROOT), **more}
    done = subprocess.run(
        ["bash", "bin/make-model", "runs/m"], cwd=root, env=environment, capture_output=True, text=True, check=False
    )
    return done, [json.loads(line) for line in (root / "calls").read_text().splitlines()]


@pytest.mark.parametrize("sources", ["open", "all"])
def test_the_model_is_made_from_the_sources_that_were_asked_for(checkout: Path, sources: str) -> None:
    done, calls = make(checkout, sources)
    assert done.returncode == 0, done.stderr
    learned = [call for call in calls if call[1:3] == ["-m", "transgenic_tools.train.trunk"]]
    sheet = Path(learned[0][learned[0].index("--sheet") + 1])
    names = {genome["name"] for genome in yaml.safe_load((checkout / sheet).read_text())["genomes"]}
    nut = {"bertholletia_train", "bertholletia_regions"}
    rest = {"athaliana", "Alyr1", "AareUiOAarenv1", "AareAARE701a", "capsella_grandiflora_genes"}
    assert names == (rest if sources == "open" else rest | nut)
    assert ("bertholletia_train is left out" in done.stderr) == (sources == "open")
    card = (checkout / "runs" / "m" / "README.md").read_text()
    assert "*Capsella grandiflora*" in card
    assert ("*Bertholletia excelsa*" in card) == (sources == "all")
    (stages,) = (call for call in calls if call[0] == "tg-train")
    assert stages[stages.index("--init") + 1] == "runs/m.trunk.model"
    assert stages[stages.index("--stage") + 1] == "rest"
    assert any("bertholletia" in word for word in stages) == (sources == "all")
    outdirs = [Path(call[call.index("--outdir") + 1]).name for call in learned]
    assert outdirs == (["m.trunk"] if sources == "open" else ["m.teacher", "m.trunk"])
    plan = read_plan(checkout / learned[-1][3])
    assert plan.encoder.dim == 112
    assert (plan.teacher and plan.teacher.name) == (None if sources == "open" else "m.teacher.model")
    for name in ("loci", "alternatives", "evidence", "distance"):
        assert (checkout / "runs" / "m" / f"{name}.json").is_file()
    (loci,) = (call for call in calls if call[1:3] == ["-m", "transgenic_tools.train.scan_scoring"])
    assert Path(loci[loci.index("--sheet") + 1]) == sheet


def test_real_reads_are_learned_from_where_they_are_there(checkout: Path) -> None:
    done, calls = make(checkout, "open")
    assert done.returncode == 0, done.stderr
    assert "counts of reads are drawn alone" in done.stderr
    assert not any("--evidence" in call for call in calls)
    for name in ("evidence", "distance"):
        (checkout / "runs" / "m" / f"{name}.json").unlink()
    (checkout / "species" / "junctions_athaliana_chr1_0_304277.gff3.gz").write_text("x")
    done, calls = make(checkout, "open")
    assert done.returncode == 0, done.stderr
    fits = [call[2].rsplit(".", 1)[1] for call in calls if call[1:2] == ["-m"] and "--out" in call]
    assert (fits.count("evidence"), fits.count("distance"), fits.count("alternatives")) == (2, 2, 1)
    (reads,) = (call for call in calls if "--evidence" in call)
    assert reads[reads.index("--until") + 1] == "304277"


def test_a_student_is_cut_out_of_its_teacher_and_taught_by_it(checkout: Path) -> None:
    (checkout / "old").mkdir()
    done, calls = make(checkout, "open", TEACHER="old")
    assert done.returncode == 0, done.stderr
    by_module = {call[2].rsplit(".", 1)[1]: call for call in calls if call[1:2] == ["-m"]}
    plan = read_plan(checkout / by_module["trunk"][3])
    assert by_module["narrow"][3:5] == [str(checkout / "old"), by_module["trunk"][3]]
    assert plan.teacher == checkout / "old"
    assert plan.init == checkout / by_module["narrow"][by_module["narrow"].index("--outdir") + 1]
    assert plan.encoder.dim == 112


def test_sources_that_there_are_not_are_refused(checkout: Path) -> None:
    (checkout / "calls").touch()
    done, calls = make(checkout, "closed")
    assert done.returncode == 2
    assert "not open or all" in done.stderr
    assert not [call for call in calls if call[0] != "python"]
