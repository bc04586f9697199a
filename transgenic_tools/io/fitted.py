"""Files beside a model's config.json that hold what was fitted for the model: the frame that all of them have.

In: values and where they come from. Out: a JSON file with format, version and provenance; and the values back, checked.
A surprise: whoever reads them builds them too, so that a value that does not fit is an error of the file, by its name.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from transgenic_tools.errors import BadInputError
from transgenic_tools.io.files import whole_text
from transgenic_tools.io.json_text import parse_object
from transgenic_tools.provenance import FORMAT_VERSION, Provenance, write_aside

T = TypeVar("T")
#: What damaged values make of building what they are values of.
_BROKEN = (ValueError, KeyError, TypeError, AttributeError)


@dataclass(frozen=True, kw_only=True)
class FittedFile:
    """One kind of such files.

    Attributes:
        kind: Names the format.
        what: Its values, for messages: "weights of evidence".
        command: Module that fits them.
    """

    kind: str
    what: str
    command: str

    @property
    def _format(self) -> str:
        return f"transgenic_tools/{self.kind}"

    def write(self, path: Path, values: Mapping[str, Any], *, provenance: Provenance, indent: int | None = 2) -> None:
        """Write the file of a model directory."""
        frame = {
            "format": self._format, "format_version": FORMAT_VERSION, "provenance": json.loads(provenance.to_json()),
        }  # fmt: skip
        with write_aside(path) as aside:
            aside.write_text(json.dumps({**frame, **values}, indent=indent, sort_keys=True) + "\n", encoding="utf-8")

    def read(self, path: Path, take: Callable[[dict[str, Any]], T]) -> T:
        """What `take` makes of the values.

        Raises:
            BadInputError: the file is damaged, of another version, or `take` cannot make anything of it.
        """
        hint = f"fit it again: python -m {self.command} --help"
        saved = parse_object(whole_text(path), path=path, hint=hint, not_finite=True)
        try:
            if saved["format"] != self._format or saved["format_version"] != FORMAT_VERSION:
                raise ValueError(f"the format is {saved['format']!r}, version {saved['format_version']!r}")
            return take(saved)
        except _BROKEN as error:
            raise BadInputError(f"no {self.what}: {error}", path=path, hint=hint) from error
