"""The version: it stands in transgenic_tools/__init__.py, and this puts it where nothing can read it from there.

    python -m release.version          say where another version stands (exit code 1)
    python -m release.version 0.2.0    set it everywhere

A surprise: snapshots of the pipeline's configuration hold it too, and are rewritten as text.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_VERSION = r"\d+\.\d+\.\d+(?:[a-z]+\d+)?"
SOURCE = ("transgenic_tools/__init__.py", rf'^__version__ = "({_VERSION})"$')
#: File, and what stands around the version; each pattern must be found.
PLACES = (
    ("nextflow.config", rf"^    version +=  ?'({_VERSION})'$"),
    ("nextflow.config", rf"transgenic-tools:({_VERSION})"),
    ("nextflow_schema.json", rf"transgenic-tools:({_VERSION})"),
    (".nf-core.yml", rf"^  version: ({_VERSION})$"),
    ("containers/Dockerfile", rf"^ARG VERSION=({_VERSION})$"),
    ("assets/multiqc_config.yml", rf"/({_VERSION})[/\"]"),
    ("docs/usage.md", rf"transgenic-tools:({_VERSION})"),
    ("docs/citing.md", rf"Version ({_VERSION})\.$"),
    ("CITATION.cff", rf"^version: ({_VERSION})$"),
    ("tests/pipeline/__snapshots__/test_config.ambr", rf"(?:manifest\.version = '|transgenic-tools:)({_VERSION})"),
)


def version(root: Path = ROOT) -> str:
    """The one that counts."""
    found = re.search(SOURCE[1], (root / SOURCE[0]).read_text(), flags=re.MULTILINE)
    assert found, f"{SOURCE[0]} holds no version"
    return found.group(1)


def disagreeing(root: Path = ROOT) -> list[str]:
    """Places that say something else, or no longer hold a version."""
    wanted, wrong = version(root), []
    for name, pattern in PLACES:
        found = set(re.findall(pattern, (root / name).read_text(), flags=re.MULTILINE))
        if found != {wanted}:
            wrong.append(f"{name}: {', '.join(sorted(found)) or 'no version'} instead of {wanted}")
    return wrong


def stamp(new: str, root: Path = ROOT) -> None:
    """Set the version everywhere."""
    for name, pattern in (SOURCE, *PLACES):
        path = root / name
        text = path.read_text()
        for found in sorted(re.finditer(pattern, text, flags=re.MULTILINE), key=lambda m: -m.start()):
            text = text[: found.start(1)] + new + text[found.end(1) :]
        path.write_text(text)


def main(arguments: list[str]) -> int:
    if arguments:
        if not re.fullmatch(_VERSION, arguments[0]):
            print(f"{arguments[0]!r} is no version such as 0.2.0", file=sys.stderr)
            return 2
        stamp(arguments[0])
    wrong = disagreeing()
    print("\n".join(wrong or [version()]))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
