"""glibc's allocator, told to keep what a run has freed.

In: nothing. Out: settings of the allocator.
A surprise: by itself it hands large blocks back to the system at once, and each of the next has to be zeroed and mapped
anew, page by page.
"""

from __future__ import annotations

import ctypes
import logging
import sys

logger = logging.getLogger(__name__)
#: So much freed memory is kept.
LARGE = 1_320_000_000
#: Blocks below this many bytes come from the heap; glibc allows no more.
_MOST_FROM_HEAP = 32 * 1024 * 1024
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3


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
