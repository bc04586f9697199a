"""A tuned model's card says what it came of, and hands on what the initial model's card says of its sources."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tests.train.builders import shards
from transgenic_tools.model.files import EMBEDDED, model_hash
from transgenic_tools.train.card import Making, write_making
from transgenic_tools.train.sources import write_card
from transgenic_tools.train.start import samples_of

MAKING = Making(
    way="fine-tuning", genes=1234, samples=["ash", "nut"], judges="56 held-out genes",
    figures=[("gene_exact", 0.5, 0.625)], caution="They flatter.",
)  # fmt: skip


def test_what_the_initial_model_learned_is_handed_on(tmp_path: Path) -> None:
    write_making(tmp_path, EMBEDDED, MAKING)
    card = (tmp_path / "README.md").read_text()
    assert f"on 1,234 genes of ash, nut, from the model {model_hash(EMBEDDED)}, whose card is" in card
    assert "| gene_exact | 0.500 | 0.625 |" in card
    assert (tmp_path / "initial_model.md").read_text() == (EMBEDDED / "README.md").read_text()


def test_cards_of_a_chain_of_models_are_all_there(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        folder.mkdir()
        for name in ("config.json", "model.safetensors"):
            (folder / name).write_bytes((EMBEDDED / name).read_bytes())
    write_making(first, EMBEDDED, MAKING)
    write_making(second, first, replace(MAKING, genes=77))
    handed_on = (second / "initial_model.md").read_text()
    assert "1,234 genes" in handed_on
    assert "# The embedded model" in handed_on
    assert "77 genes" in (second / "README.md").read_text()


def test_a_card_that_is_written_again_keeps_what_others_wrote(tmp_path: Path) -> None:
    write_making(tmp_path, EMBEDDED, MAKING)
    write_card(tmp_path / "README.md", "| a table of sources |")
    card = tmp_path / "README.md"
    card.write_text(card.read_text() + "\nMine.\n")
    write_making(tmp_path, EMBEDDED, replace(MAKING, figures=()))
    again = card.read_text()
    assert "| a table of sources |" in again
    assert again.endswith("Mine.\n")
    assert "held-out" not in again
    assert again.count("## How it was made") == 1


def test_samples_are_those_of_the_shards(tmp_path: Path) -> None:
    assert samples_of(shards(tmp_path)) == ["s"]
