"""Self-training: which predictions are learned from, and the guard that keeps the better model."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from tests.train.builders import planted_row, rows
from tests.train.test_run import TINY, assert_equal_weights
from transgenic_tools.annotate import adapt
from transgenic_tools.cli.train import app
from transgenic_tools.io.junctions import EvidenceRow, InputInfo, write_evidence
from transgenic_tools.io.rows import GeneRow, PredictionRow
from transgenic_tools.io.shards import write_gene_shards, write_prediction_shard
from transgenic_tools.model.files import load_network
from transgenic_tools.provenance import Provenance
from transgenic_tools.train import selftrain
from transgenic_tools.train.examples import example_from_row
from transgenic_tools.train.recipe import recipe_from_preset, run_recipe
from transgenic_tools.train.selftrain import Guard, Selection, confident_genes, guard, nats_of_genes, write_confident

STAMP = Provenance("test")


def predicted(row: GeneRow, *, score: float = 0.95, donor: float = 0.95, gsf: str | None = None) -> PredictionRow:
    return PredictionRow(
        gene_id=row.gene_id, sample=row.sample, seqid=row.seqid, start=row.start, end=row.end, strand=row.strand,
        window_start=row.window_start, window_end=row.window_end, gsf=gsf or row.gsf, scores=(score,),
        exon_scores=((0.2, 0.2),), donor_scores=((donor,),), acceptor_scores=((0.99,),), confidence=score,
    )  # fmt: skip


def files(
    tmp_path: Path, genes: Sequence[GeneRow], predictions: Sequence[PredictionRow]
) -> tuple[list[Path], list[Path]]:
    bare = [replace(row, gsf=None, n_transcripts=0) for row in genes]
    shards = write_gene_shards(bare, tmp_path / "shards", provenance=STAMP)
    target = tmp_path / "predictions-00000.parquet"
    write_prediction_shard(predictions, target, provenance=STAMP)
    return [target], list(shards)


def test_a_gene_is_kept_where_every_part_is_confident(tmp_path: Path) -> None:
    genes = [planted_row(i, split="train") for i in range(5)]
    genes[4] = replace(genes[4], split="test")
    given = [
        predicted(genes[0]), predicted(genes[1], score=0.89), predicted(genes[2], donor=0.89),
        replace(predicted(genes[3]), gsf=None, scores=(), exon_scores=(), donor_scores=(), acceptor_scores=()),
        predicted(genes[4]),
    ]  # fmt: skip
    kept = list(confident_genes(*files(tmp_path, genes, given), Selection()))
    assert [row.gene_id for row in kept] == ["gene0"]
    assert kept[0].gsf == genes[0].gsf
    assert kept[0].split in ("train", "validation")


def test_the_locus_is_where_the_prediction_lies(tmp_path: Path) -> None:
    """Else a crop around a locus that was given could miss the gene."""
    row = planted_row(0, split="train")
    wide = replace(row, start=row.window_start, end=row.window_end)
    (kept,) = confident_genes(*files(tmp_path, [wide], [predicted(wide)]), Selection())
    assert (kept.start, kept.end) == (row.start, row.end)


def test_an_improbable_isoform_is_left_out_and_a_gene_goes_with_its_best(tmp_path: Path) -> None:
    row = planted_row(1, split="train")
    features, first = row.gsf.split(">")  # type: ignore[union-attr]
    two = f"{features}>{first};CDS1"  # a second transcript of the first exon, valid as a sentence
    both = replace(
        predicted(row, gsf=two), scores=(0.95, 0.4), exon_scores=((0.9, 0.9), (0.9,)), donor_scores=((0.95,), ()),
        acceptor_scores=((0.95,), ()),
    )  # fmt: skip
    (kept,) = confident_genes(*files(tmp_path / "a", [row], [both]), Selection())
    assert kept.gsf == row.gsf
    assert kept.n_transcripts == 1
    weak = replace(both, scores=(0.95, 0.95), donor_scores=((0.1,), ()))
    assert not list(confident_genes(*files(tmp_path / "b", [row], [weak]), Selection()))


def test_with_evidence_every_intron_must_be_shown(tmp_path: Path) -> None:
    genes = [planted_row(i, split="train") for i in range(3)]
    (intron,) = genes[0].transcripts()[0].introns
    (other,) = genes[1].transcripts()[0].introns
    junctions = [
        EvidenceRow(
            kind="junction", seqid="chr", start=start, end=end, strand="+", introns=(), inputs=(0,), counts=(3,)
        )
        for start, end in ((intron.start, intron.end), (other.start, other.end + 5))
    ]
    source = InputInfo(name="leaf", kind="junctions", condition=None, weight=1.0, sha256="")
    evidence = tmp_path / "e.parquet"
    write_evidence(evidence, junctions, inputs=[source], provenance=STAMP)
    given = files(tmp_path, genes, [predicted(row) for row in genes])
    kept = list(confident_genes(*given, Selection(evidence=evidence)))
    assert [row.gene_id for row in kept] == ["gene0"], "shown, shown otherwise, not shown"
    assert len(list(confident_genes(*given, Selection()))) == 3


def test_too_few_genes_teach_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    genes = [planted_row(i, split="train") for i in range(selftrain.FEWEST - 1)]
    shards, _ = write_confident(*files(tmp_path, genes, [predicted(g) for g in genes]), Selection(), tmp_path / "out")
    assert not shards


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, tuple[Path, ...]]:
    """A tiny model, the same trained for longer, and shards of loci."""
    folder = tmp_path_factory.mktemp("models")
    shards = write_gene_shards(rows(40, 8), folder / "shards", provenance=STAMP)
    settings = {"batch_bases": 4000, "flank_max": 60, "device": "cpu", "threads": 1, "learning_rate": 1e-2, "ema": 0.8}
    first, second = folder / "first", folder / "second"
    for outdir, init, steps in ((first, None, 2), (second, first, 30)):
        parts = {} if init else TINY
        run_recipe(
            recipe_from_preset(
                parts, shards=shards, outdir=outdir, overrides=settings, stage_steps={"trunk": steps, "decoder": 2},
                init=init,
            )
        )  # fmt: skip
    return first, second, shards


def test_the_guard_prefers_the_model_that_finds_held_out_genes_likelier(
    models: tuple[Path, Path, tuple[Path, ...]],
) -> None:
    first, second, _ = models
    examples = [example_from_row(planted_row(i, split="validation")) for i in range(60, 66)]
    judged = guard(first, second, examples, device="cpu")
    assert judged.genes == 6
    assert judged.is_better
    assert not guard(second, first, examples, device="cpu").is_better
    assert not guard(first, first, examples, device="cpu").is_better, "no gain, no change"
    nats = nats_of_genes(first, examples, device="cpu")
    assert np.mean(list(nats.values())) == pytest.approx(judged.before)


def adapt_arguments(shards: tuple[Path, ...], init: Path, outdir: Path, confidence: str) -> list[str]:
    return [
        *map(str, shards), "--self-train", "--init", str(init), "--outdir", str(outdir),
        "--self-confidence", confidence, "--threads", "1", "--device", "cpu", "--precision", "fp32", "--steps", "2",
        "--batch-bases", "4000",
    ]  # fmt: skip


def test_one_command_adapts_and_leaves_scores_and_calibration(
    models: tuple[Path, Path, tuple[Path, ...]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, _, shards = models
    seen = []
    monkeypatch.setattr(adapt, "guard", lambda *args, **_: seen.append(args) or Guard(5, 3.0, 2.0))
    done = CliRunner().invoke(app, adapt_arguments(shards, first, tmp_path / "m", "0"))
    assert done.exit_code == 0, done.output
    assert "holds the model of round 1" in done.stdout
    (initial, tuned, held_out) = seen[0]
    assert initial == first
    assert held_out
    assert_equal_weights(tuned, tmp_path / "m")
    before, after = load_network(first)[0].settings, load_network(tmp_path / "m")[0].settings
    assert (after.scoring, after.calibration) == (before.scoring, before.calibration)
    assert json.loads((tmp_path / "m" / "adaptation.json").read_text())["parameters"]["taken"] == 1
    card = (tmp_path / "m" / "README.md").read_text()
    assert "genes of s, from the model" in card
    assert "| nats a gene | 3.000 | 2.000 |" in card


def test_a_model_that_says_less_for_held_out_genes_is_not_taken(
    models: tuple[Path, Path, tuple[Path, ...]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, _, shards = models
    monkeypatch.setattr(adapt, "guard", lambda *args, **_: Guard(5, 2.0, 2.0))
    done = CliRunner().invoke(app, [*adapt_arguments(shards, first, tmp_path / "m", "0"), "--rounds", "3"])
    assert done.exit_code == 0, done.output
    assert "holds the initial model" in done.stdout
    assert done.stdout.count("round ") == 1, "it ends with the first that does not help"
    assert_equal_weights(first, tmp_path / "m")


def test_without_confident_genes_the_initial_model_stays(
    models: tuple[Path, Path, tuple[Path, ...]], tmp_path: Path
) -> None:
    first, _, shards = models
    done = CliRunner().invoke(app, adapt_arguments(shards, first, tmp_path / "m", "1"))
    assert done.exit_code == 0, done.output
    assert_equal_weights(first, tmp_path / "m")
