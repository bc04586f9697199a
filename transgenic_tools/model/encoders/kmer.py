"""Bases to tokens and back, exactly.

In: base codes (0-3 ACGT, 4 unknown). Out: token ids with, for every base, its token and its place in the token; and
segments of tokens, each token kept from exactly one of them.
Dims: L bases, T tokens, k bases of a whole token.

The rule is that of the Nucleotide Transformer's tokeniser: from the left, k known bases are one token; the bases left
over before an unknown base or the end are one token each, and so is every unknown base.
A surprise: after an unknown base the k-mers start anew, so one N shifts the frame of all that follows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise, product
from pathlib import Path

import numpy as np
import numpy.typing as npt

from transgenic_tools.errors import BadInputError
from transgenic_tools.genome.sequence import UNKNOWN_CODE

Ints = npt.NDArray[np.int64]
BASES = "ACGT"


@dataclass(frozen=True)
class Tokenizer:
    """Token ids of k-mers and single bases.

    Attributes:
        kmer: Bases of a whole token.
        kmer_ids: (4 ** kmer,) id of each k-mer, the first base the most significant digit (A0 C1 G2 T3).
        base_ids: (5,) ids of A, C, G, T and of an unknown base alone.
        class_id: Put before every segment; None for none.
        pad_id: Behind shorter segments.
    """

    kmer: int
    kmer_ids: Ints
    base_ids: Ints
    class_id: int | None
    pad_id: int


@dataclass(frozen=True)
class Tokens:
    """Tokens of one sequence.

    Attributes:
        ids: (T,).
        start: (T,) first base of each.
        token_of_base, offset_of_base: (L,).
    """

    ids: Ints
    start: Ints
    token_of_base: Ints
    offset_of_base: Ints


def nucleotide_vocabulary(kmer: int = 6) -> tuple[str, ...]:
    """Tokens by id of the Nucleotide Transformer and AgroNT: four special ones, all k-mers over ATCG, single bases."""
    words = ("".join(letters) for letters in product("ATCG", repeat=kmer))
    return ("<unk>", "<pad>", "<mask>", "<cls>", *words, "A", "T", "C", "G", "N")


def tokenizer_from_vocabulary(vocabulary: Sequence[str], kmer: int) -> Tokenizer:
    """Look the ids up in a list of tokens.

    Raises:
        BadInputError: a k-mer or a base is missing.
    """
    index = {word: i for i, word in enumerate(vocabulary)}
    words = ["".join(letters) for letters in product(BASES, repeat=kmer)]
    missing = [word for word in [*words, *BASES, "N"] if word not in index]
    if missing:
        raise BadInputError(
            f"the vocabulary lacks {len(missing)} tokens, {missing[0]!r} first", hint=f"is this a {kmer}-mer model?"
        )
    return Tokenizer(
        kmer,
        np.array([index[word] for word in words], dtype=np.int64),
        np.array([index[base] for base in (*BASES, "N")], dtype=np.int64),
        index.get("<cls>"),
        index.get("<pad>", 0),
    )


def read_vocabulary(path: Path) -> tuple[str, ...]:
    """The tokens of a `vocab.txt`, by id."""
    return tuple(path.read_text(encoding="utf-8").split())


def base_tokenizer(first_base_id: int, *, class_id: int | None, pad_id: int) -> Tokenizer:
    """One token a base: A, C, G, T, N are `first_base_id` and the four ids that follow."""
    ids = np.arange(first_base_id, first_base_id + 5, dtype=np.int64)
    return Tokenizer(1, ids[:4], ids, class_id, pad_id)


def tokenize(codes: npt.NDArray[np.integer], tokenizer: Tokenizer) -> Tokens:
    """Tokens of one sequence; see the module docstring for the rule.

    Args:
        codes: (L,) without padding.
    """
    k, length = tokenizer.kmer, len(codes)
    known = codes < UNKNOWN_CODE
    index = np.arange(length)
    opens = known & ~np.concatenate([[False], known[:-1]])[:length]
    run = np.cumsum(opens) - 1
    run_start = np.flatnonzero(opens)
    run_length = np.bincount(run[known], minlength=len(run_start)) if length else np.zeros(0, dtype=np.int64)
    within = np.zeros(length, dtype=np.int64)
    whole = np.zeros(length, dtype=np.int64)
    within[known] = index[known] - run_start[run[known]]
    whole[known] = run_length[run[known]] // k * k
    in_kmer = known & (within < whole)
    first = ~in_kmer | (within % k == 0)
    token_of_base = np.cumsum(first) - 1
    start = np.flatnonzero(first)
    ids = tokenizer.base_ids[np.minimum(codes[start], UNKNOWN_CODE)]
    heads = start[in_kmer[start]]
    number = np.zeros(len(heads), dtype=np.int64)
    for place in range(k):
        number = number * 4 + codes[heads + place]
    ids[in_kmer[start]] = tokenizer.kmer_ids[number]
    return Tokens(ids, start, token_of_base, index - start[token_of_base] if length else index)


@dataclass(frozen=True)
class Segment:
    """Tokens [start, end) are computed together; of them [keep_start, keep_end) are kept."""

    start: int
    end: int
    keep_start: int
    keep_end: int


def cut_segments(n_tokens: int, *, size: int, overlap: int) -> list[Segment]:
    """Segments of at most `size` tokens; the kept parts follow one another without gap.

    The last segment is moved left to be full where the sequence is long enough.
    """
    if size <= overlap:
        raise ValueError(f"segments of {size} tokens cannot overlap by {overlap}")
    if n_tokens <= size:
        return [Segment(0, n_tokens, 0, n_tokens)] if n_tokens else []
    starts = [*range(0, n_tokens - size, size - overlap), n_tokens - size]
    bounds = [0, *((left + size + right) // 2 for left, right in pairwise(starts)), n_tokens]
    return [Segment(s, s + size, bounds[i], bounds[i + 1]) for i, s in enumerate(starts)]
