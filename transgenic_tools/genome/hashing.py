"""Random numbers that depend on names alone.

In: any parts. Out: a number or a numpy generator, the same on every machine, in every order, for any number of
workers.
A surprise: Python's own `hash` is salted by process and must never be used for this.
"""

from __future__ import annotations

import hashlib

import numpy as np


def stable_rng(*parts: object) -> np.random.Generator:
    """A generator seeded by `parts` joined as text."""
    digest = hashlib.blake2b("|".join(map(str, parts)).encode(), digest_size=8).digest()
    return np.random.default_rng(int.from_bytes(digest, "little"))


def uniform_hash(*parts: object) -> float:
    """A number in [0, 1) from the parts' text, the same on every machine."""
    digest = hashlib.sha256(":".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:6], "big") / (1 << 48)
