"""From windows to transcripts: the reader (scores, graphs), the search over graphs, and how sure it is."""
