"""What happens with memory that a run has freed.

In: nothing. Out: settings of glibc's allocator, and freed memory given back.
A surprise: memory that goes back to the system after every window is zeroed and mapped anew for the next one, which
took an eighth of the whole time; so it is kept, and given back only where a run has grown large.
"""

from __future__ import annotations

import os

from transgenic_tools.io.memory import LARGE, glibc, keep_freed_memory

__all__ = ["LARGE", "keep_freed_memory", "resident_bytes", "return_freed_memory"]


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
        library = glibc()
        if library is not None:
            library.malloc_trim(0)
