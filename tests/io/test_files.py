"""Text that may be compressed: the same bytes plain, as gzip, as bgzip of many members, and without igzip."""

from __future__ import annotations

import gzip
import sys
from pathlib import Path

import pytest

from transgenic_tools.io.files import open_text

TEXT = b"".join(b"line %d\n" % number for number in range(100_000))


@pytest.mark.parametrize("with_igzip", [True, False])
@pytest.mark.parametrize("member", [len(TEXT), 65_280])
def test_unzipped_text_is_that_of_the_file(
    member: int, with_igzip: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not with_igzip:
        monkeypatch.setitem(sys.modules, "isal.igzip", None)
    path = tmp_path / "text.gz"
    path.write_bytes(b"".join(gzip.compress(TEXT[i : i + member], 1) for i in range(0, len(TEXT), member)))
    with open_text(path) as handle:
        assert handle.read(1000) + handle.read() == TEXT
    with open_text(path) as handle:
        room = bytearray(len(TEXT) + 10)
        assert handle.readinto(room) == len(TEXT)  # type: ignore[attr-defined]
        assert room[: len(TEXT)] == TEXT
    with open_text(path) as handle:
        assert list(handle)[-1] == b"line 99999\n"


@pytest.mark.parametrize("with_igzip", [True, False])
def test_a_cut_file_is_an_end_of_file_error(with_igzip: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not with_igzip:
        monkeypatch.setitem(sys.modules, "isal.igzip", None)
    path = tmp_path / "text.gz"
    path.write_bytes(gzip.compress(TEXT)[:-100])
    with pytest.raises(EOFError), open_text(path) as handle:
        handle.read()
