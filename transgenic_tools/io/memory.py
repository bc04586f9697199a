"""Memory: how much this process may still take, and glibc's allocator, told to keep what a run has freed.

In: nothing. Out: bytes, and settings of the allocator.
A surprise: by itself it hands large blocks back to the system at once, and each of the next has to be zeroed and mapped
anew, page by page.
"""

from __future__ import annotations

import ctypes
import logging
import resource
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

logger = logging.getLogger(__name__)
#: So much freed memory is kept.
LARGE = 1_320_000_000
#: Blocks below this many bytes come from the heap; glibc allows no more.
_MOST_FROM_HEAP = 32 * 1024 * 1024
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3


def free_bytes() -> int:
    """Bytes that this process may still take: the machine's, its control group's (SLURM, containers), its own limit."""
    import psutil

    free = [int(psutil.virtual_memory().available)]
    with suppress(OSError, ValueError):
        limit, _ = resource.getrlimit(resource.RLIMIT_AS)
        if limit != resource.RLIM_INFINITY:
            free.append(limit - psutil.Process().memory_info().vms)
    with suppress(OSError, ValueError):
        for line in Path("/proc/self/cgroup").read_text().splitlines():
            _, controllers, group = line.split(":", 2)
            if controllers == "":
                free += _group_free(Path("/sys/fs/cgroup"), group, "memory.max", "memory.current")
            elif "memory" in controllers.split(","):
                names = "memory.limit_in_bytes", "memory.usage_in_bytes"
                free += _group_free(Path("/sys/fs/cgroup/memory"), group, *names)
    return max(min(free), 0)


def _group_free(root: Path, group: str, limit: str, used: str) -> Iterator[int]:
    """What a control group and each that it lies in have left; inside a container the group itself is the root."""
    parts = [part for part in group.split("/") if part]
    for depth in range(len(parts) + 1):
        directory = root.joinpath(*parts[:depth])
        with suppress(OSError, ValueError):  # not there, or "max"
            yield int((directory / limit).read_text()) - int((directory / used).read_text())


def glibc() -> ctypes.CDLL | None:
    """The C library where it has glibc's allocator."""
    if sys.platform != "linux":
        return None
    try:
        library = ctypes.CDLL("libc.so.6")
        return library if hasattr(library, "malloc_trim") else None
    except OSError:
        logger.debug("no glibc: memory is handled as usual")
        return None


def keep_freed_memory(kept: int = LARGE) -> None:
    """Let the allocator use up to `kept` freed bytes again instead of giving them back by itself."""
    library = glibc()
    if library is not None:
        library.mallopt(_M_MMAP_THRESHOLD, _MOST_FROM_HEAP)
        library.mallopt(_M_TRIM_THRESHOLD, kept)
