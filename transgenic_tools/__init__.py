"""Read the DNA of a plant gene and generate all of its isoforms, exact to the base, as GFF3.

FASTA + GFF3 -> locus -> gene shard -> encoding -> model -> gene sentence (GSF) -> GFF3.

Importing this package loads neither torch nor pyarrow; import the stage that you need.
"""

__version__ = "0.1.0"
