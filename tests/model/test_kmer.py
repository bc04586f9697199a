"""Bases to tokens and back: the exact maps, against an oracle that reads the text letter by letter."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from transgenic_tools.errors import BadInputError
from transgenic_tools.genome.sequence import encode
from transgenic_tools.model.encoders.kmer import (
    base_tokenizer,
    cut_segments,
    nucleotide_vocabulary,
    tokenize,
    tokenizer_from_vocabulary,
)

VOCABULARY = nucleotide_vocabulary()
SIX = tokenizer_from_vocabulary(VOCABULARY, 6)


def oracle(text: str, k: int) -> list[str]:
    """Leftmost-longest tokens over the vocabulary, as a regular expression."""
    return re.findall(rf"[ACGT]{{{k}}}|[ACGTN]", text)


@given(st.text("ACGTN", max_size=80))
@example("")
@example("ACGTACGNACGTACACGT")
@example("NNNNNNN")
@settings(max_examples=200, deadline=None)
def test_tokens_are_the_oracles_and_cover_every_base_once(text: str) -> None:
    tokens = tokenize(encode(text), SIX)
    words = [VOCABULARY[i] for i in tokens.ids]
    assert words == oracle(text, 6)
    assert "".join(words) == text
    for base, letter in enumerate(text):
        word = words[tokens.token_of_base[base]]
        assert word[tokens.offset_of_base[base]] == letter
        assert tokens.start[tokens.token_of_base[base]] + tokens.offset_of_base[base] == base


def test_published_ids() -> None:
    assert len(VOCABULARY) == 4105
    ids = tokenize(encode("AAAAAAAAAAATATTTTTCN"), SIX).ids.tolist()
    assert ids == [4, 5, 4 + 0 * 1024 + 1 * 256 + 1 * 64 + 1 * 16 + 1 * 4 + 1, 4102, 4104]


def test_iupac_letters_are_unknown() -> None:
    assert tokenize(encode("ACGTACR"), SIX).ids[-1] == SIX.base_ids[4]


def test_one_base_tokens() -> None:
    tokens = tokenize(encode("ACGTN"), base_tokenizer(7, class_id=None, pad_id=4))
    assert tokens.ids.tolist() == [7, 8, 9, 10, 11]
    assert tokens.token_of_base.tolist() == [0, 1, 2, 3, 4]


def test_a_vocabulary_of_other_kmers_is_refused() -> None:
    with pytest.raises(BadInputError, match="lacks"):
        tokenizer_from_vocabulary(nucleotide_vocabulary(3), 6)


@given(st.integers(0, 400), st.integers(2, 60), st.data())
@settings(max_examples=200, deadline=None)
def test_each_token_is_kept_once_and_with_context(n: int, size: int, data: st.DataObject) -> None:
    overlap = data.draw(st.integers(0, size - 1))
    segments = cut_segments(n, size=size, overlap=overlap)
    kept = [i for s in segments for i in range(s.keep_start, s.keep_end)]
    assert kept == list(range(n))
    for s in segments:
        assert s.start <= s.keep_start <= s.keep_end <= s.end
        assert s.end - s.start == min(n, size)
        assert s.start == 0 or s.keep_start - s.start >= overlap // 2
        assert s.end == n or s.end - s.keep_end >= overlap // 2


def test_an_overlap_as_large_as_the_segment_is_refused() -> None:
    with pytest.raises(ValueError, match="overlap"):
        cut_segments(10, size=4, overlap=4)


def test_large_window_in_little_time() -> None:
    codes = np.random.default_rng(1).integers(0, 4, 1_000_000).astype(np.uint8)
    assert len(tokenize(codes, SIX).ids) == 1_000_000 // 6 + 1_000_000 % 6
