"""Training on shortened windows: every crop holds its transcripts, in memory and streamed, under every routine."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from tests.generate.conftest import DEMO
from tests.train.test_run import config
from transgenic_tools.cli.prep import app as prep_app
from transgenic_tools.genome.code import STANDARD
from transgenic_tools.io.gff3 import read_annotation
from transgenic_tools.io.shards import read_shard
from transgenic_tools.lattice.vocabulary import Site
from transgenic_tools.train.batches import collate_trunk, plan_epoch
from transgenic_tools.train.run import run
from transgenic_tools.train.start import load_examples

ANNOTATION = DEMO / "athaliana_chr1_slice.gff3.gz"
ROUTINES = [("cds_overlap", 50), ("cds_overlap", 20), ("intron_overlap", 50), ("junctions", 20), ("whole", 50)]


@pytest.fixture(scope="module", params=ROUTINES, ids=lambda pair: f"{pair[0]}-{pair[1]}")
def shards(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    routine, overlap = request.param
    outdir = tmp_path_factory.mktemp(routine)
    flags = [
        "--fasta",
        str(DEMO / "athaliana_chr1_slice.fa.gz"),
        "--annotation",
        str(ANNOTATION),
        "--split",
        "fraction",
    ]
    flags += ["--outdir", str(outdir), "--split", "fraction", "--routine", routine, "--overlap", str(overlap), "-q"]
    done = CliRunner().invoke(prep_app, ["genes", *flags])
    assert done.exit_code == 0, done.output
    return outdir


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("flank_max", [0, 300])
def test_every_crop_holds_its_transcripts(shards: Path, tmp_path: Path, stream: bool, flank_max: int) -> None:
    train, _ = load_examples(config((shards,), tmp_path, stream=stream))
    assert len(train) > 40
    plan = plan_epoch(
        train, epoch=0, seed=1, flank_min=0, flank_max=flank_max, max_bases=10**9, batch_bases=20_000
    )  # fmt: skip
    seen = 0
    for batch in plan:
        for item in batch:
            example = train[item.index]
            assert item.crop.end <= example.length
            assert all(item.crop.contains(t.interval) for t in example.transcripts)
            seen += 1
    assert seen == len(train)


def test_labels_stand_on_their_bases(shards: Path, tmp_path: Path) -> None:
    """A start is an ATG, a donor GT, GC or AT: as often as in the whole windows, which is nearly always."""
    train, _ = load_examples(config((shards,), tmp_path, stream=True))
    plan = plan_epoch(train, epoch=0, seed=1, flank_min=0, flank_max=50, max_bases=10**9, batch_bases=20_000)
    starts = atg = donors = canonical = 0
    for items in plan:
        batch = collate_trunk(train, items, epoch=0, seed=1)
        for codes, sites in zip(batch.codes.numpy(), batch.sites.numpy(), strict=True):
            text = "".join("ACGTN-"[min(int(c), 5)] for c in codes)
            for at in np.flatnonzero(sites[Site.START] == 1):
                starts, atg = starts + 1, atg + (text[at : at + 3] == "ATG")
            for at in np.flatnonzero(sites[Site.DONOR] == 1):
                donors, canonical = donors + 1, canonical + (text[at : at + 2] in ("GT", "GC", "AT"))
    assert starts >= len(train)
    assert donors >= 100
    assert atg / starts > 0.95
    assert canonical / donors > 0.95


def test_what_is_learned_is_the_annotation(shards: Path) -> None:
    """A row's transcripts come back to the genome to the base."""
    known = {gene.id: {(t.exons, t.cds) for t in gene.transcripts} for gene in read_annotation(ANNOTATION).genes}
    for row in read_shard(shards):
        assert row.gsf is not None
        assert {(t.exons, t.cds) for t in row.transcripts()} <= known[row.gene_id]
        for transcript in row.read_transcripts():
            assert row.locus.contains(transcript.interval)
            assert len(row.sequence) == len(row.reading)
            if not row.flags:
                assert transcript.spliced(row.sequence, coding=True)[-3:] in STANDARD.stop_codons
                for intron in transcript.introns:
                    ends = row.sequence[intron.start :][:2], row.sequence[: intron.end][-2:]
                    assert ends in STANDARD.all_pairs


@pytest.mark.parametrize("stage", ["trunk", "decoder"])
def test_both_stages_train_on_them(shards: Path, tmp_path: Path, stage: str) -> None:
    done = run(config((shards,), tmp_path, steps=1, stage=stage, genes_per_batch=2, stream=True))
    assert done.steps == 1
