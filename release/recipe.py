"""The conda recipe: meta.yaml for conda-build, recipe.yaml for rattler-build, from pyproject.toml and the sdist.

In: the project's table, the sdist. Out: text.
A surprise: names differ on conda-forge and bioconda (torch is pytorch there); a dependency without a known name is an
error, so a new one cannot be forgotten.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import yaml

from transgenic_tools.provenance import file_sha256

#: PyPI -> conda-forge or bioconda, where all that is needed of a dependency has another name.
NAMES = {
    "isal": "python-isal",
    "torch": "pytorch",
    "matplotlib": "matplotlib-base",
    "huggingface-hub": "huggingface_hub",
}
#: The same name there.
SAME = {
    "accelerate", "jsonschema", "llvmlite", "numba", "numpy", "peft", "psutil", "pyarrow", "pybigwig", "pysam",
    "pyyaml", "rich", "safetensors", "tensorboard", "transformers", "typer",
}  # fmt: skip

_TEXT = """\
# Made by `make release` from pyproject.toml: conda-build -c conda-forge -c bioconda .
package:
  name: transgenic-tools
  version: "{version}"

source:
  url: ../{sdist}
  sha256: {sha256}

build:
  noarch: python
  number: 0
  script: {{{{ PYTHON }}}} -m pip install . --no-deps --no-build-isolation -vv
  entry_points:
{entry_points}

requirements:
  host:
    - python {python}
    - pip
    - {backend}
  run:
    - python {python}
{run}
  run_constrained:
    - mappy >=2.24

test:
  imports:
    - transgenic_tools
    - transgenic_tools.annotate.model
  commands:
{commands}

about:
  home: https://github.com/transgenic/transgenic_tools
  summary: {summary}
  license: {license}
  license_file: LICENSE
"""


def conda_requirement(requirement: str) -> str:
    """`torch<2.16` as `pytorch <2.16`; conditions on the machine are dropped, a noarch package has none."""
    found = re.fullmatch(r"([A-Za-z0-9_.-]+)([<>=!~].*)?", requirement.split(";")[0].replace(" ", ""))
    assert found, requirement
    name, bound = found.group(1).lower(), found.group(2) or ""
    if name not in SAME and name not in NAMES:
        raise KeyError(f"{name}: say in release/recipe.py what it is called on conda-forge or bioconda")
    return f"{NAMES.get(name, name)} {bound}".strip()


def _listed(items: list[str], indent: int = 4) -> str:
    return "\n".join(f"{' ' * indent}- {item}" for item in items)


def recipe(pyproject: Path, sdist: Path, version: str) -> str:
    """meta.yaml of a folder beside the sdist."""
    table = tomllib.loads(pyproject.read_text())
    project = table["project"]
    scripts = project["scripts"]
    backend = re.sub(r"([<>=])", r" \1", table["build-system"]["requires"][0], count=1)
    return _TEXT.format(
        version=version, sdist=sdist.name, sha256=file_sha256(sdist), python=project["requires-python"],
        backend=backend, entry_points=_listed([f"{name} = {target}" for name, target in scripts.items()]),
        run=_listed(sorted(conda_requirement(one) for one in project["dependencies"])),
        commands=_listed([f"{name} --version" for name in scripts]), summary=project["description"],
        license=project["license"],
    )  # fmt: skip


def newer_recipe(meta: str) -> str:
    """recipe.yaml: what meta.yaml says, as rattler-build reads it."""
    older = yaml.safe_load(meta.replace("{{ PYTHON }}", "${{ PYTHON }}"))
    build, about = older["build"], older["about"]
    newer = {
        "package": older["package"],
        "source": {"path": older["source"]["url"], "sha256": older["source"]["sha256"]},
        "build": {
            "noarch": build["noarch"],
            "number": build["number"],
            "script": build["script"],
            "python": {"entry_points": build["entry_points"]},
        },
        "requirements": {
            "host": older["requirements"]["host"],
            "run": older["requirements"]["run"],
            "run_constraints": older["requirements"]["run_constrained"],
        },
        "tests": [
            {"python": {"imports": older["test"]["imports"], "pip_check": False}},
            {"script": older["test"]["commands"]},
        ],
        "about": {
            "homepage": about["home"],
            "summary": about["summary"],
            "license": about["license"],
            "license_file": about["license_file"],
        },
    }
    return "# Made by `make release`: rattler-build build -c conda-forge -c bioconda\n" + yaml.safe_dump(
        newer, sort_keys=False, width=200
    )
