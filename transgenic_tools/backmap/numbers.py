"""IDs by a pattern, numbered along each sequence in steps of ten, as communities number their genes.

In: genes sorted as they are written. Out: the same genes under new IDs; `source_gene` stays what it was.
A surprise: unlike IDs made of places, a number depends on all genes before it; the steps leave room for genes that are
found later.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from transgenic_tools.errors import UsageError
from transgenic_tools.genome.gene import Gene

STEP, DIGITS = 10, 5
_FIELDS = ("seqid", "sequence", "number")


def check_pattern(pattern: str) -> None:
    """Raises UsageError: the pattern cannot make IDs, or makes the same one twice."""
    try:
        made = {pattern.format(seqid=s, sequence=i, number=n) for i, s in enumerate("ab") for n in ("0", "1")}
        ones = {pattern.format(seqid="a", sequence=1, number=n) for n in ("0", "1")}
    except (KeyError, IndexError, ValueError) as error:
        raise UsageError(
            f"--id-pattern {pattern!r}: {error}",
            hint="write AT{sequence}G{number}; known are " + ", ".join(f"{{{name}}}" for name in _FIELDS),
        ) from None
    if len(ones) < 2 or any(char.isspace() or char in ";=,%&" for one in made for char in one):
        raise UsageError(
            f"--id-pattern {pattern!r} makes no IDs", hint="it needs {number}, and none of blanks and ; = , % &"
        )


def numbered(genes: Iterable[Gene], pattern: str, sequences: Mapping[str, int]) -> Iterator[Gene]:
    """Genes under IDs of the pattern.

    Args:
        sequences: Place of each seqid in the genome, from 1; others come behind, in the order in which they are met.
    """
    places, counts = dict(sequences), Counter[str]()
    by_sequence = "{seqid" in pattern or "{sequence" in pattern
    for gene in genes:
        place = places.setdefault(gene.seqid, len(places) + 1)
        group = gene.seqid if by_sequence else ""
        counts[group] += STEP
        new = pattern.format(seqid=gene.seqid, sequence=place, number=f"{counts[group]:0{DIGITS}d}")
        transcripts = tuple(replace(t, id=f"{new}.t{i}") for i, t in enumerate(gene.transcripts, start=1))
        source = gene.attributes.get("source_gene", (gene.id,))
        yield replace(gene, id=new, transcripts=transcripts, attributes={**gene.attributes, "source_gene": source})
