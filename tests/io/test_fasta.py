"""FASTA as it comes: line ends, letters, compression, large genomes; and what is none."""

from __future__ import annotations

import gzip
from pathlib import Path

import pysam
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transgenic_tools.errors import BadInputError, MissingInputError
from transgenic_tools.io import fasta
from transgenic_tools.io.fasta import Fasta

TEXT = ">chr1 a description | with bars\nACGTacgt\nNNNNRYKM\nAC\n>lcl|chr2|x\nTTTT\n"


def _check(path: Path) -> None:
    with Fasta(path) as opened:
        assert dict(opened.lengths) == {"chr1": 18, "lcl|chr2|x": 4}
        assert opened.fetch("chr1") == "ACGTACGTNNNNRYKMAC"
        assert opened.fetch("chr1", 6, 14) == "GTNNNNRY"
        assert opened.fetch("lcl|chr2|x", -3, 90) == "TTTT"
        assert opened.padded("lcl|chr2|x", -2, 7) == "NNTTTTNNN"
        assert opened.padded("lcl|chr2|x", 10, 13) == "NNN"


def test_plain_gzip_bgzip_and_line_ends(tmp_path: Path) -> None:
    plain = tmp_path / "g.fa"
    plain.write_text(TEXT)
    (tmp_path / "g.fa.gz").write_bytes(gzip.compress(TEXT.encode()))
    pysam.tabix_compress(str(plain), str(tmp_path / "g.fa.bgz"))
    (tmp_path / "crlf.fa").write_bytes(TEXT.replace("\n", "\r\n").encode())
    (tmp_path / "cr.fa").write_bytes(TEXT.replace("\n", "\r").encode())
    (tmp_path / "no_end.fa").write_text(TEXT.rstrip())
    (tmp_path / "blank.fa").write_text("\n\n" + TEXT.replace("\n>", "\n\n>"))
    for name in ("g.fa", "g.fa.gz", "g.fa.bgz", "crlf.fa", "cr.fa", "no_end.fa", "blank.fa"):
        _check(tmp_path / name)


def test_a_large_genome_is_staged_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fasta, "MEMORY_LIMIT", 10)
    path = tmp_path / "g.fa"
    path.write_text(TEXT)
    before = set(tmp_path.iterdir())
    _check(path)
    with Fasta(path, stage_dir=tmp_path) as opened:
        assert opened.fetch("chr1", 16) == "AC"
        assert set(tmp_path.iterdir()) == before, "the staged copy has no name"


def test_rna_letters_read_as_dna(tmp_path: Path) -> None:
    path = tmp_path / "g.fa"
    path.write_text(">a\nACGUu\n")
    with Fasta(path) as opened:
        assert opened.fetch("a") == "ACGTT"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b">p\nMEDQVGFGF\n", "the letter 'E' is not a base"),
        (b"ACGT\n>a\nA\n", "not FASTA"),
        (b"##gff-version 3\n", "not FASTA"),
        (b">a\nA\n>a b\nC\n", "two sequences have the name 'a'"),
        (b">\nA\n", "without a name"),
        (b"", "no sequence"),
        (b"\x1f\x8b\x08\x00cut", "cut short or damaged"),
    ],
)
def test_what_is_no_genome(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "g.fa"
    path.write_bytes(content)
    with pytest.raises(BadInputError, match=words):
        Fasta(path)


def test_the_line_of_a_wrong_letter_is_named(tmp_path: Path) -> None:
    path = tmp_path / "g.fa"
    path.write_text(">a\nACGT\n>b\nACGT\nAC!T\n")
    with pytest.raises(BadInputError) as caught:
        Fasta(path)
    assert (caught.value.line, caught.value.feature) == (5, "b")


def test_missing(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError):
        Fasta(tmp_path / "none.fa")


@settings(max_examples=30, deadline=None)
@given(
    sequences=st.dictionaries(st.from_regex(r"[A-Za-z0-9_.|]{1,8}", fullmatch=True), st.text("ACGTN", max_size=60)),
    width=st.integers(1, 30),
    block=st.integers(1, 40),
)
def test_any_line_width_and_block_size(
    sequences: dict[str, str], width: int, block: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    if not sequences:
        return
    path = tmp_path_factory.mktemp("f") / "g.fa"
    lines = []
    for name, bases in sequences.items():
        lines += [f">{name}", *(bases[i : i + width] for i in range(0, len(bases), width))]
    path.write_text("\n".join(lines) + "\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fasta, "_BLOCK", block)
        with Fasta(path) as opened:
            assert {name: opened.fetch(name) for name in opened.names} == sequences
