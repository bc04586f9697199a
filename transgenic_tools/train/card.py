"""The card of a model that was made from another one: how, from how much, and what it brought.

In: the initial model's directory, samples and numbers of genes, figures before and after. Out: `README.md` in the
model's directory, and the initial model's card beside it (`initial_model.md`).
A surprise: parts of a card stand between markers, so that one that is written again leaves what a user wrote, and the
table of `train.sources`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from transgenic_tools.model.files import model_hash
from transgenic_tools.provenance import Provenance, write_aside

CARD, INITIAL_CARD = "README.md", "initial_model.md"


@dataclass(frozen=True, kw_only=True)
class Making:
    """How a model came of another one.

    Attributes:
        way: What made it, for a sentence.
        genes: That were learned; samples: whose they are.
        judges: What the figures are of.
        figures: Name, before, after.
        caution: What the figures cannot tell.
    """

    way: str
    genes: int
    samples: Sequence[str]
    judges: str
    figures: Sequence[tuple[str, float, float]]
    caution: str


def write_part(path: Path, name: str, heading: str, text: str) -> None:
    """A part of a card between its markers, in place of the one there or at the end; a new card where there is none."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    card = path.read_text(encoding="utf-8") if path.exists() else "# Model card\n"
    part = f"{begin}\n\n{text}\n\n{end}"
    if begin in card and end in card:
        card = card.split(begin)[0] + part + card.split(end, 1)[1]
    else:
        card = f"{card.rstrip()}\n\n## {heading}\n\n{part}\n"
    with write_aside(path) as aside:
        aside.write_text(card, encoding="utf-8")


def write_making(directory: Path, initial: Path, making: Making) -> None:
    """The card of a model, and that of the one it was made from."""
    cards = [initial / name for name in (CARD, INITIAL_CARD) if (initial / name).is_file()]
    if cards:
        with write_aside(directory / INITIAL_CARD) as aside:
            aside.write_text("\n".join(card.read_text(encoding="utf-8") for card in cards), encoding="utf-8")
    known = f"whose card is [{INITIAL_CARD}]({INITIAL_CARD})" if cards else "which has no card"
    rows = "".join(f"\n| {name} | {before:.3f} | {after:.3f} |" for name, before, after in making.figures)
    table = f"| {making.judges} | before | after |\n|---|---|---|{rows}\n\n{making.caution}\n\n" if rows else ""
    made = (
        f"By {making.way} (transgenic_tools {Provenance('tg-train').version}) on {making.genes:,} genes of "
        f"{', '.join(making.samples)}, from the model {model_hash(initial)}, {known}. What that one learned went into "
        "this one too, and its terms hold here.\n\n"
    )
    wanted = "Where these genes come from and on which terms belongs here: `python -m transgenic_tools.train.sources`."
    write_part(directory / CARD, "making", "How it was made", f"{made}{table}{wanted}")
