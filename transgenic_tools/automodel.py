"""transformers' AutoModel learns our models as soon as both packages are there.

In: nothing. Out: `AutoConfig` and `AutoModel` that know the model type `transgenic`.
A surprise: transformers takes seconds to import, so it is not imported for this; a finder that finds nothing waits for
the module of AutoModel and has `model.transgenic` imported, which registers itself, right after it.
"""

from __future__ import annotations

import importlib
import importlib.machinery
import sys
from collections.abc import Sequence
from types import ModuleType

_AUTO = "transformers.models.auto.modeling_auto"
_OURS = "transgenic_tools.model.transgenic"


class _Waiting:
    """On sys.meta_path until AutoModel is imported."""

    @classmethod
    def find_spec(
        cls, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if name != _AUTO:
            return None
        sys.meta_path.remove(cls)
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def and_ours(module: ModuleType) -> None:
                execute(module)
                importlib.import_module(_OURS)

            spec.loader.exec_module = and_ours  # type: ignore[method-assign]
        return spec


def wait_for_transformers() -> None:
    """Have our models registered now, or when AutoModel is imported."""
    if _AUTO in sys.modules:
        importlib.import_module(_OURS)
    elif _Waiting not in sys.meta_path:
        sys.meta_path.insert(0, _Waiting)
