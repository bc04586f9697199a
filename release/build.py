"""Everything that is handed out, from a clean tree: `make release`, or python -m release.build [--out DIR].

In: a checkout without changes. Out: dist/ with sdist, wheel, conda/meta.yaml and recipe.yaml, the context of the
images, the documentation, SHA256SUMS.
A surprise: nothing is asked of a network where uv's cache has the build backend; times in archives are those of the
commit, so the same commit gives the same archives.
"""

from __future__ import annotations

import argparse
import gzip
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterable
from pathlib import Path

from release.recipe import newer_recipe, recipe
from release.version import ROOT, disagreeing, version
from transgenic_tools.provenance import file_sha256

#: What containers/build and its Dockerfile read; folders whole.
CONTEXT = (
    ".dockerignore", "LICENSE", "constraints.txt", "pyproject.toml", "containers/Dockerfile", "containers/build",
    "containers/singularity.def", "transgenic_tools",
)  # fmt: skip


class Refused(Exception):
    """Why nothing is released."""


def _said(*command: object) -> str:
    done = subprocess.run([str(word) for word in command], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Refused(f"{command[0]} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def check_tree() -> int:
    """Time of the commit. Raises Refused where the tree has changes, or two versions."""
    if changes := _said("git", "status", "--porcelain"):
        raise Refused(f"the tree has changes; commit or remove them first:\n{changes}")
    if wrong := disagreeing():
        raise Refused("\n".join(["versions differ; python -m release.version VERSION sets them:", *wrong]))
    return int(_said("git", "log", "-1", "--format=%ct"))


def _build(out: Path, when: int) -> tuple[Path, Path]:
    """sdist, and the wheel made from it; the network is asked only where the cache does not suffice."""
    uv = shutil.which("uv") or str(Path(sys.executable).with_name("uv"))
    env = {**os.environ, "SOURCE_DATE_EPOCH": str(when)}
    command = [uv, "build", "-q", "--out-dir", str(out), str(ROOT)]
    for more in (["--offline"], []):
        done = subprocess.run([*command, *more], env=env, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            [sdist], [wheel] = out.glob("*.tar.gz"), out.glob("*.whl")
            return sdist, wheel
    raise Refused(f"uv build failed:\n{done.stderr}")


def _pack(target: Path, files: Iterable[tuple[str, Path]], when: int) -> Path:
    """A .tar.gz of files by their names in it: no owner, no time but the commit's."""
    with (
        open(target, "wb") as raw,
        gzip.GzipFile("", "wb", fileobj=raw, mtime=when) as packed,
        tarfile.open(fileobj=packed, mode="w") as archive,
    ):
        for name, path in sorted(files):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mtime = path.stat().st_size, when
            entry.mode = 0o755 if os.access(path, os.X_OK) else 0o644
            with open(path, "rb") as handle:
                archive.addfile(entry, handle)
    return target


def context_files() -> list[str]:
    """Files of the commit that an image is built from."""
    return [name for name in _said("git", "ls-files", "-z", *CONTEXT).split("\0") if name]


def _documentation(target: Path, when: int) -> Path:
    """The site that `make docs` builds, as an archive."""
    with tempfile.TemporaryDirectory() as folder:
        _said(sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", folder)
        site = Path(folder)
        files = [(str(path.relative_to(site)), path) for path in site.rglob("*") if path.is_file()]
        return _pack(target, files, when)


def build(out: Path) -> list[Path]:
    """Build everything into `out`, which is made anew; the files.

    Raises:
        Refused: the tree has changes, versions differ, or a part cannot be built.
    """
    when = check_tree()
    shutil.rmtree(out, ignore_errors=True)
    (out / "conda").mkdir(parents=True)
    now = version()
    sdist, wheel = _build(out, when)
    meta = out / "conda" / "meta.yaml"
    meta.write_text(recipe(ROOT / "pyproject.toml", sdist, now))
    newer = out / "conda" / "recipe.yaml"
    newer.write_text(newer_recipe(meta.read_text()))
    stem = f"transgenic-tools-{now}"
    context = ((f"{stem}/{name}", ROOT / name) for name in context_files())
    made = [sdist, wheel, meta, newer, _pack(out / f"{stem}-image-context.tar.gz", context, when)]
    if (ROOT / "mkdocs.yml").exists():
        made.append(_documentation(out / f"{stem}-docs.tar.gz", when))
    (out / ".gitignore").unlink(missing_ok=True)  # uv's
    sums = out / "SHA256SUMS"
    sums.write_text("".join(f"{file_sha256(path)}  {path.relative_to(out)}\n" for path in made))
    return [*made, sums]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m release.build", description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "dist", help="folder, made anew")
    try:
        made = build(parser.parse_args().out.resolve())
    except Refused as refused:
        print(f"release: {refused}", file=sys.stderr)
        return 1
    print("\n".join(f"{path.stat().st_size:>12,}  {path}" for path in made))
    return 0


if __name__ == "__main__":
    sys.exit(main())
