"""What a file loses on its way into a comparison is said, and the stop codons of GTF are read as the other file has."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from tests.evaluate.builders import gene, genes, transcript, write
from transgenic_tools.cli.evaluate import app
from transgenic_tools.errors import BadInputError
from transgenic_tools.evaluate.config import Config
from transgenic_tools.evaluate.run import run
from transgenic_tools.genome.gene import Gene
from transgenic_tools.genome.interval import Interval, clip
from transgenic_tools.genome.sequence import reverse_complement

GOOD = """\
s1 x gene 1 60 . + . ID=g
s1 x mRNA 1 60 . + . ID=g.1;Parent=g
s1 x exon 1 30 . + . Parent=g.1
s1 x exon 41 60 . + . Parent=g.1
s1 x CDS 1 30 . + 0 Parent=g.1
s1 x CDS 41 60 . + 0 Parent=g.1
"""
#: Two unequal CDS lines that overlap, no strand, a bare gene, a non-coding RNA, a transcript that lost a line.
ODD = """\
s1 x gene 101 160 . + . ID=o
s1 x mRNA 101 160 . + . ID=o.1;Parent=o
s1 x CDS 101 150 . + 0 Parent=o.1
s1 x CDS 101 160 . + 0 Parent=o.1
s1 x gene 201 230 . . . ID=n
s1 x mRNA 201 230 . . . ID=n.1;Parent=n
s1 x CDS 201 230 . . 0 Parent=n.1
s1 x gene 301 330 . + . ID=bare
s1 x gene 401 430 . + . ID=r
s1 x lnc_RNA 401 430 . + . ID=r.1;Parent=r
s1 x exon 401 430 . + . Parent=r.1
s1 x gene 501 560 . + . ID=d
s1 x mRNA 501 560 . + . ID=d.1;Parent=d
s1 x CDS 501 530 . + 0 Parent=d.1
s1 x CDS 560 541 . + 0 Parent=d.1
"""
LEFT_OUT = {
    "genes": {"no_transcripts": 1},
    "transcripts": {"no_strand": 1, "overlapping_parts": 1, "no_cds": 1, "lost_line": 1},
    "lines": {"bad_coordinates": 1},
}


def lines(path: Path, text: str) -> Path:
    path.write_text("##gff-version 3\n" + text.replace(" ", "\t"))
    return path


def evaluated(reference: Path, prediction: Path, *, fasta: Path | None = None) -> dict:
    out = reference.parent / "out.json"
    run(Config(references=(reference,), predictions=(prediction,), json_path=out, fasta=fasta))
    return json.loads(out.read_text())


@pytest.mark.parametrize("side", ["reference", "prediction"])
def test_what_the_reader_cannot_use_is_named_for_each_file(tmp_path: Path, side: str) -> None:
    good, odd = lines(tmp_path / "good.gff3", GOOD), lines(tmp_path / "odd.gff3", GOOD + ODD)
    found = evaluated(*((odd, good) if side == "reference" else (good, odd)))["n"]["left_out"]
    other = "prediction" if side == "reference" else "reference"
    assert {unit: set(codes.items()) for unit, codes in found[side].items()} == {
        unit: set(codes.items()) for unit, codes in LEFT_OUT.items()
    }
    assert not any(found[other].values())


def test_the_table_names_it_too(tmp_path: Path) -> None:
    good, odd = lines(tmp_path / "good.gff3", GOOD), lines(tmp_path / "odd.gff3", GOOD + ODD)
    said = CliRunner().invoke(app, ["-r", str(good), "-p", str(odd), "--json", str(tmp_path / "o.json")]).output
    assert "prediction: left out 1 gene (1 no_transcripts), 4 transcripts (" in said
    assert "1 overlapping_parts" in said
    assert "prediction: mended while reading" not in said
    assert "reference:" not in said


def test_a_file_without_strands_is_said_as_reference_and_as_prediction(tmp_path: Path) -> None:
    good = lines(tmp_path / "good.gff3", GOOD)
    blank = lines(tmp_path / "blank.gff3", GOOD.replace("+", "."))
    assert evaluated(good, blank)["n"]["left_out"]["prediction"]["transcripts"] == {"no_strand": 1}
    with pytest.raises(BadInputError, match=r"left out: 1 transcript \(1 no_strand\)"):
        evaluated(blank, good)


def test_mended_transcripts_are_named(tmp_path: Path) -> None:
    good = lines(tmp_path / "good.gff3", GOOD)
    short = lines(tmp_path / "short.gff3", GOOD.replace("exon 1 30", "exon 1 20"))
    found = evaluated(good, short)
    assert found["n"]["mended"] == {"reference": {}, "prediction": {"exon_extended": 1}}


# --- any annotation against itself -----------------------------------------------------------------------------------


def perfect(found: dict) -> bool:
    """Every figure is 1, or there is nothing on either side that it could be about."""
    scores = [found[view][level] for view in ("cds", "transcript") for level in found[view]]
    scores += [*found["events"].values(), *found["events_transcript"].values()]
    good = all(score["f1"] == 1.0 or score["reference"] == score["prediction"] == 0 for score in scores)
    good &= found["gene_exact"] == found["gene_exact_primary"] == 1.0
    good &= found["isoform_recall_multi"] == 1.0 or found["n"]["multi_isoform_genes"] == 0
    rows = [found["alternatives"][view]["all"] for view in ("cds", "transcript")]
    good &= all(row["precision"] == row["recall"] == 1.0 or row["extras"] == row["alternatives"] == 0 for row in rows)
    return good and all(set(k for k, n in counts.items() if n) == {"equal"} for counts in found["classes"].values())


def without_stop_lines(path: Path, keep: Sequence[str] = ()) -> Path:
    """Stop codon lines taken out of a GTF, except those of some transcripts."""
    kept = [
        line for line in path.read_text().splitlines(keepends=True)
        if "\tstop_codon\t" not in line or any(f'transcript_id "{name}"' in line for name in keep)
    ]  # fmt: skip
    out = path.with_name(f"few{len(keep)}.gtf")
    out.write_text("".join(kept))
    return out


@settings(max_examples=60, deadline=None)
@given(drawn=genes())
@example(drawn=(gene("a", transcript("a.1", [(0, 9)])), gene("b", transcript("b.1", [(0, 9)]))))
@example(
    drawn=(
        gene("a", transcript("a.1", [(0, 9), (20, 29)]), transcript("a.2", [(0, 9)])),
        gene("b", transcript("b.1", [(0, 9)]), transcript("b.2", [(0, 9), (20, 32)])),
    )
)
def test_any_annotation_against_itself_is_perfect(drawn: tuple[Gene, ...]) -> None:
    with TemporaryDirectory() as directory:
        folder = Path(directory)
        gff3, gtf = write(folder / "a.gff3", *drawn), write(folder / "a.gtf", *drawn)
        first = drawn[0].transcripts[0].id
        for path in (gff3, gtf, without_stop_lines(gtf), without_stop_lines(gtf, keep=[first])):
            assert perfect(evaluated(path, path)), path.name
        assert perfect(evaluated(gff3, gtf))
        assert perfect(evaluated(gtf, gff3))


@st.composite
def whole_genes(draw: st.DrawFn) -> tuple[Gene, ...]:
    """Genes apart from each other; each CDS is two codons or more, so that GTF can tell its stop codon."""
    found = []
    for number in range(draw(st.integers(1, 4))):
        strand = draw(st.sampled_from(["+", "-"]))
        transcripts = []
        for t in range(draw(st.integers(1, 3))):
            inner = sorted(draw(st.sets(st.integers(7, 53), max_size=4)))
            inner = inner[: len(inner) // 2 * 2]
            edges = [0, *inner, 60]
            exons = tuple(Interval(a, b) for a, b in zip(edges[::2], edges[1::2], strict=True))
            left = draw(st.integers(0, 6))
            bases = [b for e in exons for b in range(e.start, e.end)][left:]
            codons = draw(st.integers(2, len(bases) // 3))
            cds = clip(exons, Interval(bases[0], bases[3 * codons - 1] + 1))
            shift = 100 * number + 10
            transcripts.append(
                replace(
                    transcript(f"g{number}.t{t}", [(e.start + shift, e.end + shift) for e in exons], strand=strand),
                    cds=tuple(Interval(c.start + shift, c.end + shift) for c in cds),
                )
            )
        found.append(gene(f"g{number}", *transcripts))
    return tuple(found)


@settings(max_examples=60, deadline=None)
@given(drawn=whole_genes())
@example(drawn=(gene("g0", transcript("g0.t0", [(10, 19)]), transcript("g0.t1", [(10, 19)])),))
def test_gtf_without_stop_lines_agrees_with_its_gff3(drawn: tuple[Gene, ...]) -> None:
    """All stop lines gone, or all but one transcript's; as reference and as prediction; no genome."""
    with TemporaryDirectory() as directory:
        folder = Path(directory)
        gff3, gtf = write(folder / "a.gff3", *drawn), write(folder / "a.gtf", *drawn)
        count = sum(len(g.transcripts) for g in drawn)
        for keep in ([], [drawn[0].transcripts[0].id]):
            few = without_stop_lines(gtf, keep=keep)
            found = evaluated(gff3, few)
            assert perfect(found)
            stops = found["n"]["stop_codons"]["prediction"]
            assert stops["transcripts_without_line"] == count - len(keep)
            assert (stops["reading"], stops["added"]) == (
                ("three_more", count - len(keep)) if count > len(keep) else ("as_written", 0)
            )
            assert perfect(evaluated(few, gff3))


def genome(path: Path, bases: str) -> Path:
    path.write_text(f">s1\n{bases}\n")
    return path


@pytest.mark.parametrize("strand", ["+", "-"])
def test_the_genome_tells_stops_apart_in_one_file(tmp_path: Path, strand: str) -> None:
    """Of three transcripts without a stop line two lack their stop codon in the CDS, one really has none."""
    bases = ["C"] * 400
    coding = [(11, 50), (111, 150), (211, 250)]  # 39 bases
    for start, end in coding[:2]:
        place = slice(end - 3, end) if strand == "+" else slice(start, start + 3)
        bases[place] = list("TAA" if strand == "+" else reverse_complement("TAA"))
    fasta = genome(tmp_path / "g.fa", "".join(bases))
    whole = [gene(f"g{i}", transcript(f"g{i}.1", [part], strand=strand)) for i, part in enumerate(coding)]
    gff3, gtf = write(tmp_path / "a.gff3", *whole), write(tmp_path / "a.gtf", *whole)
    partial = "\n".join(
        line.replace(f"\t{c}\t", f"\t{d}\t")
        for line in without_stop_lines(gtf).read_text().splitlines()
        for c, d in [("247", "250") if strand == "+" else ("215", "212")]
    )
    gtf.write_text(partial + "\n")
    found = evaluated(gff3, gtf, fasta=fasta)
    assert perfect(found)
    assert found["n"]["stop_codons"]["prediction"] == {"transcripts_without_line": 3, "reading": "genome", "added": 2}
    assert evaluated(gff3, gtf)["cds"]["transcript"]["f1"] < 1


def test_a_genome_with_other_names_is_refused(tmp_path: Path) -> None:
    gtf = write(tmp_path / "a.gtf", gene("g", transcript("g.1", [(0, 9)])))
    fasta = tmp_path / "g.fa"
    fasta.write_text(">chr1\nACGTACGTACGT\n")
    with pytest.raises(BadInputError, match="no sequence 's1'"):
        evaluated(without_stop_lines(gtf), gtf, fasta=fasta)
