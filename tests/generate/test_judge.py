"""Regions that somebody gave: those without a gene get none, whoever is not asked stays as it was."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.generate.test_evidence import guided
from transgenic_tools.backmap.genes import to_gene
from transgenic_tools.errors import UsageError
from transgenic_tools.generate.config import Config
from transgenic_tools.generate.judge import RegionJudge, judge_of
from transgenic_tools.generate.run import run
from transgenic_tools.genome.sequence import reverse_complement
from transgenic_tools.io.rejects import Reject
from transgenic_tools.io.rows import NO_GENE, SCANNED, GeneRow, PredictionRow
from transgenic_tools.io.shards import has_regions, read_predictions, read_shard, write_gene_shard
from transgenic_tools.model.files import default_model_dir, default_scan_dir, load_network
from transgenic_tools.model.transgenic import TransgenicModel
from transgenic_tools.provenance import Provenance
from transgenic_tools.search import tiles

CPU = torch.device("cpu")


def region(row: GeneRow, name: str, sequence: str) -> GeneRow:
    """A window of unknown structure."""
    return replace(
        row, gene_id=name, sequence=sequence, window_end=row.window_start + len(sequence), start=row.window_start + 1,
        end=row.window_start + len(sequence) - 1, gsf=None, n_transcripts=0, primary_transcript=None,
    )  # fmt: skip


def random_regions(row: GeneRow, count: int = 20) -> list[GeneRow]:
    rng = random.Random(11)
    return [region(row, f"r{i}", "".join(rng.choices("AAACCGGTTT", k=800 + 100 * i))) for i in range(count)]


@pytest.fixture(scope="module")
def judge() -> RegionJudge:
    return RegionJudge(load_network(default_scan_dir())[0].eval(), "test", least=Config.min_region)


def test_random_stretches_and_other_strands_hold_no_gene_and_genes_do(judge: RegionJudge, shard_dir: Path) -> None:
    rows = list(read_shard(shard_dir))
    assert len(judge.without_gene(random_regions(rows[0]))) >= 19
    here = [region(row, f"g{i}", row.sequence) for i, row in enumerate(rows)]
    assert len(here) >= 60
    assert len(judge.without_gene(here)) <= 0.05 * len(rows)

    def reached(row: GeneRow) -> bool:
        """A gene of the other strand reaches into the window, so that there is one."""
        return any(o.strand != row.strand and o.start < row.window_end and row.window_start < o.end for o in rows)

    alone = [row for row in rows if not reached(row)]
    assert len(alone) >= 35
    there = [region(row, f"o{i}", reverse_complement(row.sequence)) for i, row in enumerate(alone)]
    assert len(judge.without_gene(there)) >= 0.9 * len(alone)


def test_a_verdict_does_not_depend_on_the_company_nor_on_tiles(
    judge: RegionJudge, rows: list[GeneRow], monkeypatch: pytest.MonkeyPatch
) -> None:
    some = [*random_regions(rows[0], 3), region(rows[-1], "long", rows[-1].sequence)]
    sure = replace_least(judge, 1.1)
    together = sure.without_gene(some)
    assert [sure.without_gene([row])[0] for row in some] == list(together.values())
    monkeypatch.setattr("transgenic_tools.generate.judge.TILE", 500)
    monkeypatch.setattr(tiles, "TILE", 100_000)
    assert sure.without_gene(some) == together  # one tile each, read alone


def replace_least(judge: RegionJudge, least: float) -> RegionJudge:
    return RegionJudge(load_network(default_scan_dir())[0].eval(), judge.digest, least=least)


def test_genes_of_annotations_and_loci_of_scans_are_not_judged(judge: RegionJudge, rows: list[GeneRow]) -> None:
    annotated, (noise,) = rows[0], random_regions(rows[0], 1)
    assert judge.without_gene([annotated, replace(noise, flags=(SCANNED,))]) == {}
    assert list(judge.without_gene([annotated, noise])) == [1]


def predictions_of(outdir: Path, rows: list[GeneRow], **settings: object) -> dict[str, PredictionRow]:
    shard = outdir / "genes-00000.parquet"
    outdir.mkdir()
    write_gene_shard(rows, shard, provenance=Provenance("test"))
    done = run(Config(shards=(shard,), model=None, outdir=outdir, **settings))  # type: ignore[arg-type]
    return {row.gene_id: row for row in read_predictions(done.predictions)}


def test_a_region_without_a_gene_gets_none_with_a_reason_and_its_neighbours_stay(
    tmp_path: Path, rows: list[GeneRow], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="transgenic_tools")
    some = [rows[0], random_regions(rows[0], 1)[0], region(rows[-1], "g", rows[-1].sequence)]
    judged = predictions_of(tmp_path / "judged", some)
    assert "regions without a gene, by the model of scans: 1 " in caplog.text
    kept = predictions_of(tmp_path / "kept", some, min_region=0.0)
    assert kept["r0"].gsf is not None
    assert judged["r0"].gsf is None
    refused = to_gene(judged["r0"])
    assert isinstance(refused, Reject)
    assert (refused.reason, refused.detail.split("_")[0]) == (NO_GENE, "probability")
    assert [name for name in kept if kept[name] != judged[name]] == ["r0"]


def test_a_region_with_reads_is_written_whatever_the_network_thinks(
    judge: RegionJudge, model: TransgenicModel, rows: list[GeneRow]
) -> None:
    noise = random_regions(rows[0], 1)[0]
    assert list(judge.without_gene([noise])) == [0]
    for reads, written in ((1.0, False), (2.0, True)):
        shown = guided(model, {noise.gene_id: {(100, 300): reads}})
        shown.judge = judge
        assert (shown.predict([noise])[0].gsf is not None) is written


def test_annotated_genes_alone_give_the_same_bytes_with_and_without(tmp_path: Path, rows: list[GeneRow]) -> None:
    for name, least in (("judged", 1.0), ("kept", 0.0)):
        predictions_of(tmp_path / name, rows[:2], min_region=least)
    assert not has_regions(tmp_path / "kept" / "genes-00000.parquet")
    files = [tmp_path / name / "predictions-00000.parquet" for name in ("judged", "kept")]
    assert files[0].read_bytes() == files[1].read_bytes()


def test_who_judges(tmp_path: Path, model: TransgenicModel) -> None:
    config = Config(shards=(), model=None, outdir=tmp_path)
    embedded = judge_of(config, model, default_model_dir(), CPU)
    assert embedded is not None
    assert judge_of(replace(config, min_region=0.0), model, default_model_dir(), CPU) is None
    own = tmp_path / "own"
    model.save_pretrained(own)
    config_of = json.loads((own / "config.json").read_text())
    del config_of["scan"]
    (own / "config.json").write_text(json.dumps(config_of))
    blind, _ = load_network(own)
    assert judge_of(config, blind, own, CPU) is None  # its plants may be strange to the embedded model
    named = judge_of(replace(config, scan_model=default_scan_dir()), blind, own, CPU)
    assert named is not None
    assert named.digest == embedded.digest
    with pytest.raises(UsageError, match="cannot scan"):
        judge_of(replace(config, scan_model=own), model, own, CPU)
