"""Without the folder `fast/` the answers stay, beyond rounding; only the choice of twins knows of it."""

from __future__ import annotations

import logging
import re
import sys
from pathlib import Path

import numpy as np
import pytest

import transgenic_tools
from tests.generate.test_predict import predictor
from transgenic_tools.io.rows import GeneRow
from transgenic_tools.model.transgenic import TransgenicModel
from transgenic_tools.search.engine import PackedEngine, build_engine
from transgenic_tools.search.twins import fast_trunk


@pytest.fixture
def without_fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the folder were not there."""
    for name in [name for name in sys.modules if name.startswith("transgenic_tools.fast")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "transgenic_tools.fast", None)


def test_genes_are_the_same(
    model: TransgenicModel, rows: list[GeneRow], request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "transgenic_tools.search.twins")
    few = [*rows[:6], rows[-1]]
    fast = predictor(model)
    assert isinstance(build_engine(model.decoder), PackedEngine)
    expected = fast.predict(few)
    assert not caplog.records
    request.getfixturevalue("without_fast")
    assert not isinstance(build_engine(model.decoder), PackedEngine)
    assert fast_trunk(model.encoder, model.head, fast.reader.dtype) is None
    assert "fast is missing" in caplog.text
    for with_fast, without in zip(expected, predictor(model).predict(few), strict=True):
        assert without.gsf == with_fast.gsf
        np.testing.assert_allclose(without.scores, with_fast.scores, atol=2e-3)


def test_only_the_choice_of_twins_imports_it() -> None:
    """`engine` names a type of it for the type checker alone."""
    package = Path(transgenic_tools.__file__).parent
    importing = [
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        if path.parent.name != "fast" and re.search(r"(from|import) transgenic_tools\.fast", path.read_text())
    ]
    assert sorted(importing) == ["search/engine.py", "search/twins.py"]
    engine = (package / "search" / "engine.py").read_text()
    assert re.findall(r".*\n.*transgenic_tools\.fast.*", engine) == [
        "if TYPE_CHECKING:\n    from transgenic_tools.fast.packed import PackedDecoder"
    ]
