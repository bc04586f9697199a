"""Cases of the fuzzer: a command, one of its inputs, a kind of damage, all drawn from the case's number.

In: a number and a world (`tests.faults.world`). Out: what a tool made of it, judged.
A surprise: tools run in this process, through the same exit as the console scripts; the clock of a case counts the
process's own seconds, so a busy machine is no hang.
"""

from __future__ import annotations

import contextlib
import csv
import hashlib
import importlib
import io
import json
import os
import random
import shutil
import signal
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from tests.faults.damage import KINDS, Damage
from transgenic_tools import errors
from transgenic_tools.cli._errors import run_app

CODES = {value for name, value in vars(errors).items() if name.startswith("EXIT_")} - {errors.EXIT_INTERNAL}
#: Seconds of this process that a case on a few kilobases may take.
_MOST_CPU = 30.0
_BINARY = (".gz", ".parquet", ".bam")


@dataclass(frozen=True)
class Command:
    """A call of one tool; `inputs` are the files that it reads and that can be damaged."""

    tool: str
    words: str
    inputs: tuple[str, ...]


COMMANDS = (
    Command("prep", "genes -f g.fa -a a.gff3 -o out -t 1", ("g.fa", "a.gff3")),
    Command("prep", "genes -f g.fa.gz -a a.gff3.gz -o out -t 1", ("g.fa.gz", "a.gff3.gz")),
    Command("prep", "genes -f g.fa -a a.gtf -o out -t 1 --aliases alias.tsv", ("g.fa", "a.gtf", "alias.tsv")),
    Command("prep", "genes -f g.fa -r r.bed -o out -t 1", ("g.fa", "r.bed")),
    Command("prep", "genes -f g.fa -r r.bed.gz -o out -t 2", ("r.bed.gz",)),
    Command("prep", "samplesheet s.csv", ("s.csv",)),
    Command("prep", "gsf a.gff3 -o out.tsv", ("a.gff3",)),
    Command("prep", "inspect genes.parquet --json-summary", ("genes.parquet",)),
    Command("prep", "inspect genes.parquet --gene chrA.g0", ("genes.parquet",)),
    Command("prep", "split genes.parquet -o out", ("genes.parquet",)),
    Command("evidence", "e.csv -f g.fa --out out.parquet", ("e.csv", "g.fa", "j.bed")),
    Command("evidence", "j.bed.gz -f g.fa.gz --out out.parquet", ("j.bed.gz", "g.fa.gz")),
    Command(
        "evidence",
        "e2.csv -f g.fa --out out.parquet --aliases alias.tsv --loci r.bed",
        ("e2.csv", "sj.tab", "r.bam", "i.gff3", "alias.tsv", "r.bed"),
    ),
    Command("scan", "g.fa -o out --model scan -t 1", ("g.fa", "scan/config.json")),
    Command("scan", "g.fa.gz -o out --model scan -t 1 --part 2/2", ("g.fa.gz",)),
    Command("backmap", "pred.parquet --out out.gff3", ("pred.parquet",)),
    Command(
        "backmap",
        "pred.parquet --out out.gff3 -f g.fa --gtf out.gtf --bed out.bed --proteins out.fa --sites out.bw",
        ("pred.parquet", "g.fa"),
    ),
    Command("backmap", "pred.parquet --out out.gff3 --into a.gff3", ("pred.parquet", "a.gff3")),
    Command("evaluate", "-r a.gff3 -p p.gff3 --json out.json --tsv out.tsv --genes out2.tsv", ("a.gff3", "p.gff3")),
    Command("evaluate", "-r a.gtf -p p.gff3 --json out.json --fasta g.fa", ("a.gtf", "p.gff3", "g.fa")),
    Command("evaluate", "-r a.gff3.gz -p p.gff3 --json out.json --gene-list list.txt", ("a.gff3.gz", "list.txt")),
    Command(
        "evaluate",
        "-r a.gff3 -p p.gff3 --json out.json --shards genes.parquet --homologs homologs.tsv",
        ("genes.parquet", "homologs.tsv"),
    ),
    Command(
        "report",
        "--annotation one=a.gff3 --reference one=p.gff3 --rejects one=rejects.tsv --prep one=prep.json "
        "--training metrics.jsonl --predictions pred.parquet --params params.json --out out.html",
        ("a.gff3", "p.gff3", "rejects.tsv", "prep.json", "metrics.jsonl", "pred.parquet", "params.json"),
    ),
    Command("report", "gene chrA.g0 --annotation a.gff3 --format svg --out out.svg", ("a.gff3",)),
)


@dataclass(frozen=True)
class Case:
    """What a number stands for."""

    number: int
    command: Command
    victim: str
    damage: Damage

    def __str__(self) -> str:
        return f"{self.number}: tg-{self.command.tool} {self.command.words}, {self.damage.name} in {self.victim}"


@dataclass(frozen=True)
class Outcome:
    """What a tool made of a case.

    Attributes:
        digest: Of all files that it wrote and what it said on stdout; empty where it failed.
    """

    code: int
    said: str
    digest: str
    left: tuple[str, ...] = ()
    lost: int = 0
    hung: bool = False


#: Kinds of failure, as docs/reliability.md counts them.
KINDS_OF_FAILURE = (
    "trace", "exit_code", "exit_0_on_bad_input", "wrong_result", "hang", "genes_lost", "file_not_named", "left_over",
)  # fmt: skip


def case_of(number: int) -> Case:
    """The case of a number, the same on every machine."""
    rng = random.Random(f"fault {number}")
    command = COMMANDS[number % len(COMMANDS)]
    victim = rng.choice(command.inputs)
    binary = victim.endswith(_BINARY)
    damage = rng.choice([kind for kind in KINDS if (kind.binary if binary else kind.text)])
    return Case(number, command, victim, damage)


class _Hang(BaseException):
    """A case took too long; no tool catches this."""


def _stop(number: int, frame: FrameType | None) -> None:
    raise _Hang


@contextlib.contextmanager
def _limited() -> Iterator[None]:
    before = signal.signal(signal.SIGPROF, _stop)
    signal.setitimer(signal.ITIMER_PROF, _MOST_CPU)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


@contextlib.contextmanager
def _inside(folder: Path, argv: list[str]) -> Iterator[tuple[io.StringIO, io.StringIO]]:
    """The process as the tool would find it."""
    kept = Path.cwd(), sys.argv
    out, err = io.StringIO(), io.StringIO()
    os.chdir(folder)
    sys.argv = argv
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            yield out, err
    finally:
        os.chdir(kept[0])
        sys.argv = kept[1]


def run_command(command: Command, folder: Path) -> Outcome:
    """Run a command in a folder of inputs."""
    before = {path.name for path in folder.iterdir()}
    app = importlib.import_module(f"transgenic_tools.cli.{command.tool}").app
    code, hung = -1, False
    with _inside(folder, [f"tg-{command.tool}", *command.words.split()]) as (out, err):
        try:
            with _limited():
                code = run_app(app, f"tg-{command.tool}")
        except _Hang:
            hung = True
    new = sorted(path for path in folder.iterdir() if path.name not in before)
    files = sorted(path for top in new for path in ([top] if top.is_file() else top.rglob("*")) if path.is_file())
    digest = hashlib.sha256()
    for path in files:
        if path.name != "prep.json":  # it holds seconds
            digest.update(path.relative_to(folder).as_posix().encode() + path.read_bytes())
    digest.update(out.getvalue().encode())
    # a table of rejects that the message sends the user to is whole, and there on purpose
    named = {path for path in files if path.name == "rejects.tsv" and str(path.relative_to(folder)) in err.getvalue()}
    left = tuple(
        str(path.relative_to(folder)) for path in files if path.suffix == ".part" or (code != 0 and path not in named)
    )
    lost = _lost(command, folder) if code == 0 else 0
    return Outcome(code, err.getvalue(), digest.hexdigest() if code == 0 else "", left, lost, hung)


def _lost(command: Command, folder: Path) -> int:
    """Genes that went in, did not come out and have no reason."""
    if command.words.startswith("genes "):
        summary = json.loads((folder / "out" / "prep.json").read_text())
        with (folder / "out" / "rejects.tsv").open(newline="") as handle:
            rows = [row for row in csv.reader(handle, delimiter="\t") if row and not row[0].startswith("#")]
        named = len({row[0] for row in rows[1:]})
        return max(0, int(summary["genes_read"]) - int(summary["genes"]) - named)
    return 0


def prepare(world: Path, folder: Path) -> None:
    """A fresh copy of the world."""
    if folder.exists():
        shutil.rmtree(folder)
    shutil.copytree(world, folder)


@dataclass
class Judge:
    """Runs cases; remembers what a command says of sound inputs."""

    world: Path
    scratch: Path
    sound: dict[Command, Outcome] = field(default_factory=dict)

    def sound_outcome(self, command: Command) -> Outcome:
        """Of undamaged inputs: it must succeed."""
        if command not in self.sound:
            prepare(self.world, self.scratch / "case")
            self.sound[command] = run_command(command, self.scratch / "case")
        return self.sound[command]

    def run(self, case: Case) -> tuple[Outcome, list[str]]:
        """The outcome, and the kinds of failure in it."""
        expected = self.sound_outcome(case.command)
        folder = self.scratch / "case"
        prepare(self.world, folder)
        case.damage.apply(folder / case.victim, random.Random(f"damage {case.number}"))
        same = (folder / case.victim).is_file() and (folder / case.victim).read_bytes() == (
            self.world / case.victim
        ).read_bytes()
        outcome = run_command(case.command, folder)
        return outcome, [] if same and outcome.code == 0 else verdict(case, outcome, expected)


def verdict(case: Case, outcome: Outcome, expected: Outcome) -> list[str]:
    """Kinds of failure of one outcome; none where the tool did what `docs/reliability.md` promises."""
    failed = outcome.code != errors.EXIT_OK
    binary = case.victim.endswith(_BINARY)
    found = {
        "hang": outcome.hung,
        "trace": "Traceback" in outcome.said or "this is a defect" in outcome.said or "Aborted" in outcome.said,
        "exit_code": not outcome.hung and outcome.code not in CODES,
        "exit_0_on_bad_input": not failed and case.damage.fatal,
        "wrong_result": not failed and binary and not case.damage.sound and outcome.digest != expected.digest,
        "genes_lost": outcome.lost > 0,
        "file_not_named": failed and not outcome.hung and Path(case.victim).name not in outcome.said,
        "left_over": failed and bool(outcome.left),
    }
    return [kind for kind in KINDS_OF_FAILURE if found[kind]]
