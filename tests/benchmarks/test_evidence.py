"""Simulated reads hold what they promise; hints, controls and counts of new introns are those of the windows."""

from __future__ import annotations

import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import evidence
from benchmarks.evidence_inputs import Intron, Reads, hint
from benchmarks.evidence_real import introns_in, new_introns, read_tissues
from benchmarks.evidence_tools import window_hints
from benchmarks.reads import Library, Simulator, expression, mate_paths
from tests.benchmarks.test_peers import row
from transgenic_tools.genome.gene import Gene, Transcript
from transgenic_tools.genome.interval import Interval, Strand
from transgenic_tools.genome.sequence import reverse_complement

CLEAN = Library(conditions=("t1",), retained=0, misspliced=0, background=0, errors=0, silent=0)
REGION = Interval(5_000, 8_000)


def genes(strand: Strand = "+") -> tuple[Gene, ...]:
    exons = (Interval(5_500, 5_900), Interval(6_100, 6_500), Interval(6_700, 7_300))
    short = (exons[0], exons[2])
    transcripts = tuple(Transcript(f"t{i}", "s", strand, parts) for i, parts in enumerate((exons, short)))
    return (Gene("g", "s", strand, Interval(5_500, 7_300), transcripts),)


def bases() -> str:
    rng = random.Random(3)
    return "".join(rng.choice("ACGT") for _ in range(len(REGION)))


def mates(directory: Path, library: Library, strand: Strand = "+", reads: int = 400) -> list[tuple[str, str]]:
    """Pairs of one condition, by number."""
    simulator = Simulator(genes(strand), bases(), REGION, library)
    rng = np.random.default_rng(1)
    simulator.write(np.array([[3.0, 1.0]]), directory, reads=reads, rng=rng)
    texts = [path.read_text().split("\n") for path in mate_paths(directory, "t1")]
    assert texts[0][::2][:-1] == texts[1][::2][:-1] == [f">{i}" for i in range(reads // 2)]
    return list(zip(texts[0][1::2], texts[1][1::2], strict=True))


@pytest.mark.parametrize("strand", ["+", "-"])
def test_clean_pairs_are_of_transcripts_and_the_first_mate_is_antisense(tmp_path: Path, strand: Strand) -> None:
    spliced = [t.spliced(bases(), offset=REGION.start) for t in genes(strand)[0].transcripts]
    of: Counter[int] = Counter()
    for first, second in mates(tmp_path, CLEAN, strand):
        ends = [(text.find(second), text.find(reverse_complement(first))) for text in spliced]
        holding = [i for i, (left, right) in enumerate(ends) if 0 <= left <= right]
        assert holding
        of.update(holding)
    assert of[0] > of[1] > 0  # three molecules of the first for one of the second


def test_rates_are_those_stated(tmp_path: Path) -> None:
    """Each of two introns is left in in 20 % of molecules; the shorter transcript has one intron."""
    library = Library(conditions=("t1",), retained=0.2, misspliced=0, background=0, errors=0)
    text = bases()
    junction = text[890:900] + text[1_100:1_110]  # first intron of the long transcript
    kept = text[890:910]
    seen: Counter[str] = Counter()
    for first, second in mates(tmp_path, library, reads=40_000):
        fragment = second + "|" + reverse_complement(first)
        seen["spliced"] += junction in fragment
        seen["kept"] += kept in fragment
    # the short transcript's only intron begins there too: its molecules that keep it add to "kept"
    assert 0.2 < seen["kept"] / (seen["kept"] + seen["spliced"]) < 0.3


def test_wrong_bases_and_wrong_splice_sites(tmp_path: Path) -> None:
    spliced = [t.spliced(bases(), offset=REGION.start) for t in genes()[0].transcripts]
    (tmp_path / "errors").mkdir()
    wrong = mates(tmp_path / "errors", Library(conditions=("t1",), retained=0, misspliced=0, background=0, errors=0.01))
    clean = sum(any(second in text for text in spliced) for _, second in wrong)
    assert 0.25 < clean / len(wrong) < 0.5  # 0.99 ** 100 is 0.37
    library = Library(conditions=("t1",), retained=0, misspliced=0.2, background=0, errors=0)
    # those across a strange junction that lies well inside, so that both parts have one place alone
    whole = [second for _, second in mates(tmp_path, library, reads=4_000)]
    strange = [second for second in whole if all(second[15:-15] not in text for text in (*spliced, bases()))]
    assert strange
    assert all(explained(second) for second in strange)


def explained(read: str) -> bool:
    """One end of the intron is the annotation's, the other another site of its kind within reach."""
    text = bases()
    for cut in range(1, len(read)):
        left, right = text.find(read[:cut]), text.find(read[cut:])
        if left < 0 or right < 0:
            continue
        start, end = left + cut, right
        donors, acceptors = {900, 1_500}, {1_100, 1_700}
        moved_acceptor = start in donors and text[end - 2 : end] == "AG"
        moved_donor = end in acceptors and text[start : start + 2] == "GT"
        reach = min(abs(start - d) for d in donors) + min(abs(end - a) for a in acceptors)
        if (moved_acceptor or moved_donor) and 0 < reach <= 100:
            return True
    return False


def test_expression_is_shared_by_isoforms_and_some_genes_are_silent() -> None:
    many = [Gene(f"g{i}", "s", "+", genes()[0].interval, genes()[0].transcripts) for i in range(4_000)]
    levels = expression(many, Library(silent=0.1), np.random.default_rng(1))
    assert levels.shape == (4, 8_000)
    silent = (levels[0].reshape(-1, 2) == 0).all(axis=1)
    assert ((levels[0].reshape(-1, 2) == 0).any(axis=1) == silent).all()
    assert 0.08 < silent.mean() < 0.12
    assert np.log(levels[levels > 0]).std() == pytest.approx((1.0**2 + 1.0**2 + 0.8**2 + 0.4**2) ** 0.5, rel=0.05)


def test_amounts_are_of_a_whole_transcriptome(tmp_path: Path) -> None:
    from benchmarks.data import Genome

    reads = Reads(tmp_path, Genome("s", tmp_path / "s.fa", tmp_path / "s.gff3", "all:test"), genes() * 27)
    assert reads.reads_of(10) == 9_848 // 8 * 8  # 27 of 27,416 genes of 10 million
    assert reads.reads_of(1) % 8 == 0


def test_hints_are_in_the_coordinates_of_windows_on_their_strand(tmp_path: Path) -> None:
    introns = [
        Intron(Interval(1_050, 1_150), "+", (3, 4)),
        Intron(Interval(1_060, 1_160), "-", (1, 1)),
        Intron(Interval(1_250, 1_350), "+", (9, 9)),  # reaches out of the windows
    ]
    windows = [row(0, "+"), row(1, "-")]
    lines = window_hints(windows, introns).splitlines()
    assert [line.split("\t")[:8] for line in lines] == [
        ["w000000", "b2h", "intron", "51", "150", "7", "+", "."],
        ["w000001", "b2h", "intron", "141", "240", "2", "+", "."],
    ]
    assert hint("s", Interval(0, 9), "-", 5).endswith("-\t.\tmult=5;pri=4;src=E\n")


def test_new_introns_are_counted_inside_loci_alone() -> None:
    windows = [row(0, "+")]  # locus 1,100 to 1,200
    known = {(1_110, 1_120, "+")}
    predicted = {*known, (1_110, 1_130, "+"), (1_140, 1_150, "+"), (1_090, 1_150, "+"), (1_140, 1_150, "-")}
    judging: Counter[tuple[int, int, Strand]] = Counter({
        (1_110, 1_120, "+"): 99, (1_110, 1_130, "+"): 12, (1_160, 1_170, "+"): 10, (1_160, 1_180, "+"): 9
    })  # fmt: skip
    assert new_introns(windows, known, predicted, judging) == {  # type: ignore[arg-type]
        "predicted": 2, "predicted_with_reads": 1, "strong": 2, "strong_found": 1
    }  # fmt: skip


def test_tissues_are_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "j.gff3"
    text = "Chr1\tR\tintron\t101\t200\t{}\t-\t.\ttissue={}\n"
    path.write_text("##gff-version 3\n" + text.format(4, "roo") + text.format(2, "lea") + text.format(1, "roo"))
    tissues = read_tissues(path)
    assert list(tissues) == ["lea", "roo"]
    assert introns_in(tissues["roo"]) == {(100, 200, "-"): 5}


def metrics(value: float) -> dict[str, Any]:
    levels = {level: {"f1": value, "precision": value} for level in ("intron", "transcript")}
    return {"cds": levels, "transcript": levels, "gene_exact": value, "isoform_recall_multi": value}


def test_figures_that_were_not_made_anew_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evidence, "ROOT", tmp_path)
    path, docs = tmp_path / "benchmarks" / "results.json", tmp_path / "docs" / "benchmarks.md"
    for file in (path, docs):
        file.parent.mkdir()
    path.write_text(json.dumps({"scan": 1}))
    docs.write_text(f"before\n{evidence.BEGIN}\nold\n{evidence.END}\nafter\n")
    evidence.record({"split": "test", "genes": 9, "none": {"augustus": metrics(0.1), "transgenic": metrics(0.2)}})
    evidence.record({"split": "test", "genes": 9, "none": {"transgenic": metrics(0.3)}})
    evidence.record({"split": "validation", "genes": 4, "shuffled": {"transgenic_evidence": metrics(0.4)}})
    results = json.loads(path.read_text())
    assert results["scan"] == 1
    assert {tool: figures["gene_exact"] for tool, figures in results["evidence"]["none"].items()} == {
        "augustus": 0.1, "transgenic": 0.3
    }  # fmt: skip
    assert results["evidence"]["validation"]["shuffled"]["transgenic_evidence"] == metrics(0.4)
    text = docs.read_text()
    for line in (
        "**Test split**, 9 genes:",
        "| no evidence | transgenic_tools, no evidence | 0.300 | 0.300 |",
        "**Validation split**, 4 genes:",
        "| 10 million, counts shuffled | transgenic_tools | 0.400 | 0.400 |",
    ):
        assert line in text
    assert text.startswith("before\n")
    assert text.endswith("after\n")
