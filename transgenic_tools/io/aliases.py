"""Names of one sequence in different files.

In: a table with the names of one sequence on each line. Out: every other name to the one that the FASTA has.
A surprise: columns may stand in any order; a name that the FASTA lacks is an alias wherever it stands.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from transgenic_tools.errors import BadInputError
from transgenic_tools.io.files import text_lines


def read_aliases(path: Path, fasta_names: Iterable[str]) -> dict[str, str]:
    """Every name of a table's line to the one that the FASTA has.

    The table has one sequence a line, its names in tab-separated columns, in any order; `#` begins a comment. NCBI's
    assembly report is such a table.

    Raises:
        BadInputError: a line names two sequences of the FASTA.
    """
    known = set(fasta_names)
    aliases: dict[str, str] = {}
    for number, line in text_lines(path):
        names = [name.strip() for name in line.split("\t") if name.strip()]
        if not names or line.startswith("#"):
            continue
        targets = dict.fromkeys(name for name in names if name in known)
        if len(targets) > 1:
            raise BadInputError(
                f"one line names two sequences of the FASTA: {', '.join(targets)}",
                path=path,
                line=number,
                hint="write one sequence a line",
            )
        for target in targets:
            aliases.update((name, target) for name in names if name not in known)
    return aliases
