"""A SLURM cluster on this machine, without systemd: two nodes, three partitions, GPUs that are character devices.

In: Debian's slurm-wlm and munge, and root. Out: `up()` and `down()`, and what tests ask a cluster.
Both nodes are this machine; only partition `wide` has the second one, so nothing is counted twice elsewhere.
A surprise: slurmd goes down first and munged last, else slurmd hangs for a minute on its way out.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

MUNGE_KEY = Path("/etc/munge/munge.key")
CONFIG_DIR = Path("/etc/slurm")
GPU_DIR = Path("/var/spool/fakegpu")
SECOND = "second"
PID_FILES = {
    "slurmd": Path(f"/run/slurmd.{socket.gethostname().split('.')[0]}.pid"),
    f"slurmd {SECOND}": Path(f"/run/slurmd.{SECOND}.pid"),
    "slurmctld": Path("/run/slurmctld.pid"),
    "munged": Path("/run/munge/munged.pid"),
}

_CONFIG = """\
ClusterName=ci
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
AuthType=auth/munge
StateSaveLocation=/var/spool/slurmctld
SlurmdSpoolDir=/var/spool/slurmd.%n
SlurmctldPidFile=/run/slurmctld.pid
SlurmdPidFile=/run/slurmd.%n.pid
SlurmctldLogFile=/var/log/slurm/slurmctld.log
SlurmdLogFile=/var/log/slurm/slurmd.%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerParameters=batch_sched_delay=0,sched_interval=1,sched_min_interval=0,bf_interval=1
ReturnToService=2
MpiDefault=none
MinJobAge=60
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
GresTypes=gpu
NodeName={host} NodeAddr=127.0.0.1 Port=6818 CPUs={cpus} RealMemory={memory} Gres=gpu:fake:2 State=UNKNOWN
NodeName={second} NodeHostname={host} NodeAddr=127.0.0.1 Port=16818 CPUs={cpus} RealMemory={memory} Gres=gpu:fake:2
PartitionName=cpu Nodes={host} Default=YES MaxTime=INFINITE State=UP OverSubscribe=NO
PartitionName=gpu Nodes={host} MaxTime=INFINITE State=UP OverSubscribe=NO
PartitionName=wide Nodes={host},{second} MaxTime=INFINITE State=UP OverSubscribe=NO
"""


def missing() -> str | None:
    """Why no cluster can be started here, or None."""
    if os.geteuid() != 0:
        return "starting SLURM's daemons needs root"
    absent = [name for name in ("slurmctld", "slurmd", "sbatch", "munged") if shutil.which(name) is None]
    return f"not installed: {', '.join(absent)} (bin/bootstrap slurm)" if absent else None


def _ok(*command: str) -> bool:
    return subprocess.run(command, capture_output=True, timeout=60, check=False).returncode == 0


def _wait(condition: Callable[[], bool], seconds: float, what: str) -> None:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise RuntimeError(f"SLURM: {what} did not come within {seconds} s; see /var/log/slurm")
        time.sleep(0.3)


def _munge_works() -> bool:
    made = subprocess.run(["munge", "-n"], capture_output=True, timeout=20, check=False, stdin=subprocess.DEVNULL)
    return (
        made.returncode == 0
        and subprocess.run(["unmunge"], input=made.stdout, capture_output=True, check=False).returncode == 0
    )


def _daemon_runs(name: str) -> bool:
    """A daemon that has ended may stay a zombie where nothing reaps it: its state tells."""
    listed = subprocess.run(["ps", "-C", name, "-o", "stat="], capture_output=True, text=True, check=False)
    return any(not line.startswith("Z") for line in listed.stdout.splitlines())


def node_states() -> str:
    return subprocess.run(["sinfo", "-h", "-o", "%T"], capture_output=True, text=True, check=False).stdout


def _write_config() -> None:
    host = socket.gethostname().split(".")[0]
    for folder in ("/var/spool/slurmctld", "/var/log/slurm", "/run/munge", CONFIG_DIR, GPU_DIR):
        Path(folder).mkdir(parents=True, exist_ok=True)
    megabytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20
    text = _CONFIG.format(host=host, second=SECOND, cpus=os.cpu_count(), memory=int(megabytes * 0.9))
    (CONFIG_DIR / "slurm.conf").write_text(text)
    for number in range(2):
        device = GPU_DIR / f"nvidia{number}"
        device.unlink(missing_ok=True)
        os.mknod(device, 0o020666, os.makedev(1, 3))
    devices = f"Name=gpu Type=fake File={GPU_DIR}/nvidia[0-1]"
    gres = f"AutoDetect=off\nNodeName={host} {devices}\nNodeName={SECOND} {devices}\n"
    (CONFIG_DIR / "gres.conf").write_text(gres)
    if not MUNGE_KEY.exists() or MUNGE_KEY.stat().st_size == 0:
        MUNGE_KEY.write_bytes(os.urandom(1024))
    shutil.chown(MUNGE_KEY, "munge", "munge")
    MUNGE_KEY.chmod(0o400)
    shutil.chown("/run/munge", "munge", "munge")


def up() -> tuple[str, ...]:
    """Start what does not run yet; the names of what was started. Daemons go to the background by themselves.

    A controller that is started here forgets the queue (-c) that a killed test session may have left behind.
    """
    if _daemon_runs("slurmctld") and _daemon_runs("slurmd") and _ok("scontrol", "ping"):
        return ()  # another test session's cluster, of the same shape: share it, and leave it alone afterwards
    started = []
    _write_config()
    quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "check": True}
    if not _munge_works():
        subprocess.run(["su", "-s", "/bin/sh", "munge", "-c", "/usr/sbin/munged --force"], **quiet)  # type: ignore[call-overload]
        _wait(_munge_works, 20, "munged")
        started.append("munged")
    if not _daemon_runs("slurmctld"):
        subprocess.run(["slurmctld", "-c"], **quiet)  # type: ignore[call-overload]
        started.append("slurmctld")
    _wait(lambda: _ok("scontrol", "ping"), 20, "slurmctld")
    if not _daemon_runs("slurmd"):
        for name, node in (("slurmd", socket.gethostname().split(".")[0]), (f"slurmd {SECOND}", SECOND)):
            Path(f"/var/spool/slurmd.{node}").mkdir(parents=True, exist_ok=True)
            subprocess.run(["slurmd", "-N", node], **quiet)  # type: ignore[call-overload]
            started.append(name)
    _wait(lambda: any(state in node_states() for state in ("idle", "mixed", "allocated")), 40, "slurmd")
    return tuple(started)


def down(started: tuple[str, ...]) -> None:
    """End the daemons that `up` started, each by its process id: slurmd first, munged last."""
    for name, pid_file in PID_FILES.items():
        if name not in started:
            continue
        if not pid_file.exists() or not pid_file.read_text().strip():
            continue
        pid = int(pid_file.read_text())
        try:
            os.kill(pid, signal.SIGTERM)
        except ProcessLookupError:
            continue
        end = time.monotonic() + 30
        while time.monotonic() < end:
            state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False)
            if not state.stdout.strip() or state.stdout.startswith("Z"):
                break
            time.sleep(0.3)


def jobs(name_part: str, state: str = "RUNNING", *, below: Path | None = None) -> tuple[str, ...]:
    """Ids of jobs in this state whose name holds `name_part`, and whose work directory lies below `below`."""
    listed = subprocess.run(["squeue", "-h", "-t", state, "-o", "%i|%Z|%j"], capture_output=True, text=True, check=True)
    rows = [line.split("|", maxsplit=2) for line in listed.stdout.splitlines()]
    return tuple(
        number
        for number, folder, name in rows
        if name_part in name and (below is None or Path(folder).is_relative_to(below))
    )


def cancel(job: str) -> None:
    subprocess.run(["scancel", job], check=True, timeout=60)
