"""tg-backmap --evidence: support of transcripts, reads of introns by input, strong junctions that no transcript has."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import pytest

from tests.backmap.builders import make_gene, row_of
from transgenic_tools.backmap.config import Config
from transgenic_tools.backmap.run import run
from transgenic_tools.genome.interval import Strand
from transgenic_tools.io.gff3 import read_annotation, write_genes
from transgenic_tools.io.junctions import CHAIN, JUNCTION, NONCANONICAL, EvidenceRow, InputInfo, write_evidence
from transgenic_tools.io.rows import PredictionRow
from transgenic_tools.io.shards import read_predictions, write_prediction_shard
from transgenic_tools.provenance import Provenance

#: Introns of the gene: 110-150, 180-220, 250-300.
EXONS = [(80, 110), (150, 180), (220, 250), (300, 330)]
INTRONS = [(110, 150), (180, 220), (250, 300)]


def junction(start: int, end: int, counts: dict[int, int], strand: Strand = "+", kind: str = JUNCTION) -> EvidenceRow:
    numbers = tuple(sorted(counts))
    return EvidenceRow(
        kind=kind, seqid="chr1", start=start, end=end, strand=strand, introns=(), inputs=numbers,
        counts=tuple(counts[n] for n in numbers),
    )  # fmt: skip


def chain(introns: list[tuple[int, int]]) -> EvidenceRow:
    return EvidenceRow(
        kind=CHAIN, seqid="chr1", start=0, end=999, strand="+", introns=tuple(e for i in introns for e in i),
        inputs=(0,), counts=(1,),
    )  # fmt: skip


def annotate(
    directory: Path, rows: list[EvidenceRow], **changes: object
) -> tuple[dict[str, str], list[dict[str, str]]]:
    """Attributes of the one transcript, and rows of the table."""
    inputs = [
        InputInfo(name=name, kind="star_junctions", condition=None, weight=0.5, sha256="0") for name in ("leaf", "root")
    ]
    evidence = directory / "e.parquet"
    write_evidence(
        evidence, sorted(rows, key=lambda r: (r.start, r.end)), inputs=inputs, provenance=Provenance("tg-evidence")
    )
    shard = directory / "predictions-00000.parquet"
    predicted: PredictionRow = row_of(make_gene("g", EXONS), **changes)
    write_prediction_shard([predicted], shard, provenance=Provenance("tg-generate"), evidence=True)
    assert list(read_predictions(shard)) == [predicted]
    run(Config(predictions=(shard,), out=directory / "out.gff3", evidence=evidence))
    (gene,) = read_annotation(directory / "out.gff3").genes
    attributes = {key: values[0] for key, values in gene.transcripts[0].attributes.items()}
    with open(directory / "out.junctions.tsv", newline="") as handle:
        return attributes, list(csv.DictReader(handle, delimiter="\t"))


@pytest.mark.parametrize(
    ("shown", "chains", "expected"),
    [
        ([{0: 3}, {0: 4, 1: 1}, {0: 9}], [], ("3/3", "full", "1", "2")),
        ([{0: 3}, {0: 4}, {0: 9}], [INTRONS], ("3/3", "full", "1", "1")),
        ([{0: 3}, {0: 4}, {0: 9}], [[INTRONS[0], INTRONS[2]], INTRONS[1:]], ("3/3", "full", "1", "2")),
        ([{0: 3, 1: 1}, {0: 4, 1: 1}, {0: 9, 1: 7}], [], ("3/3", "full", "2", "1")),
        ([{0: 3}, {1: 4}, {0: 9}], [], ("3/3", "mixed", "0", "3")),
        ([{0: 3}, {}, {0: 9}], [], ("2/3", "partial", "0", "4")),
        ([{}, {}, {}], [], ("0/3", "none", "0", "5")),
    ],
)
def test_support_of_a_transcript(
    tmp_path: Path, shown: list[dict[int, int]], chains: list[list[tuple[int, int]]], expected: tuple[str, ...]
) -> None:
    rows = [junction(*place, counts) for place, counts in zip(INTRONS, shown, strict=True) if counts]
    attributes, _ = annotate(tmp_path, [*rows, *map(chain, chains)], dna_scores=(0.25,))
    names = ("intron_support", "support_class", "support_samples", "support_level")
    assert tuple(attributes[name] for name in names) == expected
    assert attributes["dna_score"] == "0.2500"


def test_the_other_strand_says_nothing(tmp_path: Path) -> None:
    attributes, _ = annotate(tmp_path, [junction(*place, {0: 5}, "-") for place in INTRONS])
    assert attributes["intron_support"] == "0/3"
    assert "dna_score" not in attributes


def test_the_table_of_introns(tmp_path: Path) -> None:
    rows = [
        junction(*INTRONS[0], {0: 3, 1: 2}),
        junction(*INTRONS[1], {1: 7}),
        junction(120, 150, {0: 40}),  # told by the prediction
        junction(130, 150, {0: 40}),  # inside the locus, and the prediction does not tell it
        junction(900, 950, {0: 9, 1: 1}),
        junction(960, 990, {0: 9}),  # beside the loci and weak
    ]
    _, table = annotate(tmp_path, rows, unused_junctions=(120, 150), unused_reasons=("no_frame",))
    assert [(row["start"], row["end"], row["transcripts"], row["reason"]) for row in table] == [
        ("110", "150", "g.t1", "."),
        ("120", "150", ".", "no_frame"),
        ("180", "220", "g.t1", "."),
        ("250", "300", "g.t1", "."),
        ("900", "950", ".", "outside_loci"),
    ]
    first = table[0]
    assert (first["reads"], first["samples"], first["reads:leaf"], first["reads:root"]) == ("5", "2", "3", "2")
    assert (table[3]["reads"], table[3]["samples"]) == ("0", "0")


def test_strong_junctions_without_a_splice_motif_are_told(tmp_path: Path) -> None:
    rows = [
        junction(*INTRONS[0], {0: 3}),
        junction(*INTRONS[1], {0: 2}, kind=NONCANONICAL),  # a known transcript has it: what reads show is told
        junction(112, 150, {0: 10}, kind=NONCANONICAL),
        junction(114, 150, {0: 9}, kind=NONCANONICAL),  # weak
        junction(900, 950, {0: 10}, kind=NONCANONICAL),
    ]
    attributes, table = annotate(tmp_path, rows)
    assert [(row["start"], row["reads"], row["reason"]) for row in table] == [
        ("110", "3", "."),
        ("112", "10", "noncanonical"),
        ("180", "2", "."),
        ("250", "0", "."),
        ("900", "10", "outside_loci"),
    ]
    assert attributes["intron_support"] == "2/3"


def test_the_table_of_an_augmented_annotation_has_its_transcripts(tmp_path: Path) -> None:
    """Yours has the first intron, and another gene one; of two predicted isoforms one is sure enough to be added."""
    known = make_gene("g", [EXONS[0], (150, 330)], [(90, 110), (150, 189)])
    away = make_gene("away", [(880, 900), (950, 990)])
    write_genes(tmp_path / "user.gff3", [known, away], provenance=Provenance("test"))
    added = make_gene("g", [EXONS[0], (150, 180), (220, 330)], [(90, 110), (150, 180), (220, 229)]).transcripts[0]
    unsure = make_gene("g", [EXONS[0], (150, 250), (300, 330)], [(90, 110), (150, 250), (300, 306)]).transcripts[0]
    evidence, shard = tmp_path / "e.parquet", tmp_path / "predictions-00000.parquet"
    inputs = [InputInfo(name="leaf", kind="star_junctions", condition=None, weight=0.5, sha256="0")]
    rows = [junction(*place, {0: 40}) for place in (*INTRONS, (900, 950))]
    write_evidence(evidence, rows, inputs=inputs, provenance=Provenance("tg-evidence"))
    row = row_of(replace(known, transcripts=(added, unsure)), scores=(0.75, 0.25))
    write_prediction_shard([row], shard, provenance=Provenance("tg-generate"), evidence=True)
    run(
        Config(
            predictions=(shard,), out=tmp_path / "out.gff3", evidence=evidence, into=tmp_path / "user.gff3",
            min_confidence=0.5,
        )
    )  # fmt: skip
    genes = {gene.id: gene for gene in read_annotation(tmp_path / "out.gff3").genes}
    (old, new), (other,) = genes["g"].transcripts, genes["away"].transcripts
    assert new.attributes["support_class"] == ("full",)
    with open(tmp_path / "out.junctions.tsv", newline="") as handle:
        table = [(row["start"], row["transcripts"], row["reason"]) for row in csv.DictReader(handle, delimiter="\t")]
    assert table == [
        ("110", f"{old.id},{new.id}", "."),
        ("180", new.id, "."),
        ("250", ".", "not_added"),
        ("900", other.id, "."),
    ]


def test_without_evidence_nothing_is_said(tmp_path: Path) -> None:
    shard = tmp_path / "predictions-00000.parquet"
    write_prediction_shard([row_of(make_gene("g", EXONS))], shard, provenance=Provenance("tg-generate"))
    run(Config(predictions=(shard,), out=tmp_path / "out.gff3"))
    assert "support" not in (tmp_path / "out.gff3").read_text()
    assert not (tmp_path / "out.junctions.tsv").exists()
