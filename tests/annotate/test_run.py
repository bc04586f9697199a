"""tg-annotate on a small genome: every way in, what a kill costs, and what it refuses."""

from __future__ import annotations

import dataclasses
import json
import logging
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tests.conditioned import conditioned, table
from transgenic_tools.annotate import run as annotate_run
from transgenic_tools.annotate.config import Config
from transgenic_tools.annotate.run import run
from transgenic_tools.cli.annotate import app
from transgenic_tools.errors import EXIT_USAGE, BadInputError, MissingInputError, TransgenicError, UsageError
from transgenic_tools.genome.interval import span
from transgenic_tools.io.differences import read_differences
from transgenic_tools.io.gff3 import read_annotation, write_genes
from transgenic_tools.io.tracks import ScanTracks
from transgenic_tools.provenance import Provenance
from transgenic_tools.report.page import _READS_SAID
from transgenic_tools.scan import run as scan_run
from transgenic_tools.search.config import DecodingConfig


def settings(here: Path, model: Path, **more: Any) -> Config:
    given = {"fasta": here / "g.fa", "outdir": here / "out", "model": model, "scan_model": model}
    return Config(**{**given, "precision": "fp32", "device": "cpu", **more})


def results(folder: Path) -> dict[str, bytes]:
    """All but what lies between the stages, and the log."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "work" not in path.parts and path.name != "annotate.log"
    }


def test_a_bare_genome_by_shares_gives_the_bytes_of_one(
    here: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = {"further": frozenset({"proteins"}), "reference": here / "a.gff3", "tracks": True, "jbrowse": True}
    whole = run(settings(here, model, outdir=here / "one", **asked))
    monkeypatch.setattr(annotate_run, "_SHARE", 500)
    run(settings(here, model, outdir=here / "many", **asked))
    assert len(list((here / "many" / "work" / "scan").iterdir())) > 9
    one, many = results(here / "one"), results(here / "many")
    assert one == many
    assert {"annotation/g.gff3", "annotation/g.loci.bed", "annotation/g.pep.fa", "annotation/g.rejects.tsv",
            "evaluation/g.json", "evaluation/g.tsv", "report/report.html",
            *(f"annotation/g.{name}" for name in ScanTracks.NAMES), "jbrowse/g.track3.bw"} <= set(one)  # fmt: skip
    page = one["report/report.html"]
    assert b'<section id="scan"' in page
    assert b'id="signal-0"' in page
    assert one["annotation/g.loci.bed"].count(b"\n") > 1
    assert read_annotation(whole.annotation).genes


def test_an_annotation_gives_loci_and_the_reference(here: Path, model: Path) -> None:
    result = run(settings(here, model, annotation=here / "a.gff3", sample="one", evaluation_tables=True))
    assert result.evaluation is not None
    assert json.loads(result.evaluation.read_text())["n"]["reference_genes"] == 10
    assert {"prep/one/prep.json", "prep/one/rejects.tsv", "evaluation/one.genes.tsv"} <= set(results(here / "out"))


def test_regions_alone_are_not_evaluated(here: Path, model: Path) -> None:
    result = run(settings(here, model, regions=here / "r.bed"))
    assert result.evaluation is None
    assert not (here / "out" / "evaluation").exists()
    assert result.report.exists()


def test_results_of_other_settings_do_not_stay_beside_the_new_ones(here: Path, model: Path) -> None:
    """Another way to the loci, another name, no reference any more: nothing is left that this run would not write."""
    run(settings(here, model, reference=here / "a.gff3", sample="one"))
    run(settings(here, model, regions=here / "r.bed"))
    run(settings(here, model, regions=here / "r.bed", outdir=here / "fresh"))
    assert results(here / "out") == results(here / "fresh")
    again = run(settings(here, model, reference=here / "a.gff3", sample="one"))
    assert again.evaluation is not None
    assert {"annotation/one.loci.bed", "evaluation/one.json"} <= set(results(here / "out"))


def test_evidence_takes_part(here: Path, model: Path) -> None:
    from transgenic_tools.cli.evidence import app as evidence

    words = f"{here / 'e.csv'} --fasta {here / 'g.fa'} --out {here / 'e.parquet'}"
    assert CliRunner().invoke(evidence, words.split()).exit_code == 0
    result = run(settings(here, model, regions=here / "r.bed", evidence=here / "e.parquet"))
    assert (here / "out" / "annotation" / "g.junctions.tsv").exists()
    assert _READS_SAID in result.report.read_text()
    plain = run(settings(here, model, outdir=here / "plain", regions=here / "r.bed"))
    assert not (here / "plain" / "annotation" / "g.junctions.tsv").exists()
    assert _READS_SAID not in plain.report.read_text()
    assert plain.annotation.read_bytes() != result.annotation.read_bytes()


def test_evidence_is_taken_as_it_comes(here: Path, model: Path) -> None:
    """A sheet, and a file of introns: the same annotation as from the file that tg-evidence makes of them."""
    from transgenic_tools.cli.evidence import app as evidence

    (here / "junctions.bed").write_bytes((here / "j.bed").read_bytes())
    for name in ("e.csv", "junctions.bed"):
        words = f"{here / name} --fasta {here / 'g.fa'} --out {here / 'made.parquet'} --json"
        done = CliRunner().invoke(evidence, words.split())
        assert done.exit_code == 0
        first = run(
            settings(here, model, outdir=here / "first", regions=here / "r.bed", evidence=here / "made.parquet")
        )
        again = run(settings(here, model, outdir=here / "again", regions=here / "r.bed", evidence=here / name))
        first_files, files = results(here / "first"), results(here / "again")
        assert files.pop("evidence/g.evidence.parquet") == (here / "made.parquet").read_bytes()
        told = json.loads(files.pop("evidence/g.evidence.json"))
        assert told == {**json.loads(done.stdout.splitlines()[-1]), "out": "g.evidence.parquet"}
        assert files == first_files
        assert {"annotation/g.usage.tsv", "annotation/g.psi.tsv"} <= set(files)
        assert {path.name for path in again.files} >= {"g.junctions.tsv", "g.usage.tsv", "g.psi.tsv"}
        assert first.report.read_bytes() == again.report.read_bytes()


def test_a_changed_file_of_a_sheet_is_read_again(here: Path, model: Path) -> None:
    sheet = here / "one.csv"
    (here / "one.bed").write_bytes((here / "j.bed").read_bytes())
    sheet.write_text("path\none.bed\n")
    run(settings(here, model, regions=here / "r.bed", evidence=sheet))
    before = results(here / "out")
    (here / "one.bed").write_text("".join((here / "j.bed").read_text().splitlines(keepends=True)[:-1]))
    run(settings(here, model, regions=here / "r.bed", evidence=sheet))
    after = results(here / "out")
    assert before["evidence/g.evidence.parquet"] != after["evidence/g.evidence.parquet"]
    run(settings(here, model, regions=here / "r.bed"))
    assert not (here / "out" / "evidence" / "g.evidence.parquet").exists()
    assert not (here / "out" / "annotation" / "g.usage.tsv").exists()


def test_a_fault_of_the_sheet_is_named_before_anything_is_done(here: Path, model: Path) -> None:
    (here / "bad.csv").write_text("path,kind\ne.bam,nonsense\n")
    with pytest.raises(BadInputError, match="nonsense"):
        run(settings(here, model, evidence=here / "bad.csv"))
    assert not (here / "out").exists()


def test_a_folder_for_browsers_on_request(here: Path, model: Path) -> None:
    """As `tg-report jbrowse` writes it, with reference and track; gone again when it is no longer asked for."""
    from transgenic_tools.report.config import Source
    from transgenic_tools.report.genome_browser import BrowserConfig, write_browser_folder

    asked = settings(here, model, annotation=here / "a.gff3", jbrowse=True, further=frozenset({"sites"}))
    run(asked)
    folder = here / "out" / "annotation"
    apart = BrowserConfig(
        annotations=(Source("g", folder / "g.gff3"),), fasta=(Source("g", here / "g.fa"),),
        references=(Source("g", here / "a.gff3"),), tracks=(Source("g", folder / "g.sites.bw"),), out=here / "apart",
    )  # fmt: skip
    files = {path.name: path.read_bytes() for path in write_browser_folder(apart).files}
    assert {path.name: path.read_bytes() for path in (here / "out" / "jbrowse").iterdir()} == files
    assert {"config.json", "g.fa.gz.gzi", "g.reference.gff3.gz.tbi", "g.track.bw", "g.igv.json"} <= set(files)
    run(dataclasses.replace(asked, jbrowse=False))
    assert not list((here / "out" / "jbrowse").iterdir())


def test_coding_sequences_get_utrs_beside_them_or_in_place(here: Path, model: Path) -> None:
    genes = [
        replace(gene, interval=span([t.interval for t in coding]), transcripts=tuple(coding))
        for gene in read_annotation(here / "a.gff3").genes
        if (coding := [replace(t, exons=t.cds, exon_scores=()) for t in gene.coding_transcripts[:1]])
    ]
    write_genes(here / "coding.gff3", genes, provenance=Provenance("test"))
    before = {t.id: t for gene in genes for t in gene.transcripts}
    asked = settings(here, model, annotation=here / "coding.gff3", augment=True, add_utrs=True)
    for in_place in (False, True):
        result = run(dataclasses.replace(asked, utrs_in_place=in_place, outdir=here / f"out{in_place}"))
        after = {t.id: t for gene in read_annotation(result.annotation).genes for t in gene.transcripts}
        longer = [t for t in after.values() if in_place or t.attributes.get("extends")]
        longer = [t for t in longer if t.id not in before or t.exons != before[t.id].exons]
        assert len(longer) >= 3
        assert in_place == all(t.id in before for t in longer)
        for transcript in longer:
            known = before[transcript.id if in_place else transcript.attributes["extends"][0]]
            assert transcript.cds == known.cds
            assert transcript.exons[0].start < known.cds[0].start or transcript.exons[-1].end > known.cds[-1].end


def test_marked_genes_get_nothing(here: Path, model: Path) -> None:
    first, second, *_ = re.findall(r"\tgene\t.*ID=([^;]+)", (here / "a.gff3").read_text())
    (here / "skip.txt").write_text(f"{first}\n")
    asked = settings(
        here, model, annotation=here / "a.gff3", augment=True, skip_genes=here / "skip.txt",
        skip_attributes=[f"Name={second}"], search=DecodingConfig(min_confidence=0.0),
    )  # fmt: skip
    rejects = [line.split("\t") for line in (run(asked).annotation.parent / "g.rejects.tsv").read_text().splitlines()]
    assert {row[0] for row in rejects if row[1] == "marked_gene"} == {first, second}


def test_ids_may_be_numbered(here: Path, model: Path) -> None:
    genes = read_annotation(
        run(settings(here, model, regions=here / "r.bed", id_pattern="X{sequence}G{number}")).annotation
    )
    assert genes.genes[0].id == "X1G00010"


def test_a_condition_changes_the_annotation_and_what_changes_is_a_table(here: Path, model: Path) -> None:
    layered = conditioned(here / "layered", model)
    plain = run(settings(here, layered, annotation=here / "a.gff3"))
    assert not (here / "out" / "annotation" / "g.differences.tsv").exists()
    before = plain.annotation.read_bytes()
    root = {"annotation": here / "a.gff3", "condition": "root", "against": "leaf"}
    result = run(settings(here, layered, **root))
    assert result.annotation.read_bytes() != before
    rows = list(read_differences(here / "out" / "annotation" / "g.differences.tsv"))
    assert {(row.condition, row.against) for row in rows} == {("root", "leaf")}
    assert 'id="conditions"' in result.report.read_text()
    # The same sample by a table, in many shards; and nothing is left of it without a condition
    by_table = settings(
        here, layered, outdir=here / "table", conditions=table(here / "tpm.tsv"), shard_bases=2000, **root
    )
    run(by_table)
    assert len(list((here / "table" / "work" / "predictions").glob("differences-*.tsv"))) > 1
    ours, theirs = (results(here / name) for name in ("table", "out"))
    assert {name for name in ours if ours[name] != theirs.get(name)} == {"prep/g/prep.json", "report/report.html"}
    assert run(settings(here, layered, annotation=here / "a.gff3")).annotation.read_bytes() == before
    assert not (here / "out" / "annotation" / "g.differences.tsv").exists()


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"condition": "Root"}, "no condition 'Root', only 'root', 'leaf'; equal but for upper and lower case"),
        ({"condition": "root", "against": "stem"}, "no condition 'stem', only 'root', 'leaf'"),
        ({"condition": "root", "conditions": "no.tsv"}, "no such file"),
        ({"condition": "bark", "conditions": "tpm.tsv"}, "no sample 'bark'; its samples are 'root', 'leaf', 'stem'"),
    ],
)
def test_a_condition_that_nobody_knows_costs_no_scan(here: Path, model: Path, more: dict[str, str], said: str) -> None:
    table(here / "tpm.tsv")
    given = {name: here / value if name == "conditions" else value for name, value in more.items()}
    with pytest.raises(TransgenicError, match=said):
        run(settings(here, conditioned(here / "layered", model), **given))
    assert not (here / "out").exists()
    with pytest.raises(MissingInputError, match="learned no conditions"):
        run(settings(here, model, condition="root"))


def test_augment_keeps_the_users_lines(here: Path, model: Path) -> None:
    result = run(settings(here, model, annotation=here / "a.gff3", augment=True))
    lines = result.annotation.read_text().splitlines()
    assert [line for line in (here / "a.gff3").read_text().splitlines() if line not in lines] == []
    assert "echo" not in json.loads((here / "out" / "evaluation" / "g.json").read_text())


def test_augment_against_a_reference_stands_beside_an_echo(here: Path, model: Path) -> None:
    shutil.copy(here / "a.gff3", here / "b.gff3")
    run(settings(here, model, annotation=here / "a.gff3", augment=True, reference=here / "b.gff3"))
    found = json.loads((here / "out" / "evaluation" / "g.json").read_text())
    assert found["echo"]["cds"]["transcript"]["f1"] == 1.0
    assert found["added"]["cds"]["all"]["alternatives"] == 0


def test_a_run_that_ended_early_goes_on(here: Path, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Evaluation fails; the next run does what was not done, and its files are those of a run in one piece."""
    import transgenic_tools.evaluate.run as evaluation
    import transgenic_tools.generate.run as generation

    whole = settings(here, model, outdir=here / "whole", reference=here / "a.gff3")
    run(whole)
    again = dataclasses.replace(whole, outdir=here / "again")
    with monkeypatch.context() as broken:
        broken.setattr(evaluation, "run", lambda _: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            run(again)
    assert not (here / "again" / "report").exists()

    def no_more(*_: Any) -> Any:
        raise AssertionError("it was done already")

    monkeypatch.setattr(generation, "run", no_more)
    monkeypatch.setattr(scan_run, "run", no_more)
    run(again)
    assert results(here / "again") == results(here / "whole")


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"annotation": "a.gff3", "regions": "r.bed"}, "--reference"),
        ({"augment": True}, "--annotation"),
        ({"keep_names": True}, "--reference"),
        ({"augment": True, "annotation": "a.gff3", "csq_attributes": True}, "--csq-attributes"),
        ({"min_gene_confidence": 1.5}, "--min-gene-confidence 1.5"),
        ({"extend_genes": True}, "--augment"),
        ({"augment": True, "annotation": "a.gff3", "utrs_in_place": True}, "--utrs-in-place"),
        ({"skip_attributes": ["locked"]}, "--skip-attribute"),
        ({"augment": True, "annotation": "a.gff3", "id_pattern": "X{number}"}, "--id-pattern"),
        ({"reads": "r.fq"}, "--reference"),
        ({"tracks": True, "annotation": "a.gff3"}, "--tracks"),
        ({"sample": "a/b"}, "--sample"),
        ({"conditions": Path("t.tsv")}, "--conditions, but no --condition"),
        ({"against": "leaf"}, "--against, but no --condition"),
        ({"condition": "leaf", "against": "leaf"}, "--against"),
        ({"fasta": Path("-.fa")}, "--sample"),
    ],
)
def test_what_does_not_fit_together_is_refused(here: Path, model: Path, more: dict[str, Any], said: str) -> None:
    paths = {
        name: here / value if name in ("annotation", "regions", "reads") else value for name, value in more.items()
    }
    with pytest.raises(UsageError, match=said):
        settings(here, model, **paths)


def test_a_missing_file_is_named_before_anything_is_done(here: Path, model: Path) -> None:
    with pytest.raises(MissingInputError, match=r"none\.gff3"):
        run(settings(here, model, reference=here / "none.gff3"))
    assert not (here / "out").exists()


def test_what_a_later_stage_would_refuse_is_refused_at_once(here: Path, model: Path) -> None:
    with pytest.raises(UsageError, match="--submission '1'"):
        run(settings(here, model, submission="1"))
    assert not (here / "out").exists()


def test_a_gpu_or_a_model_that_is_not_there_is_refused_before_the_scan(
    here: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(UsageError, match="no CUDA device is visible"):
        run(settings(here, model, device="cuda"))
    with pytest.raises(MissingInputError, match="no such model directory") as refused:
        run(settings(here, model, scan_model=Path("nt500m-led")))
    assert "tg-train --preset nt500m-led" in str(refused.value.hint)
    assert not (here / "out").exists()


def test_names_of_genomes() -> None:
    for file, name in {"g.fa": "g", "a.b.fasta.gz": "a.b", "x.fna.bgz": "x", "plain": "plain"}.items():
        assert Config(fasta=Path(file), outdir=Path("o")).name == name


def test_the_command_line(here: Path, model: Path) -> None:
    words = (
        f"{here / 'g.fa'} -r {here / 'r.bed'} -o {here / 'out'} -m {model} --device cpu --precision fp32 --bed --json"
    )
    root, handlers = logging.getLogger(), list(logging.getLogger().handlers)
    try:
        done = CliRunner().invoke(app, words.split())
        assert done.exit_code == 0, done.output
        told = json.loads(done.stdout.splitlines()[-1])
        log = (here / "out" / "annotate.log").read_text()
        again = CliRunner().invoke(app, [*words.split(), "-q"])
    finally:
        root.handlers = handlers
    assert told["annotation"] == str(here / "out" / "annotation" / "g.gff3")
    assert str(here / "out" / "annotation" / "g.bed") in told["files"]
    for number, stage in enumerate(("prep", "generate", "backmap", "report"), start=1):
        assert f"INFO [{number}/4] {stage}\n" in log
    assert again.exit_code == 0
    assert json.loads(again.stdout.splitlines()[-1]) == told


def test_wrong_usage_has_its_exit_code(here: Path) -> None:
    done = CliRunner().invoke(app, [str(here / "g.fa"), "--augment", "-o", str(here / "out")])
    assert isinstance(done.exception, TransgenicError)
    assert done.exception.exit_code == EXIT_USAGE
