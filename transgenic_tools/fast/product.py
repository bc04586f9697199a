"""A matrix product for few rows, in LLVM's vectors.

In: rows and a matrix laid out by `panels`. Out: their product, added to what is there.
A surprise: four rows are computed side by side whatever is in them, so each is the same bits alone and among others.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from transgenic_tools.fast.vectors import LANES, VECTOR, WIDE, everywhere, many, plus, pointer
from transgenic_tools.kernels import kernel

#: Rows and columns that `add_linear` computes side by side: sums, weights and a factor fill the registers.
ROWS, COLUMNS = 4, 64 if WIDE else 24
#: Columns of the narrower tile.
NARROW = 48 if WIDE else 24


def panels(weight: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Matrices (..., D, E) as `add_linear` reads them: (..., E / C, D, C), C columns; 0 fills up the last ones."""
    *before, dim, size = weight.shape
    padded = np.zeros((*before, dim, size + -size % COLUMNS), dtype=np.float32)
    padded[..., :size] = weight
    split = padded.reshape(*before, dim, -1, COLUMNS)
    return np.ascontiguousarray(np.moveaxis(split, -2, -3))


def tile_adder(columns: int) -> Any:
    """An intrinsic that adds the product of 4 rows and a panel of so many columns, kept in registers."""
    vectors = range(columns // LANES)

    def compute(context, builder, signature, values):  # type: ignore[no-untyped-def]
        own, index = (context, builder, signature, values), values[1].type

        def place(r, v):  # type: ignore[no-untyped-def]
            row = builder.add(values[7], builder.mul(values[8], ir.Constant(index, r)))
            return many(*own, 6, plus(builder, row, v * LANES))

        sums = [[cgutils.alloca_once(builder, VECTOR) for _ in vectors] for _ in range(ROWS)]
        for r in range(ROWS):
            for v in vectors:
                builder.store(builder.load(place(r, v), align=4), sums[r][v])
        with cgutils.for_range(builder, values[5]) as loop:
            line = builder.add(values[4], builder.mul(loop.index, values[9]))
            weights = [builder.load(many(*own, 3, plus(builder, line, v * LANES)), align=4) for v in vectors]
            for r in range(ROWS):
                at = builder.add(values[1], builder.mul(values[2], ir.Constant(index, r)))
                factor = everywhere(builder, builder.load(pointer(*own, 0, builder.add(at, loop.index))))
                for v in vectors:
                    product = builder.fmul(factor, weights[v], flags=["fast"])
                    builder.store(builder.fadd(builder.load(sums[r][v]), product, flags=["fast"]), sums[r][v])
        for r in range(ROWS):
            for v in vectors:
                builder.store(builder.load(sums[r][v]), place(r, v), align=4)
        return context.get_dummy_value()

    @intrinsic
    def add_tile(typing_context, x, i, step, panel, k, dim, out, o, apart, line):  # type: ignore[no-untyped-def]
        """`out[o + r * apart + c] += x[i + r * step + d] * panel[k + d * line + c]`, summed over `dim` d, for 4 rows r
        and all columns c."""
        size = types.intp
        return types.void(x, size, size, panel, size, size, out, size, size, size), compute

    return add_tile


#: Of `COLUMNS`, and of as many as a head of the embedded network has channels, filled up.
add_tile, add_narrow_tile = tile_adder(COLUMNS), tile_adder(NARROW)


@kernel(fastmath=True, error_model="numpy")
def add_linear(x, weight, out):  # type: ignore[no-untyped-def]  # pragma: no cover
    """`out += x @ weight`; every row by the same instructions, whatever is in the others and however many there are.

    Args:
        x: (M, D), M a multiple of 4; weight: `panels` of (D, E); out: (M, E).

    Times torch's speed on AVX2 and AVX-512: 2.5 and 2.7 for 4 rows, 1.1 and 1.2 for 64, 0.7 and 1.0 for 512.
    """
    rows, dim = x.shape
    size, flat, tile = out.shape[1], x.reshape(-1), np.empty(4 * COLUMNS, dtype=np.float32)
    for p in range(len(weight)):
        panel, low = weight[p].reshape(-1), p * COLUMNS
        columns = min(COLUMNS, size - low)
        for r in range(0, rows, 4):
            for i in range(4):
                for j in range(columns):
                    tile[i * COLUMNS + j] = out[r + i, low + j]
            add_tile(flat, r * dim, dim, panel, 0, dim, tile, 0, COLUMNS, COLUMNS)
            for i in range(4):
                for j in range(columns):
                    out[r + i, low + j] = tile[i * COLUMNS + j]
