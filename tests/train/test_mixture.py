"""Windows and tiles of several genomes: drawn by (seed, step), labelled on both strands, mirrored exactly."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from transgenic_tools.errors import BadInputError, UsageError
from transgenic_tools.genome.hashing import stable_rng
from transgenic_tools.genome.interval import Interval
from transgenic_tools.genome.sequence import reverse_complement
from transgenic_tools.io.rows import GeneRow
from transgenic_tools.io.shards import write_gene_shards
from transgenic_tools.lattice.vocabulary import IGNORE, N_CONTENTS, N_SITES, Content, Site
from transgenic_tools.lattice.window import WindowInput
from transgenic_tools.model.head import BaseScores
from transgenic_tools.model.strand_trunk import StrandTrunk
from transgenic_tools.provenance import Provenance
from transgenic_tools.train.genomes import Source, Territory, read_sheet, read_source
from transgenic_tools.train.mixture import (
    Draw,
    Drawer,
    Mixture,
    StrandBatch,
    collate_windows,
    label_draw,
    label_tile,
    load_step,
)
from transgenic_tools.train.strand_metrics import Tiling, held_out_sources, load_trunk, measure
from transgenic_tools.train.teacher import Taught, Teacher
from transgenic_tools.train.trunk import Plan, TrunkTrainer, read_plan, strand_loss
from transgenic_tools.train.trunk_model import model_of_trunk

LENGTH, FLANK = 6_000, 50
#: Start of each gene on its sequence, and its strand; the last one lies in the held-out part.
GENES = ((300, "+"), (900, "-"), (1500, "+"), (1560, "-"), (4500, "+"))


def _bases(size: int, rng: np.random.Generator) -> str:
    return "".join(rng.choice(list("ACGT"), size))


def _gene(rng: np.random.Generator) -> str:
    """5' UTR of 20, CDS of 33, intron of 40, CDS of 30, 3' UTR of 20: 143 bases, 5' to 3'."""
    codons = ["GCA", "CTG", "GAC", "AAG", "TTC"]
    body = "".join(rng.choice(codons, 19))
    return _bases(20, rng) + "ATG" + body[:30] + "GT" + _bases(36, rng) + "AG" + body[30:57] + "TAA" + _bases(20, rng)


GENE = 143


def genome(directory: Path, *, name: str = "g", exclude: str = "", mirrored: bool = False) -> str:
    """A genome with five genes, written with its shards; the sheet's entry of it."""
    rng = np.random.default_rng(5)
    text = _bases(LENGTH, rng)
    for start, strand in GENES:
        gene = _gene(rng)
        text = text[:start] + (gene if strand == "+" else reverse_complement(gene)) + text[start + GENE :]
    text = text[:2500] + "N" * 50 + text[2550:]
    genes = [(start, strand) for start, strand in GENES]
    if mirrored:
        text = reverse_complement(text)
        genes = [(LENGTH - start - GENE, "-" if strand == "+" else "+") for start, strand in genes]
    rows = []
    for number, (start, strand) in enumerate(genes):
        low, high = start - FLANK, start + GENE + FLANK
        window = text[low:high]
        marks = [FLANK + offset for offset in (0, 20, 53, 93, 123, 143)]
        gsf = (
            ";".join(
                f"{marks[i]}|{kind}|{marks[j]}|{strand}|{phase}"
                for i, j, kind, phase in (
                    (1, 2, "CDS1", "A"),
                    (3, 4, "CDS2", "A"),
                    (0, 1, "five_prime_UTR1", "."),
                    (4, 5, "three_prime_UTR1", "."),
                )
            )
            + ">five_prime_UTR1|CDS1|CDS2|three_prime_UTR1"
        )
        rows.append(
            GeneRow(
                gene_id=f"{name}{number}", sample=name, seqid="chr", start=start, end=start + GENE, strand=strand,
                window_start=low, window_end=high, sequence=window if strand == "+" else reverse_complement(window),
                gsf=gsf, n_transcripts=1, primary_transcript=None, split="train",
            )
        )  # fmt: skip
    directory.mkdir(parents=True, exist_ok=True)
    write_gene_shards(rows, directory / name, provenance=Provenance("test"))
    with gzip.open(directory / f"{name}.fa.gz", "wt") as handle:
        handle.write(f">chr\n{text}\n")
    (directory / f"{name}.txt").write_text(exclude)
    return (
        f"  - {{name: {name}, shards: {name}, fasta: {name}.fa.gz, exclude: {name}.txt, gene_share: 0.5, "
        "tile_share: 1, stretches: {chr: {train: [0, 4000], validation: [4000, 6000]}}}\n"
    )


def sheet(directory: Path, *, exclude: str = "", mirrored: bool = False) -> Path:
    entry = genome(directory, exclude=exclude, mirrored=mirrored)
    path = directory / "genomes.yaml"
    path.write_text("genomes:\n" + entry)
    return path


def source(directory: Path, *, exclude: str = "", mirrored: bool = False) -> Source:
    (entry,) = read_sheet(sheet(directory, exclude=exclude, mirrored=mirrored))
    return read_source(entry)


def territory(directory: Path, *, exclude: str = "", mirrored: bool = False) -> Territory:
    found = source(directory, exclude=exclude, mirrored=mirrored).territory
    assert found is not None
    return found


MIXTURE = Mixture(gene_bases=600, tile_bases=1200, tile_lengths=(600, 1200), flank_max=50, max_bases=2000, pool=4)


def test_a_tile_has_the_genes_of_both_strands(tmp_path: Path) -> None:
    window = label_tile(territory(tmp_path), "chr", Interval(0, 2000), rng=stable_rng("x"))
    batch = collate_windows([window])
    starts = [torch.nonzero(batch.sites[strand, 0, Site.START] > 0.5).flatten().tolist() for strand in (0, 1)]
    # a reverse start codon's first base is the last of its three on the plus strand
    assert starts == [[320, 1520], [900 + GENE - 1 - 20, 1560 + GENE - 1 - 20]]
    donors = [torch.nonzero(batch.sites[strand, 0, Site.DONOR] > 0.5).flatten().tolist() for strand in (0, 1)]
    assert donors == [[353, 1553], [900 + GENE - 1 - 53, 1560 + GENE - 1 - 53]]
    assert (batch.weight[:, 0, Site.START][batch.sites[:, 0, Site.START] > 0.5] == 1).all(), "labels stand on ATG"
    coding = [(batch.contents[strand, 0] == Content.CODING_1).nonzero().flatten().tolist() for strand in (0, 1)]
    assert coding[0][:3] == [320, 323, 326]
    assert coding[1][-1] == 1560 + GENE - 1 - 20
    assert (batch.contents[0, 0, 900 : 900 + GENE] == Content.OUTSIDE).all(), "the other strand is outside"


def test_labels_of_the_mirrored_genome_are_mirrored(tmp_path: Path) -> None:
    part = Interval(200, 2000)
    batch = collate_windows([label_tile(territory(tmp_path / "a"), "chr", part, rng=stable_rng("x"))])
    other = territory(tmp_path / "b", mirrored=True)
    turned = Interval(LENGTH - part.end, LENGTH - part.start)
    mirror = collate_windows([label_tile(other, "chr", turned, rng=stable_rng("x"))])
    for name in ("sites", "weight", "contents"):
        assert torch.equal(getattr(batch, name), getattr(mirror, name).flip(0).flip(-1)), name


def test_a_gene_cut_by_the_tile_keeps_its_part(tmp_path: Path) -> None:
    window = label_tile(territory(tmp_path), "chr", Interval(340, 1600), rng=stable_rng("x"))
    whole = label_tile(territory(tmp_path), "chr", Interval(0, 2000), rng=stable_rng("x"))
    for part, all_of_it in zip(window.strands, whole.strands, strict=True):
        assert np.array_equal(part.contents, all_of_it.contents[340:1600])
        exact = [Site.START, Site.DONOR, Site.ACCEPTOR, Site.STOP]
        assert np.array_equal(part.sites[exact], all_of_it.sites[exact][:, 340:1600])


def test_unknown_bases_and_excluded_genes_are_not_learned(tmp_path: Path) -> None:
    rng = stable_rng("x")
    batch = collate_windows([label_tile(territory(tmp_path, exclude="g0\n"), "chr", Interval(0, 3000), rng=rng)])
    assert (batch.contents[:, 0, 2500:2550] == IGNORE).all()
    assert not batch.weight[:, 0, :, 2500:2550].any()
    assert (batch.contents[0, 0, 300 : 300 + GENE] == IGNORE).all()
    assert not batch.weight[0, 0, :, 300 : 300 + GENE].any()
    assert (batch.contents[1, 0, 300 : 300 + GENE] == Content.OUTSIDE).all(), "the other strand is known"


def test_a_window_without_a_gene_is_negative_but_silent_in_genes(tmp_path: Path) -> None:
    genes = source(tmp_path)
    draw = Draw("none", 0, Interval(200, 1100), seqid="chr", strand="-")
    labels = label_draw([genes], draw, MIXTURE, rng=stable_rng("x")).strands[0]
    assert not labels.sites.any()
    own = slice(1100 - 900 - GENE, 1100 - 900)
    assert (labels.contents[own] == IGNORE).all()
    assert not labels.known[:, own].any()
    against = slice(1100 - 300 - GENE, 1100 - 300)
    assert (labels.contents[against] == Content.OUTSIDE).all()
    assert labels.known[:, against].all()


def test_a_strange_gene_has_other_bases_and_the_same_labels(tmp_path: Path) -> None:
    sources = [source(tmp_path)]
    draw = Draw("gene", 0, Interval(0, len(sources[0].genes["train"][0].window)), example=0)
    plain, strange, same = (
        label_draw(sources, draw, replace(MIXTURE, strange_share=share), rng=stable_rng("x")) for share in (0, 1, 1)
    )
    assert (strange.codes != plain.codes).mean() > 0.01
    assert np.array_equal(strange.codes, same.codes)
    assert np.array_equal(strange.strands[0].sites, plain.strands[0].sites)
    assert np.array_equal(plain.codes, sources[0].genes["train"][0].window.codes)


def test_draws_depend_on_seed_and_step_alone(tmp_path: Path) -> None:
    sources = [source(tmp_path)]
    straight, jumping = Drawer(sources, MIXTURE), Drawer(sources, MIXTURE)
    steps = [straight.step(step) for step in range(10)]
    assert [jumping.step(step) for step in (9, 2, 7)] == [steps[9], steps[2], steps[7]]
    assert Drawer(sources, Mixture(**{**vars(MIXTURE), "seed": 2})).step(0) != steps[0]
    first, again = load_step(straight, 3), load_step(jumping, 3)
    assert all(
        torch.equal(a, b)
        for x, y in zip(first, again, strict=True)
        for a, b in zip(vars(x).values(), vars(y).values(), strict=True)
    )


def test_nothing_held_out_is_drawn(tmp_path: Path) -> None:
    sources = [source(tmp_path)]
    assert [example.gene_id for example in sources[0].genes["validation"]] == ["g4"]
    drawer = Drawer(sources, MIXTURE)
    kinds = set()
    for step in range(60):
        for draw in [*drawer.step(step)[0], *drawer.step(step)[1]]:
            kinds.add(draw.kind)
            if draw.kind == "gene":
                assert sources[0].genes["train"][draw.example].gene_id != "g4", "it lies in the held-out stretch"
            else:
                assert draw.part.start >= 0
                assert draw.part.end <= 4000
    assert kinds == {"gene", "none", "tile"}


def test_stretches_that_are_too_short_are_named(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="g: no stretch of split train has 5000 bases"):
        Drawer([source(tmp_path)], replace(MIXTURE, tile_lengths=(600, 5000)))


def test_a_sheet_with_an_unknown_setting_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "genomes.yaml"
    path.write_text("genomes:\n  - {name: a, shards: a, weight: 1}\n")
    with pytest.raises(BadInputError, match="weight"):
        read_sheet(path)
    path.write_text("[]")
    with pytest.raises(BadInputError, match="genomes"):
        read_sheet(path)
    plan = tmp_path / "plan.yaml"
    plan.write_text("stepps: 3\n")
    with pytest.raises(UsageError, match="stepps"):
        read_plan(plan)


def _plan(steps: int) -> Plan:
    from transgenic_tools.model.config import StrandEncoderConfig

    encoder = StrandEncoderConfig(stem=4, channels=4, dim=8, blocks=2, heads=1, patch=6, attention_every=2)
    return Plan(encoder=encoder, mixture=MIXTURE, steps=steps, warmup=2, log_every=2, decay=0.0)


def test_a_stretch_of_unknown_bases_teaches_nothing(tmp_path: Path) -> None:
    """Its loss is 0 and its gradient too, where a mean over no base would be no number."""
    batch = collate_windows([label_tile(territory(tmp_path), "chr", Interval(2500, 2548), rng=stable_rng("x"))])
    torch.manual_seed(1)
    trunk = StrandTrunk(_plan(1).encoder)
    loss, _ = strand_loss(trunk.scan(batch.codes), batch)
    loss.backward()
    assert loss.item() == 0
    assert all(p.grad is None or not p.grad.any() for p in trunk.parameters())


def test_a_teacher_says_half_of_what_is_learned(tmp_path: Path) -> None:
    """Its targets count where there are labels; a student that says what the teacher says, and that labels say, has the
    least loss; padding teaches nothing."""
    trainer = TrunkTrainer(_plan(1), sheet(tmp_path), tmp_path / "teacher")
    trainer.run()
    model_of_trunk(tmp_path / "teacher").save_pretrained(tmp_path / "model")
    teacher = Teacher(tmp_path / "model", precision="fp32")
    batch = collate_windows(
        [
            label_tile(territory(tmp_path), "chr", Interval(a, b), rng=stable_rng("x"))
            for a, b in ((300, 900), (1500, 1900))
        ]
    )
    taught = teacher.say(batch.codes, one_gene=False)
    assert taught.sites.shape == batch.sites.shape
    assert not taught.sites[:, 1, :, 400:].any()
    scores = load_trunk(tmp_path / "teacher").eval().scan(batch.codes[:1])
    assert torch.allclose(scores[1].sites.sigmoid(), taught.sites[1, :1], atol=1e-3)
    assert torch.allclose(taught.contents[:, 1, :, :400].sum(1), torch.ones(2, 400))
    labels, both = strand_loss(scores_of(batch), batch)[0], strand_loss(scores_of(batch), batch, exact(batch))[0]
    assert torch.allclose(labels, both)  # a teacher that says the labels changes nothing
    plan = replace(_plan(2), teacher=tmp_path / "model", init=tmp_path / "model")
    student = TrunkTrainer(plan, sheet(tmp_path), tmp_path / "student")
    began, end = load_trunk(tmp_path / "teacher").state_dict(), student.model.state_dict()
    assert all(torch.equal(value, end[name]) for name, value in began.items())
    student.run()
    assert student.step == 2


def scores_of(batch: StrandBatch) -> tuple[BaseScores, ...]:
    """Of nobody: random ones."""
    torch.manual_seed(3)
    strands, windows, length = batch.contents.shape
    sites, contents = (torch.randn(strands, windows, n, length) for n in (N_SITES, N_CONTENTS))
    return tuple(BaseScores(torch.zeros(windows, 1, length), s, c) for s, c in zip(sites, contents, strict=True))


def exact(batch: StrandBatch) -> Taught:
    known = batch.contents.clamp(min=0)
    return Taught(batch.sites, F.one_hot(known, N_CONTENTS).movedim(-1, 2).float())


def test_a_resumed_training_equals_an_uninterrupted_one(tmp_path: Path) -> None:
    """Weights, average and optimisers, whatever the number of workers; the checkpoint holds tensors and JSON alone."""
    path = sheet(tmp_path)
    TrunkTrainer(_plan(6), path, tmp_path / "whole").run()
    TrunkTrainer(_plan(3), path, tmp_path / "parts").run()
    names = {p.name for p in (tmp_path / "parts").iterdir()}
    assert names == {"checkpoint", "trunk.safetensors", "config.json", "metrics.jsonl"}
    held = {p.name for p in (tmp_path / "parts" / "checkpoint").iterdir()}
    assert held == {"state.safetensors", "state.json", "progress.json"}
    (tmp_path / "parts" / "checkpoint").rename(tmp_path / "parts" / "checkpoint.next")  # killed between two renames
    (tmp_path / "parts" / "plan.json").write_text(json.dumps({"steps": 6}))
    for _ in range(2):  # the second run has nothing left to do
        trainer = TrunkTrainer(replace(_plan(9), workers=2), path, tmp_path / "parts")
        trainer.run()
        assert trainer.step == 6, "what plan.json says counts from the first step on"
    whole, parts = (load_trunk(tmp_path / name).state_dict() for name in ("whole", "parts"))
    for name, value in whole.items():
        assert torch.equal(value, parts[name]), name


_KILLED = """
import multiprocessing, sys
from pathlib import Path
from transgenic_tools.train.mixture import Mixture
from transgenic_tools.train.trunk import Plan, ahead

if __name__ == "__main__":
    mixture = Mixture(gene_bases=600, tile_bases=1200, tile_lengths=(600,), flank_max=50, max_bases=2000, pool=4)
    stream = ahead(Plan(mixture=mixture), Path(sys.argv[1]), 0)
    next(stream)
    print(multiprocessing.active_children()[0].pid, flush=True)
    sys.stdin.read()
"""


def test_workers_end_with_a_training_that_is_killed(tmp_path: Path) -> None:
    (tmp_path / "killed.py").write_text(_KILLED)
    command = [sys.executable, str(tmp_path / "killed.py"), str(sheet(tmp_path))]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as training:
        assert training.stdout is not None
        worker = int(training.stdout.readline())
        os.kill(worker, 0)  # it is there
        training.kill()
        training.wait()
        for _ in range(200):
            try:
                os.kill(worker, 0)
            except ProcessLookupError:
                return
            time.sleep(0.1)
    os.kill(worker, signal.SIGKILL)
    pytest.fail("the worker went on")


def test_the_trunk_learns_a_genome_by_heart_and_is_measured(tmp_path: Path) -> None:
    path = sheet(tmp_path)
    trainer = TrunkTrainer(_plan(150), path, tmp_path / "out")
    trainer.run()
    lines = [json.loads(line) for line in (tmp_path / "out" / "metrics.jsonl").read_text().splitlines()]
    first, last = (np.mean([line["tile_content"] for line in some]) for some in (lines[:5], lines[-5:]))
    assert last < 0.6 * first
    results = measure(
        load_trunk(tmp_path / "out"), held_out_sources(path), genes=1, tiling=Tiling(length=900, margin=100)
    )
    assert 0 <= results["g genes"]["ap_start"] <= 1
    stretches = results["g stretches"]
    assert stretches["empty_kb"] == pytest.approx(1.4 - 0.543), "two inner parts, less a gene and 200 around it"
    assert 0 <= stretches["coding_recall"] <= 1


def test_a_trunk_becomes_a_model_that_reads_windows(tmp_path: Path) -> None:
    """Saved, loaded without transformers, and read by the reader: the numbers of the trunk in gene mode."""
    from transgenic_tools.fast.strands import FusedStrandTrunk
    from transgenic_tools.model.files import load_network
    from transgenic_tools.search.reader import Reader
    from transgenic_tools.train.trunk_model import model_of_trunk

    TrunkTrainer(_plan(2), sheet(tmp_path), tmp_path / "out").run()
    model_of_trunk(tmp_path / "out").save_pretrained(tmp_path / "model")
    network, _ = load_network(tmp_path / "model")
    codes = territory(tmp_path).codes["chr"][:601]
    with torch.no_grad():
        expected = load_trunk(tmp_path / "out")(torch.from_numpy(codes.astype(np.int64))[None])
    reader = Reader(network, precision="fp32")
    assert isinstance(reader._trunk, FusedStrandTrunk)
    scores = next(reader.score_windows([WindowInput(codes=codes)]))
    torch.testing.assert_close(scores.sites, expected.sites, atol=1e-5, rtol=1e-4)
