"""Where the genes of a model come from, on which terms, and how many there are: for recipes and for a model's card.

In: a sheet of genomes (`train.genomes`) and a table of sources (`assets/sources.yaml`, or one's own of the same shape).
Out: a sheet of the open ones alone, and a table in Markdown.
Usage: python -m transgenic_tools.train.sources SHEET [--sources TABLE] [--open --out SHEET] [--card README.md]
A surprise: a genome that the table does not name stops it. What nobody has written down is not open.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import yaml

from transgenic_tools.errors import BadInputError, TransgenicError, UsageError
from transgenic_tools.io.files import whole_text
from transgenic_tools.io.shards import expand_shards, read_columns
from transgenic_tools.provenance import write_aside
from transgenic_tools.train.card import write_part
from transgenic_tools.train.genomes import GenomeEntry, read_sheet

TABLE = Path(__file__).resolve().parents[1] / "assets" / "sources.yaml"


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Where a genome comes from.

    Attributes:
        open: A model learned from it may be handed on freely by its terms.
    """

    species: str
    source: str
    terms: str
    open: bool


def read_sources(path: Path) -> dict[str, Origin]:
    """Origins by the genome's name.

    Raises:
        BadInputError: no table of sources, or an entry that lacks something.
    """
    given = yaml.safe_load(whole_text(path))
    if not isinstance(given, dict) or not isinstance(given.get("sources"), dict):
        raise BadInputError("no mapping 'sources'", path=path, hint=f"compare with {TABLE}")
    wanted = {f.name for f in fields(Origin)}
    origins = {}
    for name, values in given["sources"].items():
        if not isinstance(values, dict) or set(values) != wanted or not isinstance(values["open"], bool):
            raise BadInputError(
                f"source {name!r} needs {', '.join(sorted(wanted))} and nothing else", path=path,
                hint="open is true or false",
            )  # fmt: skip
        texts = {key: str(value) for key, value in values.items() if key != "open"}
        origins[str(name)] = Origin(**texts, open=values["open"])
    return origins


def origins_of(entries: Sequence[GenomeEntry], origins: Mapping[str, Origin]) -> dict[str, Origin]:
    """Of each genome of a sheet.

    Raises:
        UsageError: the table does not name one.
    """
    unknown = [entry.name for entry in entries if entry.name not in origins]
    if unknown:
        raise UsageError(
            f"nobody has written down where {', '.join(unknown)} comes from", hint="add it to the table of sources"
        )
    return {entry.name: origins[entry.name] for entry in entries}


def open_sheet(sheet: Path, origins: Mapping[str, Origin]) -> tuple[dict[str, Any], list[str]]:
    """The sheet with its open genomes alone, shares scaled to their old sums; and the names that are left out.

    Raises:
        UsageError: none is open, or as `origins_of`.
    """
    given = yaml.safe_load(whole_text(sheet))
    of = origins_of(read_sheet(sheet), origins)
    kept = [dict(values) for values in given["genomes"] if of[values["name"]].open]
    if not kept:
        raise UsageError("no genome of the sheet is open", hint="see the table of sources")
    for share in ("gene_share", "tile_share"):
        before = sum(values.get(share, 0.0) for values in given["genomes"])
        after = sum(values.get(share, 0.0) for values in kept)
        for values in kept:
            if values.get(share) and after:
                values[share] = round(values[share] * before / after, 4)
    return {**given, "genomes": kept}, [name for name, origin in of.items() if not origin.open]


def genes_of(entry: GenomeEntry) -> int:
    """Genes that are learned: with a structure, in split train or none, not excluded."""
    excluded = set(entry.exclude.read_text(encoding="utf-8").split()) if entry.exclude else set()
    count = 0
    for path in expand_shards([entry.shards]):
        columns = read_columns(path, ["gene_id", "split", "n_transcripts"])
        rows = zip(*(columns[name].to_pylist() for name in ("gene_id", "split", "n_transcripts")), strict=True)
        count += sum(
            transcripts > 0 and split in (None, "train") and gene not in excluded for gene, split, transcripts in rows
        )
    return count


def card(sheet: Path, origins: Mapping[str, Origin]) -> str:
    """A table for a model's card."""
    entries = read_sheet(sheet)
    of = origins_of(entries, origins)
    lines = ["| species | genes learned | source | terms | open |", "|---|---|---|---|---|"]
    for entry in entries:
        origin = of[entry.name]
        lines.append(
            f"| *{origin.species}* | {genes_of(entry):,} | {origin.source} | {origin.terms} | "
            f"{'yes' if origin.open else 'no'} |"
        )
    return "\n".join(lines)


def write_card(path: Path, table: str) -> None:
    """Into the card, between its markers; a new card where there is none, at the end where it has no markers."""
    write_part(path, "sources", "Sources", table)


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code of the command."""
    parser = argparse.ArgumentParser(prog="python -m transgenic_tools.train.sources", description=__doc__)
    parser.add_argument("sheet", type=Path)
    parser.add_argument("--sources", type=Path, default=TABLE, help="table of sources; the project's by default")
    parser.add_argument("--open", action="store_true", help="leave out what is not open (with --out)")
    parser.add_argument("--out", type=Path, help="where the sheet of open genomes is written")
    parser.add_argument("--card", type=Path, help="model card that the table is written into")
    given = parser.parse_args(argv)
    try:
        origins = read_sources(given.sources)
        if given.open:
            if given.out is None or given.out.parent.resolve() != given.sheet.parent.resolve():
                raise UsageError("--open needs --out beside the sheet", hint="paths of a sheet are relative to it")
            sheet, left_out = open_sheet(given.sheet, origins)
            for name in left_out:
                print(f"{name} is left out: its terms are {origins[name].terms!r}", file=sys.stderr)
            with write_aside(given.out) as aside:
                aside.write_text(yaml.safe_dump(sheet, sort_keys=False), encoding="utf-8")
        table = card(given.out or given.sheet, origins)
        if given.card is not None:
            write_card(given.card, table)
        print(table)
    except TransgenicError as error:
        print(f"sources: error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
