"""Usage: shares that were planted come back, whatever else is unknown is said to be so."""

from __future__ import annotations

import csv
import itertools
import json
import math
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transgenic_tools.errors import BadInputError
from transgenic_tools.evidence.usage import UsageConfig, UsageResult, run_usage
from transgenic_tools.genome.gene import Gene, Transcript
from transgenic_tools.genome.interval import Interval, Strand
from transgenic_tools.genome.usage import determined, expected_reads, intron_shares, shares
from transgenic_tools.io.gff3 import write_genes
from transgenic_tools.io.junctions import JUNCTION, EvidenceRow, InputInfo, write_evidence
from transgenic_tools.io.usage import read_transcript_usage
from transgenic_tools.provenance import Provenance

# Exons of a made-up gene; each isoform says which of them it has, or another set.
WHOLE = ((0, 100), (200, 300), (400, 500), (600, 700))
SKIPPED = ((0, 100), (400, 500), (600, 700))
OTHER_ACCEPTOR = ((0, 100), (220, 300), (400, 500), (600, 700))
RETAINED = ((0, 100), (200, 300), (400, 700))
FULL: dict[str, tuple[tuple[int, int], ...]] = {
    "whole": WHOLE, "skipped": SKIPPED, "acceptor": OTHER_ACCEPTOR, "retained": RETAINED
}  # fmt: skip


def gene(isoforms: Mapping[str, Sequence[tuple[int, int]]], strand: Strand = "+", seqid: str = "chr1") -> Gene:
    transcripts = tuple(
        Transcript(name, seqid, strand, tuple(Interval(1000 + a, 1000 + b) for a, b in exons))
        for name, exons in isoforms.items()
    )
    return Gene("g", seqid, strand, Interval(1000, 1700), transcripts)


def planted(isoforms: Gene, reads: Mapping[str, Sequence[float]]) -> dict[Interval, list[float]]:
    """Reads by intron that these reads a transcript and condition give without noise."""
    counts: dict[Interval, list[float]] = {}
    for transcript in isoforms.transcripts:
        for intron in transcript.introns:
            row = counts.setdefault(intron, [0.0] * len(reads[transcript.id]))
            for place, value in enumerate(reads[transcript.id]):
                row[place] += value
    return counts


def write(
    directory: Path,
    isoforms: Gene,
    counts: Mapping[Interval, Sequence[float]],
    conditions: Sequence[str | None],
    *,
    weight: float = 1.0,
) -> UsageConfig:
    stamp = Provenance("tests")
    write_genes(directory / "a.gff3", [isoforms], provenance=stamp)
    inputs = [
        InputInfo(name=f"input{i}", kind="star_junctions", condition=name, weight=weight, sha256="")
        for i, name in enumerate(conditions)
    ]
    rows = [
        EvidenceRow(
            kind=JUNCTION, seqid=isoforms.seqid, start=place.start, end=place.end, strand=isoforms.strand, introns=(),
            inputs=tuple(i for i, n in enumerate(row) if n), counts=tuple(int(n) for n in row if n),
        )
        for place, row in sorted(counts.items())
        if any(row)
    ]  # fmt: skip
    write_evidence(directory / "e.parquet", rows, inputs=inputs, provenance=stamp)
    return UsageConfig(
        annotation=directory / "a.gff3", evidence=directory / "e.parquet", out=directory / "usage.tsv",
        introns=directory / "psi.tsv",
    )  # fmt: skip


def table(path: Path) -> list[dict[str, str]]:
    with path.open() as handle:
        return list(csv.DictReader(handle, delimiter="\t"))


@pytest.mark.parametrize("strand", ["+", "-"])
def test_planted_shares_come_back_by_condition(tmp_path: Path, strand: Strand) -> None:
    isoforms = gene(FULL, strand)
    reads = {"whole": [60, 10], "skipped": [20, 30], "acceptor": [0, 40], "retained": [20, 20]}
    result = run_usage(write(tmp_path, isoforms, planted(isoforms, reads), ["leaf", "root"]))
    assert result.conditions == ("leaf", "root")
    assert (result.genes, result.seen, result.transcripts, result.undetermined) == (1, 1, 4, 0)
    for row in table(tmp_path / "usage.tsv"):
        for place, condition in enumerate(("leaf", "root")):
            assert float(row[f"share:{condition}"]) == pytest.approx(reads[row["transcript_id"]][place] / 100, abs=2e-3)
            assert float(row[f"reads:{condition}"]) == pytest.approx(reads[row["transcript_id"]][place], abs=0.3)


def test_psi_is_the_share_among_introns_that_share_an_end(tmp_path: Path) -> None:
    isoforms = gene({"whole": WHOLE, "skipped": SKIPPED})
    counts = planted(isoforms, {"whole": [30.0], "skipped": [10.0]})
    counts[Interval(1100, 1190)] = [5.0]  # a junction that no transcript has, at a donor that some have
    counts[Interval(1310, 1390)] = [7.0]  # another that shares no end
    run_usage(write(tmp_path, isoforms, counts, [None]))
    found = {(row["start"], row["end"]): row for row in table(tmp_path / "psi.tsv")}
    assert set(found) == {("1100", "1190"), ("1100", "1200"), ("1100", "1400"), ("1300", "1400"), ("1500", "1600")}
    assert {pair: row["transcripts"] for pair, row in found.items()}["1100", "1190"] == "0"
    psi = {pair: float(row["psi:input0"]) for pair, row in found.items()}
    assert psi["1100", "1200"] == pytest.approx(30 / 45, abs=1e-4)
    assert psi["1100", "1400"] == pytest.approx(10 / 75, abs=1e-4)  # rivals at both ends
    assert psi["1300", "1400"] == pytest.approx(30 / 40, abs=1e-4)
    assert psi["1500", "1600"] == 1.0


def test_inputs_of_a_condition_are_pooled_without_their_weight(tmp_path: Path) -> None:
    isoforms = gene({"whole": WHOLE, "skipped": SKIPPED})
    counts = planted(isoforms, {"whole": [30.0, 10.0, 4.0], "skipped": [0.0, 40.0, 4.0]})
    result = run_usage(write(tmp_path, isoforms, counts, ["leaf", "leaf", None], weight=0.1))
    assert result.conditions == ("leaf", "input2")
    rows = {row["transcript_id"]: row for row in table(tmp_path / "usage.tsv")}
    assert float(rows["whole"]["share:leaf"]) == pytest.approx(0.5, abs=1e-3)
    assert float(rows["whole"]["reads:leaf"]) == pytest.approx(40, abs=0.1)


def test_what_reads_cannot_tell_is_said(tmp_path: Path) -> None:
    longer = ((0, 100), (200, 300), (400, 500), (600, 690))
    isoforms = gene({"whole": WHOLE, "other_end": longer, "skipped": SKIPPED, "single": ((0, 700),)})
    counts = planted(
        isoforms, {"whole": [20.0, 0.0], "other_end": [20.0, 0.0], "skipped": [10.0, 0.0], "single": [9, 0]}
    )
    result = run_usage(write(tmp_path, isoforms, counts, ["leaf", "root"]))
    rows = {row["transcript_id"]: row for row in table(tmp_path / "usage.tsv")}
    assert result.undetermined == 2
    assert {name: row["determined"] for name, row in rows.items()} == {
        "whole": "no", "other_end": "no", "skipped": "yes", "single": "no"
    }  # fmt: skip
    assert float(rows["whole"]["share:leaf"]) == float(rows["other_end"]["share:leaf"]) == pytest.approx(0.4, abs=1e-3)
    assert rows["single"]["share:leaf"] == rows["single"]["reads:leaf"] == ""
    assert rows["whole"]["share:root"] == ""  # no read is no share, not 0
    assert float(rows["whole"]["reads:root"]) == 0


def test_the_table_is_read_back(tmp_path: Path) -> None:
    isoforms = gene(FULL)
    reads = {name: [10.0, 0.0] for name in FULL}
    config = write(tmp_path, isoforms, planted(isoforms, reads), ["leaf", "root"])
    run_usage(config)
    conditions, rows = read_transcript_usage(config.out)
    assert conditions == ("leaf", "root")
    assert [row.transcript_id for row in rows] == list(FULL)
    assert rows[0].shares[0] == pytest.approx(0.25, abs=2e-3)
    assert math.isnan(rows[0].shares[1])
    config.out.write_text("gene_id\tother\n")
    with pytest.raises(BadInputError, match="header"):
        read_transcript_usage(config.out)


def test_another_genome_is_an_error(tmp_path: Path) -> None:
    isoforms = gene(FULL)
    config = write(tmp_path, isoforms, planted(isoforms, {name: [1.0] for name in FULL}), [None])
    write_genes(config.annotation, [gene(FULL, seqid="Chr_1")], provenance=Provenance("tests"))
    with pytest.raises(BadInputError, match="'Chr_1' and 'chr1'"):
        run_usage(config)


def test_the_command_and_its_elder_spelling(tmp_path: Path) -> None:
    """`usage` writes, `tg-evidence FILE` still gathers; in a process of its own, where nothing is imported yet."""
    isoforms = gene(FULL)
    config = write(tmp_path, isoforms, planted(isoforms, {name: [8.0] for name in FULL}), ["leaf"])
    tool = [sys.executable, "-c", "from transgenic_tools.cli.entry import evidence; evidence()"]
    given = ["usage", str(config.annotation), str(config.evidence), "--out", str(config.out), "--json"]
    done = subprocess.run([*tool, *given], capture_output=True, text=True, env=os.environ)
    assert done.returncode == 0, done.stderr
    assert UsageResult(**{**json.loads(done.stdout), "conditions": ("leaf",), "out": config.out}).seen == 1
    absent = [str(tmp_path / "absent.csv"), "--fasta", str(tmp_path / "g.fa"), "--out", str(tmp_path / "o.parquet")]
    done = subprocess.run([*tool, *absent], capture_output=True, text=True)
    assert done.returncode == 66
    assert "absent.csv" in done.stderr


# -- the mathematics, against slow ways to the same --------------------------------------------------------------------


def log_likelihood(has: np.ndarray, counts: np.ndarray, reads: Sequence[float]) -> float:
    mean = has @ np.array(reads, dtype=float)
    return float(
        sum(n * math.log(m) - m if m > 0 else (-math.inf if n else 0.0) for n, m in zip(counts, mean, strict=True))
    )


@given(st.lists(st.integers(0, 12), min_size=5, max_size=5))
def test_no_mixture_on_a_grid_is_likelier(counts: list[int]) -> None:
    has = np.array([[1, 0, 1], [1, 0, 0], [0, 1, 0], [1, 1, 1], [0, 0, 1]], dtype=bool)
    observed = np.array(counts, dtype=float)
    best = expected_reads(has, observed[:, None])[:, 0]
    reached = log_likelihood(has, observed, best)
    grid = np.arange(0, 13, 1.0)
    assert all(log_likelihood(has, observed, mix) <= reached + 1e-3 for mix in itertools.product(grid, repeat=3))


def test_noise_is_averaged_out() -> None:
    rng = np.random.default_rng(1)
    isoforms = gene(FULL)
    introns = sorted({i for t in isoforms.transcripts for i in t.introns})
    has = np.array([[i in t.introns for t in isoforms.transcripts] for i in introns])
    truth = np.array([0.5, 0.3, 0.0, 0.2])
    drawn = rng.poisson(has @ truth * 300, size=(200, len(introns))).T.astype(float)
    found = shares(expected_reads(has, drawn))
    assert np.abs(found.mean(axis=1) - truth).max() < 0.02


def test_determined_is_the_rank() -> None:
    has = np.array([[1, 1, 0, 0], [1, 0, 1, 0], [0, 1, 0, 1], [0, 0, 1, 1]], dtype=bool)  # a + d = b + c
    assert not determined(has).any()
    assert determined(np.array([[1, 0], [1, 1]], dtype=bool)).all()


def test_intron_shares_without_reads() -> None:
    assert np.isnan(intron_shares([(1, 5), (1, 7)], np.zeros((2, 1)))).all()
    assert intron_shares([], np.zeros((0, 2))).shape == (0, 2)
