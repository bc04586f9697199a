"""The plan of each way of use, with stubs in place of tools: which tasks run, what is cached, what is written."""

from __future__ import annotations

import json
import os
import re
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests import progress
from tests.pipeline import nextflow
from tests.pipeline.conftest import write_tiny_sheet

pytestmark = pytest.mark.usefixtures("needs_nextflow")


def stub_run(sheet: Path, *arguments: str, **extra: object) -> nextflow.Run:
    return nextflow.run("-stub-run", "--input", str(sheet), *arguments, launch_dir=sheet.parent, **extra)  # type: ignore[arg-type]


def test_predict_scatters_and_gathers_and_resumes(tiny_sheet: Path) -> None:
    done = stub_run(tiny_sheet)
    assert done.code == 0, done.text
    plan = Counter(TG_PREP=2, TG_GENERATE=6, TG_BACKMAP=2, TG_EVALUATE=2, TG_REPORT=1)
    assert done.count() == plan
    for name in ("annotation/one.gff3", "annotation/one.rejects.tsv", "evaluation/two.json", "report/report.html"):
        assert done.file(name).is_file(), name
    info = {path.name.split("_2")[0] for path in done.file("pipeline_info").iterdir()}
    assert {"execution_report", "execution_timeline", "execution_trace", "pipeline_dag", "params"} <= info
    assert "software_versions.yml" in info
    params = json.loads(next(done.file("pipeline_info").glob("params_*.json")).read_text())
    assert params["input"] == str(tiny_sheet)

    # As docs/usage.md and docs/troubleshooting.md say it.
    listed = subprocess.run(
        [str(nextflow.NEXTFLOW), "log", "last", "-f", "name,status,workdir"],
        cwd=tiny_sheet.parent, env=nextflow.environment(), capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert listed.count("COMPLETED") == sum(plan.values())
    assert str(tiny_sheet.parent / "work") in listed

    again = stub_run(tiny_sheet, "-resume")
    assert again.code == 0, again.text
    assert again.count("CACHED") == plan
    assert again.file("annotation/one.rejects.tsv").read_text() == "gene\treason\tdetail\taction\n"


def test_a_genome_alone_is_scanned_in_shares(tiny_sheet: Path) -> None:
    lines = tiny_sheet.read_text().splitlines()
    header = lines[0].split(",")
    fasta = lines[1].split(",")[header.index("fasta")]
    row = ",".join({"sample": "bare", "fasta": fasta}.get(column, "") for column in header)
    tiny_sheet.write_text("\n".join([*lines, row]) + "\n")
    done = stub_run(tiny_sheet)
    assert done.code == 0, done.text
    assert done.count() == Counter(TG_PREP=2, TG_SCAN=1, TG_GENERATE=7, TG_BACKMAP=3, TG_EVALUATE=2, TG_REPORT=1)
    for name in ("annotation/bare.gff3", "annotation/bare.loci.bed", "annotation/one.gff3"):
        assert done.file(name).is_file(), name
    every = stub_run(tiny_sheet, "--scan")
    assert every.count() == Counter(TG_SCAN=3, TG_GENERATE=3, TG_BACKMAP=3, TG_EVALUATE=2, TG_REPORT=1)


def test_a_folder_for_genome_browsers_is_written_where_asked_for(tiny_sheet: Path) -> None:
    done = stub_run(tiny_sheet, "--jbrowse")
    assert done.code == 0, done.text
    assert done.count()["TG_JBROWSE"] == 1
    assert done.file("jbrowse/config.json").is_file()


def test_shares_of_a_scan_join_in_the_order_of_the_genome(tiny_sheet: Path) -> None:
    """More than nine of them: 10of12 is no name between 1of12 and 2of12."""
    (tiny_sheet.parent / "genome.fa").write_text(">seq1\n" + "ACGT" * 3_000_000 + "\n")
    tiny_sheet.write_text("sample,fasta\nbare,genome.fa\n")
    done = stub_run(tiny_sheet, "--scan_bases", "1000000", "--tracks")
    assert done.code == 0, done.text
    assert done.count()["TG_SCAN"] == 12
    assert done.file("annotation/bare.loci.bed").read_text().split() == [f"{number}/12" for number in range(1, 13)]
    assert done.count()["TG_TRACKS"] == 1
    assert done.file("annotation/bare.coding.plus.bw").is_file()
    staged = [path.read_text() for path in (done.launch_dir / "work").glob("*/*/.command.run")]
    joined = next(text for text in staged if "TG_TRACKS" in text)
    assert len(re.findall(r"ln -s \S*bare\.\d+of12\.coding\.plus\.bw", joined)) == 12
    reported = next(text for text in staged if "TG_REPORT" in text)
    assert len(re.findall(r"ln -s \S*\.scan\.json", reported)) == 12
    assert len(re.findall(r"ln -s \S*/bare\.(?:coding|sites)\.\w+\.bw", reported)) == 4


def test_evidence_of_a_genome_guides_it_alone_and_is_staged_under_names_of_its_own(tiny_sheet: Path) -> None:
    folder = tiny_sheet.parent
    lines = tiny_sheet.read_text().splitlines()
    tiny_sheet.write_text(f"{lines[0]},evidence\n{lines[1]},reads/evidence.csv\n{lines[2]},\n")
    for place in ("leaf", "root"):
        (folder / "reads" / place).mkdir(parents=True)
        (folder / "reads" / place / "SJ.out.tab").touch()
    rows = 'leaf_1,leaf/SJ.out.tab,"leaf, young"\nroot_1,root/SJ.out.tab,root\n'
    (folder / "reads" / "evidence.csv").write_text("sample,path,condition\n" + rows)
    done = stub_run(tiny_sheet)
    assert done.code == 0, done.text
    assert done.count() == Counter(
        TG_PREP=2, TG_EVIDENCE=1, TG_GENERATE=6, TG_BACKMAP=2, TG_USAGE=1, TG_EVALUATE=2, TG_REPORT=1
    )
    for name in ("evidence/one.evidence.parquet", "annotation/one.usage.tsv", "annotation/one.psi.tsv"):
        assert done.file(name).is_file(), name
    assert not done.file("annotation/two.usage.tsv").exists()
    staged = [path.read_text() for path in (done.launch_dir / "work").glob("*/*/.command.run")]
    (gathering,) = (text for text in staged if "TG_EVIDENCE" in text and "tg-evidence" not in text)
    for number, place in enumerate(("leaf", "root"), start=1):
        assert re.search(rf"ln -s \S*/reads/{place}/SJ.out.tab inputs/{number}/SJ.out.tab", gathering)
    assert sum("evidence/one.evidence.parquet" in text for text in staged) >= 3  # the shards of the one genome


def test_augment_needs_the_annotation_that_it_adds_to(tiny_sheet: Path) -> None:
    done = stub_run(tiny_sheet, "--mode", "augment")
    assert done.code == 0, done.text
    assert done.file("annotation/one.gff3").is_file()
    commands = [path.read_text() for path in (done.launch_dir / "work").glob("*/*/.command.run")]
    assert any("into/genes.gff3" in text for text in commands)


def test_adapt_trains_a_model_for_each_genome_and_annotates_with_it(tiny_sheet: Path) -> None:
    done = stub_run(tiny_sheet, "--mode", "adapt")
    assert done.code == 0, done.text
    assert done.count() == Counter(TG_PREP=2, TG_TRAIN=2, TG_GENERATE=6, TG_BACKMAP=2, TG_EVALUATE=2, TG_REPORT=1)
    assert {path.name for path in done.file("model").iterdir()} == {"one.adapted", "two.adapted"}
    commands = [path.read_text() for path in (done.launch_dir / "work").glob("*/*/.command.run")]
    for name in ("one", "two"):  # staged for the tasks that generate, beside the shards of their own genome
        assert sum(f"/{name}.adapted" in text and "TG_GENERATE" in text for text in commands) == 3
    scripts = [path.read_text() for path in (done.launch_dir / "work").glob("*/*/.command.sh")]
    assert not any("--self-train" in text for text in scripts), "a stub runs no tool"


def test_homology_splits_all_genomes_together(tiny_sheet: Path) -> None:
    """One task over the shards of both genomes; what it writes is what is trained on and annotated."""
    done = stub_run(tiny_sheet, "--mode", "train", "--split", "homology")
    assert done.code == 0, done.text
    assert done.count() == Counter(
        TG_PREP=2, TG_SPLIT=1, TG_TRAIN=1, TG_GENERATE=2, TG_BACKMAP=2, TG_EVALUATE=2, TG_REPORT=1
    )
    (script,) = (path for path in (done.launch_dir / "work").glob("*/*/.command.run") if "TG_TRAIN" in path.read_text())
    assert script.read_text().count("/split/") == 2


def test_train_makes_a_model_a_fold_and_evaluates_it(tiny_sheet: Path) -> None:
    done = stub_run(tiny_sheet, "--mode", "train", "--folds", "2")
    assert done.code == 0, done.text
    assert done.count()["TG_TRAIN"] == 2
    assert {path.name for path in done.file("model").iterdir()} == {"fold_0", "fold_1"}
    assert done.count()["TG_EVALUATE"] == 4
    assert done.file("evaluation/two.fold_1.json").is_file()
    table = [line.split("\t") for line in done.file("evaluation/folds.tsv").read_text().splitlines()]
    assert [row[:2] for row in table] == [["sample", "fold"], *(
        [sample, fold] for sample in ("one", "two") for fold in ("fold_0", "fold_1", "mean", "sd")
    )]  # fmt: skip
    assert "one: gene_exact 0.000 ± 0.000 over 2 folds" in done.text


def test_evaluate_compares_annotations_that_exist(tiny_sheet: Path, tmp_path: Path) -> None:
    folder = tmp_path / "earlier"
    folder.mkdir()
    for sample in ("one", "two"):
        (folder / f"{sample}.gff3").write_text("##gff-version 3\n")
    done = stub_run(tiny_sheet, "--mode", "evaluate", "--predictions", str(folder))
    assert done.code == 0, done.text
    assert done.count() == Counter(TG_EVALUATE=2, TG_REPORT=1)


def test_a_gpu_run_that_finds_none_says_so(tiny_sheet: Path) -> None:
    done = stub_run(tiny_sheet, "--use_gpu", "true")
    assert done.code == 0, done.text
    assert "ran on the CPU" in done.text


def test_stored_encodings_go_to_the_shard_that_they_were_made_of(tiny_sheet: Path) -> None:
    model = tiny_sheet.parent / "model"
    model.mkdir()
    (model / "config.json").write_text('{"encoder": {"name": "nucleotide-transformer-v2"}}')
    done = stub_run(tiny_sheet, "--store_encodings", "true", "--model", str(model))
    assert done.code == 0, done.text
    assert done.count()["TG_ENCODE"] == done.count()["TG_GENERATE"] == 6
    assert len(list(done.file("encodings/one").glob("*.parquet"))) == 3
    for task in (task for task in done.tasks if task.process == "TG_GENERATE"):
        folder = next((done.launch_dir / "work").glob(f"{task.workdir_hash}*"))
        (shard,) = folder.glob("genes-*.parquet")
        (stored,) = (folder / "encodings").iterdir()
        assert stored.name.replace("encodings", "genes") == shard.name
        assert f"/{task.tag.split(':')[0]}/" in str(shard.resolve())


@dataclass
class Received:
    """What came to the hook, and what it answers."""

    bodies: list[dict[str, Any]]
    url: str
    status: int = 200


@pytest.fixture
def hook() -> Iterator[Received]:
    """An HTTP server on this machine."""
    received = Received([], "")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.headers["Content-Type"] == "application/json"
            received.bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(received.status)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    received.url = f"http://127.0.0.1:{server.server_port}/hook"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield received
    server.shutdown()


def mailer(folder: Path) -> dict[str, str]:
    """A `sendmail` that keeps what it is given."""
    (folder / "bin").mkdir()
    program = folder / "bin" / "sendmail"
    program.write_text(f"#!/bin/sh\ncat >> {folder}/mails\n")
    program.chmod(0o755)
    return {"PATH": f"{folder / 'bin'}:{os.environ['PATH']}"}


def test_a_finished_run_tells_hook_and_mailbox(tiny_sheet: Path, hook: Received) -> None:
    env = mailer(tiny_sheet.parent)
    done = stub_run(tiny_sheet, "--hook_url", hook.url, "--email", "someone@example.org", env=env)
    assert done.code == 0, done.text
    (summary,) = hook.bodies
    assert summary["success"] is True
    assert summary["tasks"] == 13
    assert (summary["failed"], summary["cached"], summary["error"]) == (0, 0, None)
    assert summary["outdir"].endswith("/results/") or summary["outdir"].endswith("/results")
    assert summary["samples"]["one"]["gene_exact"] == 0.0
    mail = (tiny_sheet.parent / "mails").read_text()
    assert "To: someone@example.org" in mail
    assert f"[transgenic_tools] {summary['run']} finished" in mail
    assert "annotation/*.gff3" in mail


def test_a_failed_run_tells_them_why_and_they_cannot_fail_a_run(tiny_sheet: Path, hook: Received) -> None:
    env = mailer(tiny_sheet.parent)
    site = tiny_sheet.parent / "site.config"
    site.write_text("process { withName: TG_BACKMAP { beforeScript = 'exit 65' } }\n")
    hook.status = 500
    addresses = ("--hook_url", hook.url, "--email_on_fail", "operator@example.org")
    failed = stub_run(tiny_sheet, "-c", str(site), *addresses, env=env)
    assert failed.code == 1
    assert hook.bodies[0]["success"] is False
    assert "TG_BACKMAP" in hook.bodies[0]["error"]
    assert "exit status (65)" in hook.bodies[0]["error"]
    assert "--hook_url answered 500" in failed.text
    mail = (tiny_sheet.parent / "mails").read_text()
    assert "To: operator@example.org" in mail
    assert "failed" in mail
    assert "exit status (65)" in mail
    unheard = stub_run(tiny_sheet, "-resume", "--hook_url", "http://127.0.0.1:9/nobody")
    assert unheard.code == 0, unheard.text
    assert "--hook_url could not be reached" in unheard.text


@pytest.mark.slow
def test_three_large_genomes_fit_a_small_head_process(tmp_path: Path) -> None:
    """3 x 40,000 genes in shards of 2 Mb, a fifth of the default, are 3 x 60 tasks; the head stays below 2 GB."""
    sheet = write_tiny_sheet(tmp_path, samples=("one", "two", "three"))
    site = tmp_path / "site.config"
    site.write_text("process { withName: TG_PREP { ext.stub_shards = 60 } }\n")
    outdir = tmp_path / "results"
    process = nextflow.start(
        "-stub-run",
        "--input",
        str(sheet),
        "-c",
        str(site),
        launch_dir=tmp_path,
        outdir=outdir,
        env={"NXF_OPTS": "-Xmx2g"},
    )
    peak_kib = 0

    def watch() -> None:
        nonlocal peak_kib
        status = Path(f"/proc/{process.pid}/status")
        while process.poll() is None:
            try:
                lines = status.read_text().splitlines()
            except OSError:
                return
            peak_kib = max([peak_kib, *(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))])
            time.sleep(0.5)

    watcher = threading.Thread(target=watch)
    watcher.start()
    text, _ = progress.finish(process)
    watcher.join()
    assert process.returncode == 0, text
    done = nextflow.Run(process.returncode, text, outdir, tmp_path)
    assert done.count() == Counter(TG_PREP=3, TG_GENERATE=180, TG_BACKMAP=3, TG_EVALUATE=3, TG_REPORT=1)
    assert 0 < peak_kib < 2 * 2**20, f"{peak_kib / 2**20:.2f} GiB"
