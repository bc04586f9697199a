"""Evidence as a user has it, for tools that read the file of `tg-evidence`.

In: that file, or whatever `tg-evidence` takes. Out: the file.
A surprise: it is made beside the tool's own output, by the same code, and the tool says so.
"""

from __future__ import annotations

import logging
from pathlib import Path

from transgenic_tools.errors import UsageError

_LOG = logging.getLogger(__name__)


def evidence_file(given: Path, *, fasta: Path | None, aliases: Path | None, outdir: Path, threads: int) -> Path:
    """The Parquet file that was given, or the one made from what was given.

    Raises:
        UsageError: it has to be made, and the genome is missing.
        MissingInputError, BadInputError: as `tg-evidence`.
    """
    from transgenic_tools.io.junctions import is_evidence_file

    if is_evidence_file(given):
        return given
    if fasta is None:
        raise UsageError(
            f"{given} is no file of tg-evidence, and to make one from it needs the genome",
            hint="add --fasta GENOME.fa, or run tg-evidence first",
        )
    from transgenic_tools.evidence.config import Config
    from transgenic_tools.evidence.run import run

    out = outdir / "evidence" / "evidence.parquet"
    result = run(Config(sheet=given, fasta=fasta, out=out, aliases=aliases, threads=threads))
    _LOG.info("%s: %d junctions, %d chains of %d inputs", out, result.junctions, result.chains, len(result.inputs))
    return out
