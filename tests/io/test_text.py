"""What may be wrong with a text file, in every reader of one: read right, or refused by name, line and next step."""

from __future__ import annotations

import gzip
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pysam
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transgenic_tools.errors import BadInputError, MissingInputError, TransgenicError, UsageError
from transgenic_tools.evaluate.selection import read_homologs
from transgenic_tools.evidence.sheet import read_sheet
from transgenic_tools.io import files
from transgenic_tools.io.aliases import read_aliases
from transgenic_tools.io.bed import read_loci
from transgenic_tools.io.fasta import Fasta
from transgenic_tools.io.files import LineEnds, open_text, raw_lines, text_lines
from transgenic_tools.io.gff3 import read_annotation
from transgenic_tools.io.junctions import EvidenceFile
from transgenic_tools.io.lists import read_ids
from transgenic_tools.io.samplesheet import read_samplesheet
from transgenic_tools.io.shards import count_genes
from transgenic_tools.prep.sentences import read_sentences
from transgenic_tools.report.config import parse_source

GFF3 = "chr1\tx\tgene\t1\t9\t.\t+\t.\tID=g1\nchr1\tx\tCDS\t1\t9\t.\t+\t0\tParent=g1\n"


def _sheet(path: Path) -> object:
    for name in ("a.fa", "a.gff3"):
        (path.parent / name).touch()
    return [sample.sample for sample in read_samplesheet(path)]


#: Each reader of text, with text that it can read.
READERS: dict[str, tuple[Callable[[Path], object], str]] = {
    "samplesheet": (_sheet, "sample,fasta,annotation\ns,a.fa,a.gff3\n"),
    "aliases": (lambda path: read_aliases(path, ["chr1"]), "1\tchr1\n2\tchr2\n"),
    "loci": (lambda path: [gene.id for gene in read_loci(path)[0]], "chr1\t0\t9\tone\t0\t+\nchr1\t3\t9\ttwo\t0\t-\n"),
    "gene list": (lambda path: sorted(read_ids(path)), "g1\ng2\n"),
    "homologs": (read_homologs, "gene_id\thas_homolog\ng1\tyes\n"),
    "sentences": (
        lambda path: [gene.id for gene in read_sentences(path)],
        "#gsf 1\n#\ng\tc\t0\t9\t+\t0\t9\tt\t0|CDS1|9|+|A>CDS1\n",
    ),
    "annotation": (lambda path: [gene.id for gene in read_annotation(path).genes], GFF3),
    "fasta": (lambda path: dict(Fasta(path).lengths), ">chr1\nACGT\n>chr2\nAC\n"),
}
EACH = pytest.mark.parametrize(("read", "text"), READERS.values(), ids=READERS)


@EACH
def test_a_mark_or_another_line_end_changes_nothing(read: Callable[[Path], object], text: str, tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text(text)
    expected = read(path)
    for other in ("\ufeff" + text, text.replace("\n", "\r\n"), text.replace("\n", "\r"), text.rstrip("\n")):
        path.write_bytes(other.encode())
        assert read(path) == expected
        path.write_bytes(gzip.compress(other.encode()))
        assert read(path) == expected
    plain = tmp_path / "plain"
    plain.write_text("\ufeff" + text)
    pysam.tabix_compress(str(plain), str(path), force=True)
    assert read(path) == expected


@EACH
def test_what_is_no_text_is_refused_by_name(read: Callable[[Path], object], text: str, tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    contents = {
        "UTF-16": text.encode("utf-16"),
        "UTF-16 without a mark": text.encode("utf-16-le"),
        "UTF-32": text.encode("utf-32"),
        "zip": b"PK\x03\x04" + text.encode(),
        "xz": b"\xfd7zXZ\x00" + text.encode(),
        "damaged": gzip.compress(text.encode())[:-9],
        "cut": _bgzf(tmp_path, text)[:-28],
    }
    for words, content in contents.items():
        path.write_bytes(content)
        with pytest.raises(BadInputError, match=words.split()[0]) as caught:
            read(path)
        assert caught.value.path == str(path)
        assert caught.value.hint


def _bgzf(folder: Path, text: str) -> bytes:
    (folder / "plain").write_text(text)
    pysam.tabix_compress(str(folder / "plain"), str(folder / "packed"), force=True)
    return (folder / "packed").read_bytes()


@EACH
def test_any_flipped_bit_of_gzip_is_an_error_that_names_the_file(
    read: Callable[[Path], object], text: str, tmp_path: Path
) -> None:
    path, packed = tmp_path / "t.csv", bytearray(gzip.compress(text.encode(), mtime=0))
    path.write_text(text)
    expected = read(path)
    for place in range(10, len(packed)):
        packed[place] ^= 1 << place % 8
        path.write_bytes(packed)
        packed[place] ^= 1 << place % 8
        try:
            assert read(path) == expected
        except TransgenicError as error:
            assert str(path) in str(error)  # noqa: PT017 either outcome is right


@pytest.mark.parametrize("name", ["samplesheet", "aliases", "loci", "gene list", "homologs", "sentences"])
def test_small_files_that_are_not_utf8_name_the_line(name: str, tmp_path: Path) -> None:
    read, text = READERS[name]
    path = tmp_path / "t.csv"
    lines = text.encode().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:-1], b"M\xfcller" + lines[-1]]))
    with pytest.raises(BadInputError, match="0xFC is not UTF-8") as caught:
        read(path)
    assert (caught.value.path, caught.value.line) == (str(path), len(lines))


@pytest.mark.parametrize(
    "name", ["samplesheet", "aliases", "gene list", "homologs", "sentences", "annotation", "fasta"]
)
@pytest.mark.parametrize("packed", [False, True])
def test_pipes_are_read(name: str, packed: bool, tmp_path: Path) -> None:
    read, text = READERS[name]
    path = tmp_path / "t.csv"
    path.write_text(text)
    expected = read(path)
    path.unlink()
    os.mkfifo(path)
    content = gzip.compress(text.encode()) if packed else text.encode()
    writer = threading.Thread(target=path.write_bytes, args=(content,))
    writer.start()
    assert read(path) == expected
    writer.join()


@pytest.mark.parametrize(
    "read", [read_loci, read_sheet, EvidenceFile, count_genes, lambda path: parse_source(f"s={path}")]
)
def test_what_is_read_more_than_once_takes_no_pipe(read: Callable[[Path], object], tmp_path: Path) -> None:
    """At once: nobody writes into this one."""
    os.mkfifo(tmp_path / "p")
    with pytest.raises(BadInputError, match="this is a pipe, and it is read more than once") as caught:
        read(tmp_path / "p")
    assert caught.value.path == str(tmp_path / "p")


def test_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line without an end, and a decompression bomb, end before they fill memory or disk."""
    path = tmp_path / "t"
    monkeypatch.setenv("TRANSGENIC_LIMITS", "line=1000, unpacked=1000000,ratio=10")
    path.write_text("a\n" + "b" * 2000)
    with pytest.raises(BadInputError, match="more than 1,000 bytes") as caught:
        list(text_lines(path))
    assert caught.value.line == 2
    assert "TRANSGENIC_LIMITS=line=" in str(caught.value)
    path.write_bytes(gzip.compress(b"A\n" * 1_000_000))
    with pytest.raises(BadInputError, match="unpacks to more than"), open_text(path) as handle:
        handle.read()
    path.write_bytes(gzip.compress(os.urandom(250_000).hex().encode()))
    with open_text(path) as handle:
        assert len(handle.read()) == 500_000
    monkeypatch.setenv("TRANSGENIC_LIMITS", "unpacked=2M,ratio=1")
    path.write_bytes(gzip.compress(b"A\n" * 1_000_000))
    with open_text(path) as handle:
        assert len(handle.read()) == 2_000_000


@pytest.mark.parametrize(
    "text", ["line", "line=", "line=-1", "line=0", "size=3", "line=1T", "line=1e3", "line=1;name=2"]
)
def test_limits_that_cannot_be_read_are_wrong_usage(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRANSGENIC_LIMITS", text)
    (tmp_path / "t").write_text("a\n")
    with pytest.raises(UsageError, match="TRANSGENIC_LIMITS"):
        list(text_lines(tmp_path / "t"))


def test_a_name_that_no_file_can_have(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError):
        open_text(tmp_path / "a\0b")


@given(text=st.text(st.sampled_from("a\r\n"), max_size=30), size=st.integers(1, 7))
def test_lines_are_those_of_universal_newlines(text: str, size: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Whatever the pieces in which the text comes."""
    path = tmp_path_factory.mktemp("t") / "t"
    path.write_bytes(text.encode())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "_BUFFER", size)
        lines = list(raw_lines(path))
        assert b"".join(lines) == text.encode()
        assert lines == text.encode().splitlines(keepends=True)
    ends = LineEnds()
    pieces = [ends.plain(text.encode()[i : i + size]) for i in range(0, len(text), size)]
    assert b"".join(pieces).decode() == text.replace("\r\n", "\n").replace("\r", "\n")


def _seconds(work: Callable[[], object]) -> float:
    best = float("inf")
    for _ in range(3):
        began = time.thread_time()
        work()
        best = min(best, time.thread_time() - began)
    return best


def _without_parents(n: int) -> str:
    """Old MAKER: genes by the order of their lines."""
    rows = (
        f"c\tx\t{kind}\t{100 * i + 1}\t{100 * i + 9}\t.\t+\t0\tID={kind}{i}\n"
        for i in range(n // 20)
        for kind in ("gene", "mRNA", "CDS")
    )
    return "".join(rows)


#: A file of some size in which one thing is repeated, and what reads it.
GROWING: dict[str, tuple[Callable[[int], str], Callable[[Path], object]]] = {
    "FASTA on one line": (lambda n: ">c\n" + "ACGT" * (250 * n), lambda path: Fasta(path).close()),
    "GFF3 of old Macs": (lambda n: GFF3.replace("\n", "\r") * (n // 10), read_annotation),
    "bad lines": (lambda n: "a line of words\n" * (n // 2) + GFF3, read_annotation),
    "bad coordinates": (lambda n: "c\tx\tCDS\t9\tx\t.\t+\t0\tParent=g1\n" * (n // 2) + GFF3, read_annotation),
    "lines without parents": (_without_parents, read_annotation),
    "FASTA of old Macs": (lambda n: ">c\r" + "ACGTACGTAC\r" * (100 * n), lambda path: Fasta(path).close()),
}


@pytest.mark.parametrize(("make", "read"), GROWING.values(), ids=GROWING)
def test_four_times_the_text_takes_four_times_as_long(
    make: Callable[[int], str], read: Callable[[Path], object], tmp_path: Path
) -> None:
    """Quadratic reading would take sixteen times as long."""
    small, large = tmp_path / "small", tmp_path / "large"
    small.write_text(make(5_000))
    large.write_text(make(20_000))
    assert _seconds(lambda: read(large)) < 9 * _seconds(lambda: read(small)) + 0.02
