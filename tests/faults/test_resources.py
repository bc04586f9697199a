"""Disks that are full, places that cannot be written, limits of a shell: a code of the table, the place, no trace."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults import world
from tests.faults.cases import prepare
from transgenic_tools.errors import EXIT_DATA, EXIT_IO, EXIT_OK, EXIT_OUT_OF_MEMORY

ROOT = Path(__file__).parents[2]
#: Tools that write, and where.
WRITERS = {
    "prep": "genes -f g.fa -a a.gff3 -o {out}/shards",
    "split": "split genes.parquet -o {out}/split",
    "gsf": "gsf a.gff3 -o {out}/out.tsv",
    "backmap": "pred.parquet --out {out}/out.gff3 --gtf {out}/out.gtf",
    "evaluate": "-r a.gff3 -p p.gff3 --json {out}/out.json --tsv {out}/out.tsv",
    "report": "--annotation one=a.gff3 --out {out}/out.html",
    "evidence": "e.csv -f g.fa --out {out}/out.parquet",
    "scan": "g.fa -o {out}/scan --model scan -t 1",
}


#: torch takes seconds to start, so `tg-scan` is left to `make test-faults`.
NAMES = [pytest.param(name, marks=pytest.mark.faults) if name == "scan" else name for name in WRITERS]


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("world")
    world.build(folder)
    return folder


@pytest.fixture
def folder(sound: Path, tmp_path: Path) -> Path:
    prepare(sound, tmp_path / "case")
    return tmp_path / "case"


def environment() -> dict[str, str]:
    """Without bytecode: Python would leave cut files where it may write no more than a few bytes."""
    return {**os.environ, "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}


def run(name: str, folder: Path, *, out: str = "out", limit: Callable[[], None] | None = None) -> tuple[int, str]:
    tool = {"split": "prep", "gsf": "prep"}.get(name, name)
    code = f"from transgenic_tools.cli.entry import {tool}; {tool}()"
    done = subprocess.run(
        [sys.executable, "-c", code, *WRITERS[name].format(out=out).split()],
        cwd=folder, env=environment(), preexec_fn=limit, capture_output=True, text=True,
    )  # fmt: skip
    assert "Traceback" not in done.stderr, done.stderr
    assert "this is a defect" not in done.stderr, done.stderr
    return done.returncode, done.stderr


def files_of(folder: Path) -> dict[str, bytes]:
    """What lies below; folders that a failed command made may stay, files may not."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def limit_of(kind: int, value: int) -> Callable[[], None]:
    return lambda: resource.setrlimit(kind, (value, value))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("room", [0, 300])
def test_no_room_on_the_disk(name: str, folder: Path, room: int) -> None:
    """A limit on a file's size fails as a full disk does: when the bytes are written."""
    before = files_of(folder)
    code, said = run(name, folder, limit=limit_of(resource.RLIMIT_FSIZE, room))
    assert code == EXIT_IO, said
    assert "out" in said
    assert files_of(folder) == before


@pytest.mark.parametrize("name", ["prep", "backmap", "evaluate", "evidence", NAMES[-1]])
def test_an_older_result_stays_whole_where_a_new_one_finds_no_room(name: str, folder: Path) -> None:
    assert run(name, folder)[0] == EXIT_OK
    before = files_of(folder)
    assert run(name, folder, limit=limit_of(resource.RLIMIT_FSIZE, 300))[0] == EXIT_IO
    assert files_of(folder) == before


@pytest.mark.parametrize("name", NAMES)
def test_a_place_that_cannot_be_written(name: str, folder: Path) -> None:
    before = files_of(folder)
    (folder / "file").write_text("")
    for out in ("file/below", "/proc/tg-nowhere"):
        code, said = run(name, folder, out=out)
        assert code == EXIT_IO, said
        assert out.split("/")[-1] in said or "file" in said
    (folder / "file").unlink()
    assert files_of(folder) == before


@pytest.mark.parametrize("name", NAMES)
def test_few_open_files(name: str, folder: Path) -> None:
    code, said = run(name, folder, limit=limit_of(resource.RLIMIT_NOFILE, 16))
    assert code in (EXIT_OK, EXIT_IO), said


@pytest.mark.parametrize("name", ["prep", "backmap", "evaluate"])
@pytest.mark.parametrize("megabytes", [500, 900])
def test_little_memory(name: str, folder: Path, megabytes: int) -> None:
    code, said = run(name, folder, limit=limit_of(resource.RLIMIT_AS, megabytes << 20))
    assert code in (EXIT_OK, EXIT_OUT_OF_MEMORY), said


@pytest.mark.parametrize("size", [0, 1])
def test_an_empty_genome(folder: Path, size: int) -> None:
    (folder / "g.fa").write_text(">" * size)
    code, said = run("prep", folder)
    assert code == EXIT_DATA
    assert "g.fa" in said
