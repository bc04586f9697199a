"""What AUGUSTUS and SNAP write becomes genome coordinates on both strands."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.peers import PEERS, parse_augustus, parse_snap, peer_genes
from benchmarks.windows import sample_evenly, tiles, total_bases, write_fasta
from transgenic_tools.genome.interval import Interval
from transgenic_tools.io.rows import GeneRow

AUGUSTUS = """\
# This output was generated with AUGUSTUS (version 3.5.0).
w000001\tAUGUSTUS\tgene\t11\t60\t0.9\t+\t.\tID=g2
w000001\tAUGUSTUS\ttranscript\t11\t60\t0.75\t+\t.\tID=g2.t1;Parent=g2
w000001\tAUGUSTUS\tintron\t21\t40\t1\t+\t.\tParent=g2.t1
w000001\tAUGUSTUS\tCDS\t11\t20\t0.83\t+\t0\tID=g2.t1.cds;Parent=g2.t1
w000001\tAUGUSTUS\tCDS\t41\t60\t0.91\t+\t2\tID=g2.t1.cds;Parent=g2.t1
w000001\tAUGUSTUS\ttranscript\t14\t60\t0.15\t+\t.\tID=g2.t2;Parent=g2
w000001\tAUGUSTUS\tCDS\t14\t60\t0.91\t+\t0\tID=g2.t2.cds;Parent=g2.t2
w000000\tAUGUSTUS\tCDS\t1\t3\t0.91\t-\t0\tID=g1.t1.cds;Parent=g1.t1
"""
SNAP = """\
w000000\tSNAP\tEinit\t5\t10\t13.8\t+\t.\tw000000-snap.1
w000000\tSNAP\tExon\t21\t30\t13.8\t+\t.\tw000000-snap.1
w000000\tSNAP\tEterm\t41\t50\t13.8\t+\t.\tw000000-snap.1
w000000\tSNAP\tEsngl\t61\t90\t17.9\t+\t.\tw000000-snap.2
"""


def row(number: int, strand: str) -> GeneRow:
    return GeneRow(
        gene_id=f"gene{number}", sample="s", seqid="s1", start=1_100, end=1_200, strand=strand,  # type: ignore[arg-type]
        window_start=1_000, window_end=1_300, sequence="acgt" * 75, gsf=None, n_transcripts=0, primary_transcript=None,
        split="test",
    )  # fmt: skip


def test_augustus_lines() -> None:
    found = parse_augustus(AUGUSTUS.splitlines())
    assert list(found) == ["w000001"]
    assert [(t.cds, t.score) for t in found["w000001"]] == [
        ((Interval(10, 20), Interval(40, 60)), 0.75),
        ((Interval(13, 60),), 0.15),
    ]


def test_snap_lines_give_two_genes_of_one_window() -> None:
    found = parse_snap(SNAP.splitlines())
    assert [t.cds for t in found["w000000"]] == [
        (Interval(4, 10), Interval(20, 30), Interval(40, 50)),
        (Interval(60, 90),),
    ]


@pytest.mark.parametrize(
    ("strand", "expected"),
    [
        ("+", (Interval(1_010, 1_020), Interval(1_040, 1_060))),
        ("-", (Interval(1_240, 1_260), Interval(1_280, 1_290))),
    ],
)
def test_window_coordinates_go_back_to_the_genome(tmp_path: Path, strand: str, expected: object) -> None:
    output = tmp_path / "augustus.out"
    output.write_text(AUGUSTUS)
    genes = peer_genes(PEERS[0], output, [row(0, strand), row(1, strand)])
    assert [g.id for g in genes] == ["augustus.1"]
    first = genes[0].transcripts[0]
    assert (first.cds, first.strand, first.score) == (expected, strand, 0.75)
    assert all(t.attributes["source_gene"] == ("gene1",) for t in genes[0].transcripts)


def test_every_tool_reads_upper_case(tmp_path: Path) -> None:
    text = write_fasta([row(0, "+"), row(1, "+")], tmp_path / "w.fa").read_text()
    assert [line for line in text.splitlines() if line.startswith(">")] == [">w000000", ">w000001"]
    assert text.upper().replace("W00", "w00") == text


def test_flags_that_make_the_comparison_fair() -> None:
    commands = {peer.name: peer.command for peer in PEERS}
    assert "--sample=0" in commands["augustus"]
    assert {"--alternatives-from-sampling=true", "--sample=100"} <= set(commands["augustus_sampling"])
    for name in ("augustus", "augustus_sampling"):
        assert {"--species=arabidopsis", "--strand=forward", "--genemodel=exactlyone", "--UTR=off"} <= set(
            commands[name]
        )
    assert "-plus" in commands["snap"]


def test_samples_are_even_and_tiles_cover() -> None:
    rows = tiles("acgtacgtac", "s1", start=2, length=3, count=2)
    assert [(r.start, r.sequence) for r in rows] == [(2, "GTA"), (5, "CGT")]
    assert total_bases(rows) == 6
    many = [row(i, "+") for i in range(10)]
    assert [r.gene_id for r in sample_evenly(many, 5)] == ["gene0", "gene2", "gene4", "gene6", "gene8"]
    assert sample_evenly(many, 50) == tuple(many)
