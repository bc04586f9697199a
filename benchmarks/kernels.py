"""Each hand-written kernel against torch's way of doing the same, at the sizes of the embedded model.

In: nothing (random numbers). Out: microseconds a call of both, on one thread, and how many times as fast the kernel is.
Usage: python -m benchmarks.kernels [--precision fp32 bf16] [--repeats 30] [--only NAME ...]
A surprise: instructions are switched off from outside; the Makefile's AVX2 says how. Both ways are timed by turns and
the median of the ratios of neighbours is given, because others share the machine.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from transgenic_tools.model.config import StrandEncoderConfig
from transgenic_tools.model.files import load_network


class Contest(NamedTuple):
    """The same work twice; each call does it once."""

    name: str
    ours: Callable[[], object]
    torchs: Callable[[], object]


def _reading(dtype: Any) -> Iterator[Contest]:
    """Rows of a pack: 1,024 patches of 256 channels, 18,432 bases of 48."""
    import torch
    import torch.nn.functional as F

    from transgenic_tools.fast import pairs, reading
    from transgenic_tools.fast.numbers import plain

    x, more, out = torch.randn(1024, 256), torch.randn(1024, 256).to(dtype), torch.empty(1024, 256, dtype=dtype)
    weight, keep = torch.ones(256), np.random.default_rng(1).random(1024) < 0.9
    mask = torch.from_numpy(keep)[:, None]
    yield Contest(
        "add_and_normalise",
        lambda: reading.add_and_normalise(plain(x), plain(more), keep, weight.numpy(), 1e-6, plain(out)),
        lambda: F.rms_norm(x.add_(more).mul_(mask), (256,), weight, 1e-6).to(dtype),
    )
    bases, others = (torch.randn(18432, 48).to(dtype) for _ in range(2))
    kept = np.repeat(keep, 18)
    kept_mask = torch.from_numpy(kept)[:, None]
    yield Contest("clear", lambda: reading.clear(plain(bases), kept), lambda: bases.mul_(kept_mask))
    yield Contest(
        "add_kept",
        lambda: reading.add_kept(plain(bases), plain(others), kept),
        lambda: bases.add_(others, alpha=0.5).mul_(kept_mask),
    )
    yield Contest(
        "gelu_of_sum",
        lambda: reading.gelu_of_sum(plain(bases), plain(others), kept),
        lambda: torch.ops.aten.gelu_(bases.add_(others)).mul_(kept_mask),
    )
    yield Contest("gelu_of", lambda: reading.gelu_of(plain(bases)), lambda: torch.ops.aten.gelu_(bases))
    first, second = (torch.randn(1024 * 768).to(dtype) for _ in range(2))

    def torch_gelu_of_strands() -> object:
        forward, reverse = F.gelu((first + second) * 0.7071), F.gelu((first - second) * 0.7071)
        return (forward + reverse) * 0.7071, (forward - reverse) * 0.7071

    yield Contest("gelu_of_strands", lambda: pairs.gelu_of_strands(plain(first), plain(second)), torch_gelu_of_strands)
    yield Contest(
        "exchange_in_place",
        lambda: pairs.exchange_in_place(plain(first), plain(second)),
        lambda: ((first + second) * 0.7071, (first - second) * 0.7071),
    )
    yield from _strands(dtype)


def _sizes() -> StrandEncoderConfig:
    """Of the embedded encoder."""
    sizes = load_network()[0].settings.encoder
    assert isinstance(sizes, StrandEncoderConfig)
    return sizes


def _strands(dtype: Any) -> Iterator[Contest]:
    """Of the embedded trunk of both strands: 1,024 patches and 18,432 bases."""
    import torch
    import torch.nn.functional as F

    from transgenic_tools.fast import pairs
    from transgenic_tools.fast.numbers import plain

    sizes = _sizes()
    dim, patch, channels = sizes.dim, sizes.patch, sizes.channels
    x, more, out = (
        torch.randn(2, 1024, dim),
        torch.randn(2, 1024, dim).to(dtype),
        torch.empty(2, 1024, dim, dtype=dtype),
    )
    weight, keep = torch.ones(dim), np.random.default_rng(1).random(1024) < 0.9
    mask, both = torch.from_numpy(keep)[:, None], weight.repeat(2)

    def torch_norm() -> object:
        x.add_(more).mul_(mask)
        return F.rms_norm(torch.cat(x.unbind(), -1), (2 * dim,), both, 1e-6).to(dtype)

    yield Contest(
        "add_and_normalise_pair",
        lambda: pairs.add_and_normalise_pair(
            pairs.sums(x), pairs.sums(more), keep, weight.numpy(), 1e-6, pairs.sums(out)
        ),
        torch_norm,
    )
    yield _attention(dtype, sizes)
    bases = torch.randn(1024 * patch, channels).to(dtype)
    yield Contest(
        "turn_patches",
        lambda: pairs.turn_patches(plain(bases), patch),
        lambda: bases.view(-1, patch, channels).flip(1).contiguous(),
    )


def _attention(dtype: Any, sizes: StrandEncoderConfig) -> Contest:
    """Of one strand of it: 6 windows of 167 patches."""
    import torch
    import torch.nn.functional as F

    from transgenic_tools.fast.attention import Sight, Stretches, attend_windows
    from transgenic_tools.fast.numbers import plain
    from transgenic_tools.fast.pack import Rotary

    dim, heads = sizes.dim, sizes.heads
    mixed, out = torch.randn(6 * 167, 3 * dim).to(dtype), torch.empty(6 * 167, dim, dtype=dtype)
    cosine, sine = Rotary(dim // heads).reach(167)
    windows, sight = Stretches(np.arange(6) * 167, np.full(6, 167)), Sight(heads, sizes.band, cosine, sine)
    c, s = (torch.from_numpy(a[:167]).to(dtype) for a in (cosine, sine))

    def torchs() -> object:
        queries, keys, values = mixed.view(6, 167, 3, heads, dim // heads).permute(2, 0, 3, 1, 4)
        turned = []
        for one in (queries, keys):
            left, right = one.chunk(2, -1)
            turned.append(torch.cat((left * c - right * s, left * s + right * c), -1))
        return F.scaled_dot_product_attention(*turned, values).transpose(1, 2).reshape(-1, dim)

    return Contest("attend_windows", lambda: attend_windows(plain(mixed), windows, sight, plain(out)), torchs)


def _bookkeeping() -> Iterator[Contest]:
    """Of the search: 128 genes with 2 rows each, 30 steps so far, a half of them kept."""
    import torch

    from transgenic_tools.fast import stepping

    rng, rows, genes = np.random.default_rng(1), 256, 128
    sites, kinds, ordinals = (rng.standard_normal((n, 128)).astype(np.float32) for n in (7_000, 26, 8))
    states = stepping.States(rng.integers(0, len(sites), 20_000), rng.integers(0, 26, 20_000), sites)
    visited, of = rng.integers(0, 20_000, rows), rng.integers(0, 3, rows)
    tables, x = stepping.Tables(kinds, ordinals), np.zeros((rows, 128), dtype=np.float32)
    t_sites, t_kinds, t_ordinals = (torch.from_numpy(a) for a in (sites, kinds, ordinals))
    t_site, t_kind, t_visited, t_of = (torch.from_numpy(a) for a in (states.site, states.kind, visited, of))
    yield Contest(
        "write_tokens, 256 rows",
        lambda: stepping.write_tokens(visited, of, states, tables, x),
        lambda: t_sites[t_site[t_visited]] + t_kinds[t_kind[t_visited]] + t_ordinals[t_of],
    )
    table, best = np.zeros((rows, 64), dtype=np.int32), np.zeros((genes, 64), dtype=np.int32)
    kept, end, noted = (np.full(genes, n) for n in (15, 30, 0))
    written = stepping.Written(table, best, kept, noted, end)
    parents, ended = np.arange(rows) ^ (rng.random(rows) < 0.3), np.where(rng.random(genes) < 0.1, 0, -1)
    everyone, t_table, t_best = np.arange(genes), torch.from_numpy(table), torch.from_numpy(best)
    t_parents, t_ended = torch.from_numpy(parents), torch.from_numpy(np.where(ended < 0, 0, ended))
    t_new = torch.from_numpy(ended >= 0)[:, None]

    def torch_parents() -> object:
        t_best[:, 15:30] = torch.where(t_new, t_table[t_ended, 15:30], t_best[:, 15:30])
        t_table[:, 15:30] = t_table[t_parents, 15:30]
        return t_table

    yield Contest(
        "follow_parents, 128 genes",
        lambda: stepping.follow_parents(written, parents, ended, everyone),
        torch_parents,
    )


def _stepping() -> Iterator[Contest]:
    """Steps of 4, 64 and 512 tokens of 128 channels, 4 heads, 20 steps back."""
    import torch
    import torch.nn.functional as F

    from transgenic_tools.fast import stepping
    from transgenic_tools.fast.attention import Sight
    from transgenic_tools.fast.pack import Rotary
    from transgenic_tools.fast.product import add_linear, panels

    weight = np.random.default_rng(1).standard_normal((128, 384)).astype(np.float32)
    packed, plain_weight = panels(weight), torch.from_numpy(weight)
    for count in (4, 64, 512):
        x, out = np.ones((count, 128), dtype=np.float32), np.zeros((count, 384), dtype=np.float32)
        a, b = torch.from_numpy(x), torch.from_numpy(out)
        yield Contest(
            f"add_linear, {count} rows",
            lambda x=x, out=out: add_linear(x, packed, out),  # type: ignore[misc]
            lambda a=a, b=b: b.addmm_(a, plain_weight),  # type: ignore[misc]
        )
        table = np.arange(count * 20, dtype=np.int32).reshape(count, 20)
        store, at = np.zeros((2, count * 20, 128), dtype=np.float32), np.full(count, 19)
        tokens = stepping.Tokens(np.arange(count), at, table[:, 19].copy(), table)
        sight = Sight(4, 512, *Rotary(32).reach(20))
        qkv, mixed = np.zeros((count, 384), dtype=np.float32), np.zeros((count, 128), dtype=np.float32)
        t_qkv, t_store, t_table = torch.from_numpy(qkv), torch.from_numpy(store), torch.from_numpy(table).long()
        cosine, sine = (torch.from_numpy(angle[19:20]) for angle in (sight.cosine, sight.sine))

        def torch_attention(
            t_qkv=t_qkv, t_store=t_store, t_table=t_table, cosine=cosine, sine=sine, count=count
        ) -> object:  # type: ignore[no-untyped-def]  # fmt: skip
            q, k, v = t_qkv.view(count, 3, 4, 32).unbind(1)
            turned = []
            for one in (q, k):
                left, right = one.chunk(2, -1)
                turned.append(torch.cat((left * cosine - right * sine, left * sine + right * cosine), -1))
            t_store[0][t_table[:, -1]], t_store[1][t_table[:, -1]] = (
                turned[1].reshape(count, 128),
                v.reshape(count, 128),
            )
            keys, values = (t_store[i][t_table].view(count, 20, 4, 32).transpose(1, 2) for i in (0, 1))
            return F.scaled_dot_product_attention(turned[0][:, :, None], keys, values)

        yield Contest(
            f"attend_tokens, {count} rows",
            lambda q=qkv, t=tokens, s=sight, st=store, m=mixed: stepping.attend_tokens(q, t, s, st[0], st[1], m),  # type: ignore[misc]
            torch_attention,
        )


def measure(contest: Contest, repeats: int) -> tuple[float, float, float]:
    """Medians of microseconds of both, and of their ratio."""

    def spent(run: Callable[[], object], times: int) -> float:
        began = time.thread_time()
        for _ in range(times):
            run()
        return (time.thread_time() - began) / times * 1e6

    for run in (contest.ours, contest.torchs):
        run()
    times = max(1, int(2_000 / max(spent(contest.ours, 3), 1.0)))
    both = [(spent(contest.ours, times), spent(contest.torchs, times)) for _ in range(repeats)]
    ours, torchs = (statistics.median(column) for column in zip(*both, strict=True))
    return ours, torchs, statistics.median(b / a for a, b in both)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--precision", nargs="+", default=["fp32"])
    parser.add_argument("--repeats", type=int, default=30)
    parser.add_argument("--only", nargs="+", help="beginnings of names")
    arguments = parser.parse_args()
    import torch

    torch.set_num_threads(1)
    torch.set_flush_denormal(True)  # what is computed in place again and again fades away
    print("| kernel | numbers | microseconds | torch | times as fast |\n|---|---|---|---|---|")
    with torch.inference_mode():
        for name in arguments.precision:
            contests = list(_reading(torch.bfloat16 if name == "bf16" else torch.float32))
            for contest in contests + ([*_stepping(), *_bookkeeping()] if name == "fp32" else []):
                if arguments.only and not contest.name.startswith(tuple(arguments.only)):
                    continue
                ours, torchs, ratio = measure(contest, arguments.repeats)
                print(f"| `{contest.name}` | {name} | {ours:.1f} | {torchs:.1f} | {ratio:.2f} |", flush=True)


if __name__ == "__main__":
    main()
