"""Pure domain model: intervals, sequences, genes, phases, windows, checks. No files, no torch."""
