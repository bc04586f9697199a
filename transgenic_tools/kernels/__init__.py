"""The decorator of every compiled kernel, and the place where compiled ones are kept for the next process.

In: functions, at import. Out: the same, compiled by numba when they are first called.
A surprise: numba looks at the file of a function alone, and would go on running what it compiled before a function of
another file changed. So the place hangs on a digest of all files with kernels and of what those import, and on who
compiles for which processor; a process holds a lock on its place, so that no other one tidies it away.
"""

from __future__ import annotations

import fcntl
import functools
import hashlib
import logging
import os
import platform
import re
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import llvmlite
import numba
import numpy as np
from llvmlite import binding

PACKAGE = Path(__file__).parents[1]
config: Any = numba.config  # its settings are attributes made from the environment
#: Places that stay beside the one in use, the latest ones: of other branches, or of other instruction sets.
KEPT = 4
_MARK = f"from {__name__} import"
_IMPORT = re.compile(
    rf"^[ \t]*(?:from[ \t]+({PACKAGE.name}[\w.]*)[ \t]+import[ \t]+(?:\(([^)]*)\)|([^\n(]*))"
    rf"|import[ \t]+({PACKAGE.name}[\w.]*))",
    re.MULTILINE,
)
_decorating = threading.Lock()
logger = logging.getLogger(__name__)


def kernel(function: Callable[..., Any] | None = None, **options: Any) -> Any:
    """`numba.njit` that keeps what it compiled, and lets other threads run meanwhile.

    Args:
        options: Further ones of `numba.njit`.
    """

    def compile_later(function: Callable[..., Any]) -> Any:
        with _decorating:
            before, config.CACHE_DIR = config.CACHE_DIR, str(place())
            try:
                return numba.njit(cache=True, nogil=True, **options)(function)
            finally:
                config.CACHE_DIR = before

    return compile_later if function is None else compile_later(function)


def sources(package: Path = PACKAGE) -> dict[str, bytes]:
    """Every file with kernels, and every file of the package that one of these imports, by its path in the package."""
    texts = {path.relative_to(package).as_posix(): path.read_bytes() for path in package.rglob("*.py")}
    waiting = [name for name, text in texts.items() if _MARK.encode() in text]
    found: dict[str, bytes] = {}
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = texts[name]
            waiting += [other for other in _imported(texts[name].decode()) if other in texts]
    return dict(sorted(found.items()))


def _imported(text: str) -> Iterator[str]:
    """Files that a text may import: those of the modules that it names, and of the names that it takes from them."""
    for source, several, line, module in _IMPORT.findall(text):
        names = re.findall(r"\w+", re.sub(r"#.*", "", several or line))
        for dotted in (source or module, *(f"{source}.{name}" for name in names)):
            path = "/".join(dotted.split(".")[1:])
            yield f"{path}.py"
            yield f"{path}/__init__.py".lstrip("/")


def features() -> str:
    """Instructions that kernels are compiled for, `+avx2,-avx512f,...`: this processor's, or NUMBA_CPU_FEATURES."""
    asked: str | None = config.CPU_FEATURES
    return binding.get_host_cpu_features().flatten() if asked is None else asked


def digest() -> str:
    """What compiled kernels depend on: their sources, the compilers and the processor that they are made for."""
    name = config.CPU_NAME or binding.get_host_cpu_name()
    versions = (numba.__version__, llvmlite.__version__, np.__version__, platform.python_version())
    settings = (str(config.OPT), config.BOUNDSCHECK)
    total = hashlib.sha256(repr((versions, platform.machine(), name, features(), settings)).encode())
    for path, text in sources().items():
        total.update(path.encode() + b"\0" + hashlib.sha256(text).digest())
    return total.hexdigest()[:24]


@functools.cache
def place() -> Path:
    """Where this process keeps its kernels: under NUMBA_CACHE_DIR, beside the package, or in the user's cache.

    Where none of them can be written to, kernels are compiled for this process alone.
    """
    name = digest()
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    bases = [Path(config.CACHE_DIR)] if config.CACHE_DIR else []
    for base in (*bases, PACKAGE / "__pycache__", home):
        try:
            target = enter(base / "transgenic-kernels" / name)
        except OSError:  # read-only, full, or another user's
            continue
        if next(target.rglob("*.nbi"), None) is None:  # numba's list of what it keeps of a file
            logger.info(
                "a first run on this processor compiles functions, a minute of one core, and keeps them: %s", target
            )
        return target
    logger.warning(
        "functions are compiled in every run, a minute of one core: no folder to keep them in can be written to; "
        "set NUMBA_CACHE_DIR to one that can"
    )
    return Path(_this_process_alone().name)


@functools.cache
def _this_process_alone() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="transgenic-kernels-")


def enter(target: Path) -> Path:
    """Make a place where there is none, and hold it as long as this process lives.

    Raises:
        OSError: it cannot be made or written to, or belongs to another user, whose kernels could do anything.
    """
    made = False
    while True:
        if not target.is_dir():
            _make(target)
            made = True
        held = os.open(target, os.O_RDONLY)
        _try_lock(held, fcntl.LOCK_SH)
        if _is(target, held):
            break
        os.close(held)  # somebody tidied it away while this process waited
    if os.fstat(held).st_uid not in (0, os.geteuid()):
        os.close(held)
        raise PermissionError(f"{target} belongs to another user")
    tempfile.TemporaryFile(dir=target).close()
    os.utime(target)
    if made:
        tidy(target)
    return target


def _make(target: Path) -> None:
    """A new place: empty, or with the kernels of the image (TRANSGENIC_KERNELS), which is read-only for most users."""
    target.parent.mkdir(parents=True, exist_ok=True)
    image = os.environ.get("TRANSGENIC_KERNELS")
    shipped = Path(image, target.parent.name, target.name) if image else None
    aside = tempfile.mkdtemp(prefix=f"{target.name}.", dir=target.parent)
    try:
        if shipped and shipped.is_dir():
            shutil.copytree(shipped, aside, dirs_exist_ok=True)
        os.rename(aside, target)
    except OSError:
        shutil.rmtree(aside, ignore_errors=True)
        if not target.is_dir():  # else another process was faster
            raise


def _try_lock(directory: int, kind: int) -> bool:
    try:
        fcntl.flock(directory, kind)
    except OSError:  # held, or a file system without locks
        return False
    return True


def _is(path: Path, opened: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(opened))
    except FileNotFoundError:
        return False


def _last_use(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:  # another process was faster
        return 0.0


def tidy(target: Path) -> None:
    """Remove the places beside `target` that were not used for longest, and what numba itself kept by the sources.

    A place that a process holds stays, as do all on a file system without locks.
    """
    others = sorted((path for path in target.parent.iterdir() if path != target), key=_last_use, reverse=True)
    for old in others[KEPT:]:
        try:
            held = os.open(old, os.O_RDONLY)
        except OSError:
            continue
        if _try_lock(held, fcntl.LOCK_EX | fcntl.LOCK_NB):
            shutil.rmtree(old, ignore_errors=True)
        os.close(held)
    for left in PACKAGE.rglob("__pycache__/*.nb[ic]"):
        left.unlink(missing_ok=True)
