"""UTRs for transcripts that have none: beside them or in their own lines, every other byte as it was."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.backmap.builders import make_gene, row_of, shards_of
from tests.backmap.test_into import DIALECTS
from transgenic_tools.backmap.config import Config
from transgenic_tools.backmap.run import Result, run
from transgenic_tools.errors import UsageError
from transgenic_tools.genome.gene import Gene, Transcript
from transgenic_tools.genome.interval import Interval, Strand
from transgenic_tools.io.gff3 import read_annotation

SEQID = "chr1"
CODING = [(150, 200), (300, 340)]
#: The same with a 5' UTR of two exons and a 3' UTR.
EXONS = [(60, 90), (120, 200), (300, 420)]


def text(*exons: str, strand: Strand = "+", more: str = "") -> str:
    """A gene that was annotated by its CDS, with such exon lines."""
    lines = [f"gene\t151\t340\t.\t{strand}\t.\tID=g", f"mRNA\t151\t340\t.\t{strand}\t.\tID=t;Parent=g", *exons]
    phases = ("0", "1") if strand == "+" else ("2", "0")
    lines += [
        f"CDS\t{start + 1}\t{end}\t.\t{strand}\t{phase}\tID=c;Parent=t"
        for (start, end), phase in zip(CODING, phases, strict=True)
    ]
    return "##gff-version 3\n" + "".join(f"{SEQID}\tx\t{line}\n" for line in lines) + more


def exon_lines(parent: str = "t", strand: Strand = "+") -> list[str]:
    return [
        f"exon\t{start + 1}\t{end}\t.\t{strand}\t.\tID=e{n};Parent={parent}"
        for n, (start, end) in enumerate(CODING, start=1)
    ]


def added(folder: Path, content: str, predicted: Gene | None = None, **settings: object) -> Result:
    folder.mkdir(exist_ok=True)
    (folder / "user.gff3").write_bytes(content.encode())
    row = row_of(predicted or make_gene("g", EXONS, CODING), left=50, right=200)
    shards = shards_of([row], folder / "shards", count=1)
    config = {"add_utrs": True, **settings}
    return run(Config(predictions=(shards,), out=folder / "out.gff3", into=folder / "user.gff3", **config))  # type: ignore[arg-type]


def transcripts(result: Result) -> dict[str, Transcript]:
    return {t.id: t for gene in read_annotation(result.out).genes for t in gene.transcripts}


def kept(result: Result) -> tuple[list[str], list[str]]:
    """Lines of the user's file that are not in the new one, and new ones without the provenance."""
    before = (result.out.parent / "user.gff3").read_text().splitlines()
    after = [line for line in result.out.read_text().splitlines() if not line.startswith("# provenance")]
    return [line for line in before if line not in after], [line for line in after if line not in before]


def test_a_new_transcript_has_the_utrs(tmp_path: Path) -> None:
    result = added(tmp_path, text(*exon_lines()))
    assert (result.transcripts, result.extended, result.rejects) == (1, 1, {})
    lost, new = kept(result)
    assert [line.split("\t")[2:5] for line in lost] == [["gene", "151", "340"]]
    assert new[0].split("\t")[2:5] == ["gene", "61", "420"]
    told = next(line for line in new if "\tmRNA\t" in line).split("\t")[8]
    assert "ID=g.tg1;Parent=g" in told
    assert "extends=t" in told
    five_prime = "five_prime_UTR:61-90,other_exons_beyond:91-120,five_prime_UTR:121-150"
    assert f"differs_in={five_prime},three_prime_UTR:341-420;" in told
    assert "confidence=0.7500" in told
    both = transcripts(result)
    assert [(e.start, e.end) for e in both["t"].exons] == CODING
    assert [(e.start, e.end) for e in both["g.tg1"].exons] == EXONS
    assert both["g.tg1"].cds == both["t"].cds


@pytest.mark.parametrize("strand", ["+", "-"])
@pytest.mark.parametrize("with_exons", [True, False])
def test_in_place_its_own_lines_change_and_no_other(with_exons: bool, strand: Strand, tmp_path: Path) -> None:
    content = text(*(exon_lines(strand=strand) if with_exons else ()), strand=strand)
    result = added(tmp_path, content, make_gene("g", EXONS, CODING, strand=strand), utrs_in_place=True)
    assert (result.transcripts, result.extended) == (0, 1)
    lost, new = kept(result)
    assert [line.split("\t")[2] for line in lost] == ["gene", "mRNA", *(["exon", "exon"] if with_exons else [])]
    assert [line.split("\t", 5)[5] for line in lost] == [line.split("\t", 5)[5] for line in new[: len(lost)]]
    assert all(line.split("\t")[8] == "Parent=t" for line in new[len(lost) :])
    assert {line.split("\t")[5] for line in new[len(lost) :] if "_UTR" in line} == {"0.7500"}
    (whole,) = transcripts(result).values()
    assert [(e.start, e.end) for e in whole.exons] == EXONS
    assert [(c.start, c.end) for c in whole.cds] == CODING
    again = run(
        Config(
            predictions=(tmp_path / "shards",), out=tmp_path / "again.gff3", into=result.out, add_utrs=True,
            utrs_in_place=True,
        )
    )  # fmt: skip
    assert (again.transcripts, again.extended, again.known) == (0, 0, 1)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_in_place_in_every_dialect(dialect: str, tmp_path: Path) -> None:
    """The gene of the dialects has UTRs; here its codons are its ends."""
    content = DIALECTS[dialect].replace("\t101\t", "\t151\t").replace("\t400\t", "\t340\t")
    result = added(tmp_path, content, utrs_in_place=True)
    assert result.extended == 1
    if dialect == "by order":  # its lines name no parents, so new ones that do cannot stand among them
        assert result.transcripts == 1
        return
    (whole,) = transcripts(result).values()
    assert ([(e.start, e.end) for e in whole.exons], [(c.start, c.end) for c in whole.cds]) == (EXONS, CODING)


def test_lines_that_others_share_stay(tmp_path: Path) -> None:
    second = f"{SEQID}\tx\tmRNA\t151\t340\t.\t+\t.\tID=t2;Parent=g\n" + "".join(
        f"{SEQID}\tx\tCDS\t{a}\t{b}\t.\t+\t0\tID=c2;Parent=t2\n" for a, b in ((151, 200), (321, 340))
    )
    result = added(tmp_path, text(*exon_lines("t,t2"), more=second), utrs_in_place=True)
    assert (result.transcripts, result.extended) == (1, 1)
    lost, _ = kept(result)
    assert [line.split("\t")[2] for line in lost] == ["gene"]


def test_without_the_flag_they_are_no_isoform(tmp_path: Path) -> None:
    whole = make_gene("g", EXONS[1:], CODING)
    result = added(tmp_path, text(*exon_lines()), whole, add_utrs=False)
    assert (result.transcripts, result.known, result.extended) == (0, 1, None)
    assert kept(result) == ([], [])
    with_an_intron = added(tmp_path / "intron", text(*exon_lines()), add_utrs=False, extend_genes=True)
    assert (with_an_intron.transcripts, with_an_intron.known) == (0, 1)
    assert kept(with_an_intron) == ([], [])


def test_utrs_alone_have_a_place_on_the_minus_strand(tmp_path: Path) -> None:
    result = added(tmp_path, text(*exon_lines(strand="-"), strand="-"), make_gene("g", EXONS[1:], CODING, strand="-"))
    told = next(line for line in kept(result)[1] if "\tmRNA\t" in line)
    assert "differs_in=three_prime_UTR:121-150,five_prime_UTR:341-420;extends=t" in told


def test_a_utr_that_is_there_stays(tmp_path: Path) -> None:
    """The known one ends at 400; the predicted one at 420."""
    content = text(*exon_lines()).replace("\t301\t340\t.\t+\t.\tID=e2", "\t301\t400\t.\t+\t.\tID=e2")
    content = content.replace("\t151\t340\t", "\t151\t400\t")
    new = transcripts(added(tmp_path, content))["g.tg1"]
    assert [(e.start, e.end) for e in new.exons] == [*EXONS[:2], (300, 400)]


def test_utrs_end_where_the_next_gene_begins(tmp_path: Path) -> None:
    def beside(start: int, end: int, strand: str = "+") -> str:
        return f"{SEQID}\tx\tgene\t{start}\t{end}\t.\t{strand}\t.\tID=n{start}\n"

    near = added(tmp_path / "near", text(*exon_lines(), more=beside(401, 900) + beside(1, 70)))
    assert [(e.start, e.end) for e in transcripts(near)["g.tg1"].exons] == [(70, 90), (120, 200), (300, 400)]
    other = added(tmp_path / "other", text(*exon_lines(), more=beside(401, 900, "-")))
    assert transcripts(other)["g.tg1"].interval == Interval(60, 420)
    inside = added(tmp_path / "inside", text(*exon_lines(), more=beside(1, 100)))
    assert (inside.transcripts, inside.extended, inside.rejects) == (0, 0, {"no_room_for_utrs": 1})
    rejects = inside.rejects_path.read_text()
    assert "g\tno_room_for_utrs\t61-420: of t: there is room in 101-" in rejects


def test_marks_and_thresholds_hold(tmp_path: Path) -> None:
    marked = added(tmp_path / "marked", text(*exon_lines()).replace("ID=g\n", "ID=g;locked\n").replace(
        "ID=g;locked", "ID=g;locked=1"), skip_attributes=("locked",), utrs_in_place=True)  # fmt: skip
    assert (marked.extended, marked.rejects) == (0, {"marked_gene": 1})
    assert kept(marked) == ([], [])
    unsure = added(tmp_path / "unsure", text(*exon_lines()), min_confidence=0.8)
    assert (unsure.extended, unsure.rejects) == (0, {"low_confidence": 1})


def test_a_transcript_whose_isoform_another_shows_whole_needs_none(tmp_path: Path) -> None:
    whole = make_gene("g", EXONS, CODING).transcripts[0]
    again = text(*exon_lines(), more=f"{SEQID}\tx\tmRNA\t61\t420\t.\t+\t.\tID=t2;Parent=g\n" + "".join(
        f"{SEQID}\tx\t{kind}\t{part.start + 1}\t{part.end}\t.\t+\t{phase}\tParent=t2\n"
        for kind, parts, phases in (("exon", whole.exons, "..."), ("CDS", whole.cds, "01"))
        for part, phase in zip(parts, phases, strict=True)
    )).replace("gene\t151\t340", "gene\t61\t420")  # fmt: skip
    result = added(tmp_path, again)
    assert (result.transcripts, result.known, result.extended) == (0, 1, 0)


def test_of_two_that_differ_in_their_utrs_alone_one_is_extended(tmp_path: Path) -> None:
    """One has a 5' UTR, the other none; of both a prediction with UTRs is there."""
    begun = [(60, 90), (120, 200), (300, 340)]
    second = f"{SEQID}\tx\tmRNA\t61\t340\t.\t+\t.\tID=t2;Parent=g\n" + "".join(
        f"{SEQID}\tx\t{kind}\t{start + 1}\t{end}\t.\t+\t{phase}\tParent=t2\n"
        for kind, parts, phases in (("exon", begun, "..."), ("CDS", CODING, "01"))
        for (start, end), phase in zip(parts, phases, strict=True)
    )
    content = text(*exon_lines(), more=second).replace("gene\t151\t340", "gene\t61\t340")
    gene = make_gene("g", EXONS, CODING)
    further = make_gene("g", [(55, 90), *EXONS[1:]], CODING).transcripts[0]
    result = added(tmp_path, content, replace(gene, transcripts=(*gene.transcripts, further)))
    assert (result.transcripts, result.extended, result.known) == (1, 1, 1)
    told = next(line for line in kept(result)[1] if "\tmRNA\t" in line)
    assert "extends=t2" in told
    assert [(e.start, e.end) for e in transcripts(result)["g.tg1"].exons] == EXONS


def test_another_isoform_is_added_as_ever(tmp_path: Path) -> None:
    gene = make_gene("g", EXONS, CODING)
    other = replace(make_gene("g", [(150, 200), (310, 340)], [(150, 200), (310, 331)]).transcripts[0], id="o")
    result = added(tmp_path, text(*exon_lines()), replace(gene, transcripts=(*gene.transcripts, other)))
    assert (result.transcripts, result.extended) == (2, 1)


def test_flags_that_say_nothing_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="need --into"):
        Config(predictions=(tmp_path,), out=tmp_path / "o.gff3", add_utrs=True)
    with pytest.raises(UsageError, match="--utrs-in-place"):
        Config(predictions=(tmp_path,), out=tmp_path / "o.gff3", into=tmp_path / "u.gff3", utrs_in_place=True)
