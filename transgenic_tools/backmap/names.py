"""Names that the genes of an annotation have already, for the genes that were predicted at their loci.

In: that annotation, genes with `source_gene`. Out: the same genes with names, products and database references.
A surprise: a transcript gets the references of the one that it equals only; a new isoform gets a product alone, of
the transcript with its CDS or, without one, of that which is most like it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from transgenic_tools.backmap.augment import known_as
from transgenic_tools.genome.gene import Gene, Transcript
from transgenic_tools.genome.splicing import nearest
from transgenic_tools.io.gff3 import read_annotation

Attributes = Mapping[str, tuple[str, ...]]

#: What is carried over, by the name that GFF3 has for it; GTF's names beside it.
GENE_KEYS: Mapping[str, tuple[str, ...]] = {
    "Name": ("Name", "gene_name"),
    "gene": ("gene",),
    "gene_synonym": ("gene_synonym",),
    "locus_tag": ("locus_tag",),
    "Alias": ("Alias",),
    "description": ("description",),
    "product": ("product",),
    "Dbxref": ("Dbxref", "db_xref"),
    "Ontology_term": ("Ontology_term",),
    "Note": ("Note", "note"),
}
TRANSCRIPT_KEYS: Mapping[str, tuple[str, ...]] = {
    "Name": ("Name", "transcript_name"),
    **{key: GENE_KEYS[key] for key in ("Alias", "description", "product", "Dbxref", "Ontology_term", "Note")},
}
PRODUCT: Mapping[str, tuple[str, ...]] = {"product": GENE_KEYS["product"]}


def carried(attributes: Attributes, keys: Mapping[str, tuple[str, ...]]) -> Attributes:
    """Those of the attributes that `keys` names, under GFF3's names."""
    found = {key: next((attributes[k] for k in known if attributes.get(k)), ()) for key, known in keys.items()}
    return {key: values for key, values in found.items() if values}


class Names:
    """Names by gene of one annotation."""

    def __init__(self, path: Path) -> None:
        """Reads the annotation.

        Raises:
            MissingInputError, BadInputError: as for `read_annotation`.
        """
        self._genes = {(gene.seqid, gene.strand, gene.id): gene for gene in read_annotation(path).genes}
        self.found = 0

    def named(self, gene: Gene) -> Gene:
        """The gene with the names of its source; as it is where the annotation has none."""
        source = self._genes.get((gene.seqid, gene.strand, gene.attributes.get("source_gene", (gene.id,))[0]))
        if source is None:
            return gene
        self.found += 1
        transcripts = tuple(self._transcript(transcript, source) for transcript in gene.transcripts)
        attributes = {**gene.attributes, **carried(source.attributes, GENE_KEYS)}
        return replace(gene, attributes=attributes, transcripts=transcripts)

    @staticmethod
    def _transcript(transcript: Transcript, source: Gene) -> Transcript:
        coding = source.coding_transcripts
        same = known_as(transcript, coding)
        like = same or next((t for t in coding if t.cds == transcript.cds), None) or nearest(transcript, coding)
        if like is None:
            return transcript
        more = carried(like.attributes, PRODUCT if same is None else TRANSCRIPT_KEYS)
        return replace(transcript, attributes={**transcript.attributes, **more})
