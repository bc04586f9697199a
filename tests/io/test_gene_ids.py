"""One way to say which gene is meant, in tg-prep inspect and tg-report gene."""

from __future__ import annotations

import pytest

from transgenic_tools.io.gene_ids import find_id, near_ones, spellings

IDS = ("gene-AT1G01010", "gene:AT1G01020", "at1g01030", "AT1G01030")


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("gene-AT1G01010", "gene-AT1G01010"),
        ("AT1G01010", "gene-AT1G01010"),
        ("at1g01020", "gene:AT1G01020"),
        ("GENE:AT1G01020", "gene:AT1G01020"),
        ("AT1G01030", "AT1G01030"),  # as it stands, though another comes first in other letters
        ("At1g01030", "at1g01030"),
        ("AT1G0101", None),
        ("", None),
    ],
)
def test_an_id_in_its_spellings(typed: str, found: str | None) -> None:
    assert find_id(typed, iter(IDS)) == found


def test_near_ones_are_named() -> None:
    assert near_ones("gene-AT1G0101", IDS).startswith("near ones: gene-AT1G01010")
    assert near_ones("xyz", IDS) == ""
    assert spellings("gene-A") == {"gene-a", "a"}
