"""A fit of conditions, whole: from files to a model directory; resumed, repeated, and each thing that it refuses."""

from __future__ import annotations

import csv
import json
import logging
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from benchmarks.conditions_synthetic import KEEPER, SKIPPER, TWIN, build
from transgenic_tools.cli.evidence import app as evidence_app
from transgenic_tools.cli.generate import app as generate_app
from transgenic_tools.cli.prep import app as prep_app
from transgenic_tools.cli.train import app as train_app
from transgenic_tools.errors import BadInputError, MissingInputError, UsageError
from transgenic_tools.evidence.config import Config as EvidenceConfig
from transgenic_tools.evidence.run import run as gather
from transgenic_tools.io.shards import read_predictions
from transgenic_tools.model.condition import find_values, load_conditions
from transgenic_tools.model.files import default_model_dir
from transgenic_tools.train.condition_genes import ConditionConfig
from transgenic_tools.train.conditions import Fit, run

SETTINGS: dict[str, Any] = {"members": 2, "rank": 2, "k": 4, "epochs": 3, "device": "cpu"}


@dataclass(frozen=True)
class World:
    shards: Path
    usage: Path
    table: Path
    extremes: Path
    annotation: Path
    fasta: Path


def invoke(app: Any, *words: str | Path) -> Any:
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    directory = tmp_path_factory.mktemp("world")
    made = build(directory, genes=24, samples=6, seed=3)
    shards, usage = directory / "shards", directory / "usage.parquet"
    for app, words in (
        (
            prep_app,
            ("genes", "-f", made.fasta, "-a", made.annotation, "-o", shards, "--split", "fraction:60/25/15", "-q"),
        ),
        (evidence_app, (made.sheet, "-f", made.fasta, "--out", usage, "-q")),
    ):
        result = invoke(app, *words)
        assert result.exit_code == 0, result.output
    return World(shards, usage, made.table, made.extremes, made.annotation, made.fasta)


def config(world: World, outdir: Path, **changes: Any) -> ConditionConfig:
    given = {"conditions": world.table, "usage": world.usage, **SETTINGS, **changes}
    return ConditionConfig(shards=(world.shards,), outdir=outdir, **given)


@pytest.fixture(scope="module")
def fitted(world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model with a layer that does something, whatever its validation genes say."""
    outdir = tmp_path_factory.mktemp("fitted") / "model"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Fit, "_loss", lambda self, shifted=True: float(-self.epoch if shifted else 0.0))
        run(config(world, outdir))
    return outdir


def files(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir() if path.is_file()}


def test_a_fit_says_what_it_has_seen_and_leaves_the_model_alone(fitted: Path, world: World) -> None:
    for name in ("config.json", "model.safetensors"):
        assert (fitted / name).read_bytes() == (default_model_dir() / name).read_bytes()
    model = load_conditions(fitted)
    assert set(model.samples) == {f"sample{number:02d}" for number in range(1, 7)}
    assert {SKIPPER, TWIN, KEEPER} <= set(model.scaling.names)
    assert TWIN in model.notes["confounded"][SKIPPER]
    assert model.notes["training_genes"] > 0
    assert not model.layer.at(model.samples["sample01"]).is_zero
    assert set(model.notes["effects"]) == set(model.scaling.names)


def test_a_fit_gives_the_same_bytes_twice_and_when_resumed(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(config(world, tmp_path / "whole"))
    original = Fit._save
    saved: list[int] = []

    def dies(self: Fit) -> None:
        original(self)
        saved.append(self.epoch)
        if self.epoch == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(Fit, "_save", dies)
    with pytest.raises(KeyboardInterrupt):
        run(config(world, tmp_path / "resumed"))
    monkeypatch.setattr(Fit, "_save", original)
    run(config(world, tmp_path / "resumed"))
    assert saved == [1, 2]
    assert files(tmp_path / "resumed") == files(tmp_path / "whole")


def test_a_layer_that_explains_nothing_stays_zero(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    monkeypatch.setattr(Fit, "_loss", lambda self, shifted=True: float(shifted))
    run(config(world, tmp_path / "model", epochs=1))
    model = load_conditions(tmp_path / "model")
    assert model.layer.at(model.samples["sample01"]).is_zero
    assert "the layer stays zero" in caplog.text


def test_the_layer_learns_what_the_reads_obey(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On genes with one rule and nothing else: reads of an exon with the motif follow the first input."""
    from transgenic_tools.train.condition_layer import gene_usage
    from transgenic_tools.train.usage import GeneJunctions, choices_of

    rng = np.random.default_rng(1)
    values = rng.normal(size=(3, 8)).astype(np.float32)
    values = (values - values.mean(1, keepdims=True)) / values.std(1, keepdims=True)

    def gene(number: int, *, has_motif: bool) -> Any:
        codes = rng.integers(0, 4, 800).astype(np.uint8)
        if has_motif:
            codes[340:348] = [3, 2, 1, 0, 3, 2, 1, 0]
        included = 1 / (1 + np.exp(2.0 * values[0])) if has_motif else np.full(8, 0.5)
        reads = np.stack([rng.binomial(80, included), rng.binomial(80, included), rng.binomial(80, 1 - included)])
        found = choices_of(
            GeneJunctions(
                donor=np.array([200, 400, 200]), acceptor=np.array([300, 500, 500]), reads=reads.astype(float)
            )
        )
        return gene_usage(f"g{number}", codes, found, np.zeros((2, 800), dtype=np.float32), 4), codes

    genes = [gene(number, has_motif=number % 2 == 0) for number in range(160)]
    usages = [usage for usage, _ in genes]
    settings = config(world, tmp_path, epochs=12, members=1, rank=2)
    fit = Fit(settings, usages[:100], usages[100:130], values)
    fit.run()
    assert fit.best_loss < fit.without
    shift = fit.layer.as_layer().at(np.array([1.0, 0.0, 0.0], dtype=np.float32))
    falls = [
        float(-shift.of(codes, np.zeros((2, 800), np.float32))[[1, 0], [300, 400]].sum()) for _, codes in genes[130:]
    ]
    with_motif, without = falls[0::2], falls[1::2]
    assert np.mean([a > b for a in with_motif for b in without]) > 0.95
    other = fit.layer.as_layer().at(np.array([0.0, 1.0, 0.0], dtype=np.float32))
    idle = [
        float(-other.of(codes, np.zeros((2, 800), np.float32))[[1, 0], [300, 400]].sum()) for _, codes in genes[130:]
    ]
    assert abs(np.mean(idle[0::2]) - np.mean(idle[1::2])) < 0.3 * (np.mean(with_motif) - np.mean(without))


def rewritten(world: World, path: Path, change: Any) -> Path:
    with world.table.open() as handle:
        rows = list(csv.reader(handle, delimiter="\t"))
    with path.open("w", newline="") as handle:
        csv.writer(handle, delimiter="\t").writerows(change(rows))
    return path


def test_samples_of_one_side_alone_are_named(world: World, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)

    def upper(rows: list[list[str]]) -> list[list[str]]:
        return [[rows[0][0], *(name.upper() for name in rows[0][1:])], *rows[1:]]

    with pytest.raises(BadInputError) as caught:
        run(config(world, tmp_path / "m", conditions=rewritten(world, tmp_path / "upper.tsv", upper)))
    assert "0 samples are in both" in caught.value.message
    assert "'SAMPLE01'" in caught.value.message
    assert "'sample01'" in caught.value.message
    assert "equal but for upper and lower case" in caught.value.message

    def renamed(rows: list[list[str]]) -> list[list[str]]:
        return [[*rows[0][:-1], "sample99"], *rows[1:]]

    run(config(world, tmp_path / "n", conditions=rewritten(world, tmp_path / "one.tsv", renamed), epochs=1))
    assert "only in the table 'sample99'; only in the counts 'sample06'" in caplog.text
    assert len(load_conditions(tmp_path / "n").samples) == 5


def test_samples_without_numbers_or_reads_are_counted(
    world: World, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)

    def silent(rows: list[list[str]]) -> list[list[str]]:
        rows = [row if number == 0 else [row[0], "0", *row[2:]] for number, row in enumerate(rows)]
        return [*rows, ["HOUSEKEEPING", *["50"] * 6]]

    table = rewritten(world, tmp_path / "silent.tsv", silent)
    between = world.fasta.read_text().splitlines()[1][:1000]  # before the first gene
    donor = between.index("GT")
    acceptor = between.index("AG", donor + 30) + 2
    (tmp_path / "none.bed").write_text(f"synthetic1\t{donor}\t{acceptor}\tj\t9\t+\n")
    paths = {name: world.table.parent / f"{name}.bed" for name in (f"sample{number:02d}" for number in range(1, 7))}
    paths["sample02"] = tmp_path / "none.bed"
    sheet, usage = tmp_path / "sheet.csv", tmp_path / "u.parquet"
    sheet.write_text("sample,path\n" + "".join(f"{name},{path}\n" for name, path in paths.items()))
    gather(EvidenceConfig(sheet=sheet, fasta=world.fasta, out=usage))
    run(config(world, tmp_path / "m", conditions=table, usage=usage, epochs=1))
    assert "1 of 6 samples are zero in all of the 12 inputs: 'sample01'" in caplog.text
    assert "1 of 6 samples have no read across an intron inside these genes" in caplog.text
    assert "and teach nothing: 'sample02'" in caplog.text
    find_values(load_conditions(tmp_path / "m"), "sample01", table)
    assert "silent.tsv has are zero in sample 'sample01'" in caplog.text


def test_counts_of_another_assembly_are_refused(world: World, tmp_path: Path) -> None:
    text = world.fasta.read_text().replace(">synthetic1", ">other")
    lines = text.splitlines()
    moved = tmp_path / "moved.fa"
    moved.write_text(f"{lines[0]}\n{'A' * 7}{lines[1]}\n")
    result = invoke(
        evidence_app, world.table.parent / "evidence.csv", "-f", world.fasta, "--out", tmp_path / "u.parquet"
    )
    assert result.exit_code == 0
    annotation = tmp_path / "moved.gff3"
    annotation.write_text(world.annotation.read_text().replace("synthetic1", "other"))
    assert invoke(prep_app, "genes", "-f", moved, "-a", annotation, "-o", tmp_path / "other", "-q").exit_code == 0
    with pytest.raises(BadInputError, match=r"the counts lie on 'synthetic1', the genes on 'other'"):
        run(replace(config(world, tmp_path / "m"), shards=(tmp_path / "other",)))
    moved.write_text(f">synthetic1\n{'A' * 7}{lines[1]}\n")
    assert invoke(prep_app, "genes", "-f", moved, "-a", world.annotation, "-o", tmp_path / "same", "-q").exit_code == 0
    with pytest.raises(BadInputError, match=r"have a splice motif: these are counts of another assembly"):
        run(replace(config(world, tmp_path / "m"), shards=(tmp_path / "same",)))


def test_flags_that_do_not_fit_are_refused(world: World, tmp_path: Path) -> None:
    result = invoke(train_app, world.shards, "-o", tmp_path / "m", "--conditions", world.table)
    assert isinstance(result.exception, UsageError)
    assert "--conditions is given without --usage JUNCTIONS" in str(result.exception)
    result = invoke(
        train_app,
        world.shards,
        "-o",
        tmp_path / "m",
        "--conditions",
        world.table,
        "--usage",
        world.usage,
        "--preset",
        "mini",
    )
    assert "--preset trains a whole model" in str(result.exception)


# -- generation --------------------------------------------------------------------------------------------------------


def said_of(model: Path | None, outdir: Path, world: World, *words: str | Path) -> str:
    """What tg-generate says."""
    flags = () if model is None else ("--model", model)
    result = invoke(
        generate_app,
        world.shards,
        "-o",
        outdir,
        "--split",
        "test",
        "--device",
        "cpu",
        "--precision",
        "fp32",
        *flags,
        *words,
    )
    if result.exception:
        raise result.exception
    return str(result.output)


def generated(model: Path | None, outdir: Path, world: World, *words: str | Path) -> Iterator[Any]:
    said_of(model, outdir, world, *words)
    return read_predictions(outdir)


def test_without_a_condition_a_model_with_conditions_writes_the_same_bytes(
    fitted: Path, world: World, tmp_path: Path
) -> None:
    list(generated(None, tmp_path / "plain", world))
    list(generated(fitted, tmp_path / "layered", world))
    assert files(tmp_path / "layered") == files(tmp_path / "plain")


def test_a_condition_is_part_of_what_a_prediction_is_made_from(fitted: Path, world: World, tmp_path: Path) -> None:
    plain = [row.scores for row in generated(fitted, tmp_path / "out", world)]
    model = load_conditions(fitted)
    strong = replace(
        model, layer=replace(model.layer, bias=model.layer.bias + 3.0, inputs=np.ones_like(model.layer.inputs))
    )
    from transgenic_tools.model.condition import save_conditions

    shutil.copytree(fitted, tmp_path / "strong")
    save_conditions(strong, tmp_path / "strong")
    moved = [row.scores for row in generated(tmp_path / "strong", tmp_path / "out", world, "--condition", "sample01")]
    assert moved != plain
    assert moved == [
        row.scores for row in generated(tmp_path / "strong", tmp_path / "again", world, "--condition", "sample01")
    ]
    # the same sample by the table of training
    by_table = generated(
        tmp_path / "strong", tmp_path / "table", world, "--condition", "sample01", "--conditions", world.table
    )
    assert [row.scores for row in by_table] == moved


def test_differences_between_two_conditions_are_a_table(fitted: Path, world: World, tmp_path: Path) -> None:
    words = ("--condition", f"{SKIPPER}_high", "--against", f"{SKIPPER}_low", "--conditions", world.extremes)
    list(generated(fitted, tmp_path / "out", world, *words))
    (path,) = (tmp_path / "out").glob("differences-*.tsv")
    with path.open() as handle:
        lines = list(csv.DictReader(handle, delimiter="\t"))
    for line in lines:
        assert float(line["delta"]) == pytest.approx(float(line["usage"]) - float(line["usage_against"]), abs=2e-4)
        assert abs(float(line["delta"])) >= 0.0099
        assert float(line["deviation"]) >= 0
        assert (line["condition"], line["against"]) == (f"{SKIPPER}_high", f"{SKIPPER}_low")
        bases = world.fasta.read_text().splitlines()[1][int(line["start"]) : int(line["end"])]
        pair = bases[:2] + bases[-2:]
        assert pair in (("GTAG", "GCAG", "ATAC") if line["strand"] == "+" else ("CTAC", "CTGC", "GTAT"))


def test_reads_stand_beside_what_changes(
    fitted: Path, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("transgenic_tools.generate.compare.LEAST", 0.0)  # every intron is a line
    words = ("--condition", "sample01", "--against", "sample02", "--usage", world.usage)
    list(generated(fitted, tmp_path / "out", world, *words))
    (path,) = (tmp_path / "out").glob("differences-*.tsv")
    counts = {}
    for number, name in enumerate(("reads", "reads_against"), start=1):
        for line in (world.table.parent / f"sample{number:02d}.bed").read_text().splitlines():
            cells = line.split("\t")
            counts[name, int(cells[1]), int(cells[2]), cells[5]] = int(cells[4])
    with path.open() as handle:
        lines = list(csv.DictReader(handle, delimiter="\t"))
    for line in lines:
        for name in ("reads", "reads_against"):
            place = (name, int(line["start"]), int(line["end"]), line["strand"])
            assert int(line[name]) == counts.get(place, 0)
    assert sum(int(line["reads"]) > 0 for line in lines) > 5
    with pytest.raises(UsageError, match="--usage, but no --against"):
        list(generated(fitted, tmp_path / "a", world, "--condition", "sample01", "--usage", world.usage))
    words = ("--condition", f"{SKIPPER}_high", "--against", f"{SKIPPER}_low", "--usage", world.usage)
    with pytest.raises(BadInputError, match=f"'{SKIPPER}_high'.* are not in the counts of 'sample01'"):
        list(generated(fitted, tmp_path / "b", world, *words, "--conditions", world.extremes))


def test_reads_of_evidence_stand_beside_what_changes_where_it_has_both(
    fitted: Path, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in the pipeline, where a genome's evidence is all that is known of reads; `--usage` says the same."""
    monkeypatch.setattr("transgenic_tools.generate.compare.LEAST", 0.0)
    words = ("--condition", "sample01", "--against", "sample02", "--evidence", world.usage)
    assert "stand beside" not in said_of(fitted, tmp_path / "both", world, *words)
    list(generated(fitted, tmp_path / "usage", world, *words, "--usage", world.usage))
    both, usage = (next((tmp_path / name).glob("differences-*.tsv")).read_text() for name in ("both", "usage"))
    assert both == usage
    assert any(line.split("\t")[-1] not in ("0", "") for line in both.splitlines()[1:])
    words = ("--condition", f"{SKIPPER}_high", "--against", "sample02", "--evidence", world.usage)
    with_both = tmp_path / "with_both.tsv"
    lines = zip(world.extremes.read_text().splitlines(), world.table.read_text().splitlines(), strict=True)
    with_both.write_text("".join(f"{left}\t{right.partition(chr(9))[2]}\n" for left, right in lines))
    said = said_of(fitted, tmp_path / "one", world, *words, "--conditions", with_both)
    assert f"has no reads of '{SKIPPER}_high' (inputs: 'sample01'" in said
    (table,) = (tmp_path / "one").glob("differences-*.tsv")
    assert {line.split("\t")[-1] for line in table.read_text().splitlines()[1:]} == {""}


def test_reads_of_another_assembly_are_said(
    fitted: Path, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("transgenic_tools.generate.compare.LEAST", 0.0)
    (tmp_path / "b").mkdir()
    for name in ("sample01", "sample02"):
        text = (world.table.parent / f"{name}.bed").read_text()
        (tmp_path / "b" / f"{name}.bed").write_text(text.replace("synthetic1", "other"))
    (tmp_path / "b" / "s.csv").write_text("sample,path\nsample01,sample01.bed\nsample02,sample02.bed\n")
    (tmp_path / "b" / "o.fa").write_text(world.fasta.read_text().replace("synthetic1", "other"))
    made = invoke(
        evidence_app, tmp_path / "b" / "s.csv", "-f", tmp_path / "b" / "o.fa", "--out", tmp_path / "o.parquet"
    )
    assert made.exit_code == 0, made.output
    words = ("--condition", "sample01", "--against", "sample02", "--usage", tmp_path / "o.parquet")
    said = said_of(fitted, tmp_path / "out", world, *words)
    assert "introns that change has a read in either sample; the counts lie on 'other'" in said
    assert "the genes on 'synthetic1': are they of one assembly?" in said


def test_unknown_conditions_list_both_sides(fitted: Path, world: World, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no condition 'Sample01', only 'sample01', .*equal but for upper and lower"):
        list(generated(fitted, tmp_path / "a", world, "--condition", "Sample01"))
    with pytest.raises(BadInputError, match=r"no sample 'leaf'; its samples are 'sample01', .*trained on 'sample01'"):
        list(generated(fitted, tmp_path / "b", world, "--condition", "leaf", "--conditions", world.table))
    with pytest.raises(MissingInputError, match="this model has learned no conditions"):
        list(generated(None, tmp_path / "c", world, "--condition", "leaf"))
    with pytest.raises(UsageError, match="--conditions, but no --condition"):
        list(generated(fitted, tmp_path / "d", world, "--conditions", world.table))
    with pytest.raises(UsageError, match="--against, but no --condition"):
        list(generated(fitted, tmp_path / "e", world, "--against", "sample01"))
    with pytest.raises(UsageError, match="--against sample01, which is --condition"):
        list(generated(fitted, tmp_path / "f", world, "--condition", "sample01", "--against", "sample01"))


def test_missing_inputs_and_samples_never_seen_are_said(
    fitted: Path, world: World, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    model = load_conditions(fitted)

    def fewer(rows: list[list[str]]) -> list[list[str]]:
        return [[*rows[0][:-1], "new"], *rows[1:3], [rows[3][0].lower(), *rows[3][1:]]]

    table = rewritten(world, tmp_path / "less.tsv", fewer)
    values = find_values(model, "new", table)
    assert f"{len(model.scaling.names) - 2} of the model's {len(model.scaling.names)} inputs are not in" in caplog.text
    assert "equal but for upper and lower case: 'IDLE' and 'idle'" in caplog.text
    assert "'new' was not among the 6 training samples" in caplog.text
    assert np.count_nonzero(values) <= 2


def test_a_layer_is_refused_beside_other_weights_and_where_it_is_damaged(fitted: Path, tmp_path: Path) -> None:
    shutil.copytree(fitted, tmp_path / "m")
    described = json.loads((tmp_path / "m" / "condition.json").read_text())
    (tmp_path / "m" / "condition.json").write_text(json.dumps({**described, "model": "0" * 16}))
    with pytest.raises(BadInputError, match="fitted on other weights"):
        load_conditions(tmp_path / "m")
    (tmp_path / "m" / "condition.json").write_text(json.dumps({**described, "format_version": 99}))
    with pytest.raises(BadInputError, match="version 99"):
        load_conditions(tmp_path / "m")
    (tmp_path / "m" / "condition.json").write_text(json.dumps({**described, "inputs": described["inputs"][1:]}))
    with pytest.raises(BadInputError, match="do not fit their description"):
        load_conditions(tmp_path / "m")
    (tmp_path / "m" / "condition.json").write_text("{")
    with pytest.raises(BadInputError, match="no description of conditions"):
        load_conditions(tmp_path / "m")
