"""Settings of all tests: hypothesis without a clock, and without chance where CI is.

A surprise: a deadline of hypothesis measures the neighbours on the machine, not the code, so there is none.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

settings.register_profile("house", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "house")


#: Of the root logger before any test.
_LEVEL = logging.getLogger().level


@pytest.fixture(autouse=True)
def _level_of_logging() -> Iterator[None]:
    """A tool called with -q in this process, by a test or by what one needs, silences it for all that follow."""
    logging.getLogger().setLevel(_LEVEL)
    yield
    logging.getLogger().setLevel(_LEVEL)
