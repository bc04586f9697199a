"""A folder that JBrowse 2 and IGV open: genome, annotations and tracks, compressed and indexed, with their settings.

In: annotations, genomes, and where there are any references and bigWig tracks, by sample. Out: BGZF files with tabix
indexes, `config.json` for JBrowse 2, `<sample>.igv.json` for igv.js and `<sample>.igv.xml` for IGV on a desktop.
A surprise: lines of a GFF3 are only sorted, none is changed; a GTF is read and written as GFF3, since a browser wants
parents.
"""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

from transgenic_tools.errors import BadInputError, UsageError
from transgenic_tools.genome.gene import Gene
from transgenic_tools.io.exports import FASTA_WIDTH
from transgenic_tools.io.fasta import Fasta
from transgenic_tools.io.files import raw_lines
from transgenic_tools.io.gff3 import read_annotation
from transgenic_tools.io.gff3.writer import Index, create_text, write_genes
from transgenic_tools.provenance import Provenance, folder_aside, write_aside
from transgenic_tools.report.config import Source

logger = logging.getLogger(__name__)
#: Beyond it tabix writes the newer index.
_TBI_BASES = 1 << 29


@dataclass(frozen=True, kw_only=True)
class BrowserConfig:
    """What goes into the folder.

    Attributes:
        annotations: Of each sample.
        fasta: The genome of each of them.
        references, tracks: Of some of them; tracks are bigWig, e.g. of `tg-backmap --sites`.
        out: The folder; made if missing, its files are replaced.
    """

    annotations: tuple[Source, ...]
    fasta: tuple[Source, ...]
    out: Path
    references: tuple[Source, ...] = ()
    tracks: tuple[Source, ...] = ()

    def __post_init__(self) -> None:
        genomes = {source.sample for source in self.fasta}
        for source in self.annotations:
            if source.sample not in genomes:
                raise UsageError(
                    f"sample {source.sample!r} has no genome", hint=f"add --fasta {source.sample}=GENOME.fa"
                )
        samples = {source.sample for source in self.annotations}
        for flag, sources in (("--reference", self.references), ("--track", self.tracks)):
            for source in sources:
                if source.sample not in samples:
                    raise UsageError(
                        f"{flag} names sample {source.sample!r}, which has no --annotation",
                        hint=f"the samples are {', '.join(sorted(samples))}",
                    )


@dataclass(frozen=True)
class _Track:
    """One track of a sample: its name for readers, its file in the folder, and where it is indexed."""

    name: str
    file: str
    index: str | None = None

    @property
    def id(self) -> str:
        return self.file.removesuffix(".gz")


@dataclass(frozen=True)
class _Genome:
    """A sample as it lies in the folder.

    Attributes:
        first: Where a browser opens: `seqid`, first and last base, 1-based.
    """

    sample: str
    fasta: str
    tracks: tuple[_Track, ...]
    first: tuple[str, int, int]

    @property
    def files(self) -> tuple[str, ...]:
        """All but the settings."""
        tracks = (name for track in self.tracks for name in (track.file, track.index) if name is not None)
        return (self.fasta, f"{self.fasta}.fai", f"{self.fasta}.gzi", *tracks)


@dataclass(frozen=True, kw_only=True)
class BrowserFolder:
    """What was written.

    Attributes:
        settings: `config.json` and two files a sample.
        files: Genomes, annotations, tracks and their indexes, then the settings.
    """

    settings: tuple[Path, ...]
    files: tuple[Path, ...]


def write_browser_folder(config: BrowserConfig) -> BrowserFolder:
    """Write the folder; the settings come last.

    Raises:
        BadInputError: no gene of an annotation lies on the genome, or a file cannot be read.
    """
    config.out.mkdir(parents=True, exist_ok=True)
    genomes = [_genome(source, config) for source in config.annotations]
    written = []
    for genome in genomes:
        texts = {f"{genome.sample}.igv.json": _igv_json(genome), f"{genome.sample}.igv.xml": _igv_xml(genome)}
        written += [_write(config.out / name, text) for name, text in texts.items()]
    settings = (_write(config.out / "config.json", json.dumps(_jbrowse(genomes), indent=1) + "\n"), *written)
    data = (config.out / name for genome in genomes for name in genome.files)
    return BrowserFolder(settings=settings, files=(*data, *settings))


def _write(path: Path, text: str) -> Path:
    with write_aside(path) as aside:
        aside.write_text(text, encoding="utf-8")
    return path


def _of(sample: str, sources: Iterable[Source]) -> list[Path]:
    return [source.path for source in sources if source.sample == sample]


def _genome(annotation: Source, config: BrowserConfig) -> _Genome:
    sample = annotation.sample
    [genome, *_] = _of(sample, config.fasta)
    with Fasta(genome) as fasta:
        lengths = dict(fasta.lengths)
        _compressed(fasta, config.out / f"{sample}.fa.gz")
    named = [("Prediction", f"{sample}.gff3.gz", annotation.path)]
    for number, path in enumerate(_of(sample, config.references)):
        named.append(("Reference", f"{sample}.reference{number or ''}.gff3.gz", path))
    tracks = list[_Track]()
    first = (next(iter(lengths)), 1, min(10_000, lengths[next(iter(lengths))]))
    for name, file, path in named:
        places = _sorted_copy(path, config.out / file, lengths)
        if not tracks and places is not None:
            first = places
        index = ".csi" if max(lengths.values()) >= _TBI_BASES else ".tbi"
        tracks.append(_Track(name, file, file + index))
    for number, path in enumerate(_of(sample, config.tracks)):
        file = f"{sample}.track{number or ''}.bw"
        with write_aside(config.out / file) as aside:
            shutil.copyfile(path, aside)
        tracks.append(_Track(path.name.removesuffix(".bw"), file))
    return _Genome(sample, f"{sample}.fa.gz", tuple(tracks), first)


def _compressed(fasta: Fasta, target: Path) -> None:
    import pysam

    with create_text(target) as handle:
        for name, length in fasta.lengths.items():
            handle.write(f">{name}\n")
            step = FASTA_WIDTH * 10_000
            for start in range(0, length, step):
                bases = fasta.fetch(name, start, min(start + step, length))
                handle.writelines(bases[i : i + FASTA_WIDTH] + "\n" for i in range(0, len(bases), FASTA_WIDTH))
    pysam.faidx(str(target))


def _sorted_copy(path: Path, target: Path, lengths: Mapping[str, int]) -> tuple[str, int, int] | None:
    """The annotation, sorted as the genome is, compressed and indexed; the place of its first spliced gene."""
    annotation = read_annotation(path)
    genes = [gene for gene in annotation.genes if gene.seqid in lengths]
    if annotation.genes and not genes:
        gene = annotation.genes[0]
        raise BadInputError(
            f"no gene lies on the genome; gene {gene.id} is on {gene.seqid}", path=path,
            hint="give the FASTA that the annotation was made for",
        )  # fmt: skip
    if len(genes) < len(annotation.genes):
        logger.warning("%s: %d genes are on no sequence of the genome", path, len(annotation.genes) - len(genes))
    if annotation.dialect == "gff3":
        lines = [line.rstrip(b"\r\n").decode("utf-8", "replace") for line in raw_lines(path)]
    else:
        with folder_aside(target.parent, target.name) as folder:
            plain = folder / "genes.gff3"
            write_genes(plain, map(_named, genes), provenance=Provenance("tg-report"), source="gtf")
            lines = plain.read_text(encoding="utf-8").splitlines()
    _write_sorted(lines, target, lengths)
    if not genes:
        return None
    order = {seqid: number for number, seqid in enumerate(lengths)}
    spliced = [gene for gene in genes if any(t.introns for t in gene.transcripts)] or genes
    gene = min(spliced, key=lambda gene: (order[gene.seqid], gene.interval.start))
    margin = len(gene.interval) // 5 + 100
    start, end = max(gene.interval.start - margin, 0), min(gene.interval.end + margin, lengths[gene.seqid])
    return (gene.seqid, start + 1, end)


def _named(gene: Gene) -> Gene:
    """With GTF's `gene_name`, of the gene's lines or its transcripts', where browsers look for a label."""
    lines = (gene.attributes, *(transcript.attributes for transcript in gene.transcripts))
    name = next((attributes["gene_name"] for attributes in lines if attributes.get("gene_name")), ())
    return replace(gene, attributes={"Name": name, **gene.attributes})


def _write_sorted(lines: Iterable[str], target: Path, lengths: Mapping[str, int]) -> None:
    """Features by sequence and start, those that start together in the order of the file; comments are dropped."""
    order = {seqid: number for number, seqid in enumerate(lengths)}
    rows: list[tuple[int, int, str]] = []
    for line in lines:
        if line.startswith("##FASTA"):
            break
        columns = line.split("\t", 5)
        if line.startswith("#") or len(columns) < 6 or columns[0] not in order or not columns[3].isdigit():
            continue
        rows.append((order[columns[0]], int(columns[3]), line))
    rows.sort(key=lambda row: row[:2])
    index: Index = ("gff", max(lengths.values()))
    with create_text(target, index=index) as handle:
        handle.write("##gff-version 3\n")
        handle.writelines(f"{line}\n" for _, _, line in rows)


# -- settings ---------------------------------------------------------------------------------------------------------


def _at(file: str) -> dict[str, str]:
    return {"uri": file, "locationType": "UriLocation"}


def _jbrowse(genomes: list[_Genome]) -> dict[str, Any]:
    """`config.json` of JBrowse 2: an assembly a sample, the tracks, and a session that shows the first gene."""
    first = genomes[0]
    place = f"{first.first[0]}:{first.first[1]}..{first.first[2]}"
    view = {"assembly": first.sample, "loc": place, "tracks": [track.id for track in first.tracks]}
    return {
        "assemblies": [_assembly(genome) for genome in genomes],
        "tracks": [_jbrowse_track(track, genome) for genome in genomes for track in genome.tracks],
        "defaultSession": {
            "name": "transgenic_tools",
            "views": [{"id": "first", "type": "LinearGenomeView", "init": view}],
        },
    }


def _assembly(genome: _Genome) -> dict[str, Any]:
    return {
        "name": genome.sample,
        "sequence": {
            "type": "ReferenceSequenceTrack",
            "trackId": f"{genome.sample}.sequence",
            "adapter": {
                "type": "BgzipFastaAdapter",
                "fastaLocation": _at(genome.fasta),
                "faiLocation": _at(f"{genome.fasta}.fai"),
                "gziLocation": _at(f"{genome.fasta}.gzi"),
            },
        },
    }


def _jbrowse_track(track: _Track, genome: _Genome) -> dict[str, Any]:
    common = {"trackId": track.id, "name": f"{track.name} ({genome.sample})", "assemblyNames": [genome.sample]}
    if track.index is None:
        values = {"type": "BigWigAdapter", "bigWigLocation": _at(track.file)}
        return {**common, "type": "QuantitativeTrack", "adapter": values}
    index = {"location": _at(track.index), "indexType": "CSI" if track.index.endswith(".csi") else "TBI"}
    adapter = {"type": "Gff3TabixAdapter", "gffGzLocation": _at(track.file), "index": index}
    return {**common, "type": "FeatureTrack", "adapter": adapter}


def _igv_json(genome: _Genome) -> str:
    """A session of igv.js and IGV-Web."""
    seqid, start, end = genome.first
    tracks = []
    for track in genome.tracks:
        kind = (
            {"type": "wig", "format": "bigwig", "autoscale": True}
            if track.index is None
            else {"type": "annotation", "format": "gff3"}
        )
        index = {} if track.index is None else {"indexURL": track.index, "displayMode": "EXPANDED", "nameField": "ID"}
        tracks.append({"name": f"{track.name} ({genome.sample})", "url": track.file, **kind, **index})
    session = {
        "reference": {
            "id": genome.sample,
            "fastaURL": genome.fasta,
            "indexURL": f"{genome.fasta}.fai",
            "compressedIndexURL": f"{genome.fasta}.gzi",
        },
        "locus": f"{seqid}:{start}-{end}",
        "tracks": tracks,
    }
    return json.dumps(session, indent=1) + "\n"


def _igv_xml(genome: _Genome) -> str:
    """A session of IGV on a desktop; its paths are relative to the file."""
    seqid, start, end = genome.first
    resources = "\n".join(f"    <Resource path={quoteattr(track.file)}/>" for track in genome.tracks)
    return (
        '<?xml version="1.0" encoding="UTF-8" standalone="no"?>\n'
        f'<Session genome={quoteattr(genome.fasta)} locus={quoteattr(f"{seqid}:{start}-{end}")} version="8">\n'
        f"  <Resources>\n{resources}\n  </Resources>\n</Session>\n"
    )
