"""The peers: AUGUSTUS and SNAP as Debian ships them, on the very same windows.

In: windows. Out: transcripts in genome coordinates, and what the run cost. Results are kept by the digest of command
and input under .cache/bench, since both tools are deterministic; a cost is kept only with the run that paid it.
A surprise: AUGUSTUS soft-masks by default (lower case costs it 7 points here), so it is given upper-case sequence,
and `--sample` is always explicit because its arabidopsis parameters set it to 100.
"""

from __future__ import annotations

import hashlib
import re
import shutil
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.measure import Cost, run_measured
from benchmarks.windows import window_name, write_fasta
from transgenic_tools.errors import MissingInputError
from transgenic_tools.genome.gene import Gene, Transcript
from transgenic_tools.genome.interval import Interval, span
from transgenic_tools.io.gff3.writer import sort_key, write_genes
from transgenic_tools.io.rows import GeneRow
from transgenic_tools.provenance import Provenance, file_sha256, write_aside

SNAP_HMM = Path("/usr/share/snap/HMM/A.thaliana.hmm")
_AUGUSTUS = ("augustus", "--species=arabidopsis", "--strand=forward", "--UTR=off", "--gff3=on", "--protein=off")


@dataclass(frozen=True)
class Peer:
    """A tool: its name in results.json, its command before the FASTA path, its package and its output's parser."""

    name: str
    command: tuple[str, ...]
    package: str
    parse: Callable[[Iterable[str]], Mapping[str, list[Transcript]]]


def parse_augustus(lines: Iterable[str]) -> dict[str, list[Transcript]]:
    """Window name -> transcripts in window coordinates, from AUGUSTUS' GFF3 (CDS lines hold the stop codon)."""
    cds: dict[tuple[str, str], list[Interval]] = defaultdict(list)
    scores: dict[tuple[str, str], float] = {}
    for line in lines:
        fields = line.rstrip("\n").split("\t")
        if len(fields) != 9 or fields[6] != "+":
            continue
        if fields[2] == "transcript" and fields[5] != ".":
            scores[fields[0], re.findall(r"ID=([^;]+)", fields[8])[0]] = float(fields[5])
        elif fields[2] == "CDS":
            parent = re.findall(r"Parent=([^;]+)", fields[8])[0]
            cds[fields[0], parent].append(Interval(int(fields[3]) - 1, int(fields[4])))
    return _transcripts(cds, scores)


def parse_snap(lines: Iterable[str]) -> dict[str, list[Transcript]]:
    """Window name -> transcripts in window coordinates, from `snap-hmm -gff` (Einit, Exon, Eterm, Esngl lines)."""
    cds: dict[tuple[str, str], list[Interval]] = defaultdict(list)
    for line in lines:
        fields = line.rstrip("\n").split("\t")
        if len(fields) >= 9 and fields[1] == "SNAP" and fields[6] == "+":
            cds[fields[0], fields[8].strip()].append(Interval(int(fields[3]) - 1, int(fields[4])))
    return _transcripts(cds, {})


def _transcripts(
    cds: Mapping[tuple[str, str], list[Interval]], scores: Mapping[tuple[str, str], float]
) -> dict[str, list[Transcript]]:
    found: dict[str, list[Transcript]] = defaultdict(list)
    for (name, identifier), parts in cds.items():
        ordered = tuple(sorted(parts))
        found[name].append(Transcript(identifier, name, "+", ordered, ordered, score=scores.get((name, identifier))))
    return dict(found)


PEERS: tuple[Peer, ...] = (
    Peer("augustus", (*_AUGUSTUS, "--genemodel=exactlyone", "--sample=0"), "augustus", parse_augustus),
    Peer(
        "augustus_sampling",
        (*_AUGUSTUS, "--genemodel=exactlyone", "--alternatives-from-sampling=true", "--sample=100"),
        "augustus",
        parse_augustus,
    ),
    Peer("snap", ("snap-hmm", "-gff", "-quiet", "-plus", str(SNAP_HMM)), "snap", parse_snap),
)


def check_peers(peers: Sequence[Peer] = PEERS) -> None:
    """Raises MissingInputError for the first tool that is not installed."""
    for peer in peers:
        if shutil.which(peer.command[0]) is None:
            raise MissingInputError(f"{peer.command[0]} is not on PATH", hint=f"apt install {peer.package}")


def run_peer(peer: Peer, windows: Sequence[GeneRow], *, cache: Path, fresh: bool = False) -> tuple[Path, Cost | None]:
    """The tool's output file for these windows, and its cost where it ran now (None where the cache answered)."""
    fasta = write_fasta(windows, cache / "windows.fa")
    key = hashlib.sha256(" ".join((*peer.command, file_sha256(fasta))).encode()).hexdigest()[:24]
    output = cache / f"{peer.name}.{key}.out"
    if output.exists() and not fresh:
        return output, None
    with write_aside(output) as aside:
        cost = run_measured((*peer.command, fasta), stdout=aside, stderr=cache / f"{peer.name}.log")
    return output, cost


def peer_genes(peer: Peer, output: Path, windows: Sequence[GeneRow]) -> list[Gene]:
    """The peer's transcripts in genome coordinates, one gene a window, `source_gene` on every transcript."""
    with output.open(errors="replace") as handle:
        parsed = peer.parse(handle)
    genes = []
    for number, row in enumerate(windows):
        found = [row.window.transcript_to_genome(t) for t in parsed.get(window_name(number), ())]
        if not found:
            continue
        gene_id = f"{peer.name}.{number}"
        named = tuple(
            replace(t, id=f"{gene_id}.t{i}", attributes={"source_gene": (row.gene_id,)})
            for i, t in enumerate(found, start=1)
        )
        genes.append(Gene(gene_id, row.seqid, row.strand, span([t.interval for t in named]), named))
    return sorted(genes, key=sort_key)


def write_peer_gff3(peer: Peer, output: Path, windows: Sequence[GeneRow], path: Path) -> Path:
    """`peer_genes` as GFF3."""
    provenance = Provenance("benchmarks", {"tool": peer.name, "command": " ".join(peer.command)})
    write_genes(path, peer_genes(peer, output, windows), provenance=provenance, source=peer.name)
    return path
