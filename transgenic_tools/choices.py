"""What a user may choose in more than one command, and what they get unasked: once.

In: nothing. Out: literal types and defaults, for configs, flags and the pipeline's schema (a test compares).
A surprise: this module imports nothing, so that `--help` can show its values at once.
"""

from __future__ import annotations

from typing import Literal

Device = Literal["auto", "cpu", "cuda"]
#: Of reading; `auto` is bf16 on CPUs that multiply it natively, else fp32.
Precision = Literal["auto", "fp32", "bf16"]
TrainingPrecision = Literal["fp32", "bf16"]
#: Of genes; a shard may say none.
Split = Literal["train", "validation", "test"]
#: Bases of windows in one shard: some 6,000 genes, one task of the pipeline.
SHARD_BASES = 20_000_000
#: Loci of a scan that are less probable than this are left out.
LEAST_LOCUS = 0.4
#: Of the numbers in a table of conditions: log2(1 + x) for TPM and counts, or as they are.
Scale = Literal["log", "plain"]
