"""Lifting genes onto a related genome, against genes planted at known places."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from transgenic_tools.cli.prep import app
from transgenic_tools.errors import BadInputError, MissingInputError, UsageError
from transgenic_tools.genome.code import STANDARD
from transgenic_tools.genome.gene import Transcript
from transgenic_tools.genome.interval import Interval
from transgenic_tools.genome.sequence import reverse_complement
from transgenic_tools.gsf import write
from transgenic_tools.io.rejects import LIFT
from transgenic_tools.io.rows import GeneRow
from transgenic_tools.io.shards import read_shard, write_gene_shards
from transgenic_tools.prep.lift import LiftConfig, LiftResult, Occupied, run
from transgenic_tools.prep.lift_align import (
    AlignConfig,
    LiftedCds,
    Refusal,
    SourceCds,
    best_hit,
    coding_fault,
    place,
)
from transgenic_tools.provenance import Provenance

CONTIG = 30_000
STOPS = ("TAA", "TAG", "TGA")


def rng(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def bases(generator: np.random.Generator, length: int) -> str:
    return "".join(generator.choice(list("ACGT"), length))


def codons(generator: np.random.Generator, number: int) -> str:
    """Open reading frame of `number` codons, ATG and stop included."""
    inner: list[str] = []
    while len(inner) < number - 2:
        codon = bases(generator, 3)
        if codon not in STOPS:
            inner.append(codon)
    return "ATG" + "".join(inner) + "TAA"


def evolve(generator: np.random.Generator, coding: str, rate: float = 0.08) -> str:
    """Substitutions that make no stop and spare the first and last two codons."""
    out = [coding[i : i + 3] for i in range(0, len(coding), 3)]
    for number in range(2, len(out) - 2):
        for position in range(3):
            if generator.random() < rate:
                changed = out[number][:position] + bases(generator, 1) + out[number][position + 1 :]
                if changed not in STOPS:
                    out[number] = changed
    return "".join(out)


@dataclass(frozen=True)
class Planted:
    """A gene's text 5' to 3' (no flanks) and its CDS segments in it."""

    text: str
    segments: tuple[Interval, ...]


def assemble(
    coding: str, cuts: tuple[int, ...], introns: tuple[str, ...], *, before: str = "", after: str = ""
) -> Planted:
    """The CDS cut at `cuts` with introns between, UTR text around."""
    text, segments = before, []
    borders = (0, *cuts, len(coding))
    for number, (left, right) in enumerate(itertools.pairwise(borders)):
        segments.append(Interval(len(text), len(text) + right - left))
        text += coding[left:right] + (introns[number] if number < len(introns) else "")
    return Planted(text + after, tuple(segments))


def intron(generator: np.random.Generator, length: int) -> str:
    return "GTAAGT" + bases(generator, length - 10) + "TCAG"


def row(planted: Planted, gene_id: str = "g1", *, split: str = "train", more: tuple[Planted, ...] = ()) -> GeneRow:
    """A source row: the gene on strand + at 0 with flanks of 100 bases."""
    flanks = rng(sum(map(ord, gene_id)))
    text = bases(flanks, 100) + planted.text + bases(flanks, 100)
    transcripts = []
    for number, gene in enumerate((planted, *more)):
        cds = tuple(s.shift(100) for s in gene.segments)
        exons = (Interval(100, cds[0].end), *cds[1:]) if len(cds) > 1 else cds
        exons = (*exons[:-1], Interval(exons[-1].start, 100 + len(planted.text)))
        transcripts.append(Transcript(f"{gene_id}.t{number + 1}", "w", "+", exons, cds))
    size = len(planted.text)
    return GeneRow(
        gene_id, "src", "s1", 100, 100 + size, "+", 0, size + 200, text, write(transcripts, strand="+"),
        len(transcripts), f"{gene_id}.t1", split,
    )  # fmt: skip


def lift(
    tmp_path: Path, rows: list[GeneRow], target: str, **changes: object
) -> tuple[LiftResult, list[GeneRow], dict[str, str]]:
    """Run the stage; the result, its rows and the reject reasons by gene."""
    write_gene_shards(rows, tmp_path / "src", provenance=Provenance("test"))
    (tmp_path / "t.fa").write_text(f">c1 first\n{target}\n")
    config = LiftConfig(shards=(tmp_path / "src",), fasta=tmp_path / "t.fa", sample="rel", outdir=tmp_path / "out")
    result = run(replace(config, **changes))  # type: ignore[arg-type]
    lines = [line.split("\t") for line in (tmp_path / "out" / "rejects.tsv").read_text().splitlines()[1:]]
    return result, list(read_shard(tmp_path / "out")), {line[0]: line[1] for line in lines}


def contig(generator: np.random.Generator, *inserts: tuple[int, str], length: int = CONTIG) -> str:
    text = bases(generator, length)
    for at, insert in inserts:
        text = text[:at] + insert + text[at + len(insert) :]
    return text


def three_exons(seed: int = 1, *, rate: float = 0.08) -> tuple[Planted, Planted]:
    """A source gene of three CDS segments and its relative with other introns and one codon more."""
    g = rng(seed)
    coding = codons(g, 200)
    changed = evolve(g, coding, rate)
    changed = changed[:300] + "GCT" + changed[300:]
    source = assemble(coding, (130, 401), (intron(g, 90), intron(g, 150)))
    return source, assemble(changed, (130, 404), (intron(g, 120), intron(g, 85)))


def planted_genome(relative: Planted, *, strand: str, at: int = 12_000, seed: int = 5) -> tuple[str, list[Interval]]:
    text = contig(rng(seed), (at, relative.text))
    parts = [s.shift(at) for s in relative.segments]
    if strand == "+":
        return text, parts
    return reverse_complement(text), sorted(Interval(len(text) - p.end, len(text) - p.start) for p in parts)


@pytest.mark.parametrize("strand", ["+", "-"])
def test_planted_gene_is_lifted_to_the_base(tmp_path: Path, strand: str) -> None:
    source, relative = three_exons()
    text, parts = planted_genome(relative, strand=strand)
    result, rows, rejects = lift(tmp_path, [row(source)], text)
    assert rejects == {}
    assert (result.lifted, result.complete, result.considered) == (1, 1, 1)
    (found,) = rows
    (transcript,) = found.transcripts()
    assert (found.gene_id, found.sample, found.seqid, found.strand) == ("g1@rel", "rel", "c1", strand)
    assert list(transcript.cds) == parts
    assert transcript.exons == transcript.cds
    assert (found.start, found.end) == (parts[0].start, parts[-1].end)
    assert (found.window_start, found.window_end) == (found.start - 1000, found.end + 1000)
    plus = text[found.window_start : found.window_end]
    assert found.sequence == (plus if strand == "+" else reverse_complement(plus))
    assert (found.split, found.flags) == ("train", ("lifted",))


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_other_strand_mirrors_the_result(tmp_path_factory: pytest.TempPathFactory, seed: int) -> None:
    source, relative = three_exons(seed, rate=0.05)
    text, parts = planted_genome(relative, strand="+", seed=seed + 1)
    there = lift(tmp_path_factory.mktemp("plus"), [row(source)], text)
    back = lift(tmp_path_factory.mktemp("minus"), [row(source)], reverse_complement(text))
    assert there[2] == back[2]
    assert [r.gsf.replace("|+|", "|-|") for r in there[1] if r.gsf] == [r.gsf for r in back[1]]
    assert [r.sequence for r in there[1]] == [r.sequence for r in back[1]]
    for found in there[1]:
        assert list(found.transcripts()[0].cds) == parts


def _edit(gene: Planted, at: int, new: str, old: int) -> Planted:
    """`old` bases at `at` replaced by `new`, segments moved along (never inside a segment's border)."""
    shift = len(new) - old

    def moved(position: int) -> int:
        return position + shift if position > at else position

    text = gene.text[:at] + new + gene.text[at + old :]
    return Planted(text, tuple(Interval(moved(s.start), moved(s.end)) for s in gene.segments))


@pytest.mark.parametrize(
    ("reason", "spoil"),
    [
        ("stop_inside", lambda g: _edit(g, g.segments[0].start + 60, "TAA", 3)),
        ("frame", lambda g: _edit(g, g.segments[1].start + 100, "", 1)),
        ("start_codon", lambda g: _edit(g, g.segments[0].start, "ACG", 3)),
        ("stop_codon", lambda g: _edit(g, g.segments[-1].end - 3, "CAA", 3)),
        ("unknown_base", lambda g: _edit(g, g.segments[1].start + 90, "N", 1)),
        ("intron_count", lambda g: _edit(g, g.segments[0].end, "", g.segments[1].start - g.segments[0].end)),
        ("intron_length", lambda g: _edit(g, g.segments[0].end + 20, "ACGT" * 700, 4)),
        ("clipped", lambda g: _edit(g, g.segments[-1].end - 60, "ACCTGTTCGA" * 6, 60)),
    ],
)
def test_spoiled_genes_are_refused_with_the_reason(tmp_path: Path, reason: str, spoil) -> None:
    source, relative = three_exons(3)
    text, _ = planted_genome(spoil(relative), strand="+")
    align = AlignConfig(max_intron=2000) if reason == "intron_length" else AlignConfig()
    result, rows, rejects = lift(tmp_path, [row(source)], text, align=align)
    assert rejects == {"g1": reason}
    assert rows == []
    assert result.genes_lost == {reason: 1}
    assert reason in LIFT


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("side", ["donor", "acceptor"])
def test_gene_without_a_splice_signal_is_refused(tmp_path: Path, seed: int, side: str) -> None:
    source, relative = three_exons(50 + seed, rate=0.05)
    at = relative.segments[0].end if side == "donor" else relative.segments[1].start - 2
    text, _ = planted_genome(_edit(relative, at, "CC", 2), strand="+")
    _, rows, rejects = lift(tmp_path, [row(source)], text)
    assert rows == []
    # the aligner may turn to a signal nearby, which then breaks the frame
    assert rejects["g1"] in ("splice_site", "frame")


def test_two_equal_places_are_not_unique_and_none_is_unmapped(tmp_path: Path) -> None:
    source, relative = three_exons(4)
    other, _ = three_exons(40)
    text = contig(rng(6), (3_000, relative.text), (20_000, relative.text))
    _, rows, rejects = lift(tmp_path, [row(source), row(other, "g2")], text)
    assert rows == []
    assert rejects == {"g1": "not_unique", "g2": "unmapped"}


def test_too_diverged_gene_is_refused(tmp_path: Path) -> None:
    source, relative = three_exons(7, rate=0.12)
    text, _ = planted_genome(relative, strand="+")
    _, _, rejects = lift(tmp_path, [row(source)], text, align=AlignConfig(min_identity=0.97))
    assert rejects == {"g1": "low_identity"}


def test_faulty_source_is_not_aligned(tmp_path: Path) -> None:
    source, relative = three_exons(8)
    broken = Planted("CTG" + source.text[3:], source.segments)
    text, _ = planted_genome(relative, strand="+")
    assert lift(tmp_path, [row(broken)], text)[2] == {"g1": "source_cds"}


@pytest.mark.parametrize(("distance", "kept"), [(500, []), (1100, ["g1@rel"])])
def test_held_out_genes_are_never_lifted_and_keep_their_surroundings_out(
    tmp_path: Path, distance: int, kept: list[str]
) -> None:
    source, relative = three_exons(9)
    other, other_relative = three_exons(90)
    text = contig(rng(10), (8_000, relative.text), (8_000 + len(relative.text) + distance, other_relative.text))
    for split in ("test", "validation"):
        out = tmp_path / split
        out.mkdir()
        _, rows, rejects = lift(out, [row(source), row(other, "g2", split=split)], text)
        assert [r.gene_id for r in rows] == kept
        assert rejects == ({} if kept else {"g1": "held_out"})


def test_held_out_locus_without_structure_is_kept_out(tmp_path: Path) -> None:
    source, relative = three_exons(11)
    text, _ = planted_genome(relative, strand="-")
    bare = replace(row(source, "g2", split="test"), gsf=None, n_transcripts=0, primary_transcript=None)
    assert lift(tmp_path, [row(source), bare], text)[2] == {"g1": "held_out"}


def test_of_two_genes_on_one_place_the_closer_one_stays(tmp_path: Path) -> None:
    g = rng(12)
    coding = codons(g, 150)
    near, far = (assemble(evolve(g, coding, rate), (), ()) for rate in (0.02, 0.1))
    text = contig(rng(13), (9_000, coding))
    _, rows, rejects = lift(tmp_path, [row(far, "far"), row(near, "near")], text)
    assert [r.gene_id for r in rows] == ["near@rel"]
    assert rejects == {"far": "locus_taken"}


def test_isoforms_lift_together_and_a_lost_one_is_flagged(tmp_path: Path) -> None:
    g = rng(14)
    coding = codons(g, 160)
    changed = evolve(g, coding, 0.05)
    first, second = intron(g, 100), intron(g, 140)
    source = assemble(coding, (150, 303), (first, second))
    # the second isoform skips the middle exon (153 bases)
    skipping = Planted(source.text, (source.segments[0], source.segments[2]))
    spliced = coding[:150] + coding[303:]
    assert coding_fault(spliced) is None
    relative = assemble(changed, (150, 303), (first, second))
    text, parts = planted_genome(relative, strand="-")
    result, (found,), rejects = lift(tmp_path, [row(source, more=(skipping,))], text)
    assert rejects == {}
    assert [list(t.cds) for t in found.transcripts()] == [parts, [parts[0], parts[2]]]
    assert (result.transcripts, found.n_transcripts, found.flags) == (2, 2, ("lifted",))
    # a third one whose acceptor lies 60 bases inside the middle exon, where the relative has none
    late = Interval(source.segments[1].start + 60, source.segments[1].end)
    third = Planted(source.text, (source.segments[0], late, source.segments[2]))
    ok = coding_fault("".join(source.text[s.start : s.end] for s in third.segments)) is None
    assert ok
    again = tmp_path / "again"
    again.mkdir()
    result, (found,), rejects = lift(again, [row(source, more=(skipping, third))], text)
    assert rejects == {"g1": "splice_site"}
    assert (found.n_transcripts, found.flags) == (2, ("lifted", "partial"))
    assert (result.complete, result.genes_lost, result.transcripts_lost) == (0, {}, {"splice_site": 1})
    assert "transcript g1.t" in (again / "out" / "rejects.tsv").read_text()


def test_utr_holds_a_short_coding_end_in_place(tmp_path: Path) -> None:
    g = rng(15)
    coding = codons(g, 120)
    leader, trailer = bases(g, 80), bases(g, 80)
    source = assemble(coding, (7,), (intron(g, 200),), before=leader, after=trailer)
    relative = assemble(evolve(g, coding, 0.04), (7,), (intron(g, 260),), before=leader, after=trailer)
    text, parts = planted_genome(relative, strand="+")
    (tmp_path / "without").mkdir()
    without = lift(tmp_path / "without", [row(source)], text, align=AlignConfig(utr=0))
    assert without[2] == {"g1": "clipped"}
    _, (found,), rejects = lift(tmp_path, [row(source)], text)
    assert rejects == {}
    assert list(found.transcripts()[0].cds) == parts


def test_result_depends_on_neither_shard_size_nor_rerun(tmp_path: Path) -> None:
    pairs = [three_exons(seed) for seed in (20, 21, 22)]
    text = contig(rng(23), *((3_000 + 9_000 * i, relative.text) for i, (_, relative) in enumerate(pairs)))
    sources = [row(source, f"g{i}") for i, (source, _) in enumerate(pairs)]
    first, rows, _ = lift(tmp_path, sources, text)
    assert len(rows) == 3
    whole = first.paths[0].read_bytes()
    assert lift(tmp_path, sources, text)[0].paths[0].read_bytes() == whole
    small, again, _ = lift(tmp_path, sources, text, shard_bases=4_000)
    assert len(small.paths) == 3
    assert again == rows


def test_window_past_the_sequence_end_is_padded(tmp_path: Path) -> None:
    source, relative = three_exons(24)
    text, _ = planted_genome(relative, strand="+", at=300)
    _, (found,), _ = lift(tmp_path, [row(source)], text)
    assert found.window_start == -700
    assert found.sequence.startswith("N" * 700 + text[:100])


# -- the geometry alone ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class FakeHit:
    ctg: str = "c"
    r_st: int = 0
    r_en: int = 0
    q_st: int = 0
    q_en: int = 0
    strand: int = 1
    is_primary: int = 1
    mlen: int = 100
    blen: int = 100
    cigar: tuple[tuple[int, int], ...] = ()


def _spliced_case(intron_text: str, *, offset: int = 0, q_st: int = 0) -> tuple[SourceCds, FakeHit, str]:
    """A CDS of two segments (30 + 33) and an alignment whose intron stands `offset` bases beside the junction."""
    coding = "ATG" + "GCTGGACAT" * 6 + "GCT" + "TAA"
    source = SourceCds(coding, (30, 33))
    text = coding[:30] + intron_text + coding[30:]
    left, right = 30 + offset - q_st, 33 - offset
    hit = FakeHit(r_st=q_st, r_en=len(text), q_st=q_st, q_en=63, cigar=((left, 0), (len(intron_text), 3), (right, 0)))
    return source, hit, text


@pytest.mark.parametrize("offset", [-5, -2, 0, 3, 7])
def test_intron_is_moved_to_the_junction_of_the_source(offset: int) -> None:
    source, hit, text = _spliced_case("GT" + "C" * 40 + "AG", offset=offset)
    found = place(source, hit, text, begin=0, config=AlignConfig())
    assert found == LiftedCds((Interval(0, 30), Interval(74, 107)))


def test_acceptor_may_lie_one_codon_further() -> None:
    source, hit, text = _spliced_case("GT" + "C" * 40 + "AGCCA")
    found = place(source, hit, text, begin=0, config=AlignConfig())
    assert found == LiftedCds((Interval(0, 30), Interval(74, 110)))


@pytest.mark.parametrize(
    ("text", "reason"),
    [("AT" + "C" * 40 + "AC", None), ("GC" + "C" * 40 + "AG", None), ("GG" + "C" * 40 + "AG", "splice_site")],
)
def test_rare_splice_pairs_are_taken_in_place(text: str, reason: str | None) -> None:
    found = place(*_spliced_case(text), begin=0, config=AlignConfig())
    assert (found.reason if isinstance(found, Refusal) else None) == reason


@pytest.mark.parametrize(("clip", "kept"), [(6, True), (7, False)])
def test_short_unaligned_ends_are_added(clip: int, kept: bool) -> None:
    source, hit, text = _spliced_case("GT" + "C" * 40 + "AG", q_st=clip)
    found = place(source, hit, text, begin=clip, config=AlignConfig())
    assert isinstance(found, LiftedCds) is kept
    if isinstance(found, Refusal):
        assert found.reason == "clipped"


def test_intron_far_from_the_junction_is_refused() -> None:
    source, hit, text = _spliced_case("GT" + "C" * 40 + "AG", offset=13)
    found = place(source, hit, text, begin=0, config=AlignConfig())
    assert isinstance(found, Refusal)
    assert found.reason == "intron_moved"


def test_best_hit_needs_a_clear_lead() -> None:
    best, rival, weak = FakeHit(r_st=1), FakeHit(r_st=2, mlen=96), FakeHit(r_st=3, mlen=80)
    refusal = best_hit([weak, rival, best], config=AlignConfig())
    assert isinstance(refusal, Refusal)
    assert refusal.reason == "not_unique"
    assert best_hit([weak, best], config=AlignConfig()) is best
    assert best_hit([], config=AlignConfig()) == Refusal("unmapped")


@given(st.lists(st.tuples(st.integers(0, 90_000), st.integers(1, 40_000)), max_size=12), st.integers(0, 90_000))
def test_occupied_agrees_with_a_plain_scan(stretches: list[tuple[int, int]], at: int) -> None:
    listed = [Interval(start, start + length) for start, length in stretches]
    occupied, asked = Occupied(), Interval(at, at + 500)
    for stretch in listed:
        occupied.add("c", stretch)
    assert (occupied.overlaps("c", asked) is not None) == any(s.overlaps(asked) for s in listed)
    assert occupied.overlaps("other", asked) is None


@given(st.text(alphabet="ACGTN", max_size=60))
def test_coding_fault_agrees_with_translation(text: str) -> None:
    protein = STANDARD.translate(text)
    whole = set(text) <= set("ACGT") and len(text) % 3 == 0 and text[:3] == "ATG"
    assert (coding_fault(text) is None) == (whole and protein.find("*") == len(protein) - 1 >= 0)


# -- the command -------------------------------------------------------------------------------------------------------


def test_command_writes_shards_rejects_and_summary(tmp_path: Path) -> None:
    source, relative = three_exons(30)
    text, _ = planted_genome(relative, strand="+")
    write_gene_shards([row(source)], tmp_path / "src", provenance=Provenance("test"))
    (tmp_path / "t.fa").write_text(f">c1\n{text}\n")
    flags = ["-f", str(tmp_path / "t.fa"), "-s", "rel", "-o", str(tmp_path / "out"), "--json", "-q"]
    done = CliRunner().invoke(app, ["lift", str(tmp_path / "src"), *flags])
    assert done.exit_code == 0, done.output
    summary = json.loads(done.stdout)
    assert summary["lifted"] == summary["considered"] == 1
    written = json.loads((tmp_path / "out" / "lift.json").read_text())
    assert written["provenance"]["tool"] == "tg-prep lift"
    assert {k: v for k, v in written.items() if k != "provenance"} == summary


def test_bad_input_is_named(tmp_path: Path) -> None:
    source, _ = three_exons(31)
    with pytest.raises(BadInputError, match="no gene of split train"):
        lift(tmp_path, [row(source, split="test")], "ACGT" * 100)
    with pytest.raises(MissingInputError, match="does not exist"):
        run(
            LiftConfig(
                shards=(tmp_path / "src",), fasta=tmp_path / "no.fa", sample="a", outdir=tmp_path, splits=("test",)
            )
        )
    with pytest.raises(UsageError, match="--sample"):
        LiftConfig(shards=(), fasta=tmp_path, sample="a b", outdir=tmp_path)
    with pytest.raises(UsageError, match="--min-identity"):
        LiftConfig(shards=(), fasta=tmp_path, sample="a", outdir=tmp_path, align=AlignConfig(min_identity=0))
    shortened = replace(row(source), sequence="ACGT")
    with pytest.raises(BadInputError, match="the sequence has 4 bases"):
        lift(tmp_path, [shortened], "ACGT" * 100)
