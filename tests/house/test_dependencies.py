"""What pyproject.toml declares is what the package imports; names that others keep private are listed and bounded."""

from __future__ import annotations

import ast
import importlib
import re
import sys
import tomllib
from functools import reduce
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
#: Where the import's name is not the package's.
PACKAGE_OF = {"yaml": "pyyaml", "pyBigWig": "pybigwig", "huggingface_hub": "huggingface-hub", "sklearn": "scikit-learn"}
#: Imported by others for us: accelerate's and torch's writers of events.
UNSEEN = {"tensorboard"}
#: Names with an underscore or of a `core` that the package takes from others, with what needs them.
PRIVATE = {
    "accelerate.state.AcceleratorState._reset_state",
    "isal.igzip._IGzipReader",
    "numba.core.cgutils",
    "numba.core.cgutils.alloca_once",
    "numba.core.cgutils.alloca_once_value",
    "numba.core.cgutils.for_range",
    "numba.core.cgutils.get_or_insert_function",
    "torch.cpu._is_amx_tile_supported",
    "torch.cpu._is_avx512_bf16_supported",
    "torch.ops.mkldnn._convolution_pointwise",
    "torch.ops.mkldnn._is_mkldnn_bf16_supported",
    "torch.ops.mkldnn._linear_pointwise",
    "torch.ops.mkldnn._reorder_convolution_weight",
    "torch.ops.mkldnn._reorder_linear_weight",
}


def trees() -> list[ast.Module]:
    return [ast.parse(path.read_text()) for path in sorted((ROOT / "transgenic_tools").rglob("*.py"))]


def bound_names(tree: ast.Module) -> dict[str, str]:
    """Names of a module that imports made, with what they stand for."""
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                found[alias.asname or alias.name.split(".")[0]] = (
                    alias.name if alias.asname else alias.name.split(".")[0]
                )
                found.setdefault(alias.name, alias.name)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            for alias in node.names:
                found[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    return found


def imported() -> set[str]:
    """Distributions that the package imports, at the top of a module or inside a function."""
    names = {name.split(".")[0] for tree in trees() for name in bound_names(tree).values()}
    return {PACKAGE_OF.get(name, name) for name in names - set(sys.stdlib_module_names) - {"transgenic_tools"}}


def name_of(requirement: str) -> str:
    found = re.match(r"[A-Za-z0-9_-]+", requirement)
    assert found
    return found.group().lower()


def requirements(*extras: str) -> dict[str, str]:
    declared = list(PROJECT["project"]["dependencies"])
    for extra in extras:
        declared += PROJECT["project"]["optional-dependencies"][extra]
    return {name_of(one): one for one in declared}


def test_every_import_is_declared() -> None:
    assert imported() <= set(requirements("reads", "deepspeed", "notebook", "fit"))


def test_every_dependency_is_imported() -> None:
    assert set(requirements()) - UNSEEN <= imported()


def test_the_heavy_ones_are_dependencies() -> None:
    assert set(PROJECT["tool"]["transgenic_tools"]["heavy"]) <= set(requirements())


def dotted(node: ast.AST) -> list[str]:
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return [node.id, *reversed(parts)] if isinstance(node, ast.Name) else []


def private_names() -> set[str]:
    found: set[str] = set()
    for tree in trees():
        names = bound_names(tree)
        full = set(names.values())
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and (words := dotted(node)) and words[0] in names:
                full.add(".".join([names[words[0]], *words[1:]]))
        for name in full:
            first, *rest = name.split(".")
            if first in sys.stdlib_module_names or first == "transgenic_tools":
                continue
            if any(re.match(r"_[a-zA-Z]", part) for part in rest) or (first == "numba" and "core" in rest):
                found.add(name)
    return found


def test_private_names_are_those_of_the_list() -> None:
    assert private_names() == PRIVATE


@pytest.mark.parametrize("name", sorted(PRIVATE))
def test_a_private_name_is_there_and_its_package_has_an_upper_bound(name: str) -> None:
    assert "<" in requirements()[name.split(".")[0]]
    assert resolve(name) is not None


def resolve(name: str) -> object:
    """The object behind a dotted name: its longest importable beginning, then attributes."""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        try:
            module = importlib.import_module(".".join(parts[:length]))
        except ImportError:
            continue
        return reduce(getattr, parts[length:], module)
    raise AssertionError(f"{name} cannot be imported")
