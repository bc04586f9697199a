"""Settings of `tg-encode`.

In: flags. Out: the frozen `Config` that `run` takes.
A surprise: the size is computed before the first window is encoded; above `limit_gb` nothing is written.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from transgenic_tools.choices import Device
from transgenic_tools.errors import UsageError

Dtype = Literal["int8", "fp16"]


@dataclass(frozen=True, kw_only=True)
class Config:
    """One run.

    Attributes:
        dtype: `int8` (a byte a value and one scale a token) or `fp16`.
        pool: Neighbouring tokens averaged into one stored vector.
        limit_gb: Most that may be written.
        batch_bases: Bases of the windows that are encoded together.
    """

    shards: tuple[Path, ...]
    model: Path
    outdir: Path
    dtype: Dtype = "int8"
    pool: int = 2
    limit_gb: float = 50.0
    batch_bases: int = 50_000
    device: Device = "auto"
    threads: int = 1
    overwrite: bool = False

    def __post_init__(self) -> None:
        if not self.limit_gb > 0:  # NaN is not
            raise UsageError(f"--limit-gb {self.limit_gb} is out of range", hint="give a number above 0")
