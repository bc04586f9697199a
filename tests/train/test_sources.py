"""Sources of a model: what is open, what nobody has written down, the table of a card."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.train.builders import planted_row
from transgenic_tools.errors import BadInputError, UsageError
from transgenic_tools.io.shards import write_gene_shards
from transgenic_tools.provenance import Provenance
from transgenic_tools.train import sources

ROOT = Path(__file__).parents[2]
FREE = {"species": "Planta libera", "source": "one package", "terms": "MIT", "open": True}
TABLE = {
    "free": FREE,
    "other": {"species": "Planta altera", "source": "another", "terms": "CC0", "open": True},
    "shut": {"species": "Planta clausa", "source": "a page", "terms": "none stated", "open": False},
}


@pytest.fixture
def sheet(tmp_path: Path) -> Path:
    rows = [planted_row(i, split="train") for i in range(5)]
    rows.append(planted_row(5, split="test"))
    for name in TABLE:
        write_gene_shards(rows, tmp_path / name, provenance=Provenance("test"))
    (tmp_path / "near.txt").write_text("gene1\n")
    genomes = [
        {"name": "free", "shards": "free", "gene_share": 0.25, "tile_share": 0.5},
        {"name": "shut", "shards": "shut", "gene_share": 0.5, "tile_share": 0.5},
        {"name": "other", "shards": "other", "gene_share": 0.25, "exclude": "near.txt"},
    ]
    path = tmp_path / "genomes.yaml"
    path.write_text(yaml.safe_dump({"genomes": genomes}))
    (tmp_path / "sources.yaml").write_text(yaml.safe_dump({"sources": TABLE}))
    return path


def ask(sheet: Path, *flags: str) -> int:
    return sources.main([str(sheet), "--sources", str(sheet.with_name("sources.yaml")), *flags])


def test_open_sources_alone_keep_the_sums_of_the_shares(sheet: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = sheet.with_name("open.yaml")
    assert ask(sheet, "--open", "--out", str(out)) == 0
    kept = yaml.safe_load(out.read_text())["genomes"]
    assert [(g["name"], g["gene_share"], g.get("tile_share")) for g in kept] == [
        ("free", 0.5, 1.0), ("other", 0.5, None)
    ]  # fmt: skip
    said = capsys.readouterr()
    assert "shut is left out: its terms are 'none stated'" in said.err
    assert "| *Planta libera* | 5 | one package | MIT | yes |" in said.out
    assert "| *Planta altera* | 4 | another | CC0 | yes |" in said.out, "without the test gene and the excluded one"
    assert "Planta clausa" not in said.out


def test_a_card_is_written_between_its_markers_again_and_again(sheet: Path) -> None:
    card = sheet.with_name("README.md")
    card.write_text("# A model\n\nProse.\n")
    assert ask(sheet, "--card", str(card)) == 0
    first = card.read_text()
    assert first.startswith("# A model\n\nProse.\n")
    assert "| *Planta clausa* | 5 | a page | none stated | no |" in first
    assert ask(sheet, "--card", str(card)) == 0
    assert card.read_text() == first


def test_a_genome_that_nobody_has_written_down_stops_it(sheet: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sheet.write_text(yaml.safe_dump({"genomes": [{"name": "strange", "shards": "free"}]}))
    assert ask(sheet) == UsageError("").exit_code
    assert "where strange comes from" in capsys.readouterr().err


def test_without_an_open_genome_there_is_no_sheet(sheet: Path) -> None:
    sheet.write_text(yaml.safe_dump({"genomes": [{"name": "shut", "shards": "shut"}]}))
    assert ask(sheet, "--open", "--out", str(sheet.with_name("open.yaml"))) == 2
    assert not sheet.with_name("open.yaml").exists()
    assert ask(sheet, "--open") == 2, "where to?"


@pytest.mark.parametrize("entry", [{"species": "x"}, {**FREE, "open": "yes"}, 3])
def test_an_entry_that_lacks_something_is_refused(tmp_path: Path, entry: object) -> None:
    (tmp_path / "s.yaml").write_text(yaml.safe_dump({"sources": {"x": entry}}))
    with pytest.raises(BadInputError, match="x"):
        sources.read_sources(tmp_path / "s.yaml")


def test_the_genomes_of_the_recipe_are_written_down() -> None:
    """Every name that bin/make-trunk puts into its sheet."""
    origins = sources.read_sources(sources.TABLE)
    text = (ROOT / "bin" / "make-trunk").read_text()
    for name in origins:
        assert name in text
    assert {name for name, origin in origins.items() if not origin.open} == {
        "bertholletia_train", "bertholletia_regions"
    }  # fmt: skip
