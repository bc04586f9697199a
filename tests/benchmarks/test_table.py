"""The committed tables are what results.json says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.run import OUT, TOOLS, _options, instructions
from benchmarks.species import SETS
from benchmarks.table import _LEARNED, BEGIN, END, README_MB, readme_markdown, results_markdown, rewrite
from tests.evaluate.builders import gene, transcript
from transgenic_tools.errors import BadInputError
from transgenic_tools.evaluate.config import Config
from transgenic_tools.evaluate.output import evaluation_json
from transgenic_tools.evaluate.run import compare
from transgenic_tools.evaluate.sides import side_of
from transgenic_tools.io.gff3 import Annotation

ROOT = Path(__file__).resolve().parents[2]


def results() -> dict:
    one = gene("a", transcript("a.1", [(0, 10), (20, 30)]))
    half = gene("a", transcript("a.1", [(0, 10), (20, 33)]))
    metrics = {
        name: evaluation_json(
            compare(
                side_of(Annotation(Path("r"), "gff3", (one,))), side_of(Annotation(Path("p"), "gff3", (other,))),
                Config(references=(Path("r"),), predictions=(Path("p"),), json_path=Path("o")),
            )
        )
        for name, other in (("transgenic", one), ("snap", half))
    }  # fmt: skip
    speed = {"bases_per_second_per_core": 54321.0, "cpu_seconds": 2.0, "peak_rss_mb": 900.0, "windows": 3, "bases": 9}
    scaling = {"by_length": {"1000": {"windows": 4, "bases": 4000, "error": "too long"}}, "by_number_of_genes": {}}
    return {
        "accuracy": {"jittered": metrics}, "speed": {"snap": speed}, "scaling": scaling, "commit": "abc", "windows": 3,
        "prep": {"speedup_vs_gffutils": 12.5}, "machine": {"cpu": "x", "cores": 2, "load_at_start": 0.5},
    }  # fmt: skip


def test_alternatives_and_the_echo_have_tables() -> None:
    row = {
        "extras_per_gene": 0.25, "precision": 0.5, "recall": 0.125, "precision_with_primary": 0.75,
        "by_length": {"precision": 0.5625, "recall": 0.25},
        "events": {name: {"f1": 0.25} for name in ("SE", "A5SS", "A3SS", "RI")},
    }  # fmt: skip
    row["transcript"] = row | {"precision": 0.375}
    figures = {view: {"transcript": {"f1": 0.875, "precision": 0.625}} for view in ("cds", "transcript")}
    added = {"cds": {"all": row | {"alternatives": 22, "extras": 17, "right": 1}}}
    found = {"budget_0.25": {"transgenic": row}, "all": {"transgenic": row, "augustus": row}}
    text = results_markdown(
        results() | {"alternatives": found | {"augment": {"echo": figures, "transgenic": figures, "added": added}}}
    )
    shares = "0.500 / 0.125 | 0.750 | 0.562 / 0.250 | 0.375 / 0.125 | 0.562 / 0.250"
    assert f"| 0.25 | transgenic_tools | 0.250 | {shares} | 0.250 |" in text
    assert "| all | AUGUSTUS, exactlyone" not in text
    assert "| the prompt alone (echo) | 0.875 | 0.625 | 0.875 | 0.625 |" in text
    assert "Withheld 22 CDS structures, added 17, of them right 1" in text


def test_tables_hold_the_figures() -> None:
    text = results_markdown(results())
    assert "| gene_exact | 1.000 | 0.000 |" in text
    assert "| CDS base F1 | 1.000 | 0.930 |" in text
    assert "| SNAP | 54,321 |" in text
    assert "| windows of 1,000 bases | 4 | 4,000 | too long |" in text
    assert "| speedup_vs_gffutils | 12.5 |" in text


def test_speed_is_told_in_times_of_augustus_in_the_same_run() -> None:
    ours = results()["speed"]["snap"]
    speed = {"transgenic": ours, "augustus": ours | {"bases_per_second_per_core": 20_000.0}}
    text = results_markdown(results() | {"speed": speed})
    assert "| transgenic_tools | 54,321 | 2.72 |" in text
    assert "| AUGUSTUS, exactlyone | 20,000 | 1.00 |" in text


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ("+avx,+avx2,-avx512f,-avx512bf16", "AVX2"),
        ("+avx2,+avx512f,-avx512bf16", "AVX-512"),
        ("+avx512bf16,+avx512f,+avx2", "AVX-512 with bf16"),
        ("+neon", "no AVX2"),
    ],
)
def test_instructions_are_named(monkeypatch: pytest.MonkeyPatch, names: str, expected: str) -> None:
    monkeypatch.delenv("ONEDNN_MAX_CPU_ISA", raising=False)
    assert instructions(names) == expected
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX2")
    assert instructions(names) == f"{expected} (newer ones switched off)"


def test_only_the_part_between_the_markers_is_rewritten(tmp_path: Path) -> None:
    document = tmp_path / "b.md"
    document.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    rewrite(document, "new")
    assert document.read_text() == f"before\n{BEGIN}\n\nnew\n\n{END}\nafter\n"
    document.write_text("no markers")
    with pytest.raises(BadInputError, match="markers"):
        rewrite(document, "new")


def test_committed_tables_are_those_of_committed_results() -> None:
    found = ROOT / "benchmarks" / "results.json"
    if not found.exists():
        pytest.skip("no full run has been made in this checkout yet")
    document = (ROOT / "docs" / "benchmarks.md").read_text()
    assert results_markdown(json.loads(found.read_text())) in document


def test_flags() -> None:
    quick = _options(["--quick", "--tools", "snap", "transgenic", "--no-prep"])
    assert (quick.quick, quick.tools, quick.with_prep) == (True, ("transgenic", "snap"), False)
    assert _options([]).tools == TOOLS
    assert OUT.relative_to(ROOT) == Path("benchmarks/out")


def test_the_readme_says_what_results_json_says() -> None:
    results = json.loads((ROOT / "benchmarks" / "results.json").read_text())
    text = readme_markdown(results)
    assert text in (ROOT / "README.md").read_text()
    measured = results["annotate"]
    minutes = measured["cpu_seconds"] / (measured["bases"] / 1e6) * README_MB / 60
    assert f"{README_MB} Mb take about {minutes:.0f} CPU minutes" in text
    species = {"rice": {"title": "rice", "transgenic": {"gene_exact": 0.5}}}
    assert set(_LEARNED) <= {one.name for one in SETS}
    assert "| rice | nothing | 0.500 |  |" in readme_markdown(results | {"species": species})
