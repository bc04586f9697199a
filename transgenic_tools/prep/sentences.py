"""GFF3 to gene sentences and back, without a genome.

In: an annotation, or a table of gene sentences. Out: the other one.
A surprise: a gene sentence holds coding transcripts of different structure alone; whatever it cannot hold is
reported as a finding. IDs stand in columns of their own; attributes and sources are not kept.

The table: `#gsf 1`, a header line, then one gene a line, tab-separated: gene_id, seqid, start, end, strand,
window_start, window_end, transcripts (IDs, joined by commas, %-escaped), gsf.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote, unquote

from transgenic_tools import gsf
from transgenic_tools.errors import BadInputError
from transgenic_tools.genome.checks import Finding, told
from transgenic_tools.genome.gene import Gene
from transgenic_tools.genome.interval import Interval
from transgenic_tools.genome.window import Window, window_around
from transgenic_tools.io.files import is_pipe, open_text, text_lines
from transgenic_tools.io.gff3 import read_annotation, write_genes
from transgenic_tools.provenance import Provenance, check_outputs, write_aside

MAGIC = "#gsf 1"
COLUMNS = ("gene_id", "seqid", "start", "end", "strand", "window_start", "window_end", "transcripts", "gsf")


@dataclass(frozen=True)
class Converted:
    """How many genes were written, and what could not be."""

    genes: int
    transcripts: int
    findings: tuple[Finding, ...] = ()


def _escape(text: str) -> str:
    return quote(text, safe=" :|@/()[]+")


def to_line(gene: Gene, *, flank: int, findings: list[Finding]) -> str | None:
    """One line of the table, or None for a gene without CDS."""
    kept: dict[object, str] = {}
    chosen = []
    for transcript in gene.transcripts:
        if not transcript.cds:
            findings.append(Finding("noncoding_transcript", gene.id, transcript.id))
        elif (transcript.exons, transcript.cds, transcript.first_phase) in kept:
            findings.append(Finding("same_structure", gene.id, transcript.id))
        else:
            kept[transcript.exons, transcript.cds, transcript.first_phase] = transcript.id
            chosen.append(transcript)
    if not chosen:
        findings.append(Finding("no_cds", gene.id))
        return None
    window = window_around(gene, upstream=flank, downstream=flank)
    sentence = gsf.write([window.transcript_to_window(t) for t in chosen], strand=gene.strand)
    fields = [
        _escape(gene.id), _escape(gene.seqid), gene.interval.start, gene.interval.end, gene.strand,
        window.start, window.end, ",".join(_escape(t.id) for t in chosen), sentence,
    ]  # fmt: skip
    return "\t".join(map(str, fields))


def from_line(line: str) -> Gene:
    """Inverse of `to_line`.

    Raises:
        BadInputError: a wrong number of columns, a number that is none, a bad gene sentence.
    """
    fields = line.split("\t")
    if len(fields) != len(COLUMNS):
        raise BadInputError(f"{len(fields)} columns", hint=f"the columns are {', '.join(COLUMNS)}")
    gene_id, seqid = unquote(fields[0]), unquote(fields[1])
    try:
        start, end, window_start, window_end = (int(fields[i]) for i in (2, 3, 5, 6))
        interval = Interval(start, end)
    except ValueError as error:
        raise BadInputError(f"bad coordinates ({error})", feature=gene_id) from error
    parsed = gsf.parse(fields[8], seqid=seqid, gene_id=gene_id)
    if fields[4] != parsed.strand:
        raise BadInputError(f"strand {fields[4]!r}, but the sentence lies on {parsed.strand}", feature=gene_id)
    names = [unquote(name) for name in fields[7].split(",")]
    if len(names) != len(parsed.transcripts):
        raise BadInputError(f"{len(names)} IDs for {len(parsed.transcripts)} transcripts", feature=gene_id)
    window = Window(seqid, window_start, window_end, parsed.strand)
    try:
        placed = [window.transcript_to_genome(t) for t in parsed.transcripts]
    except ValueError as error:
        raise BadInputError(str(error), feature=gene_id) from error
    transcripts = tuple(replace(t, id=name) for t, name in zip(placed, names, strict=True))
    return Gene(gene_id, seqid, parsed.strand, interval, transcripts)


def write_sentences(genes: Iterable[Gene], path: Path, *, flank: int = 0) -> Converted:
    """Write the table."""
    findings: list[Finding] = []
    count = transcripts = 0
    with write_aside(path) as aside, open(aside, "w", encoding="utf-8") as handle:
        handle.write(MAGIC + "\n" + "\t".join(COLUMNS) + "\n")
        for gene in genes:
            line = to_line(gene, flank=flank, findings=findings)
            if line is not None:
                handle.write(line + "\n")
                count += 1
                transcripts += line.rsplit("\t", 2)[1].count(",") + 1
    return Converted(count, transcripts, tuple(findings))


def read_sentences(path: Path) -> Iterator[Gene]:
    """Read the table.

    Raises:
        BadInputError: with file and line.
    """
    for number, line in text_lines(path):
        if number <= 2 or not line:
            continue
        try:
            yield from_line(line)
        except BadInputError as error:
            raise BadInputError(
                error.message, path=path, line=number, feature=error.feature, hint=error.hint
            ) from error


def is_sentences(path: Path) -> bool:
    """True where the file is a table of gene sentences; it is opened anew to be read, so a pipe is taken for none."""
    if is_pipe(path):
        return False
    with open_text(path) as handle:
        return handle.read(len(MAGIC)) == MAGIC.encode()


def convert(source: Path, target: Path, *, flank: int = 0) -> Converted:
    """GFF3 or GTF to sentences, or sentences to GFF3 (GTF where the target ends in .gtf), told by the source.

    Raises:
        MissingInputError: no such file.
        BadInputError: the source cannot be read.
        UsageError: the target is the source.
    """
    check_outputs({"--out": target}, inputs=(source,))
    if is_sentences(source):
        genes = list(read_sentences(source))
        provenance = Provenance("tg-prep gsf", {"source": source.name})
        write_genes(target, genes, provenance=provenance)
        return Converted(len(genes), sum(len(g.transcripts) for g in genes))
    annotation = read_annotation(source)
    if not annotation.genes:
        raise BadInputError(
            f"the annotation holds no gene; {told(annotation.problems) or 'it has no gene line'}", path=source,
            hint="mend what is named",
        )  # fmt: skip
    converted = write_sentences(annotation.genes, target, flank=flank)
    return replace(converted, findings=(*annotation.problems, *converted.findings))
