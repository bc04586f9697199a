"""Text that may be compressed: the same bytes plain, as gzip, as bgzip of many members, without igzip, read ahead."""

from __future__ import annotations

import gzip
import sys
import threading
from pathlib import Path

import pytest

from transgenic_tools.errors import BadInputError, MissingInputError
from transgenic_tools.io.ahead import THREAD_NAME
from transgenic_tools.io.files import open_text, unzipped_ahead

TEXT = b"".join(b"line %d\n" % number for number in range(100_000))


def _left_running() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == THREAD_NAME]


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
def test_a_cut_file_is_bad_input_that_names_it(
    with_igzip: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not with_igzip:
        monkeypatch.setitem(sys.modules, "isal.igzip", None)
    path = tmp_path / "text.gz"
    path.write_bytes(gzip.compress(TEXT)[:-100])
    with pytest.raises(BadInputError, match=r"text\.gz: the compressed file is cut short"), open_text(path) as handle:
        handle.read()


@pytest.mark.parametrize("size", [0, 1, 1 << 19, 20_000_003])
def test_a_file_read_ahead_has_the_same_bytes(size: int, tmp_path: Path) -> None:
    text = (TEXT * (size // len(TEXT) + 1))[:size]
    zipped, plain = tmp_path / "text.gz", tmp_path / "text"
    zipped.write_bytes(gzip.compress(text, 1))
    plain.write_bytes(text)
    with unzipped_ahead([zipped, plain]):
        with open_text(zipped) as handle:
            assert handle.read() == text
            assert handle.read() == b""
        with open_text(plain) as handle, open_text(zipped) as again:  # the second one opens the file anew
            assert handle.read() == again.read() == text
    assert not _left_running()


def test_a_cut_file_that_is_read_ahead_is_an_error_where_it_ends(tmp_path: Path) -> None:
    path = tmp_path / "text.gz"
    path.write_bytes(gzip.compress(TEXT)[:-100])
    with unzipped_ahead([path]), open_text(path) as handle:
        assert handle.readline() == b"line 0\n"
        with pytest.raises(BadInputError, match=r"text\.gz: the compressed file is cut short"):
            handle.read()


def test_what_is_read_ahead_may_be_left_unread(tmp_path: Path) -> None:
    path, other = tmp_path / "text.gz", tmp_path / "other.gz"
    for some in (path, other):
        some.write_bytes(gzip.compress(TEXT * 20, 1))
    with unzipped_ahead([path, other, tmp_path / "none.gz"]):
        assert _left_running()
        with open_text(path) as handle:
            assert handle.readline() == b"line 0\n"
        with pytest.raises(MissingInputError):
            open_text(tmp_path / "none.gz")
    assert not _left_running()
    with open_text(other) as handle:
        assert len(handle.read()) == 20 * len(TEXT)
