"""Compiled kernels follow their sources: also those of other files, and of other processes."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from transgenic_tools import kernels

#: A coding exon's only stop, at a place that hangs on a function of another file.
CALLER = """
    from transgenic_tools.kernels import kernel
    from transgenic_tools.made_up.limits import shortest

    @kernel
    def first_donor(start):
        return start + shortest()
"""
CALLED = """
    from transgenic_tools.kernels import kernel

    @kernel
    def shortest():
        return {bases}
"""


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the package, without what was compiled."""
    package = tmp_path / "transgenic_tools"
    shutil.copytree(kernels.PACKAGE, package, ignore=shutil.ignore_patterns("__pycache__"))
    return package


def run(copy: Path, program: str, **environment: str) -> str:
    """What a program prints that imports the copy."""
    env = {k: v for k, v in os.environ.items() if not k.startswith(("NUMBA_", "TRANSGENIC_"))} | environment
    command = [sys.executable, "-c", textwrap.dedent(program)]
    done = subprocess.run(
        command,
        env=env | {"PYTHONPATH": str(copy.parent)},
        cwd=copy.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def write(copy: Path, name: str, text: str) -> None:
    path = copy / "made_up" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(textwrap.dedent(text))


def test_a_change_in_another_file_is_seen(copy: Path) -> None:
    ask = "from transgenic_tools.made_up.caller import first_donor; print(first_donor(10))"
    write(copy, "caller.py", CALLER)
    for bases in (3, 30):
        write(copy, "limits.py", CALLED.format(bases=bases))
        assert run(copy, ask) == f"{10 + bases}\n"


GRAPH = """
    import numpy as np
    from {model}.candidates import choose_candidates
    from {config} import GrammarConfig, ScoringConfig
    from {model}.graph import build_graph
    from {model}.vocabulary import N_CONTENTS, N_SITES
    from {model}.window import WindowInput

    rng = np.random.default_rng(1)
    window = WindowInput.of("".join(rng.choice(["ATG", "GT", "AG", "TAA", "TGA", "C", "A", "T", "G"], 80)))
    sites = rng.normal(0, 2, (N_SITES, len(window))).astype(np.float32)
    contents = np.log(rng.dirichlet(np.ones(N_CONTENTS), len(window)).T).astype(np.float32)
    grammar = GrammarConfig(min_intron=6, min_probability=1e-6)
    candidates = choose_candidates(window, sites, grammar)
    graph = build_graph(window, sites, contents, grammar=grammar, scoring=ScoringConfig(), candidates=candidates)
    print(len(graph.kind), len(graph.target))
"""


@pytest.mark.slow
def test_the_graph_sees_a_longer_first_exon(copy: Path) -> None:
    """`graph.py` stays as it is and calls what `transitions.py` was changed to."""
    (transitions,) = copy.rglob("transitions.py")
    (config,) = (p for p in copy.rglob("config*.py") if "class GrammarConfig" in p.read_text())
    model, settings = (
        ".".join(path.relative_to(copy.parent).with_suffix("").parts) for path in (transitions.parent, config)
    )
    ask = GRAPH.format(model=model, config=settings)
    before = run(copy, ask, NUMBA_OPT="1")  # compiles faster
    text = transitions.read_text()
    assert text.count("3 if kind == _START") == 1
    transitions.write_text(text.replace("3 if kind == _START", "60 if kind == _START"))
    after = run(copy, ask, NUMBA_OPT="1")
    assert [int(a) < int(b) for a, b in zip(after.split(), before.split(), strict=True)] == [True, True]


def test_the_digest_covers_what_kernels_import() -> None:
    """Against Python's own parser: each module of the package that a covered file names is covered."""
    covered = kernels.sources()
    every = {path.relative_to(kernels.PACKAGE).as_posix() for path in kernels.PACKAGE.rglob("*.py")}
    for name, text in covered.items():
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{name}: relative imports are not followed"
                modules = [node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)]
            elif isinstance(node, ast.Import):
                modules = [alias.name for alias in node.names]
            else:
                continue
            for module in modules:
                file = "/".join(module.split(".")[1:]) + ".py"
                if module.startswith("transgenic_tools.") and file in every:
                    assert file in covered, f"{name} imports {file}"


def test_every_kernel_of_the_package_is_covered() -> None:
    covered = kernels.sources()
    for path in kernels.PACKAGE.rglob("*.py"):
        text = path.read_text()
        if "njit" in text and path != Path(kernels.__file__):
            pytest.fail(f"{path} compiles by itself: use transgenic_tools.kernels.kernel")
        if "@kernel" in text:
            assert path.relative_to(kernels.PACKAGE).as_posix() in covered


def test_records_of_kernels_have_names_of_their_own() -> None:
    """Numba looks types of arguments up by a record's name and fields: of two alike, the second costs 0.5 ms a call."""
    found: dict[tuple[str, ...], list[str]] = {}
    for path in sorted(kernels.PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef) and any(ast.unparse(base) == "NamedTuple" for base in node.bases):
                fields = (ast.unparse(part.target) for part in node.body if isinstance(part, ast.AnnAssign))
                found.setdefault((node.name, *fields), []).append(path.name)
    assert len(found) > 20
    assert {name: places for name, places in found.items() if len(places) > 1} == {}


def test_other_instructions_have_a_place_of_their_own(copy: Path) -> None:
    ask = "from transgenic_tools import kernels; print(kernels.place())"
    plain = run(copy, ask)
    assert plain.startswith(str(copy / "__pycache__"))
    assert run(copy, ask) == plain
    assert run(copy, ask, NUMBA_CPU_NAME="haswell", NUMBA_CPU_FEATURES="+avx2") != plain


def test_kernels_of_an_image_are_copied(copy: Path, tmp_path: Path) -> None:
    """A process that has a place takes nothing; one without takes the image's of its own digest."""
    ask = "from transgenic_tools import kernels; print(kernels.place())"
    image = tmp_path / "image"
    shipped = Path(run(copy, ask, NUMBA_CACHE_DIR=str(image)).strip())
    (shipped / "kernel").write_text("compiled")
    for _ in range(2):
        mine = run(copy, ask, NUMBA_CACHE_DIR=str(tmp_path / "mine"), TRANSGENIC_KERNELS=str(image))
        assert [path.name for path in Path(mine.strip()).iterdir()] == ["kernel"]
        (shipped / "later").write_text("compiled")


def test_where_nothing_can_be_written_kernels_are_compiled_anew(copy: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (copy / "__pycache__").write_text("no directory")
    blocked = str(tmp_path / "file" / "below")
    write(copy, "limits.py", CALLED.format(bases=7))
    ask = "from transgenic_tools import kernels; from transgenic_tools.made_up.limits import shortest\n"
    program = ask + "print(shortest(), kernels.place())"
    answer, place = run(copy, program, NUMBA_CACHE_DIR=blocked, XDG_CACHE_HOME=blocked).split()
    assert answer == "7"
    assert not Path(place).exists(), "left behind"


def test_a_first_run_says_that_it_compiles(copy: Path, tmp_path: Path) -> None:
    """Else a minute passes without a word; a process that finds kernels says nothing."""
    ask = """
        import logging, sys
        logging.basicConfig(stream=sys.stdout, level=logging.INFO, format="%(message)s")
        from transgenic_tools import kernels
        kernels.place()
    """
    place = str(tmp_path / "kept")
    assert "a first run on this processor compiles functions" in run(copy, ask, NUMBA_CACHE_DIR=place)
    assert "a first run" in run(copy, ask, NUMBA_CACHE_DIR=place), "nothing was compiled by it"
    [made] = Path(place).glob("*/*")
    (made / "kernel.nbi").write_text("compiled")
    assert run(copy, ask, NUMBA_CACHE_DIR=place) == ""
    assert run(copy, ask, NUMBA_CACHE_DIR=str(tmp_path / "task"), TRANSGENIC_KERNELS=place) == ""
    shutil.rmtree(copy / "__pycache__", ignore_errors=True)  # PYTHONDONTWRITEBYTECODE makes none
    (copy / "__pycache__").write_text("no directory")
    blocked = str(copy / "__pycache__" / "below")
    assert "set NUMBA_CACHE_DIR" in run(copy, ask, NUMBA_CACHE_DIR=blocked, XDG_CACHE_HOME=blocked)


def make_places(parent: Path, count: int) -> list[Path]:
    """Places, the oldest first."""
    places = [parent / f"place{i}" for i in range(count)]
    for i, path in enumerate(places):
        path.mkdir(parents=True)
        (path / "kernel.nbc").write_text("compiled")
        os.utime(path, (time.time() - 1_000 + i,) * 2)
    return places


def test_the_places_used_last_are_kept(tmp_path: Path) -> None:
    old = make_places(tmp_path, kernels.KEPT + 3)
    new = kernels.enter(tmp_path / "new")
    assert sorted(tmp_path.iterdir()) == sorted([new, *old[3:]])
    kernels.enter(old[3])
    assert len(list(tmp_path.iterdir())) == kernels.KEPT + 1, "only a new place tidies"


def test_a_place_in_use_is_not_tidied_away(tmp_path: Path) -> None:
    old = make_places(tmp_path, kernels.KEPT + 2)
    hold = f"from pathlib import Path; from transgenic_tools import kernels; kernels.enter(Path({str(old[0])!r}))"
    wait = f"{hold}; print('held', flush=True); input()"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", wait], text=True, cwd=kernels.PACKAGE.parent, **pipes) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        os.utime(old[0], (1, 1))
        kernels.enter(tmp_path / "new")
        assert old[0].is_dir()
        assert not old[1].exists()
        other.communicate("\n")
    kernels.tidy(tmp_path / "new")
    assert not old[0].exists()


def test_a_place_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (place,) = make_places(tmp_path, 1)
    if os.geteuid() == 0:
        os.chown(place, 12345, -1)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: 12345)
    with pytest.raises(PermissionError, match="another user"):
        kernels.enter(place)


@pytest.mark.slow
def test_kernels_compiled_just_now_read_windows_to_the_bit_as_kept_ones_do(copy: Path, tmp_path: Path) -> None:
    """A function that is not inlined may be another one in the process that compiled its caller."""
    program = """
        import hashlib, numpy as np
        from transgenic_tools.lattice.window import WindowInput
        from transgenic_tools.model.files import default_model_dir, load_network
        from transgenic_tools.search.reader import Reader
        reader, random = Reader(load_network(default_model_dir())[0].eval(), precision="fp32"), np.random.default_rng(1)
        windows = [WindowInput(codes=random.integers(0, 4, length).astype(np.uint8)) for length in (900, 3000, 1800)]
        bits = b"".join(scores.sites.numpy().tobytes() for scores in reader.score_windows(windows))
        print(hashlib.sha256(bits).hexdigest())
    """
    kept = str(tmp_path / "kept")
    first = run(copy, program, NUMBA_CACHE_DIR=kept, OMP_NUM_THREADS="1")
    assert list(Path(kept).rglob("*.nbc"))
    assert run(copy, program, NUMBA_CACHE_DIR=kept, OMP_NUM_THREADS="1") == first
