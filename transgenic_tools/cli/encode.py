"""tg-encode: store the encodings of a pretrained encoder.

In: shards of `tg-prep`, a model with a pretrained encoder. Out: `encodings-*.parquet`.
A surprise: the size is said before anything is computed, and a run above --limit-gb does not start.
"""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from transgenic_tools.cli._errors import entry_point
from transgenic_tools.cli._options import (
    JsonOption,
    OutdirOption,
    QuietOption,
    ThreadsOption,
    VerboseOption,
    VersionOption,
    new_app,
    set_up_logging,
)

app = new_app("Store token encodings of a pretrained encoder.")


class DtypeName(StrEnum):
    """How values are stored."""

    int8 = "int8"
    fp16 = "fp16"


class DeviceName(StrEnum):
    """Where the model runs."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"


@app.command()
def encode(
    shards: Annotated[list[Path], typer.Argument(help="Gene shards (genes-*.parquet) or directories of them.")],
    model: Annotated[Path, typer.Option("--model", "-m", help="Model directory with a pretrained encoder.")],
    outdir: OutdirOption,
    dtype: Annotated[
        DtypeName, typer.Option(help="int8 has one scale a vector; fp16 takes twice the room.")
    ] = DtypeName.int8,
    pool: Annotated[int, typer.Option(min=1, help="Neighbouring tokens averaged into one vector.")] = 2,
    limit_gb: Annotated[float, typer.Option(min=0, help="Do not start above this size.")] = 50.0,
    batch_bases: Annotated[int, typer.Option(min=1, help="Bases of the windows encoded together.")] = 50_000,
    device: Annotated[DeviceName, typer.Option(help="auto takes CUDA where there is one.")] = DeviceName.auto,
    threads: ThreadsOption = 1,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Encode again what is there already.")] = False,
    json_summary: JsonOption = False,
    verbose: VerboseOption = 0,
    quiet: QuietOption = False,
    version: VersionOption = False,
) -> None:
    """Store token encodings of a pretrained encoder.

    Example: tg-encode shards/ --model model/ --outdir encodings/
    """
    set_up_logging(verbose, quiet)
    from transgenic_tools.encode.config import Config
    from transgenic_tools.encode.run import run

    result = run(
        Config(
            shards=tuple(shards), model=model, outdir=outdir, dtype=dtype.value, pool=pool, limit_gb=limit_gb,
            batch_bases=batch_bases, device=device.value, threads=threads, overwrite=overwrite,
        )
    )  # fmt: skip
    if json_summary:
        summary = {key: getattr(result, key) for key in ("genes", "announced", "written", "reused", "seconds")}
        typer.echo(json.dumps({**summary, "files": [str(path) for path in result.files]}))
    elif not quiet:
        typer.echo(f"{result.genes} windows, {result.written / 1e6:.1f} MB in {outdir}")


main = entry_point(app, "tg-encode")
