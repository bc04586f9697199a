"""What can happen to a file: each kind of damage is a function of its bytes and a generator.

In: the bytes of a sound file. Out: other bytes, or nothing where the damage is to the place itself.
A surprise: `fatal` kinds leave nothing that could be meant; after any other a tool may find a sense in the rest.
"""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Damage:
    """One kind.

    Attributes:
        fatal: No tool may end with 0 after it.
        sound: It may leave a sound file of other content, of which another result is right.
        text: Only for files of lines; `binary`: only for compressed ones and Parquet.
    """

    name: str
    apply: Callable[[Path, random.Random], None]
    fatal: bool = False
    text: bool = True
    binary: bool = True
    sound: bool = False


KINDS: list[Damage] = []


def _kind(
    *, fatal: bool = False, text: bool = True, binary: bool = True
) -> Callable[[Callable[[bytes, random.Random], bytes]], Callable[[bytes, random.Random], bytes]]:
    def register(change: Callable[[bytes, random.Random], bytes]) -> Callable[[bytes, random.Random], bytes]:
        def apply(path: Path, rng: random.Random) -> None:
            path.write_bytes(change(path.read_bytes(), rng))

        KINDS.append(Damage(change.__name__, apply, fatal=fatal, text=text, binary=binary))
        return change

    return register


# -- the place ---------------------------------------------------------------------------------------------------------


def _missing(path: Path, rng: random.Random) -> None:
    path.unlink()


def _directory(path: Path, rng: random.Random) -> None:
    path.unlink()
    path.mkdir()


def _loop(path: Path, rng: random.Random) -> None:
    path.unlink()
    path.symlink_to(path.name)


def _other_kind(path: Path, rng: random.Random) -> None:
    others = [other for other in sorted(path.parent.iterdir()) if other.is_file() and other.suffix != path.suffix]
    shutil.copyfile(rng.choice(others), path)


KINDS += [
    Damage("missing", _missing, fatal=True),
    Damage("directory", _directory, fatal=True),
    Damage("loop", _loop, fatal=True),
    Damage("other_kind", _other_kind, sound=True),
]

# -- bytes -------------------------------------------------------------------------------------------------------------


@_kind(fatal=True)
def garbage(data: bytes, rng: random.Random) -> bytes:
    return rng.randbytes(rng.choice([10, 1000]))


@_kind(fatal=True, text=False)
def empty(data: bytes, rng: random.Random) -> bytes:
    return b""


@_kind(binary=False)
def empty_text(data: bytes, rng: random.Random) -> bytes:
    return b""


@_kind(fatal=True, text=False)
def cut_short(data: bytes, rng: random.Random) -> bytes:
    return data[: rng.randrange(1, len(data))]


@_kind(binary=False)
def cut_text(data: bytes, rng: random.Random) -> bytes:
    return data[: rng.randrange(1, max(2, len(data)))]


@_kind()
def flipped_bit(data: bytes, rng: random.Random) -> bytes:
    changed = bytearray(data)
    changed[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return bytes(changed)


@_kind()
def wrong_bytes(data: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(data))
    return data[:at] + rng.randbytes(rng.randint(1, 8)) + data[at + rng.randint(1, 8) :]


@_kind()
def lost_stretch(data: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(data))
    return data[:at] + data[at + rng.randint(1, 200) :]


@_kind()
def doubled_stretch(data: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(data))
    return data[:at] + data[at : at + rng.randint(1, 200)] + data[at:]


@_kind()
def zeros(data: bytes, rng: random.Random) -> bytes:
    at, n = rng.randrange(len(data)), rng.randint(1, 100)
    return data[:at] + b"\0" * n + data[at + n :]


# -- texts -------------------------------------------------------------------------------------------------------------


@_kind(fatal=True, binary=False)
def utf16(data: bytes, rng: random.Random) -> bytes:
    return data.decode("latin-1").encode("utf-16")


@_kind(binary=False)
def latin1_letters(data: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(data))
    return data[:at] + "\u00e9\u00fc".encode("latin-1") + data[at:]


@_kind(binary=False)
def byte_order_mark(data: bytes, rng: random.Random) -> bytes:
    return b"\xef\xbb\xbf" + data


@_kind(binary=False)
def other_line_ends(data: bytes, rng: random.Random) -> bytes:
    return data.replace(b"\n", rng.choice([b"\r\n", b"\r"]))


def _lines(data: bytes) -> list[bytes]:
    return data.split(b"\n")


@_kind(binary=False)
def lost_line(data: bytes, rng: random.Random) -> bytes:
    lines = _lines(data)
    del lines[rng.randrange(len(lines))]
    return b"\n".join(lines)


@_kind(binary=False)
def doubled_line(data: bytes, rng: random.Random) -> bytes:
    lines = _lines(data)
    lines.insert(rng.randrange(len(lines)), rng.choice(lines))
    return b"\n".join(lines)


@_kind(binary=False)
def shuffled_lines(data: bytes, rng: random.Random) -> bytes:
    lines = _lines(data)
    rng.shuffle(lines)
    return b"\n".join(lines)


VALUES = (
    b"", b"-1", b"0", b"9223372036854775807", b"9223372036854775808", b"1e400", b"nan", b"null", b".", b"?", b"%",
    b"%00", b"'", b'"', b"\\", b"../..", b"a b", b"\xf0\x9f\x8c\xb1", b"x" * 5000, b"1,001", b"+", b"-", b"=;=",
)  # fmt: skip


@_kind(binary=False)
def odd_value(data: bytes, rng: random.Random) -> bytes:
    lines = _lines(data)
    number = rng.randrange(len(lines))
    mark = max((b"\t", b",", b" ", b":"), key=lines[number].count)
    fields = lines[number].split(mark)
    fields[rng.randrange(len(fields))] = rng.choice(VALUES)
    lines[number] = mark.join(fields)
    return b"\n".join(lines)


@_kind(binary=False)
def swapped_columns(data: bytes, rng: random.Random) -> bytes:
    lines = _lines(data)
    number = rng.randrange(len(lines))
    mark = b"\t" if b"\t" in lines[number] else b","
    fields = lines[number].split(mark)
    rng.shuffle(fields)
    lines[number] = mark.join(fields)
    return b"\n".join(lines)


@_kind(binary=False)
def one_long_line(data: bytes, rng: random.Random) -> bytes:
    return data.replace(b"\n", b" ")
