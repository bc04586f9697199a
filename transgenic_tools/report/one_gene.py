"""One gene as a picture, for `tg-report gene`.

In: a gene's ID or name and annotations. Out: an SVG or PNG file, or text for the terminal.
A surprise: with several samples, the first one that has the gene is drawn.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from transgenic_tools.errors import BadInputError, UsageError
from transgenic_tools.io.gene_ids import near_ones, spellings
from transgenic_tools.report.config import Config, parse_sources
from transgenic_tools.report.drawing import draw
from transgenic_tools.report.loci import Locus
from transgenic_tools.report.picture import to_terminal, write_png, write_svg
from transgenic_tools.report.run import load_loci

DEFAULT_WIDTH = 1000


@dataclass(frozen=True)
class PictureRequest:
    """What to draw and where to.

    Attributes:
        annotations, references: `SAMPLE=PATH` or paths; a reference alone may be drawn too.
        format: svg, png or terminal.
        width: Pixels or columns; 0 chooses.
    """

    gene: str
    annotations: tuple[str, ...]
    references: tuple[str, ...] = ()
    predictions: tuple[Path, ...] = ()
    format: str = "terminal"
    out: Path | None = None
    width: int = 0
    colour: bool = False


def _names(locus: Locus) -> set[str]:
    sources = {s for t in locus.predicted for s in t.attributes.get("source_gene", ())}
    own = {t.id for t in (*locus.reference, *locus.predicted)}
    return {*spellings(locus.gene_id), *(name.lower() for name in {locus.name, *sources, *own} if name)}


def find_locus(loci: Sequence[Locus], gene: str, *, files: Sequence[str] = ()) -> Locus:
    """The locus with this gene, transcript or name (any case, `gene-` and `gene:` may be left out).

    Raises:
        BadInputError: there is none; the message names near ones.
    """
    wanted = gene.lower()
    for locus in loci:
        if wanted in _names(locus):
            return locus
    hint = near_ones(gene, [locus.gene_id for locus in loci]) or "check the ID in column 9 of the annotation"
    where = ", ".join(files) or "these annotations"
    raise BadInputError(f"no such gene in {where}", feature=gene, hint=hint)


def draw_gene(request: PictureRequest) -> str:
    """Draw, and return what to say on stdout.

    Raises:
        UsageError: neither an annotation nor a reference was given.
        BadInputError: no such gene.
    """
    annotations, references = parse_sources(request.annotations), parse_sources(request.references)
    if not annotations and not references:
        raise UsageError("nothing to draw from", hint="give --annotation SAMPLE=PATH, --reference SAMPLE=PATH or both")
    if len(annotations) == 1 and len(references) == 1:
        references = (type(references[0])(annotations[0].sample, references[0].path),)
    shown_alone = not annotations
    config = Config(
        annotations=annotations or references, out=Path("unused"), references=() if shown_alone else references,
        predictions=request.predictions,
    )  # fmt: skip
    locus = find_locus(
        [locus for loci in load_loci(config).values() for locus in loci],
        request.gene,
        files=[str(source.path) for source in (*annotations, *references)],
    )
    if request.format == "terminal":
        width = request.width or min(140, shutil.get_terminal_size((100, 24)).columns)
        return to_terminal(locus, width=max(40, width), colour=request.colour)
    picture = draw(locus, width=max(300, request.width or DEFAULT_WIDTH))
    name = re.sub(r"[^\w.-]+", "_", locus.gene_id)
    path = request.out or Path(f"{name}.{request.format}")
    (write_svg if request.format == "svg" else write_png)(picture, path)
    return f"{path}\n"
