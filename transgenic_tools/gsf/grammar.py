"""Grammar of the gene sentence.

    gene        := features ">" transcripts
    features    := feature (";" feature)*
    feature     := start "|" TYPE number "|" end "|" strand "|" phase
    transcripts := transcript (";" transcript)*
    transcript  := name ("|" name)*

Coordinates are 0-based half-open, relative to the window's 5' end, 5' to 3' on the gene's strand; `strand` is the
gene's strand on the seqid. Types are CDS, five_prime_UTR, three_prime_UTR; numbers count from 1 within a type along
the window; phase letters A, B, C are GFF3 phases 0, 1, 2 and `.` is for UTRs.

A surprise: one exon that holds UTR and CDS is two touching features; exons are joined again by touching.
"""

from __future__ import annotations

import re

FEATURE_TYPES = ("CDS", "five_prime_UTR", "three_prime_UTR")
FEATURE = re.compile(r"(\d+)\|(CDS|five_prime_UTR|three_prime_UTR)(\d+)\|(\d+)\|([+-])\|([ABC.])", re.ASCII)
