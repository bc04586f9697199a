"""The table of plain genes against the records of `read_annotation`: the same genes, findings and shards, always."""

from __future__ import annotations

import itertools
import random
import re
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.io import test_gff3_dialects, test_gff3_faults
from tests.io.gxf import gxf
from tests.prep.test_roundtrip import chromosome_data
from transgenic_tools.errors import TransgenicError
from transgenic_tools.io.gff3 import lines as line_reader
from transgenic_tools.io.gff3 import read_annotation
from transgenic_tools.io.gff3.table import GeneTable, read_gene_table
from transgenic_tools.prep import plain, source
from transgenic_tools.prep import rows as row_maker
from transgenic_tools.prep import run as runner
from transgenic_tools.prep.config import Config, WindowConfig

GENOME = 4000
SEQIDS = ("chr1", "chr2")


def _outcome(config: Config) -> dict[str, bytes] | str:
    """Every byte that was written, or what was said."""
    try:
        runner.run(config)
    except TransgenicError as error:
        return str(error).replace(str(config.outdir), "OUT")
    return {path.name: path.read_bytes() for path in sorted(config.outdir.iterdir())}


def _both(fasta: Path, annotation: Path, work: Path, **more: object) -> tuple[object, object]:
    def config(name: str) -> Config:
        return Config(fasta=fasta, annotation=annotation, outdir=work / name, split="fraction", folds=3, **more)  # type: ignore[arg-type]

    fast = _outcome(config("fast"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(source, "suits_table", lambda config: False)
        patch.setattr(line_reader, "read_grid", lambda block, types: None)
        return fast, _outcome(config("careful"))


# -- files that a model of genes gives ---------------------------------------------------------------------------------

_START, _STOP = ("ATG", "CAT"), (("TAA", "TAG", "TGA"), ("TTA", "CTA", "TCA"))


def _drawn_gene(rng: random.Random, number: int, genome: list[str], sound: bool) -> list[str]:
    """Lines of a gene; where `sound`, the genome is changed so that most of its coding transcripts are clean."""
    seqid, strand = rng.choice(SEQIDS), rng.choice("+-")
    letters = genome[SEQIDS.index(seqid)]
    at = rng.randrange(50, GENOME - 1300)
    edges = [at]
    for i in range(2 * rng.randint(1, 4) - 1):
        sizes = (20, 25, 40, 60) if i % 2 and rng.random() < 0.9 else (4, 7, 25, 60, 90)
        edges.append(edges[-1] + rng.choice(sizes if rng.random() < 0.9 else (1, 2, 3)))
    exons = list(zip(edges[::2], edges[1::2], strict=True))
    name = f"g{number}" if rng.random() < 0.95 else f"g{rng.randrange(number + 1)}"
    lines = [f"{seqid} x gene {edges[0]} {edges[-1] - 1} . {strand} . ID={name};{_extra(rng)}"]
    for t in range(rng.choice((0, 1, 1, 2, 2, 3))):
        lines += _drawn_transcript(rng, seqid, strand, name, f"{name}.{t}", exons, letters, sound)
    return lines


def _extra(rng: random.Random) -> str:
    return rng.choice(
        (
            "Name=a",
            "biotype=protein_coding",
            "gene_biotype=lncRNA",
            "pseudo=true",
            "Note=a%3Bb",
            "locus_type=pseudogene",
        )
    )


def _drawn_transcript(
    rng: random.Random,
    seqid: str,
    strand: str,
    gene: str,
    name: str,
    exons: list[tuple[int, int]],
    letters: list[str],
    sound: bool,
) -> list[str]:
    low, high = exons[0][0], exons[-1][1]
    if len(exons) > 2 and rng.random() < 0.4:
        exons = [exons[0], *exons[2:]]
    first, last = rng.randint(low, (low + high) // 2), rng.randint((low + high) // 2 + 1, high)
    cds = [(max(a, first), min(b, last)) for a, b in exons if max(a, first) < min(b, last)]
    total = sum(b - a for a, b in cds)
    if cds and total > 5 and rng.random() < 0.9:  # whole codons
        over, (a, b) = total % 3, cds[-1]
        if b - a > over:
            cds[-1] = (a, b - over)
    if cds and sound:
        _sow(rng, letters, strand, exons, cds)
    if rng.random() < 0.1:
        cds = []
    odd = rng.random()
    parent = gene if odd > 0.06 else rng.choice((f"{gene},g0", "none", f"{gene}.0", "g0"))
    kind = rng.choice(("mRNA", "mRNA", "mRNA", "transcript", "lnc_RNA"))
    lines = [f"{seqid} x {kind} {low} {high - 1} . {strand} . ID={name};Parent={parent};n=1"]
    lines += [f"{seqid} x exon {a} {b - 1} . {strand} . ID=e{a};Parent={name}" for a, b in exons]
    phase = 0
    for a, b in cds if strand == "+" else cds[::-1]:
        shown = phase if rng.random() > 0.01 else rng.choice("012.")
        lines.append(f"{seqid} x CDS {a} {b - 1} . {strand} {shown} ID=c;Parent={name}")
        phase = (phase - (b - a)) % 3
    if rng.random() < 0.03:
        lines.append(f"{seqid} x CDS {low} {low + 5} . {strand} 0 Parent={gene}")
    if rng.random() < 0.03:
        lines.pop(rng.randrange(1, len(lines)))
    return lines


def _sow(rng: random.Random, letters: list[str], strand: str, exons: list, cds: list) -> None:  # type: ignore[type-arg]
    """Start, stop and splice sites into the genome (1-based places), and no stop codon but the last."""
    plus = strand == "+"
    for (_, a), (b, _) in itertools.pairwise(cds):
        left, right = ("GT", "AG") if plus else ("CT", "AC")
        letters[a - 1 : a + 1], letters[b - 3 : b - 1] = left, right
    places = [p - 1 for a, b in cds for p in range(a, b)]
    for place in places:
        letters[place] = rng.choice("CG")
    ends = (places[:3], places[-3:]) if plus else (places[-3:], places[:3])
    for where, text in zip(ends, (_START[not plus], rng.choice(_STOP[not plus])), strict=True):
        for place, letter in zip(where, text, strict=False):
            letters[place] = letter
    if rng.random() < 0.2:
        letters[rng.choice(places)] = rng.choice("TANR")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 10**9), sound=st.booleans(), shuffled=st.booleans(), clip=st.booleans())
def test_table_equals_records_on_drawn_files(
    tmp_path_factory: pytest.TempPathFactory, seed: int, sound: bool, shuffled: bool, clip: bool
) -> None:
    """Genes sound and faulty, in order and shuffled: the same bytes, or the same error, both ways."""
    rng = random.Random(seed)
    work = tmp_path_factory.mktemp("t")
    genome = [rng.choices("ACGT", k=GENOME) for _ in SEQIDS]
    genes = [_drawn_gene(rng, number, genome, sound) for number in range(rng.randint(1, 12))]
    text = [line for lines in genes for line in lines]
    if shuffled:
        rng.shuffle(text)
    fasta, annotation = work / "g.fa", work / "a.gff3"
    fasta.write_text("".join(f">{n}\n{''.join(g)}\n" for n, g in zip(SEQIDS, genome, strict=True)))
    annotation.write_text(gxf("##gff-version 3\n" + "\n".join(text)))
    flanks = rng.choice((0, 5, 200))
    window = WindowConfig(upstream=flanks, downstream=flanks, contig_end="clip" if clip else "pad")
    fast, careful = _both(fasta, annotation, work, window=window)
    assert fast == careful


def test_drawn_files_hold_plain_genes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The property above would say nothing if every gene of its files were left to the careful way."""
    made: Counter[bool] = Counter()

    def counted(*arguments: object) -> plain.Ready:
        found = plain.ready(*arguments)  # type: ignore[arg-type]
        made.update(sentence is not None for sentence in found.sentence)
        return found

    monkeypatch.setattr(row_maker, "ready", counted)
    rng = random.Random(1)
    for number in range(20):
        genome = [rng.choices("ACGT", k=GENOME) for _ in SEQIDS]
        text = [line for n in range(8) for line in _drawn_gene(rng, n, genome, sound=True)]
        (tmp_path / "g.fa").write_text("".join(f">{n}\n{''.join(g)}\n" for n, g in zip(SEQIDS, genome, strict=True)))
        (tmp_path / "a.gff3").write_text(gxf("\n".join(text)))
        _outcome(Config(fasta=tmp_path / "g.fa", annotation=tmp_path / "a.gff3", outdir=tmp_path / str(number)))
    assert made[True] > 5
    assert made[False] > 20


def test_table_takes_plain_genes_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A clean gene never meets `prepare`."""
    genome = ["A"] * GENOME
    genome[100:109] = "ATGCCCTAA"
    (tmp_path / "g.fa").write_text(f">chr1\n{''.join(genome)}\n")
    (tmp_path / "a.gff3").write_text(
        gxf("""
        chr1 x gene 51 200 . + . ID=g
        chr1 x mRNA 51 200 . + . ID=t;Parent=g
        chr1 x exon 51 200 . + . ID=e;Parent=t
        chr1 x CDS 101 109 . + 0 ID=c;Parent=t
        """)
    )
    monkeypatch.delattr(row_maker, "prepare")
    done = runner.run(Config(fasta=tmp_path / "g.fa", annotation=tmp_path / "a.gff3", outdir=tmp_path / "out"))
    assert (done.genes, done.transcripts) == (1, 1)


# -- real annotations --------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("genome", ["AthaTAIR10_chr1", "AareAARE701a_chr1_chr2"])
def test_table_equals_records_on_whole_annotations(tmp_path: Path, genome: str) -> None:
    """Thousands of real genes, plain and odd: the same bytes both ways."""
    data = chromosome_data()
    (fasta,) = data.glob(f"{genome}_GCA_905*_genomic.fna.gz" if "Aare" in genome else f"{genome}_GCF*_genomic.fna.gz")
    fast, careful = _both(fasta, data / f"{genome}.gff.gz", tmp_path, window=WindowConfig(jitter=(50, 600)))
    assert isinstance(fast, dict)
    assert fast == careful


# -- every file of the dialect and fault tests -------------------------------------------------------------------------


def _texts() -> list[str]:
    """Every annotation that the tests of dialects and faults write, with its blanks."""
    found = []
    for module in (test_gff3_dialects, test_gff3_faults):
        source = Path(str(module.__file__)).read_text()
        found += [part for part in source.split('"""')[1::2] if len(part.strip().splitlines()) > 2]
    return found


@pytest.mark.parametrize("text", _texts())
def test_table_equals_records_on_dialects(tmp_path: Path, text: str) -> None:
    """Each dialect and fault, as it is and beside plain genes on the same sequence."""
    plain = """
        chr1 x gene 2051 2200 . + . ID=plain
        chr1 x mRNA 2051 2200 . + . ID=plain.t;Parent=plain
        chr1 x exon 2051 2200 . + . ID=e;Parent=plain.t
        chr1 x CDS 2101 2109 . + 0 ID=c;Parent=plain.t
    """
    for number, whole in enumerate((text, text + plain, plain + text)):
        path = tmp_path / f"{number}.gff3"
        path.write_text(gxf(whole))
        try:
            expected = read_annotation(path)
        except TransgenicError as error:
            with pytest.raises(type(error), match=re.escape(str(error))):
                read_gene_table(path)
            continue
        table = read_gene_table(path)
        if isinstance(table, GeneTable):
            assert tuple(table.gene(entry) for entry in table.entries) == expected.genes
            assert table.problems == expected.problems
            assert [e.biotype for e in table.entries] == [g.biotype for g in expected.genes]
        else:
            assert table.genes == expected.genes


def test_many_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Block ends anywhere change nothing; an odd block among plain ones neither."""
    rng = random.Random(5)
    genome = [rng.choices("ACGT", k=GENOME) for _ in SEQIDS]
    genes = [_drawn_gene(rng, number, genome, sound=True) for number in range(40)]
    text = gxf("\n###\n".join("\n".join(lines) for lines in genes) + "\nchr1 x gene 1 b . + . ID=z\na line of words\n")
    path = tmp_path / "a.gff3"
    path.write_text(text)
    whole = read_annotation(path)
    for size in (64, 333, 1000, 4096):
        monkeypatch.setattr(line_reader, "_BLOCK", size)
        again = read_annotation(path)
        assert again.genes == whole.genes
        assert Counter(again.problems) == Counter(whole.problems)
