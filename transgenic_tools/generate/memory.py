"""What happens with memory that a run has freed.

In: nothing. Out: settings of glibc's allocator, and freed memory given back.
A surprise: memory that goes back to the system after every window is zeroed and mapped anew for the next one, which
took an eighth of the whole time; so it is kept, and given back only where a run has grown large.
"""

from __future__ import annotations

import ctypes
import logging
import os
import sys

logger = logging.getLogger(__name__)
#: From this many resident bytes on, freed memory is given back.
LARGE = 1_320_000_000
#: Blocks below this many bytes come from the heap; glibc allows no more.
_MOST_FROM_HEAP = 32 * 1024 * 1024
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3


def _glibc() -> ctypes.CDLL | None:
    """The C library where it has glibc's allocator."""
    if sys.platform != "linux":
        return None
    try:
        library = ctypes.CDLL("libc.so.6")
        return library if hasattr(library, "malloc_trim") else None
    except OSError:
        logger.debug("no glibc: memory is handled as usual")
        return None


def keep_freed_memory() -> None:
    """Let the allocator use freed memory again instead of giving it back by itself."""
    library = _glibc()
    if library is not None:
        library.mallopt(_M_MMAP_THRESHOLD, _MOST_FROM_HEAP)
        library.mallopt(_M_TRIM_THRESHOLD, LARGE)


def resident_bytes() -> int:
    """Memory of this process that lies in RAM; 0 where the system does not say."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def return_freed_memory(above: int = LARGE) -> None:
    """Give freed memory back to the system where more than `above` bytes are resident."""
    if resident_bytes() > above:
        library = _glibc()
        if library is not None:
            library.malloc_trim(0)
