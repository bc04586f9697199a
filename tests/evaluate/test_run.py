"""The command as a user meets it: files in, files out, filters, errors and exit codes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.evaluate.builders import gene, transcript, write
from transgenic_tools.cli.evaluate import app
from transgenic_tools.errors import EXIT_DATA, EXIT_NO_INPUT, EXIT_USAGE, TransgenicError, UsageError
from transgenic_tools.evaluate.config import Config, Region
from transgenic_tools.evaluate.metrics import LEVELS
from transgenic_tools.evaluate.run import run
from transgenic_tools.io.rows import GeneRow
from transgenic_tools.io.shards import write_gene_shards
from transgenic_tools.provenance import Provenance

LONG, SHORT = [(0, 10), (20, 30), (40, 50)], [(0, 10), (40, 50)]


@pytest.fixture
def reference(tmp_path: Path) -> Path:
    return write(
        tmp_path / "reference.gff3",
        gene("a", transcript("a.1", [(0, 10), (20, 30), (40, 60)], LONG), transcript("a.2", SHORT)),
        gene("b", transcript("b.1", [(100, 130)], strand="-")),
    )


@pytest.fixture
def prediction(tmp_path: Path) -> Path:
    return write(
        tmp_path / "prediction.gff3",
        gene("p", transcript("p.1", LONG, score=0.9), transcript("p.2", [(0, 12), (40, 50)], score=0.3)),
        gene("q", transcript("q.1", [(100, 130)], strand="-", score=0.8)),
    )


def evaluate(tmp_path: Path, *references: Path, predictions: list[Path], **more: object) -> dict:
    out = tmp_path / "out.json"
    run(Config(references=references, predictions=tuple(predictions), json_path=out, **more))  # type: ignore[arg-type]
    return json.loads(out.read_text())


def test_the_contracts_json(tmp_path: Path, reference: Path, prediction: Path) -> None:
    found = evaluate(tmp_path, reference, predictions=[prediction])
    for view in ("cds", "transcript"):
        assert list(found[view]) == list(LEVELS)
        assert all({"sensitivity", "precision", "f1"} <= set(score) for score in found[view].values())
    assert found["gene_exact"] == found["gene_exact_primary"] == 1.0
    assert found["isoform_recall_multi"] == 0.5
    assert found["cds"]["transcript"]["sensitivity"] == pytest.approx(2 / 3, abs=1e-6)
    assert found["transcript"]["transcript"]["sensitivity"] == pytest.approx(1 / 3, abs=1e-6)
    assert set(found["events"]) == {"SE", "A5SS", "A3SS", "RI"}
    assert found["n"]["reference_genes"] == 2
    assert found["n"]["prediction_cds"] == 3
    assert found["classes"]["cds"]["equal"] == 2
    assert found["calibration"]["transcript"]["expected_calibration_error"] == pytest.approx(
        (0.1 + 0.3 + 0.2) / 3, abs=1e-6
    )


def test_same_inputs_give_the_same_bytes(tmp_path: Path, reference: Path, prediction: Path) -> None:
    evaluate(tmp_path, reference, predictions=[prediction])
    first = (tmp_path / "out.json").read_bytes()
    evaluate(tmp_path, reference, predictions=[prediction])
    assert (tmp_path / "out.json").read_bytes() == first


def test_tables(tmp_path: Path, reference: Path, prediction: Path) -> None:
    paths = {name: tmp_path / f"{name}.tsv" for name in ("tsv", "genes", "transcripts")}
    evaluate(
        tmp_path, reference, predictions=[prediction],
        tsv_path=paths["tsv"], genes_path=paths["genes"], transcripts_path=paths["transcripts"],
    )  # fmt: skip
    metrics = [line.split("\t") for line in paths["tsv"].read_text().splitlines()]
    assert ["reference.gff3", "prediction.gff3", "gene_exact", "1"] in metrics
    genes = [line.split("\t") for line in paths["genes"].read_text().splitlines()]
    assert [row[0] for row in genes[1:]] == ["a", "b"]
    rows = [line.split("\t") for line in paths["transcripts"].read_text().splitlines()]
    classes = {row[0]: row[rows[0].index("class_cds")] for row in rows[1:]}
    assert classes == {"p.1": "equal", "p.2": "alternative_5ss", "q.1": "equal"}


def test_region_keeps_genes_by_their_start_and_drops_predictions_elsewhere(
    tmp_path: Path, reference: Path, prediction: Path
) -> None:
    found = evaluate(tmp_path, reference, predictions=[prediction], region=Region("s1", 50, 200))
    assert (found["n"]["reference_genes"], found["n"]["prediction_cds"]) == (1, 1)
    assert found["cds"]["base"] == {
        "sensitivity": 1.0, "precision": 1.0, "f1": 1.0,
        "reference": 30, "reference_matched": 30, "prediction": 30, "prediction_matched": 30,
    }  # fmt: skip


def test_shards_of_a_split_restrict_both_sides(tmp_path: Path, reference: Path, prediction: Path) -> None:
    rows = [
        GeneRow(name, "s", "s1", start, end, "+", start, end, "N" * (end - start), None, 1, None, split)
        for name, start, end, split in (("a", 0, 60, "train"), ("b", 100, 130, "test"))
    ]
    write_gene_shards(rows, tmp_path / "shards", provenance=Provenance("test"))
    found = evaluate(tmp_path, reference, predictions=[prediction], shards=(tmp_path / "shards",), split="test")
    assert (found["n"]["reference_genes"], found["n"]["prediction_cds"]) == (1, 1)


def test_a_wrong_strand_prediction_on_a_kept_gene_still_costs_precision(tmp_path: Path, reference: Path) -> None:
    genes = tmp_path / "genes.txt"
    genes.write_text("gene_id\nb\n")
    wrong = write(tmp_path / "wrong.gff3", gene("w", transcript("w.1", [(100, 130)])))
    found = evaluate(tmp_path, reference, predictions=[wrong], gene_list=genes)
    assert found["cds"]["transcript"]["prediction"] == 1
    assert found["gene_exact"] == 0.0


def test_two_references_and_two_predictions_give_four_comparisons(
    tmp_path: Path, reference: Path, prediction: Path
) -> None:
    found = evaluate(tmp_path, reference, prediction, predictions=[prediction, reference])
    pairs = [(c["reference"], c["prediction"], c["gene_exact"]) for c in found["comparisons"]]
    assert pairs == [
        ("reference.gff3", "prediction.gff3", 1.0),
        ("reference.gff3", "reference.gff3", 1.0),
        ("prediction.gff3", "prediction.gff3", 1.0),
        ("prediction.gff3", "reference.gff3", 1.0),
    ]
    assert found["cds"] == found["comparisons"][0]["cds"]


def test_homologs_make_a_stratum(tmp_path: Path, reference: Path, prediction: Path) -> None:
    table = tmp_path / "homologs.tsv"
    table.write_text("gene_id\thas_homolog\na\tyes\nb\tno\n")
    found = evaluate(tmp_path, reference, predictions=[prediction], homologs=table)
    assert found["strata"]["homolog_in_train"]["no"]["genes"] == 1


def cli(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, [str(a) for a in arguments])
    if isinstance(result.exception, TransgenicError):
        return result.exception.exit_code, str(result.exception)
    return result.exit_code, result.output


def test_command_line(tmp_path: Path, reference: Path, prediction: Path) -> None:
    code, said = cli(
        "--reference", reference, "--prediction", prediction, "--json", tmp_path / "o.json", "--json-summary"
    )
    assert code == 0
    assert json.loads(said)["gene_exact"] == 1.0
    assert json.loads((tmp_path / "o.json").read_text())["gene_exact"] == 1.0
    for words in (["--json"], ["--json", "-"]):  # nothing else on stdout, and nothing left elsewhere
        code, said = cli("--reference", reference, "--prediction", prediction, *words)
        assert code == 0
        assert said == (tmp_path / "o.json").read_text()


@pytest.mark.parametrize(
    ("content", "expected", "words"),
    [
        ("gene_id\thas_homolog\na\tmaybe\n", EXIT_DATA, "homologs.tsv:2"),
        ("name\tvalue\n", EXIT_DATA, "has_homolog"),
    ],
)
def test_bad_homolog_tables_name_file_and_line(
    tmp_path: Path, reference: Path, prediction: Path, content: str, expected: int, words: str
) -> None:
    (tmp_path / "homologs.tsv").write_text(content)
    code, said = cli(
        "--reference", reference, "--prediction", prediction, "--json", tmp_path / "o.json",
        "--homologs", tmp_path / "homologs.tsv",
    )  # fmt: skip
    assert code == expected
    assert words in said
    assert not (tmp_path / "o.json").exists()


def test_no_shared_seqid_is_said(tmp_path: Path, reference: Path) -> None:
    other = write(tmp_path / "other.gff3", gene("o", transcript("o.1", LONG, seqid="chr9")))
    code, said = cli("--reference", reference, "--prediction", other, "--json", tmp_path / "o.json")
    assert code == EXIT_DATA
    assert "chr9" in said
    assert "s1" in said


def test_a_prediction_without_a_gene_is_said(tmp_path: Path, reference: Path) -> None:
    (tmp_path / "p.gff3").write_text("##gff-version 3\n")
    code, said = cli("--reference", reference, "--prediction", tmp_path / "p.gff3", "--json", tmp_path / "o.json")
    assert (code, "p.gff3: not one gene could be read" in said) == (0, True)


def test_no_output_is_written_over_an_input(tmp_path: Path, reference: Path, prediction: Path) -> None:
    before = reference.read_bytes()
    code, said = cli("--reference", reference, "--prediction", prediction, "--json", reference)
    assert (code, "would overwrite" in said) == (EXIT_USAGE, True)
    assert reference.read_bytes() == before


def test_nothing_left_to_compare_is_said(tmp_path: Path, reference: Path, prediction: Path) -> None:
    code, said = cli(
        "--reference", reference, "--prediction", prediction, "--json", tmp_path / "o.json", "--seqid", "nowhere"
    )
    assert code == EXIT_DATA
    assert "no reference gene is left" in said


def test_missing_files_and_wrong_flags(tmp_path: Path, reference: Path, prediction: Path) -> None:
    out = tmp_path / "o.json"
    code, said = cli("--reference", tmp_path / "no.gff3", "--prediction", prediction, "--json", out)
    assert (code, "no.gff3" in said) == (EXIT_NO_INPUT, True)
    code, _ = cli("--reference", reference, "--prediction", prediction, "--json", out, "--split", "test")
    assert code == EXIT_USAGE
    with pytest.raises(UsageError, match="--fasta"):
        Config(references=(reference,), predictions=(prediction,), json_path=out, reads=tmp_path / "r.fa")


def test_calibration_asked_for_and_no_scores(tmp_path: Path, reference: Path) -> None:
    plain = write(tmp_path / "plain.gff3", gene("p", transcript("p.1", LONG)))
    code, said = cli("--reference", reference, "--prediction", plain, "--json", tmp_path / "o.json", "--calibration")
    assert code == EXIT_DATA
    assert "no transcript carries a score" in said
    assert "calibration" not in evaluate(tmp_path, reference, predictions=[plain])


def test_exon_scores_come_from_column_6_of_exon_lines(tmp_path: Path, reference: Path) -> None:
    """Minus strand: scores stay with their exons. 100-130 is exact (0.75), 140-150 is not (0.25)."""
    scored = replace(transcript("p.1", [(100, 130), (140, 150)], strand="-", score=0.5), exon_scores=(0.75, 0.25))
    found = evaluate(tmp_path, reference, predictions=[write(tmp_path / "scored.gff3", gene("p", scored))])
    bins = {b["mean_score"]: b["observed"] for b in found["calibration"]["exon"]["bins"] if b["count"]}
    assert bins == {0.75: 1.0, 0.25: 0.0}
