"""A stream that is read by a thread ahead of its reader.

In: a stream of bytes. Out: the same bytes, most of them unzipped before they are asked for.
A surprise: blocks are few and large, because a thread that comes back from unzipping waits until the interpreter is
free, and they are used again, because memory that is touched for the first time costs as much as unzipping into it.
"""

from __future__ import annotations

import io
import threading
from collections import deque
from typing import IO, Any

#: Bytes of a block, and blocks of each stream.
_BLOCK, _BLOCKS = 1 << 19, 16
#: What its threads are called.
THREAD_NAME = "read-ahead"
#: Streams take turns: there may be a second core, hardly a third.
_turn = threading.Lock()


class Ahead(io.RawIOBase):
    """Reads `source` in a thread; what goes wrong there is raised where the reader comes to it.

    Args:
        most: Bytes that the stream may have; kept for whoever reads it.
    """

    def __init__(self, source: IO[bytes], most: int | None = None) -> None:
        self.most = most
        self._source: Any = source
        self._free = deque(bytearray(_BLOCK) for _ in range(_BLOCKS))
        self._full: deque[tuple[bytearray, int, Exception | None]] = deque()
        self._changed = threading.Condition()
        self._buffer, self._at, self._end = bytearray(), 0, 0
        self._over = False
        self._thread = threading.Thread(target=self._fill, name=THREAD_NAME, daemon=True)
        self._thread.start()

    def _fill(self) -> None:
        count = 1
        while count:
            with self._changed:
                self._changed.wait_for(lambda: self._free or self._over)
                if self._over:
                    return
                buffer = self._free.popleft()
            error = None
            try:
                with _turn:
                    count = self._source.readinto(buffer)
            except Exception as caught:  # noqa: BLE001 the reader raises it
                error, count = caught, 0
            with self._changed:
                self._full.append((buffer, count, error))
                self._changed.notify()

    def _next(self) -> None:
        with self._changed:
            if self._end:
                self._free.append(self._buffer)
                self._changed.notify()
            self._changed.wait_for(lambda: self._full)
            self._buffer, self._end, error = self._full.popleft()
        self._at, self._over = 0, not self._end
        if error is not None:
            raise error

    def readable(self) -> bool:
        return True

    def readinto(self, target: Any) -> int:
        if self._at == self._end and not self._over:
            self._next()
        count = min(len(target), self._end - self._at)
        target[:count] = memoryview(self._buffer)[self._at : self._at + count]
        self._at += count
        return count

    def close(self) -> None:
        if not self.closed:
            with self._changed:
                self._over = True
                self._changed.notify()
            self._thread.join()
            self._source.close()
        super().close()
