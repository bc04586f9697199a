"""Settings of one run of generation.

In: flags of `tg-generate`. Out: the frozen `Config`.
A surprise: how transcripts are searched is `search.config.DecodingConfig`, shared with calibration.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from transgenic_tools.choices import Device, Precision
from transgenic_tools.errors import UsageError
from transgenic_tools.genome.code import STANDARD, GeneticCode
from transgenic_tools.search.config import DecodingConfig


@dataclass(frozen=True, kw_only=True)
class Config:
    """One run of `tg-generate`.

    Attributes:
        complete: Known transcripts are the prompt, and only what is new is written.
        add_utrs: With `complete`, known transcripts without UTRs are written with some, too.
        precision: Of the trunk; `auto` is bf16 on CPUs that multiply it natively, else fp32.
        max_length: Longer windows are not read; their genes have the flag `window_too_long`. None: what fits.
        min_region: Regions of unknown structure that are less probable to hold a gene get none; 0 judges none.
        scan_model: Who judges; see `generate.judge.judge_of` for the default.
        genetic_code: What codons and introns are.
        condition: Sample that is predicted for; None for none.
        conditions: Table with that sample's numbers; None where the model was trained on the sample.
        against: Sample that the condition is held against; None to compare nothing.
        usage: Evidence file of both samples, whose reads stand beside what changes; it guides nothing. None: those of
            `evidence` do, where it has both samples.
        encodings: Directory of `tg-encode`; windows that it holds are not encoded again.
        evidence: File of `tg-evidence`; None: DNA alone.
    """

    shards: tuple[Path, ...]
    model: Path | None
    outdir: Path
    decoding: DecodingConfig = field(default_factory=DecodingConfig)
    device: Device = "auto"
    precision: Precision = "auto"
    threads: int = 1
    batch_bases: int = 200_000
    complete: bool = False
    add_utrs: bool = False
    split: str | None = None
    overwrite: bool = False
    max_length: int | None = None
    condition: str | None = None
    conditions: Path | None = None
    against: str | None = None
    usage: Path | None = None
    encodings: Path | None = None
    min_region: float = 0.05
    scan_model: Path | None = None
    evidence: Path | None = None
    genetic_code: GeneticCode = STANDARD

    def __post_init__(self) -> None:
        if self.add_utrs and not self.complete:
            raise UsageError("--add-utrs, but nothing is known", hint="add --complete: known transcripts get UTRs")


def check_samples(condition: str | None, flags: Mapping[str, object]) -> None:
    """Raises UsageError for flags that say nothing without a sample to predict for, and for one against itself.

    Args:
        flags: Those of `--condition`, with their values; `--against` is among them.
    """
    against = flags["--against"]
    if condition is None:
        for flag, value in flags.items():
            if value is not None:
                raise UsageError(f"{flag}, but no --condition", hint="name the sample to predict for with --condition")
    elif against == condition:
        raise UsageError(f"--against {against}, which is --condition: nothing changes", hint="name another sample")
