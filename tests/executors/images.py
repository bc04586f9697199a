"""The project's thin image on this machine, and a stand-in for the torch image.

In: podman, and a base image: BASE_IMAGE, else one made with debootstrap where no registry can be reached.
Out: an image reference, or a directory.
A surprise: an image with torch is 6 GB and takes minutes, so tests put the machine's own virtual environment, mounted
read-only, in front of the thin image; containers/build makes the real one.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zlib
from pathlib import Path

from tests.pipeline.nextflow import ROOT
from transgenic_tools import __version__

STAND_IN_BASE = "localhost/python:3.11-slim"
OFFICIAL_BASE = "docker.io/library/python:3.11-slim"
THIN = f"localhost/transgenic-tools:{__version__}-thin"
TORCH = f"localhost/transgenic-tools:{__version__}"
#: It holds this checkout's paths, so each checkout has its own.
TEST_IMAGE = f"localhost/transgenic-tools:{__version__}-test-{zlib.crc32(str(ROOT).encode()):08x}"
SHIM = Path(__file__).parent / "singularity-shim"

_NEEDED = {
    "podman": ("podman", "debootstrap"),
    "docker": ("dockerd", "docker", "podman"),
    "charliecloud": ("ch-run",),
}
_CONTAINERS_CONF = """\
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
netns = "host"
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "runc"
"""


def missing(engine: str) -> str | None:
    """Why an engine cannot be used here, or None."""
    if os.geteuid() != 0:
        return f"{engine}: building an image here needs root"
    absent = [name for name in _NEEDED[engine] if shutil.which(name) is None]
    return f"not installed: {', '.join(absent)} (bin/bootstrap executors)" if absent else None


def _run(*command: str, timeout: float = 900, env: dict[str, str] | None = None) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False, env=env)
    assert done.returncode == 0, f"{' '.join(command)}:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout


def exists(image: str) -> bool:
    return subprocess.run(["podman", "image", "exists", image], check=False, timeout=60).returncode == 0


_DIGEST = """
import hashlib, pathlib, sys
digest = hashlib.sha256()
for path in sorted(pathlib.Path(sys.argv[1]).rglob("*.py")):
    digest.update(path.relative_to(sys.argv[1]).as_posix().encode() + path.read_bytes())
print(digest.hexdigest())
"""


def holds_this_code(image: str) -> bool:
    """The package in the image is the one of this checkout."""
    find = f"import sys, transgenic_tools; sys.argv[1:] = transgenic_tools.__path__; exec({_DIGEST!r})"
    inside = _run("podman", "run", "--rm", image, "python", "-c", find)
    here = _run(sys.executable, "-c", _DIGEST, str(ROOT / "transgenic_tools"))
    return inside == here


def _pull(image: str) -> bool:
    try:
        done = subprocess.run(["podman", "pull", "-q", image], capture_output=True, timeout=180, check=False)
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


def configure_podman() -> None:
    """Settings for a sandbox without systemd; left alone where the machine has its own."""
    target = Path("/etc/containers/containers.conf")
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(_CONTAINERS_CONF)


def base_image() -> str:
    """BASE_IMAGE, the official one, or one made of Debian's packages."""
    if given := os.environ.get("BASE_IMAGE"):
        return given
    if exists(STAND_IN_BASE) or (not _pull(OFFICIAL_BASE) and _make_base()):
        return STAND_IN_BASE
    return OFFICIAL_BASE


def _make_base() -> bool:
    folder = ROOT / ".cache" / "base-image"
    mirrors = _run("apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages").split()
    shutil.rmtree(folder, ignore_errors=True)
    packages = "ca-certificates,python3,python3-pip,python3-venv,procps"
    _run("debootstrap", "--variant=minbase", f"--include={packages}", "bookworm", str(folder), mirrors[0])
    (folder / "usr/lib/python3.11/EXTERNALLY-MANAGED").unlink(missing_ok=True)
    (folder / "usr/bin/python").symlink_to("python3")
    shutil.copy("/etc/ssl/certs/ca-certificates.crt", folder / "etc/ssl/certs/ca-certificates.crt")
    for left in (*folder.glob("var/cache/apt/archives/*.deb"), *folder.glob("var/lib/apt/lists/*_*")):
        left.unlink()  # as the official image has none
    changes = ["-c", "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "-c", 'CMD ["python3"]']
    with subprocess.Popen(["tar", "-C", str(folder), "-c", "."], stdout=subprocess.PIPE) as tar:
        subprocess.run(
            ["podman", "import", "-q", *changes, "-", STAND_IN_BASE], stdin=tar.stdout, check=True, timeout=300
        )
    shutil.rmtree(folder)
    return True


def python_home() -> Path:
    """Where the interpreter behind .venv lives: it must be seen at the same place inside."""
    return Path(sys.base_prefix).resolve()


def build_variables() -> dict[str, str]:
    """The environment that containers/build needs on this machine."""
    ca_bundle = "/etc/ssl/certs/ca-certificates.crt"
    env = {**os.environ, "ENGINE": "podman", "BASE_IMAGE": base_image()}
    if Path(ca_bundle).exists():
        env.setdefault("PIP_CERT", ca_bundle)
    return env


def build() -> str:
    """The thin image from containers/Dockerfile, then the layer that tests need; podman's cache makes this quick."""
    configure_podman()
    _run(str(ROOT / "containers" / "build"), "thin", env=build_variables(), timeout=1200)
    torch_tools = " ".join(f"/opt/transgenic/bin/tg-{name}" for name in ("encode", "generate", "train"))
    recipe = (
        f"FROM {THIN}\nUSER root\n"
        f"RUN mkdir -p {ROOT}/.venv {ROOT}/transgenic_tools {python_home()} && rm -f {torch_tools}\n"
        f"ENV PATH=/opt/transgenic/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:{ROOT}/.venv/bin\n"
    )
    done = subprocess.run(
        ["podman", "build", "-q", "--format", "docker", "-t", TEST_IMAGE, "-"],
        input=recipe, text=True, capture_output=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return TEST_IMAGE


def mounts(flag: str = "-v", suffix: str = ":ro") -> str:
    """Options that show .venv, the package that it points at, and the interpreter behind it inside a container."""
    paths = (ROOT / ".venv", ROOT / "transgenic_tools", python_home())
    return " ".join(f"{flag} {path}:{path}{suffix}" for path in paths)


def unpack(image: str, folder: Path) -> Path:
    """The image as a directory, its environment where ch-run looks for it."""
    target = folder / "image"
    target.mkdir()
    container = _run("podman", "create", image).strip()
    with subprocess.Popen(["podman", "export", container], stdout=subprocess.PIPE) as exported:
        subprocess.run(["tar", "-C", str(target), "-x"], stdin=exported.stdout, check=True, timeout=600)
    _run("podman", "rm", container)
    variables = _run("podman", "image", "inspect", "--format", "{{range .Config.Env}}{{println .}}{{end}}", image)
    (target / "ch").mkdir(exist_ok=True)
    (target / "ch" / "environment").write_text(variables.strip() + "\n")
    return target
