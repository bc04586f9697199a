"""tg-encode: store the encodings of a pretrained encoder.

In: shards of `tg-prep`, a model with a pretrained encoder. Out: `encodings-*.parquet`.
A surprise: the size is said before anything is computed, and a run above --limit-gb does not start.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from transgenic_tools.cli._errors import entry_point
from transgenic_tools.cli._options import (
    DeviceOption,
    JsonOption,
    OutdirOption,
    QuietOption,
    ThreadsOption,
    VerboseOption,
    VersionOption,
    new_app,
    say_json,
    set_up_logging,
)
from transgenic_tools.encode.config import Config, Dtype

app = new_app("Store token encodings of a pretrained encoder.")


@app.command()
def encode(
    shards: Annotated[list[Path], typer.Argument(help="Gene shards (genes-*.parquet) or directories of them.")],
    model: Annotated[
        Path, typer.Option("--model", "-m", help="Model directory with a pretrained encoder (of tg-train).")
    ],
    outdir: OutdirOption,
    dtype: Annotated[
        Dtype, typer.Option(help="int8 has one scale a vector; fp16 takes twice the room.")
    ] = Config.dtype,
    pool: Annotated[int, typer.Option(min=1, help="Neighbouring tokens averaged into one vector.")] = Config.pool,
    limit_gb: Annotated[float, typer.Option(min=0, help="Do not start above this size.")] = Config.limit_gb,
    batch_bases: Annotated[
        int, typer.Option(min=1, help="Bases of the windows encoded together.")
    ] = Config.batch_bases,
    device: DeviceOption = Config.device,
    threads: ThreadsOption = Config.threads,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Encode again what is there already.")] = False,
    json_summary: JsonOption = None,
    verbose: VerboseOption = 0,
    quiet: QuietOption = False,
    version: VersionOption = False,
) -> None:
    """Store token encodings of a pretrained encoder.

    Example: tg-encode shards/ --model model/ --outdir encodings/
    """
    set_up_logging(verbose, quiet)
    from transgenic_tools.encode.run import run

    result = run(
        Config(
            shards=tuple(shards), model=model, outdir=outdir, dtype=dtype, pool=pool, limit_gb=limit_gb,
            batch_bases=batch_bases, device=device, threads=threads, overwrite=overwrite,
        )
    )  # fmt: skip
    summary = {key: getattr(result, key) for key in ("genes", "announced", "written", "reused", "seconds")}
    summary["files"] = [str(path) for path in result.files]
    if not say_json(json_summary, json.dumps(summary)) and not quiet:
        typer.echo(f"{result.genes} windows, {result.written / 1e6:.1f} MB in {outdir}")


main = entry_point(app, "tg-encode")
