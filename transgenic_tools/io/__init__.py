"""Files in and out. The only place for 1-based coordinates is `io.gff3`."""
