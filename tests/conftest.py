"""Settings of all tests: hypothesis without a clock, and without chance where CI is.

A surprise: a deadline of hypothesis measures the neighbours on the machine, not the code, so there is none.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import settings

settings.register_profile("house", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "house")


#: Tests that share what takes long to make, or what there is one of (a cluster): each group keeps to one worker.
GROUPS = {
    "tests/executors/": "executors",
    "tests/pipeline/test_modes.py": "modes",
    "tests/pipeline/test_docs.py": "modes",
    "tests/pipeline/": "pipeline",
    "tests/house/test_release.py": "release",
}


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Groups by path: marks of xdist 3.8 go into a test's ID, which pytest 9.2 does not let it change."""
    from xdist.scheduler import LoadGroupScheduling

    class ByPath(LoadGroupScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return next((group for path, group in GROUPS.items() if nodeid.startswith(path)), nodeid)

    return ByPath(config, log) if config.getoption("dist") == "loadgroup" else None


#: Of the root logger before any test.
_LEVEL = logging.getLogger().level


@pytest.fixture(autouse=True)
def _level_of_logging() -> Iterator[None]:
    """A tool called with -q in this process, by a test or by what one needs, silences it for all that follow."""
    logging.getLogger().setLevel(_LEVEL)
    yield
    logging.getLogger().setLevel(_LEVEL)
