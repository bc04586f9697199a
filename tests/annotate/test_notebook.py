"""docs/notebooks: executed by Jupyter's own kernel, with the outputs that are committed.

A surprise: `GOLDEN_UPDATE=1` writes the outputs anew (`make golden-update`).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))


def outputs(notebook: Any) -> list[tuple[str, list[Any]]]:
    """Of each cell of code: its source and what it showed."""
    return [
        (cell.source, [one.get("text") or one.get("data") for one in cell.outputs])
        for cell in notebook.cells
        if cell.cell_type == "code"
    ]


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_shows_what_is_committed(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nbclient, nbformat = pytest.importorskip("nbclient"), pytest.importorskip("nbformat")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    committed = nbformat.read(path, as_version=4)
    nbformat.validate(committed)
    executed = nbformat.read(path, as_version=4)
    nbclient.NotebookClient(executed, timeout=600, resources={"metadata": {"path": str(ROOT)}}).execute()
    if os.environ.get("GOLDEN_UPDATE"):
        for cell in executed.cells:
            cell.metadata.pop("execution", None)  # times
        executed.metadata["language_info"] = {"name": "python"}
        nbformat.write(executed, path)
        committed = executed
    shown = outputs(executed)
    assert any("image/svg+xml" in data for _, found in shown for data in found if isinstance(data, dict))
    assert shown == outputs(committed)


def test_there_is_a_notebook() -> None:
    assert NOTEBOOKS
