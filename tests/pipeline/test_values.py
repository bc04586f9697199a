"""Values of parameters: read by their types though they come as strings, and never run by a shell.

Nextflow 26.04 hands every value of the command line on as a string, and so does 24.10 with
NXF_DISABLE_PARAMS_TYPE_DETECTION.
The functions that read, check and quote values are called in one Nextflow for all cases (units/main.nf).
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests import progress
from tests.pipeline import nextflow
from tests.pipeline.conftest import write_tiny_sheet
from tests.pipeline.test_schema import schema_params

pytestmark = pytest.mark.usefixtures("needs_nextflow")
STRINGS = {"NXF_DISABLE_PARAMS_TYPE_DETECTION": "true"}
#: A `#` makes a comment of what follows; PROOF is the file that a command would leave behind.
HOSTILE = (
    "fraction; touch PROOF #", "$(touch PROOF)", "`touch PROOF`", "x' ; touch PROOF; echo '",
    'x" ; touch PROOF; echo "', "x\ntouch PROOF\n", "x && touch PROOF", "x | touch PROOF", "x > PROOF", "--help", "-rf",
    "../../x", "\\'; touch PROOF #", "${PATH}",
    "x\ttouch PROOF", "'$(touch PROOF)'", "a b", "", "é", "*", "~", "!!", "%s", "\u202e", "x\r\ntouch PROOF",
)  # fmt: skip


def defaults() -> dict[str, Any]:
    """Every parameter as nextflow.config has it, paths of this checkout."""
    found = {name: rule.get("default") for name, rule in schema_params().items()}
    here = {name: value for name, value in found.items() if isinstance(value, str) and "${projectDir}" in value}
    return {**found, **{name: value.replace("${projectDir}", str(nextflow.ROOT)) for name, value in here.items()}}


def evaluate(cases: list[dict[str, Any]], folder: Path) -> list[dict[str, Any]]:
    """What the functions make of each case, which is laid over the defaults."""
    sheet = write_tiny_sheet(folder, samples=("one",))
    base = {**defaults(), "input": str(sheet)}
    (folder / "cases.json").write_text(json.dumps([{**base, **case} for case in cases]))
    process = subprocess.Popen(
        [
            str(nextflow.NEXTFLOW), "run", str(Path(__file__).parent / "units" / "main.nf"), "-ansi-log", "false",
            "--cases", str(folder / "cases.json"), "--results", str(folder / "results.json"),
        ],
        cwd=folder, env=nextflow.environment(), text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    text, _ = progress.finish(process)
    assert process.returncode == 0, text
    results: list[dict[str, Any]] = json.loads((folder / "results.json").read_text())
    return results


def test_strings_are_read_as_the_schema_types_them(tmp_path: Path) -> None:
    given = {
        "use_gpu": "false", "gtf": "false", "bed": "true", "batch_bases": "1000", "folds": "2", "gpus_per_task": "1",
        "train_nodes": "1", "min_confidence": "0.25", "top_p": "1", "slurm_qos": 7, "id_prefix": "007", "biotype": "",
        "seed": 3, "proteins": True,
    }  # fmt: skip
    (result,) = evaluate([given], tmp_path)
    assert result["faults"] == []
    expected = {
        "use_gpu": False, "gtf": False, "bed": True, "batch_bases": 1000, "folds": 2, "gpus_per_task": 1,
        "train_nodes": 1, "min_confidence": 0.25, "top_p": 1, "slurm_qos": "7", "id_prefix": "007", "biotype": None,
        "seed": 3, "proteins": True,
    }  # fmt: skip
    typed = {name: result["typed"][name] for name in expected}
    assert typed == expected
    assert {name: type(value) for name, value in typed.items()} == {
        name: type(value) for name, value in expected.items()
    }
    words = result["words"]
    assert "--gtf" not in words["backmap"]
    assert "--bed 'bed'" in words["backmap"]
    assert "--device 'cpu'" in words["generate"]
    assert "--batch-bases '1000'" in words["generate"]


def test_what_is_no_number_and_no_switch_is_a_fault(tmp_path: Path) -> None:
    cases = {
        "use_gpu": ("yes", "must be true or false"),
        "gtf": ("1", "must be true or false"),
        "batch_bases": ("many", "must be a whole number"),
        "folds": ("2.5", "must be a whole number"),
        "gpus_per_task": ("0", "must be at least 1"),
        "top_p": ("0", "must be more than 0"),
        "min_confidence": ("1.1", "must be at most 1"),
        "id_prefix": (True, "needs a value"),
        "decoding": ("gready", "must be one of: greedy, beam, sample, viterbi"),
    }
    results = evaluate([{name: value} for name, (value, _) in cases.items()], tmp_path)
    for (name, (value, sentence)), result in zip(cases.items(), results, strict=True):
        assert result["faults"] == [f"--{name} {json.dumps(value) if value is True else value}: {sentence}"]


def words_in_a_shell(line: str, folder: Path) -> list[str]:
    """The words that bash makes of a line, with the options that tasks have."""
    done = subprocess.run(
        ["bash", "-Ceuo", "pipefail", "-c", f"printf '%s\\0' {line}"], cwd=folder, capture_output=True, check=True
    )
    return done.stdout.decode().split("\0")[:-1]


def test_no_value_of_any_parameter_becomes_a_command(tmp_path: Path) -> None:
    """Each hostile value for each parameter is refused, or reaches its tool as one word."""
    shell = tmp_path / "shell"
    shell.mkdir()
    cases = [(name, value) for name in schema_params() for value in HOSTILE]
    usual, *results = evaluate([{}, *({name: value} for name, value in cases)], tmp_path)
    refused = passed = 0
    for (name, value), result in zip(cases, results, strict=True):
        if result["faults"]:
            assert result["faults"][0].startswith(f"--{name}")
            refused += 1
            continue
        for tool, line in result["words"].items():
            if line != usual["words"][tool]:
                words = words_in_a_shell(line, shell)
                assert value in words or value == ""
                passed += 1
    assert not list(shell.iterdir())
    assert refused > 10 * len(HOSTILE)
    assert passed > 0


#: Text that no shell sees: read by Nextflow's own code alone.
IN_THE_HEAD = {
    "outdir", "email", "email_on_fail", "hook_url", "config_profile_name", "config_profile_description",
}  # fmt: skip


def test_every_text_that_reaches_a_shell_has_a_pattern() -> None:
    for name, rule in schema_params().items():
        if rule["type"] == "string" and name not in IN_THE_HEAD:
            assert "enum" in rule or "pattern" in rule, f"--{name} may be any text"
            assert "enum" in rule or "errorMessage" in rule, f"--{name}: nothing says what it must be"


def test_hostile_values_on_the_command_line_stop_before_any_task(tiny_sheet: Path) -> None:
    done = nextflow.run(
        "--input", str(tiny_sheet), "--mode", "train", "--split", "fraction; touch PROOF #",
        "--slurm_account", "$(touch PROOF)", "--thin_image", "x; touch PROOF", "--queue", "a\n#SBATCH --wrap=b",
        launch_dir=tiny_sheet.parent, env=STRINGS,
    )  # fmt: skip
    assert done.code == 1
    for name in ("split", "slurm_account", "thin_image", "queue"):
        assert f"  - --{name} " in done.text
    assert "Submitted process" not in done.text
    assert not list(tiny_sheet.parent.rglob("PROOF"))


def test_a_run_of_strings_does_what_one_of_types_does(tiny_sheet: Path) -> None:
    done = nextflow.run(
        "-stub-run", "--input", str(tiny_sheet), "--use_gpu", "false", "--gtf", "false", "--batch_bases", "1000",
        "--gpus_per_task", "2", "--mode", "train", "--folds", "2", "--train_nodes", "1",
        launch_dir=tiny_sheet.parent, env=STRINGS,
    )  # fmt: skip
    assert done.code == 0, done.text
    assert "ran on the CPU" not in done.text
    assert done.count()["TG_TRAIN"] == 2
    params = json.loads(next(done.file("pipeline_info").glob("params_*.json")).read_text())
    assert (params["use_gpu"], params["gtf"], params["batch_bases"], params["folds"]) == (False, False, 1000, 2)
