"""Vectors of fp32 numbers in LLVM's own terms, for intrinsics: numba vectorises no loop of fewer than 64 on AVX-512.

In: what an intrinsic is given. Out: LLVM values.
A surprise: nothing here runs; it writes what is compiled.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir

from transgenic_tools.kernels import features

#: Registers of 16 numbers, of which there are 32; else of 8 (AVX2 has 16 of them; NEON takes two of its 32 for one).
WIDE = "+avx512f" in features().split(",")
#: Numbers of a vector.
LANES = 16 if WIDE else 8
VECTOR = ir.VectorType(ir.FloatType(), LANES)


def pointer(context: Any, builder: Any, signature: Any, values: Any, array: int, index: Any) -> Any:
    """Where a number of argument `array` lies."""
    data = context.make_array(signature.args[array])(context, builder, values[array]).data
    return builder.gep(data, [index])


def many(context: Any, builder: Any, signature: Any, values: Any, array: int, index: Any) -> Any:
    """Pointer to a vector of argument `array`, from `index` on."""
    return builder.bitcast(pointer(context, builder, signature, values, array, index), VECTOR.as_pointer())


def everywhere(builder: Any, number: Any) -> Any:
    """One number in every lane."""
    nothing = ir.Constant(VECTOR, ir.Undefined)
    first = builder.insert_element(nothing, number, ir.Constant(ir.IntType(32), 0))
    return builder.shuffle_vector(first, nothing, ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES))


def plus(builder: Any, index: Any, number: int) -> Any:
    return builder.add(index, ir.Constant(index.type, number))
