"""Numbers as torch stores them and as kernels read them.

In: tensors of fp32 or bf16. Out: arrays, of fp32 or of bf16 seen as uint16, which numba has no name for.
A surprise: bf16 is the upper half of fp32, so reading it is a shift and writing it is rounding to even; a kernel does
either by the type of its array.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from numba import types
from numba.extending import overload
from torch import Tensor


def plain(tensor: Tensor) -> npt.NDArray[Any]:
    """A tensor's numbers without a copy; bf16 as uint16."""
    return (tensor.view(torch.uint16) if tensor.dtype == torch.bfloat16 else tensor).numpy()


def as_single(value: Any) -> Any:  # pragma: no cover
    """A stored number as fp32."""
    raise NotImplementedError  # never called: kernels compile the overload below


@overload(as_single, inline="always")
def _compile_as_single(value):  # type: ignore[no-untyped-def]  # pragma: no cover (compiled)
    if isinstance(value, types.Integer):
        return lambda value: np.uint32(np.uint32(value) << np.uint32(16)).view(np.float32)
    return lambda value: value


def as_stored(value: Any, like: Any) -> Any:  # pragma: no cover
    """An fp32 number as the array `like` stores it."""
    raise NotImplementedError  # never called: kernels compile the overload below


@overload(as_stored, inline="always")
def _compile_as_stored(value, like):  # type: ignore[no-untyped-def]  # pragma: no cover (compiled)
    if isinstance(like.dtype, types.Integer):

        def rounded(value, like):  # type: ignore[no-untyped-def]
            bits = np.float32(value).view(np.uint32)
            return np.uint16((bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))) >> np.uint32(16))

        return rounded
    return lambda value, like: np.float32(value)
