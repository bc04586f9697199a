"""The Parquet schemas of the project, one place for all of them.

In: nothing. Out: pyarrow schemas of gene shards and prediction shards, and the metadata that both carry.
A surprise: `sequence` is the window 5' to 3' on the gene's strand, already padded with N, so a shard needs no FASTA.
Under a shortening routine `kept` holds the window's kept stretches, and `sequence` and `gsf` are those of the
shortened window.
"""

from __future__ import annotations

import pyarrow as pa

from transgenic_tools.provenance import FORMAT_VERSION, Provenance

COORDINATES = "0-based half-open, genome plus strand for start/end/window_*; gsf relative to the window's 5' end"

_LOCUS = [
    pa.field("gene_id", pa.string(), nullable=False),
    pa.field("sample", pa.string(), nullable=False),
    pa.field("seqid", pa.string(), nullable=False),
    pa.field("start", pa.int64(), nullable=False),
    pa.field("end", pa.int64(), nullable=False),
    pa.field("strand", pa.string(), nullable=False),
    pa.field("window_start", pa.int64(), nullable=False),
    pa.field("window_end", pa.int64(), nullable=False),
]

GENE_SHARD = pa.schema(
    [
        *_LOCUS,
        pa.field("sequence", pa.large_string(), nullable=False),
        pa.field("gsf", pa.large_string()),
        pa.field("n_transcripts", pa.int32(), nullable=False),
        pa.field("primary_transcript", pa.string()),
        pa.field("split", pa.string()),
        pa.field("fold", pa.int32()),
        pa.field("flags", pa.list_(pa.string()), nullable=False),
        pa.field("kept", pa.list_(pa.int64())),
    ]
)
#: The same with what a scan's network said of each window (`lattice.carried`), for tg-generate with that network.
CARRYING_SHARD = GENE_SHARD.append(pa.field("carried", pa.large_binary()))

#: `scores`: one probability a transcript, in the order of the gsf. `site_scores`/`exon_scores`: one list a transcript,
#: per exon in transcription order. `confidence`: probability that the best transcript's CDS is exact.
PREDICTION_SHARD = pa.schema(
    [
        *_LOCUS,
        pa.field("gsf", pa.large_string()),
        pa.field("scores", pa.list_(pa.float32()), nullable=False),
        pa.field("exon_scores", pa.list_(pa.list_(pa.float32())), nullable=False),
        pa.field("donor_scores", pa.list_(pa.list_(pa.float32())), nullable=False),
        pa.field("acceptor_scores", pa.list_(pa.list_(pa.float32())), nullable=False),
        pa.field("confidence", pa.float32()),
        pa.field("flags", pa.list_(pa.string()), nullable=False),
        pa.field("model_hash", pa.string(), nullable=False),
        pa.field("dna_scores", pa.list_(pa.float32())),
        pa.field("unused_junctions", pa.list_(pa.int64())),
        pa.field("unused_reasons", pa.list_(pa.string())),
    ]
)
#: Columns of a prediction shard that only evidence fills; a file that was made without has none of them.
OF_EVIDENCE = ("dna_scores", "unused_junctions", "unused_reasons")


#: Rows are junctions (start to end is the intron) and chains (their span; `introns` holds start, end, start, end ...).
#: `inputs` numbers the sources listed in the metadata, `counts` holds their reads.
EVIDENCE = pa.schema(
    [
        pa.field("kind", pa.string(), nullable=False),
        pa.field("seqid", pa.string(), nullable=False),
        pa.field("start", pa.int64(), nullable=False),
        pa.field("end", pa.int64(), nullable=False),
        pa.field("strand", pa.string(), nullable=False),
        pa.field("introns", pa.list_(pa.int64()), nullable=False),
        pa.field("inputs", pa.list_(pa.int32()), nullable=False),
        pa.field("counts", pa.list_(pa.int64()), nullable=False),
    ]
)


def with_metadata(schema: pa.Schema, *, kind: str, provenance: Provenance) -> pa.Schema:
    """The schema with format version, coordinate convention and provenance in its metadata."""
    return schema.with_metadata(
        {
            "format": f"transgenic_tools/{kind}",
            "format_version": FORMAT_VERSION,
            "coordinates": COORDINATES,
            "provenance": provenance.to_json(),
        }
    )
