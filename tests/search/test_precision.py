"""Which numbers the trunk computes with, on three kinds of processors."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import torch

from transgenic_tools.errors import UsageError
from transgenic_tools.search.reader import bf16_on_cpu, pick_precision

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("onednn", "avx512_bf16", "expected", "auto"),
    [(False, False, "none", "fp32"), (True, False, "emulated", "fp32"), (True, True, "native", "bf16")],
    ids=["avx2", "avx512", "avx512_bf16"],
)
def test_auto(monkeypatch: pytest.MonkeyPatch, onednn: bool, avx512_bf16: bool, expected: str, auto: str) -> None:
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: onednn)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: avx512_bf16)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
    assert bf16_on_cpu() == expected
    assert pick_precision("auto", CPU) == auto
    assert pick_precision("fp32", CPU) == "fp32"
    if expected == "native":
        assert pick_precision("bf16", CPU) == "bf16"
    else:
        with pytest.raises(UsageError, match="no bf16 instructions"):
            pick_precision("bf16", CPU)


def test_instructions_that_onednn_may_not_use_are_not_asked_for() -> None:
    program = "import torch\nfrom transgenic_tools.search.reader import pick_precision\n"
    program += "print(pick_precision('auto', torch.device('cpu')))"
    env = os.environ | {"ONEDNN_MAX_CPU_ISA": "AVX2"}
    done = subprocess.run([sys.executable, "-c", program], env=env, capture_output=True, text=True, check=True)
    assert done.stdout == "fp32\n"
