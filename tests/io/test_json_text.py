"""JSON that users and other tools give: whatever is no object of plain values is an error that names the file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from transgenic_tools.errors import BadInputError, MissingInputError
from transgenic_tools.io.json_text import DEEPEST, parse_object, read_object

BAD = {
    "empty": b"",
    "null": b"null",
    "a list": b"[]",
    "a string": b'"x"',
    "NaN": b'{"a": NaN}',
    "Infinity": b'{"a": -Infinity}',
    "two objects": b"{} {}",
    "UTF-16": "{}".encode("utf-16"),
    "Latin-1": '{"a": "\u00e9"}'.encode("latin-1"),
    "a number of 5,000 digits": b'{"a": ' + b"9" * 5000 + b"}",
    "too deep": b'{"a":' * (DEEPEST + 1) + b"1" + b"}" * (DEEPEST + 1),
    "far too deep for Python": b"[" * 50_000 + b"]" * 50_000,
    "objects, far too deep": b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
    "Parquet": b"PAR1xxxx",
}


@pytest.mark.parametrize("data", BAD.values(), ids=BAD)
def test_bad_json_names_the_file(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(data)
    with pytest.raises(BadInputError) as caught:
        read_object(path)
    assert caught.value.path == str(path)
    assert caught.value.hint


def test_objects_are_read(tmp_path: Path) -> None:
    value: object = 1
    for _ in range(DEEPEST - 1):
        value = {"a": value}
    path = tmp_path / "x.json"
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps(value, indent=1).replace("\n", "\r\n").encode())
    assert read_object(path) == value
    assert parse_object('{"loss": NaN}', path=path, hint="", not_finite=True).keys() == {"loss"}
    with pytest.raises(MissingInputError):
        read_object(tmp_path / "none.json")
