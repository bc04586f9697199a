"""The page: whole, escaped, the same twice, and free of anything from outside."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path

import pytest

from tests.backmap.builders import TEST, make_gene, row_of
from tests.report.builders import evaluation, predicted_genes, reference_genes, with_reads, write_inputs
from transgenic_tools.errors import BadInputError, MissingInputError, UsageError
from transgenic_tools.genome.site import Site, SiteKind
from transgenic_tools.io.gff3 import write_genes
from transgenic_tools.io.junctions import EvidenceRow, InputInfo, write_evidence
from transgenic_tools.provenance import Provenance
from transgenic_tools.report.charts import nice_top
from transgenic_tools.report.config import Config, Source, parse_source
from transgenic_tools.report.distance import placed
from transgenic_tools.report.evidence import Conditions, with_arcs
from transgenic_tools.report.evidence import with_reads as with_reads_of
from transgenic_tools.report.loci import Status, build_loci, sites_of
from transgenic_tools.report.numbers import bin_labels, sample_numbers, shares
from transgenic_tools.report.one_gene import PictureRequest, draw_gene, find_locus
from transgenic_tools.report.payload import LOCI_PER_BLOCK, build_payload, unpack
from transgenic_tools.report.run import as_it_ran, load_loci, run
from transgenic_tools.report.sources import read_rejects, read_training
from transgenic_tools.report.words import CLASS_WORDS, EVENT_WORDS, REASON_WORDS


def test_page_holds_every_section_and_is_the_same_twice(tmp_path: Path) -> None:
    config = write_inputs(tmp_path)
    result = run(config)
    page = config.out.read_text()
    for name in ("overview", "loci", "accuracy", "distributions", "rejects", "training", "run"):
        assert f'<section id="{name}"' in page
    assert "66.0 %" in page
    assert "Of 100 known exons, 80 are written with both ends exact; of 100 written ones, 90 are right." in page
    assert "outside_contig" in page
    assert "gene_span" in page
    assert result.loci == 40
    run(replace(config, out=tmp_path / "again.html"))
    assert (tmp_path / "again.html").read_text() == page


def test_page_asks_for_nothing_from_outside(tmp_path: Path) -> None:
    config = write_inputs(tmp_path)
    run(config)
    page = config.out.read_text()
    assert "default-src 'none'" in page
    addresses = set(re.findall(r"""(?:https?:)?//[a-z0-9.-]+\.[a-z]{2,}[^\s"'<)]*""", page))
    assert addresses <= {"http://www.w3.org/2000/svg"}
    assert not re.search(r"<(?:script|img|iframe)[^>]+src=", page)
    assert set(re.findall(r'<link[^>]+href="([^"]*)"', page)) == {"data:,"}


def test_a_distance_from_home_is_shown_with_its_interval(tmp_path: Path) -> None:
    look = {"nearest": "bertholletia", "composition": 0.1237, "intron_lengths": 0.25}
    told = {
        "genes": 60, "distance": 0.984, "expected_accuracy": 0.338, "interval": [0.19, 0.53], "far": True, "look": look
    }  # fmt: skip
    # Of the genes that were written: genes that a scan missed make the others no worse.
    locus = {"sensitivity": 0.2, "precision": 0.7, "f1": 0.311}
    said = {**evaluation(), "cds": {**evaluation()["cds"], "locus": locus}, "gene_exact": 0.2}  # type: ignore[dict-item]
    (tmp_path / "e.json").write_text(json.dumps(said))
    pages = {}
    for name, parameters in (("far", {"distance": told}), ("home", {"distance": {**told, "far": False}}), ("none", {})):
        path = tmp_path / f"{name}.gff3"
        write_genes(path, [make_gene("g", [(100, 130)])], provenance=Provenance("tg-backmap", parameters))
        evaluations = (Source("s", tmp_path / "e.json"),) if name == "far" else ()
        run(Config(annotations=(Source("s", path),), evaluations=evaluations, out=tmp_path / "r.html"))
        pages[name] = (tmp_path / "r.html").read_text()
    assert "33.8 %" in pages["far"]
    note = "19.0 % to 53.0 %; distance from the species learned 0.98"
    assert f"{note}: far, so train" in pages["far"]
    assert f"s: expected 33.8 %, measured 70.0 %; {note}: far" in pages["far"]
    assert ">s: distance.expected_accuracy<" in pages["far"]
    assert f"{note}</span>" in pages["home"]
    assert "measured" not in section(pages["home"])
    chart = ElementTree.fromstring(
        section(pages["far"]).partition("<figure>")[2].partition("</figcaption>")[2].partition("</figure>")[0]
    )
    assert len([part for part in chart.iter() if part.tag.endswith("circle")]) == 2
    for text in ("Most like", "bertholletia", "0.124", "Intron lengths"):
        assert text in section(pages["far"])
    assert 'id="distance"' not in pages["none"]


@pytest.mark.parametrize("told", [None, 1, "x", [], {}, {"interval": [0.1]}, {"interval": ["a", "b"]}, {"interval": 3}])
def test_a_header_by_hand_has_no_distance(told: object) -> None:
    assert placed("s", {"parameters": {"distance": told}}, {}) is None


def section(page: str) -> str:
    return page.partition('<section id="distance"')[2].partition("</section>")[0]


def test_names_from_files_are_text(tmp_path: Path) -> None:
    evil = "<script>alert(1)</script>@DATA@"
    write_genes(tmp_path / "p.gff3", [make_gene(evil, [(100, 130)])], provenance=TEST)
    run(Config(annotations=(Source(evil, tmp_path / "p.gff3"),), out=tmp_path / "r.html", title=evil))
    page = (tmp_path / "r.html").read_text()
    assert "<script>alert" not in page
    assert page.count('id="index"') == 1
    assert "&lt;script&gt;alert(1)&lt;/script&gt;@DATA@" in page


def test_an_annotation_without_genes_is_a_page_without_loci(tmp_path: Path) -> None:
    write_genes(tmp_path / "p.gff3", [], provenance=TEST)
    result = run(Config(annotations=(Source("s", tmp_path / "p.gff3"),), out=tmp_path / "r.html"))
    assert result.loci == 0
    assert '<section id="loci"' not in (tmp_path / "r.html").read_text()


def test_payload_unpacks_to_the_loci() -> None:
    loci = build_loci("s", predicted_genes(450), reference_genes(450))
    payload = build_payload(loci)
    index = unpack(payload.index)
    blocks = [unpack(block) for block in payload.blocks]
    assert [len(block) for block in blocks] == [LOCI_PER_BLOCK, LOCI_PER_BLOCK, 450 - 2 * LOCI_PER_BLOCK]
    assert index["id"] == [locus.gene_id for locus in loci]
    place = index["id"].index("gene401")
    references, predicted, sites, _ = blocks[place // LOCI_PER_BLOCK][place % LOCI_PER_BLOCK]
    assert references[0][:1] + references[0][4:6] == [
        "gene401.x",
        [1, 0, 10, 0, 10, 90, 0, 200, 90, 1, 290, 30],
        [100, 100],
    ]
    assert predicted[0][:4] == ["gene401.t1", 890, 0, 0]
    assert sites == []


def test_reads_of_a_locus_are_pooled_by_condition_and_shares_follow_the_rows(tmp_path: Path) -> None:
    config = with_reads(write_inputs(tmp_path, 3), tmp_path)
    loci, conditions = with_reads_of(
        load_loci(config), {"ath": tmp_path / "e.parquet"}, {"ath": tmp_path / "usage.tsv"}
    )
    assert conditions == Conditions({"ath": ("leaf", "root")}, {"ath": ("leaf", "root")})
    payload = build_payload(loci["ath"], conditions)
    assert unpack(payload.index)["arcConditions"] == [["leaf", "root"]]
    first, second, third = unpack(payload.blocks[0])
    assert first[4] == [[100, 80, [3, 0]], [100, 100, [1200, 34]], [100, 130, [0, 7]]]
    assert first[5] == [None, None, [[750, None], 1]]  # two isoforms of the reference, one predicted
    assert second[4] == [[100, 100, [5, 0]]]
    assert second[5][1] == [[500, 500], 0]
    assert third[4] == []


def test_of_very_many_junctions_the_strongest_are_shown(tmp_path: Path) -> None:
    inputs = [InputInfo(name="a", kind="star_junctions", condition=None, weight=1.0, sha256="")]
    rows = [
        EvidenceRow(
            kind="junction",
            seqid="chr1",
            start=1_000,
            end=1_100 + n,
            strand="+",
            introns=(),
            inputs=(0,),
            counts=(n + 1,),
        )
        for n in range(200)
    ]
    write_evidence(tmp_path / "e.parquet", rows, inputs=inputs, provenance=TEST)
    _, (locus,) = with_arcs(build_loci("s", [make_gene("a", [(1_000, 1_400)])]), tmp_path / "e.parquet")
    assert locus.arcs is not None
    assert [arc.reads[0] for arc in locus.arcs] == list(range(141, 201))


def test_evidence_of_another_genome_is_an_error(tmp_path: Path) -> None:
    config = with_reads(write_inputs(tmp_path, 2), tmp_path)
    with pytest.raises(BadInputError, match="'other' and 'chr1'"):
        with_arcs(
            build_loci("s", [replace(make_gene("a", [(0, 9)]), seqid="other", transcripts=())]), config.evidence[0].path
        )


def test_without_evidence_nothing_speaks_of_reads(tmp_path: Path) -> None:
    bare = run(write_inputs(tmp_path, 3)).out.read_text()
    full = run(with_reads(write_inputs(tmp_path, 3), tmp_path)).out.read_text()
    for text in ("reads across an intron", "An <b>arc</b>"):
        assert text not in bare
        assert text in full
    index = unpack(bare.split('id="index">')[1].split("<")[0])
    assert not {"arcConditions", "usageConditions"} & set(index)
    (block,) = re.findall(r'id="block-\d+">(.*?)<', bare)
    assert {len(values) for values in unpack(block)} == {4}


def test_loci_follow_source_gene_then_overlap() -> None:
    references = [make_gene("a", [(0, 100)]), make_gene("b", [(80, 300)]), make_gene("c", [(400, 500)])]
    by_name = replace(make_gene("p1", [(90, 190)]), attributes={"source_gene": ("a",)})
    by_place, alone = make_gene("p2", [(90, 190)]), make_gene("p3", [(600, 650)])
    loci = {locus.gene_id: locus for locus in build_loci("s", [by_name, by_place, alone], references)}
    assert {name: [t.id for t in locus.predicted] for name, locus in loci.items()} == {
        "a": ["p1.x"], "b": ["p2.x"], "c": [], "p3": ["p3.x"],
    }  # fmt: skip
    assert [loci[n].status for n in ("a", "b", "c", "p3")] == [
        Status.DIFFERENT, Status.DIFFERENT, Status.NOT_PREDICTED, Status.NO_REFERENCE,
    ]  # fmt: skip
    assert len(build_loci("s", [alone], references, paired_only=True)) == 1


@pytest.mark.parametrize(("strand", "donor", "acceptor"), [("+", 200, 299), ("-", 299, 200)])
def test_sites_stand_at_the_ends_of_introns(strand: str, donor: int, acceptor: int) -> None:
    row = row_of(
        make_gene("g", [(100, 200), (300, 400)], strand=strand), donor_scores=((0.75,),), acceptor_scores=((0.5,),)  # type: ignore[arg-type]
    )  # fmt: skip
    assert set(sites_of(row)) == {Site(donor, SiteKind.DONOR, 0.75), Site(acceptor, SiteKind.ACCEPTOR, 0.5)}


def test_numbers_by_hand() -> None:
    numbers = sample_numbers("s", build_loci("s", predicted_genes(14), reference_genes(14)))
    assert (numbers.genes, numbers.transcripts, numbers.reference_genes, numbers.reference_transcripts) == (
        12,
        12,
        14,
        19,
    )
    assert numbers.statuses[Status.NOT_PREDICTED] == 2
    assert numbers.statuses[Status.DIFFERENT] == 2
    assert sum(numbers.statuses.values()) == 14
    assert bin_labels((1, 2, 4)) == ("1", "2–3", "4+")
    assert shares([0, 1, 2, 3, 9], (1, 2, 4)) == (0.4, 0.4, 0.2)
    assert [nice_top(value) for value in (0, 0.11, 0.3, 7, 90)] == pytest.approx([1.0, 0.12, 0.32, 8, 100])


def test_bad_inputs_say_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "x.tsv").write_text("gene\twhy\n")
    with pytest.raises(BadInputError, match="no column 'reason'"):
        read_rejects([tmp_path / "x.tsv"])
    (tmp_path / "m.jsonl").write_text('{"step": 1, "loss": 2}\nnope\n')
    with pytest.raises(BadInputError, match=r"m\.jsonl:2"):
        read_training(tmp_path / "m.jsonl")
    for line in ("null", "[1]", '"x"', '{"step": ' + "9" * 5000 + "}"):
        (tmp_path / "m.jsonl").write_text(f'{{"step": 1, "loss": 2}}\n{line}\n')
        with pytest.raises(BadInputError, match=r"m\.jsonl:2"):
            read_training(tmp_path / "m.jsonl")
    with pytest.raises(MissingInputError):
        parse_source(f"s={tmp_path}/none.gff3")
    with pytest.raises(UsageError, match="names no sample"):
        parse_source(f"={tmp_path / 'x.tsv'}")
    one = Source("s", tmp_path / "x.tsv")
    with pytest.raises(UsageError, match="two --annotation files for sample 's'"):
        Config(annotations=(one, one), out=tmp_path / "r.html")
    with pytest.raises(UsageError, match="--reference names sample 'q'"):
        Config(annotations=(one,), out=tmp_path / "r.html", references=(Source("q", one.path),))


def test_files_of_another_kind_are_refused(tmp_path: Path) -> None:
    """They would bring nothing, and nobody would be told."""
    config = write_inputs(tmp_path)
    (tmp_path / "other.json").write_text('{"a": 1}')
    (tmp_path / "empty").mkdir()
    for changes, path, words in (
        ({"preps": (Source("ath", tmp_path / "other.json"),)}, tmp_path / "other.json", "neither 'genes' nor"),
        ({"model": tmp_path / "empty"}, tmp_path / "empty", "no model there"),
    ):
        with pytest.raises((BadInputError, MissingInputError), match=words) as caught:
            run(replace(config, **changes))  # type: ignore[arg-type]
        assert caught.value.path == str(path)
    with pytest.raises(UsageError, match="would overwrite the input"):
        replace(config, out=config.annotations[0].path)


def test_figures_that_are_no_numbers_leave_gaps(tmp_path: Path) -> None:
    huge = "9" * 400
    (tmp_path / "m.jsonl").write_text(
        '{"step": 1, "loss": 2}\n{"step": 2, "loss": NaN}\n{"step": 3, "loss": Infinity}\n'
        f'{{"step": {huge}, "loss": 3}}\n{{"step": 5, "loss": {huge}}}\n'
    )
    (curve,) = read_training(tmp_path / "m.jsonl").curves["loss"]
    assert (curve.steps, curve.values) == ((1.0, 4.0), (2.0, 3.0))


@pytest.mark.parametrize(
    ("name", "sample"), [("ath.gff3", "ath"), ("a.b.gff3.gz", "a.b"), ("ath.rejects.tsv", "ath"), ("x", "x")]
)
def test_a_bare_path_names_its_sample(name: str, sample: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("")
    assert parse_source(str(tmp_path / name)) == Source(sample, tmp_path / name)


def test_gene_pictures(tmp_path: Path) -> None:
    config = write_inputs(tmp_path)
    flags = ((str(config.annotations[0].path),), (str(config.references[0].path),), config.predictions)
    svg, png = tmp_path / "g.svg", tmp_path / "g.png"
    assert draw_gene(PictureRequest("gene004", *flags, format="svg", out=svg)) == f"{svg}\n"
    root = ElementTree.parse(svg).getroot()
    space = {"s": "http://www.w3.org/2000/svg"}
    assert root.findtext("s:title", namespaces=space) == "gene004, 1 reference and 1 predicted isoforms"
    assert len(root.findall("s:rect[@stroke-dasharray]", space)) > 0
    draw_gene(PictureRequest("GENE004", *flags, format="png", out=png, width=400))
    assert png.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    assert int.from_bytes(png.read_bytes()[16:20]) == 800


def test_gene_in_the_terminal_by_hand() -> None:
    reference = make_gene("g", [(0, 20), (40, 60)], [(10, 20), (40, 60)])
    predicted = replace(make_gene("g", [(10, 20), (45, 60)]), attributes={"source_gene": ("g",)})
    locus = build_loci("s", [predicted], [reference])[0]
    from transgenic_tools.report.picture import to_terminal

    drawing = to_terminal(locus, width=62, colour=False).splitlines()
    assert drawing[2] == "  " + "▄" * 10 + "█" * 10 + "───>─────>─────>────" + "█" * 20
    assert drawing[4] == "  " + "·" * 10 + "█" * 10 + "───>─────>─────>────" + "·" * 5 + "█" * 15


def test_an_unknown_gene_names_near_ones() -> None:
    loci = build_loci("s", [], reference_genes(5))
    assert find_locus(loci, "GENE002.x").gene_id == "gene002"
    with pytest.raises(BadInputError, match="near ones: gene00"):
        find_locus(loci, "gene00x")


def test_command_line(tmp_path: Path) -> None:
    write_inputs(tmp_path)
    code = "import sys; from transgenic_tools.cli.report import main; sys.argv[0] = 'tg-report'; main()"
    call = [
        sys.executable,
        "-c",
        code,
        "--annotation",
        f"a={tmp_path}/pred.gff3",
        "--reference",
        f"a={tmp_path}/ref.gff3",
    ]
    done = subprocess.run([*call, "--out", f"{tmp_path}/r.html", "--json", "-q"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["loci"] == 40
    empty = subprocess.run([sys.executable, "-c", code, "-q"], capture_output=True, text=True)
    assert empty.returncode == 2
    missing = subprocess.run(
        [sys.executable, "-c", code, "--annotation", "nothing.gff3"], capture_output=True, text=True
    )
    assert missing.returncode == 66
    assert "Traceback" not in missing.stderr


def test_multiqc_files_have_the_figures(tmp_path: Path) -> None:
    written = run(write_inputs(tmp_path)).multiqc
    names = [f"transgenic_tools_{name}_mqc.json" for name in ("f1", "general", "loci", "rejects")]
    assert sorted(path.name for path in written) == names
    general = json.loads((tmp_path / "multiqc" / "transgenic_tools_general_mqc.json").read_text())
    assert general["data"]["ath"]["tg_gene_exact"] == pytest.approx(66.0)
    rejects = json.loads((tmp_path / "multiqc" / "transgenic_tools_rejects_mqc.json").read_text())
    assert rejects["data"] == {"ath": {"outside_contig": 2}}


def test_multiqc_text_is_escaped(tmp_path: Path) -> None:
    """MultiQC writes names of samples and categories into its page as they are."""
    evil = '<img src=x onerror="alert(1)">'
    config = write_inputs(tmp_path)
    (tmp_path / "rejects.tsv").write_text(f"gene\treason\tdetail\ng\t{evil}\tx\n")
    named = {
        field: tuple(replace(source, sample=evil) for source in getattr(config, field))
        for field in ("annotations", "references", "evaluations", "rejects", "preps")
    }
    for path in run(replace(config, **named)).multiqc:
        assert "<" not in path.read_text()
    rejects = json.loads((tmp_path / "multiqc" / "transgenic_tools_rejects_mqc.json").read_text())
    assert rejects["data"] == {html.escape(evil): {html.escape(evil): 1}}


def test_what_was_really_run_stands_stage_by_stage(tmp_path: Path) -> None:
    config = write_inputs(tmp_path)
    prep = {"provenance": {"tool": "tg-prep", "version": "7", "parameters": {"flank": 321}}}
    (tmp_path / "prep.json").write_text(json.dumps(prep))
    (tmp_path / "generate.json").write_text(json.dumps({"device": "cuda:0", "seconds": 12.5, "predictions": ["x"]}))
    run(replace(config, generations=(Source("ath", tmp_path / "generate.json"),)))
    page = (tmp_path / "report.html").read_text()
    table = page[page.index("ath: stage by stage") :]
    for text in ("tg-prep 7", "flank", "321", "tg-generate, as it ran", "cuda:0"):
        assert text in table
    assert table.index("tg-prep 7") < table.index("cuda:0")
    assert "<td>predictions</td>" not in table


def test_what_the_tasks_of_a_stage_said_does_not_depend_on_their_number() -> None:
    first = {"bases": 100, "device": "cpu", "seconds": 1.25, "predictions": ["a"]}
    assert as_it_ran([first]) == as_it_ran([first, first]) == (("device", "cpu"),)
    assert as_it_ran([first, {"device": "cuda:0"}]) == (("device", "cpu, cuda:0"),)
    assert as_it_ran([]) == ()


def augmented(directory: Path) -> Config:
    """Three genes of a user; one got an isoform with a retained intron."""
    genes = []
    for i, gene in enumerate(reference_genes(3)):
        own = replace(gene.transcripts[0], id=f"own{i}")
        start = gene.interval.start
        new = make_gene("x", [(start, start + 320)], [(start + 10, start + 40)], strand=gene.strand).transcripts[0]
        told = {"source_gene": (gene.id,), "differs_in": (f"intron_retention:{start + 101}-{start + 200}",)}
        added = replace(new, id=f"{gene.id}.tg1", score=0.75, attributes=told)
        genes.append(replace(gene, transcripts=(own, added) if i == 1 else (own,)))
    write_genes(directory / "a.gff3", genes, provenance=TEST)
    (directory / "rejects.tsv").write_text("gene\treason\tdetail\ng\tknown_isoform\tx\nh\tmarked_gene\t\n")
    (directory / "e.json").write_text(json.dumps(evaluation()))
    return Config(
        annotations=(Source("mine", directory / "a.gff3"),), rejects=(Source("mine", directory / "rejects.tsv"),),
        evaluations=(Source("mine", directory / "e.json"),), out=directory / "report.html", augmented=True,
    )  # fmt: skip


def test_an_augmented_annotation_is_not_compared_with_itself(tmp_path: Path) -> None:
    config = augmented(tmp_path)
    (loci,) = load_loci(config).values()
    assert [([t.id for t in one.reference], [t.id for t in one.predicted]) for one in loci] == [
        (["own0"], []), (["own1"], ["gene001.tg1"]), (["own2"], []),
    ]  # fmt: skip
    assert [one.status for one in loci] == [Status.NOT_PREDICTED, Status.DIFFERENT, Status.NOT_PREDICTED]
    run(config)
    page = (tmp_path / "report.html").read_text()
    assert 'id="accuracy"' not in page
    for text in ("isoforms added", "nothing added", "an intron kept in", "your annotation has this isoform", '"Yours"'):
        assert text in page
    assert '<span class="value">1</span><span class="label">isoforms added</span>' in page


def test_loci_carry_their_bases_where_there_is_a_genome(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = write_inputs(tmp_path, 2)
    (tmp_path / "g.fa").write_text(">chr1\n" + "ACGT" * 1000 + "\n")
    config = replace(config, fasta=(Source("ath", tmp_path / "g.fa"),))
    (loci,) = load_loci(config).values()
    assert [one.sequence for one in loci] == [("ACGT" * 1000)[one.start : one.end] for one in loci]
    monkeypatch.setattr("transgenic_tools.report.run.SEQUENCE_LIMIT", 10)
    (bare,) = load_loci(config).values()
    assert {one.sequence for one in bare} == {""}


@pytest.mark.slow
def test_multiqc_reads_them(tmp_path: Path) -> None:
    if shutil.which("uv") is None:
        pytest.skip("needs uv to make an environment for MultiQC")
    cache = Path(__file__).parents[2] / ".cache" / "multiqc"
    python = cache / "bin" / "python"
    if not (cache / "bin" / "multiqc").exists():
        made = subprocess.run(
            ["uv", "venv", "-q", "--python", sys.executable, str(cache)], capture_output=True, check=False
        )
        got = subprocess.run(
            ["uv", "pip", "install", "-q", "-p", str(python), "multiqc"], capture_output=True, check=False
        )
        if made.returncode or got.returncode:
            shutil.rmtree(cache, ignore_errors=True)
            pytest.skip("MultiQC cannot be installed here")
    run(write_inputs(tmp_path))
    call = [
        str(cache / "bin" / "multiqc"),
        str(tmp_path / "multiqc"),
        "-o",
        str(tmp_path / "out"),
        "--no-version-check",
    ]
    done = subprocess.run(call, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "out" / "multiqc_report.html").read_text()
    for mark in ("transgenic_tools_loci", "transgenic_tools_f1", "transgenic_tools_rejects", "Exact genes"):
        assert mark in page


def test_stages_of_a_training_do_not_share_a_curve(tmp_path: Path) -> None:
    """Trunk and decoder both count their steps from 0; one line through both would run back over itself."""
    lines = [
        {"step": step, "split": "train", "stage": stage, "loss": 1.0, **({"ap_donor": 0.5} if stage == "trunk" else {})}
        for stage in ("trunk", "decoder")
        for step in (10, 20)
    ]
    path = tmp_path / "m" / "metrics.jsonl"
    path.parent.mkdir()
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    curves = read_training(path).curves
    assert {name: [c.steps for c in some] for name, some in curves.items()} == {
        "loss@trunk": [(10.0, 20.0)],
        "loss@decoder": [(10.0, 20.0)],
        "ap_donor": [(10.0, 20.0)],
    }


def test_every_code_class_event_and_level_has_words() -> None:
    from transgenic_tools.evaluate.classify import CLASSES
    from transgenic_tools.io.rejects import BACKMAP, SCAN

    assert set(REASON_WORDS) == {*BACKMAP, *SCAN}
    assert set(CLASS_WORDS) == set(CLASSES)
    assert set(EVENT_WORDS) == {"SE", "A5SS", "A3SS", "RI"}
