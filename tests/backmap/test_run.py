"""tg-backmap as a whole: order, rejects, formats, augmenting, exit codes."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.backmap.builders import TEST, gene_sets, make_gene, row_of, shards_of
from transgenic_tools.backmap.config import Config
from transgenic_tools.backmap.run import Result, run
from transgenic_tools.errors import BadInputError, MissingInputError, UsageError
from transgenic_tools.genome.gene import Gene
from transgenic_tools.io.gff3 import read_annotation, write_genes
from transgenic_tools.io.rejects import BACKMAP, HEADER
from transgenic_tools.io.rows import PredictionRow
from transgenic_tools.io.shards import write_prediction_shard
from transgenic_tools.provenance import Provenance

QUICK = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
STAGE_PAGE = Path(__file__).parents[2] / "docs" / "stages" / "5_backmap.md"


def _go(rows: list[PredictionRow], directory: Path, *, count: int = 1, **options: object) -> Result:
    shards = shards_of(rows, directory / "shards", count=count)
    return run(Config(predictions=(shards,), out=directory / "out.gff3", **options))  # type: ignore[arg-type]


def _rejects(result: Result) -> list[list[str]]:
    return [line.split("\t") for line in result.rejects_path.read_text().splitlines()[1:]]


@QUICK
@given(genes=gene_sets(), left=st.integers(0, 90), right=st.integers(0, 90))
def test_window_then_backmap_is_identity(genes: list[Gene], left: int, right: int, tmp_path: Path) -> None:
    result = _go([row_of(gene, left=left, right=right) for gene in genes], tmp_path)
    found = {g.id: {(t.structure(), t.first_phase) for t in g.transcripts} for g in read_annotation(result.out).genes}
    assert found == {g.id: {(t.structure(), t.first_phase) for t in g.transcripts} for g in genes}


@QUICK
@given(genes=gene_sets(), count=st.integers(1, 4), memory=st.integers(1, 5), seed=st.integers(0, 9))
def test_shard_order_and_size_leave_no_trace(
    genes: list[Gene], count: int, memory: int, seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    rng = random.Random(seed)
    rows = [row_of(gene, left=rng.randint(0, 90), right=rng.randint(0, 90)) for gene in genes]
    whole = _go(rows, tmp_path_factory.mktemp("whole"))
    shuffled = rng.sample(rows, len(rows))
    parts = _go(shuffled, tmp_path_factory.mktemp("parts"), count=count, rows_in_memory=memory)
    assert parts.out.read_bytes() == whole.out.read_bytes()
    assert parts.rejects_path.read_bytes() == whole.rejects_path.read_bytes()
    assert sorted(p.name for p in parts.out.parent.iterdir()) == ["out.gff3", "out.rejects.tsv", "shards"]


def test_no_predictions_give_a_valid_empty_file(tmp_path: Path) -> None:
    result = _go([], tmp_path)
    lines = result.out.read_text().splitlines()
    assert lines[0] == "##gff-version 3"
    assert all(line.startswith("#") for line in lines)
    assert result.summary()["genes"] == 0
    assert result.rejects_path.read_text() == HEADER + "\n"


GENE = make_gene("g", [(100, 200), (300, 400)])
Change = Callable[[PredictionRow], PredictionRow]
BAD: dict[str, Change] = {
    "no_prediction": lambda r: replace(r, gsf=None, flags=("too_long",)),
    "bad_sentence": lambda r: replace(r, gsf="0|CDS1|x|+|A>CDS1"),
    "wrong_strand": lambda r: replace(r, strand="-"),
    "outside_window": lambda r: replace(r, window_end=399),
    "unknown_seqid": lambda r: replace(r, seqid="chrQ"),
    "outside_contig": lambda r: replace(r, window_start=450, window_end=450 + r.bases),
    "score_count": lambda r: replace(r, scores=(0.5, 0.5)),
    "low_confidence": lambda r: replace(r, confidence=0.01),
}


@pytest.mark.parametrize("reason", BAD)
def test_a_failing_gene_is_a_row_and_the_others_are_written(reason: str, tmp_path: Path) -> None:
    (tmp_path / "g.fa").write_text(f">chr1\n{'A' * 500}\n")
    rows = [row_of(make_gene("good", [(120, 150)])), BAD[reason](row_of(GENE))]
    result = _go(rows, tmp_path, fasta=tmp_path / "g.fa", min_confidence=0.1)
    assert [row[:2] for row in _rejects(result)] == [["g", reason]]
    assert result.rejects == {reason: 1}
    assert [gene.id for gene in read_annotation(result.out).genes] == ["good"]


def test_a_gene_before_the_first_base_is_rejected_without_a_fasta(tmp_path: Path) -> None:
    row = row_of(GENE)
    result = _go([replace(row, window_start=-120, window_end=row.bases - 120)], tmp_path)
    assert _rejects(result)[0][1] == "outside_contig"


def test_the_same_prediction_twice_is_written_once(tmp_path: Path) -> None:
    result = _go([row_of(GENE), row_of(GENE)], tmp_path)
    assert (result.genes, result.rejects) == (1, {"repeated_prediction": 1})


def test_one_id_on_two_loci_gets_two_ids(tmp_path: Path) -> None:
    other = replace(make_gene("g", [(1000, 1200)]))
    genes = read_annotation(_go([row_of(other), row_of(GENE)], tmp_path, id_prefix="tg_").out).genes
    assert [(g.id, g.transcripts[0].id, g.attributes["source_gene"]) for g in genes] == [
        ("tg_g", "tg_g.t1", ("g",)),
        ("tg_g_2", "tg_g_2.t1", ("g",)),
    ]


def test_scores_stand_in_column_six_best_first(tmp_path: Path) -> None:
    a, b = make_gene("g", [(100, 200), (300, 400)]), make_gene("g", [(100, 200), (310, 400)])
    both = replace(a, transcripts=(a.transcripts[0], b.transcripts[0]), strand="+")
    row = row_of(both, scores=(0.25, 0.75), exon_scores=((0.1, 0.2), (0.3, 0.4)), confidence=0.6)
    result = _go([row], tmp_path)
    columns = [line.split("\t") for line in result.out.read_text().splitlines() if line[0] != "#"]
    scores = [(c[2], c[3], c[5]) for c in columns if c[2] in ("gene", "mRNA", "exon")]
    assert scores == [
        ("gene", "101", "0.6000"), ("mRNA", "101", "0.7500"), ("exon", "101", "0.3000"), ("mRNA", "101", "0.2500"),
        ("exon", "101", "0.1000"), ("exon", "301", "0.2000"), ("exon", "311", "0.4000"),
    ]  # fmt: skip
    kept = _go([row], tmp_path / "one", max_isoforms=1)
    assert [t.score for t in read_annotation(kept.out).genes[0].transcripts] == [0.75]


def test_exon_scores_turn_round_on_the_minus_strand(tmp_path: Path) -> None:
    gene = make_gene("g", [(100, 200), (300, 400)], strand="-")
    result = _go([row_of(gene, exon_scores=((0.9, 0.1),))], tmp_path)
    exons = [line.split("\t") for line in result.out.read_text().splitlines() if "\texon\t" in line]
    assert [(c[3], c[5]) for c in exons] == [("101", "0.1000"), ("301", "0.9000")]


def _user_file(directory: Path, gene: Gene, *, end: str = "\n") -> Path:
    path = directory / "user.gff3"
    write_genes(path, [gene, make_gene("other", [(2000, 2100)])], provenance=TEST)
    text = path.read_text().replace("transgenic_tools", "TAIR").replace("# provenance", "#!keep") + "###\n"
    path.write_bytes(text.replace("\n", end).encode())
    return path


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_into_keeps_every_byte_and_adds_only_what_is_new(end: str, tmp_path: Path) -> None:
    user = _user_file(tmp_path, make_gene("g", [(100, 200), (300, 400)], [(150, 200), (300, 340)]), end=end)
    known = make_gene("g", [(120, 200), (300, 390)], [(150, 200), (300, 340)]).transcripts[0]
    new = make_gene("g", [(110, 200), (310, 390)], [(150, 200), (310, 341)]).transcripts[0]
    outside = make_gene("g", [(110, 200), (320, 450), (470, 500)], [(150, 200), (320, 351)]).transcripts[0]
    predicted = replace(GENE, transcripts=(known, new, outside))
    stranger = make_gene("stranger", [(3000, 3090)])
    result = _go([row_of(predicted, right=200), row_of(stranger)], tmp_path, into=user)
    assert (result.genes, result.transcripts, result.known) == (1, 1, 1)
    assert sorted(row[1] for row in _rejects(result)) == ["known_isoform", "outside_gene_line", "unknown_gene"]
    lines = result.out.read_bytes().splitlines(keepends=True)
    added = [line for line in lines if b"transgenic_tools" in line or line.startswith(b"# provenance")]
    assert b"".join(line for line in lines if line not in added) == user.read_bytes()
    assert all(line.endswith(end.encode()) for line in lines)
    genes = {gene.id: gene for gene in read_annotation(result.out).genes}
    assert [t.id for t in genes["g"].transcripts] == ["g.x", "g.tg1"]
    assert genes["g"].transcripts[1].structure() == new.structure()
    assert len(genes["other"].transcripts) == 1


def test_into_again_adds_nothing(tmp_path: Path) -> None:
    user = _user_file(tmp_path, GENE)
    new = make_gene("g", [(100, 200), (310, 400)]).transcripts[0]
    rows = [row_of(replace(GENE, transcripts=(new,)))]
    first = _go(rows, tmp_path, into=user)
    second = _go(rows, tmp_path / "again", into=first.out)
    assert (first.transcripts, second.transcripts, second.known) == (1, 0, 1)


@pytest.mark.parametrize("extend", [False, True])
def test_utr_ends_beyond_the_gene_line_are_cut_or_the_gene_line_grows(extend: bool, tmp_path: Path) -> None:
    """The new isoform begins 12 bases before the gene line (100-400) and ends 81 bases after it."""
    user = _user_file(tmp_path, make_gene("g", [(100, 200), (300, 400)], [(150, 200), (300, 340)]))
    new = make_gene("g", [(88, 200), (310, 481)], [(150, 200), (310, 341)]).transcripts[0]
    row = row_of(replace(GENE, transcripts=(new,)), left=100, right=200)
    result = _go([row], tmp_path, into=user, extend_genes=extend)
    assert (result.transcripts, _rejects(result)) == (1, [])
    (gene,) = [g for g in read_annotation(result.out).genes if g.id == "g"]
    added = gene.transcripts[1]
    ends = (88, 481) if extend else (100, 400)
    assert (gene.interval.start, gene.interval.end) == (added.exons[0].start, added.exons[-1].end) == ends
    assert (added.cds, added.introns) == (new.cds, new.introns)
    assert added.attributes.get("utr_trimmed") == (None if extend else ("93",))
    before, after = user.read_bytes().splitlines(), result.out.read_bytes().splitlines()
    changed = [line for line in before if line not in after]
    assert [line.split(b"\t")[2] for line in changed] == ([b"gene"] if extend else [])


def test_new_isoforms_say_how_sure_they_are_and_what_they_differ_in(tmp_path: Path) -> None:
    user = _user_file(tmp_path, make_gene("g", [(100, 200), (300, 400)], [(150, 200), (300, 340)]))
    new = make_gene("g", [(110, 200), (310, 390)], [(150, 200), (310, 341)]).transcripts[0]
    retained = make_gene("g", [(100, 400)], [(150, 210)]).transcripts[0]
    _go([row_of(replace(GENE, transcripts=(new, retained)), scores=(0.625, 0.5))], tmp_path, into=user)
    lines = (tmp_path / "out.gff3").read_text().splitlines()
    told = [line.split("\t")[8] for line in lines if "\tmRNA\t" in line and "tg" in line.split("\t")[8]]
    assert told == [
        "ID=g.tg1;Parent=g;source_gene=g;confidence=0.6250;differs_from=g.x;"
        "differs_in=alternative_3ss:301-310,other_stop:339-341",
        "ID=g.tg2;Parent=g;source_gene=g;confidence=0.5000;differs_from=g.x;"
        "differs_in=intron_retention:201-300,other_stop:208-210",
    ]


def test_a_utr_intron_that_is_kept_in_makes_an_isoform_and_another_end_does_not(tmp_path: Path) -> None:
    """The known one has a UTR intron (120-140) that one predicted transcript keeps in; another begins behind it."""
    user = _user_file(tmp_path, make_gene("g", [(100, 120), (140, 200), (300, 400)], [(150, 200), (300, 340)]))
    retained = make_gene("g", [(100, 200), (300, 400)], [(150, 200), (300, 340)]).transcripts[0]
    shorter = make_gene("g", [(145, 200), (300, 400)], [(150, 200), (300, 340)]).transcripts[0]
    result = _go([row_of(replace(GENE, transcripts=(retained, shorter)), scores=(0.75, 0.5))], tmp_path, into=user)
    assert (result.transcripts, result.known) == (1, 1)
    assert "differs_in=intron_retention:121-140\n" in result.out.read_text()
    assert [row[1:3] for row in _rejects(result)] == [["known_isoform", "146-400: it is g.x"]]


def test_what_a_new_isoform_differs_in_is_told_against_a_coding_transcript(tmp_path: Path) -> None:
    """Another transcript of the gene has its very introns, but no CDS that could differ."""
    coding = make_gene("g", [(100, 200), (300, 400)], [(150, 200), (300, 340)])
    silent = replace(make_gene("g", [(100, 200), (310, 400)]).transcripts[0], id="g.nc", cds=(), type="lnc_RNA")
    user = _user_file(tmp_path, replace(coding, transcripts=(*coding.transcripts, silent)))
    new = make_gene("g", [(100, 200), (310, 400)], [(150, 200), (310, 341)]).transcripts[0]
    result = _go([row_of(replace(GENE, transcripts=(new,)))], tmp_path, into=user)
    told = next(line for line in result.out.read_text().splitlines() if "g.tg1;" in line and "\tmRNA\t" in line)
    assert "differs_from=g.x;differs_in=alternative_3ss:301-310,other_stop:339-341" in told


def test_the_threshold_holds_for_every_new_isoform(tmp_path: Path) -> None:
    user = _user_file(tmp_path, make_gene("g", [(100, 200), (300, 400)], [(150, 200), (300, 340)]))
    first = make_gene("g", [(110, 200), (310, 390)], [(150, 200), (310, 341)]).transcripts[0]
    second = make_gene("g", [(110, 200), (320, 390)], [(150, 200), (320, 351)]).transcripts[0]
    row = row_of(replace(GENE, transcripts=(first, second)), scores=(0.75, 0.5))
    some = _go([row], tmp_path, into=user, min_confidence=0.6)
    assert (some.transcripts, [r[1] for r in _rejects(some)]) == (1, ["low_confidence"])
    none = _go([row], tmp_path / "none", into=user, min_confidence=0.9)
    assert (none.transcripts, [r[1] for r in _rejects(none)]) == (0, ["low_confidence", "low_confidence"])


def test_marked_genes_get_nothing(tmp_path: Path) -> None:
    marked = replace(make_gene("g", [(100, 200), (300, 400)]), attributes={"status": ("curated", "old")})
    user = _user_file(tmp_path, marked)
    rows = [row_of(make_gene("g", [(100, 200), (310, 400)])), row_of(make_gene("other", [(2000, 2050)]))]
    everything = _go(rows, tmp_path, into=user)
    assert everything.transcripts == 2
    by_value = _go(rows, tmp_path / "a", into=user, skip_attributes=("status=curated",))
    by_key = _go(rows, tmp_path / "b", into=user, skip_attributes=("status",))
    other_value = _go(rows, tmp_path / "c", into=user, skip_attributes=("status=new",))
    assert [r.transcripts for r in (by_value, by_key, other_value)] == [1, 1, 2]
    assert _rejects(by_value) == [["g", "marked_gene", "status=curated", "filtered"]]
    listed = tmp_path / "keep.txt"
    listed.write_text("# curated by hand\ng\n")
    assert _rejects(_go(rows, tmp_path / "d", into=user, skip_genes=listed)) == [
        ["g", "marked_gene", "in the list of --skip-genes", "filtered"]
    ]
    with pytest.raises(UsageError, match="need --into"):
        Config(predictions=(tmp_path,), out=tmp_path / "o.gff3", extend_genes=True)


def test_marks_that_no_gene_bears_are_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    marked = replace(make_gene("g", [(100, 200), (300, 400)]), attributes={"status": ("curated",)})
    user, listed = _user_file(tmp_path, marked), tmp_path / "keep.txt"
    listed.write_text("g\nGene:g\nother\n")
    rows = [row_of(make_gene("g", [(100, 200), (310, 400)]))]
    _go(rows, tmp_path, into=user, skip_genes=listed, skip_attributes=("status", "status=old", "Status"))
    assert [record.getMessage() for record in caplog.records if record.levelname == "WARNING"] == [
        f"1 of 3 IDs of --skip-genes are no genes of {user.name}, the first is 'Gene:g'; "
        "a gene's ID is that of its line",
        f"no gene line of {user.name} has the attribute 'status=old' of --skip-attribute",
        f"no gene line of {user.name} has the attribute 'Status' of --skip-attribute",
    ]


@pytest.mark.parametrize(("strand", "donor", "acceptor"), [("+", 200, 299), ("-", 299, 200)])
def test_sites_are_a_bigwig(strand: str, donor: int, acceptor: int, tmp_path: Path) -> None:
    pybigwig = pytest.importorskip("pyBigWig")
    (tmp_path / "g.fa").write_text(f">chr1\n{'A' * 500}\n")
    gene = make_gene("g", [(100, 200), (300, 400)], strand=strand)  # type: ignore[arg-type]
    outside = row_of(make_gene("h", [(300, 350), (450, 505)]), donor_scores=((1.0,),), acceptor_scores=((1.0,),))
    rows = [row_of(gene, donor_scores=((0.75,),), acceptor_scores=((0.5,),)), outside]
    _go(rows, tmp_path, fasta=tmp_path / "g.fa", sites=tmp_path / "s.bw")
    track = pybigwig.open(str(tmp_path / "s.bw"))
    assert sorted(track.intervals("chr1")) == sorted([(donor, donor + 1, 0.75), (acceptor, acceptor + 1, 0.5)])


def test_flags_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--proteins needs the genome"):
        Config(predictions=(tmp_path,), out=tmp_path / "o.gff3", proteins=tmp_path / "p.fa")
    with pytest.raises(UsageError, match="not between 0 and 1"):
        Config(predictions=(tmp_path,), out=tmp_path / "o.gff3", min_confidence=2)


def test_a_missing_shard_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError):
        run(Config(predictions=(tmp_path / "none.parquet",), out=tmp_path / "o.gff3"))
    assert list(tmp_path.iterdir()) == []


def test_command_line_writes_all_formats_and_never_loads_torch(tmp_path: Path) -> None:
    (tmp_path / "g.fa").write_text(f">chr1\n{'ATGGCA' * 100}\n")
    shards = shards_of([row_of(GENE)], tmp_path / "shards")
    names = {"--gtf": "o.gtf", "--bed": "o.bed", "--proteins": "o.pep.fa", "--cds": "o.cds.fa", "--cdna": "o.cdna.fa"}
    flags = [part for flag, name in names.items() for part in (flag, str(tmp_path / name))]
    argv = ["tg-backmap", str(shards), "--out", str(tmp_path / "o.gff3"), "--fasta", str(tmp_path / "g.fa"), *flags]
    code = (
        "import sys; from transgenic_tools.cli.backmap import app\n"
        f"app({[*argv[1:], '--json', '-q']!r}, standalone_mode=False)\n"
        "assert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert '"genes": 1' in done.stdout
    assert all((tmp_path / name).stat().st_size > 0 for name in names.values())


def test_the_docs_list_every_reason() -> None:
    text = STAGE_PAGE.read_text()
    rows = [line.split("|")[1:3] for line in text.splitlines() if line.startswith("| `")]
    assert {code.strip(" `"): meaning.strip() for code, meaning in rows} == dict(BACKMAP)


def test_shards_that_were_made_differently_are_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    genes = [make_gene(f"g{i}", [(100 + 500 * i, 190 + 500 * i)]) for i in range(3)]

    def written(*stamps: Provenance) -> list[str]:
        caplog.clear()
        for number, (gene, stamp) in enumerate(zip(genes, stamps, strict=True)):
            write_prediction_shard([row_of(gene)], tmp_path / f"predictions-{number}.parquet", provenance=stamp)
        files = tuple(tmp_path / f"predictions-{number}.parquet" for number in range(3))
        result = run(Config(predictions=files, out=tmp_path / "out.gff3"))
        assert result.genes == 3, "a warning, not an error"
        return [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]

    def stamp(precision: str = "fp32", model: str = "m1", version: str = "0.1.0") -> Provenance:
        return Provenance("tg-generate", {"precision": precision, "model": model, "seed": 1}, version)

    assert written(stamp(), stamp(), stamp()) == []
    assert written(stamp(), Provenance("another tool", {"precision": "int8"}), TEST) == []
    (line,) = written(stamp(), stamp("bf16"), stamp())
    assert "more than one precision: bf16 (predictions-1.parquet), fp32 (predictions-0.parquet and 1 more)" in line
    assert "--precision fp32" in line
    both = written(stamp(), stamp(model="m2"), stamp(version="0.0.9"))
    assert [line.split(": ")[0].rsplit(" ", 1)[-1] for line in both] == ["model", "version"]


def test_genes_that_the_preparation_left_out_come_first_in_the_table(tmp_path: Path) -> None:
    earlier = tmp_path / "prep.tsv"
    earlier.write_text("gene\treason\tdetail\taction\ng0\tno_cds\tlncRNA\tfiltered\n\n")
    rows = [row_of(make_gene("g1", [(100, 400)])), replace(row_of(make_gene("g2", [(600, 900)])), gsf=None)]
    result = _go(rows, tmp_path, earlier_rejects=(earlier,))
    assert _rejects(result)[0] == ["g0", "no_cds", "lncRNA", "filtered"]
    assert [row[0] for row in _rejects(result)] == ["g0", "g2"]
    assert result.rejects == {"no_prediction": 1}


@pytest.mark.parametrize("text", ["", "reason\tgene\n", "gene\treason\tdetail\taction\ng0\tno_cds\n"])
def test_a_table_of_something_else_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "prep.tsv").write_text(text)
    with pytest.raises(BadInputError, match=r"prep\.tsv"):
        _go([row_of(make_gene("g1", [(100, 400)]))], tmp_path, earlier_rejects=(tmp_path / "prep.tsv",))
    with pytest.raises(MissingInputError):
        _go([row_of(make_gene("g1", [(100, 400)]))], tmp_path, earlier_rejects=(tmp_path / "none.tsv",))
