"""The one place that reads JSON of other tools and of users: whatever is no object of plain values is found out here.

In: a path, or the text of one line. Out: the object.
A surprise: NaN and Infinity, which Python reads and writes and JSON does not know, are refused unless asked for.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NoReturn

from transgenic_tools.errors import BadInputError
from transgenic_tools.io.files import whole_text

#: Objects within objects; what walks through them may call itself for each.
DEEPEST = 100


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number")


def _is_deep(value: Any) -> bool:
    """More than `DEEPEST` levels, counted without a call for each."""
    level = [value]
    for _ in range(DEEPEST):
        parts = [one.values() if isinstance(one, dict) else one for one in level if isinstance(one, dict | list)]
        level = [value for part in parts for value in part]
    return bool(level)


def parse_object(
    text: str, *, path: Path, hint: str, line: int | None = None, not_finite: bool = False
) -> dict[str, Any]:
    """A JSON object.

    Args:
        path, line: Where the text stands.
        not_finite: Take NaN and Infinity.

    Raises:
        BadInputError: not JSON, no object, nested too deeply, or a number of thousands of digits.
    """
    try:
        value = json.loads(text, parse_constant=None if not_finite else _no_number)
        deep = _is_deep(value)
    except RecursionError:
        value, deep = None, True
    except ValueError as error:
        raise BadInputError(f"this is not JSON ({str(error)[:200]})", path=path, line=line, hint=hint) from error
    if deep:
        raise BadInputError(f"JSON of more than {DEEPEST} levels", path=path, line=line, hint=hint)
    if not isinstance(value, dict):
        raise BadInputError("the JSON is no object", path=path, line=line, hint=hint)
    return value


def read_object(path: Path, *, hint: str = "give a JSON file of this project") -> dict[str, Any]:
    """The JSON object of a file. Raises MissingInputError where there is none, else as `parse_object`."""
    return parse_object(whole_text(path), path=path, hint=hint)
