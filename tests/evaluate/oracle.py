"""The same figures by the slowest obvious way: sets of single bases, all pairs, breadth-first search.

Nothing here is shared with the package but the record types. A transcript is the set of its bases; exons are runs of
bases, introns the runs between them.
"""

from __future__ import annotations

from collections.abc import Sequence

from transgenic_tools.genome.gene import Gene, Transcript

Key = tuple[str, str, frozenset[int]]


def _key(t: Transcript, view: str) -> Key:
    bases = {b for p in (t.cds if view == "cds" else t.exons) for b in range(p.start, p.end)}
    return (t.seqid, t.strand, frozenset(bases))


def distinct(genes: Sequence[Gene], view: str) -> set[Key]:
    return {_key(t, view) for g in genes for t in g.transcripts if (t.cds if view == "cds" else t.exons)}


def _runs(bases: frozenset[int]) -> list[tuple[int, int]]:
    runs = []
    for base in sorted(bases):
        if base - 1 not in bases:
            runs.append((base, base + 1))
        else:
            runs[-1] = (runs[-1][0], base + 1)
    return runs


def _gaps(bases: frozenset[int]) -> list[tuple[int, int]]:
    runs = _runs(bases)
    return [(runs[i][1], runs[i + 1][0]) for i in range(len(runs) - 1)]


def loci(keys: set[Key]) -> list[list[Key]]:
    left, found = sorted(keys, key=repr), []
    while left:
        group, queue = [], [left.pop()]
        while queue:
            one = queue.pop()
            group.append(one)
            linked = [k for k in left if k[:2] == one[:2] and k[2] & one[2]]
            left = [k for k in left if k not in linked]
            queue += linked
        found.append(group)
    return found


def _sets(keys: set[Key]) -> dict[str, set]:
    return {
        "base": {(q, s, b) for q, s, bases in keys for b in bases},
        "exon": {(q, s, r) for q, s, bases in keys for r in _runs(bases)},
        "intron": {(q, s, r) for q, s, bases in keys for r in _gaps(bases)},
        "intron_chain": {(q, s, tuple(_gaps(bases))) for q, s, bases in keys if _gaps(bases)},
        "transcript": keys,
    }


def levels(reference: Sequence[Gene], prediction: Sequence[Gene], view: str) -> dict[str, tuple[int, int, int, int]]:
    """Level -> (reference, reference matched, prediction, prediction matched)."""
    left, right = distinct(reference, view), distinct(prediction, view)
    a, b = _sets(left), _sets(right)
    out = {level: (len(a[level]), len(a[level] & b[level]), len(b[level]), len(a[level] & b[level])) for level in a}
    ours, theirs = loci(left), loci(right)
    out["locus"] = (
        len(ours),
        sum(1 for group in ours if set(group) & right),
        len(theirs),
        sum(1 for group in theirs if set(group) & left),
    )
    return out


def events(keys: set[Key]) -> dict[str, set]:
    """Events by looking at every ordered pair of transcripts of a locus (and every one with itself)."""
    found: dict[str, set] = {"SE": set(), "A5SS": set(), "A3SS": set(), "RI": set()}
    for locus in loci(keys):
        for one in locus:
            for two in locus:
                _pair_events(one, two, found)
    return found


def _pair_events(one: Key, two: Key, found: dict[str, set]) -> None:
    head, strand = one[:2], one[1]
    runs_one, runs_two, gaps_one, gaps_two = _runs(one[2]), _runs(two[2]), _gaps(one[2]), _gaps(two[2])
    for i in range(len(gaps_one) - 1):
        if (gaps_one[i][0], gaps_one[i + 1][1]) in gaps_two:
            found["SE"].add((*head, *gaps_one[i], *gaps_one[i + 1]))
    for i, (a, b) in enumerate(gaps_one):
        for j, (c, d) in enumerate(gaps_two):
            if b == d and a < c and set(range(*runs_one[i])) & set(range(*runs_two[j])):
                found["A5SS" if strand == "+" else "A3SS"].add((*head, b, a, c))
            if a == c and b < d and set(range(*runs_one[i + 1])) & set(range(*runs_two[j + 1])):
                found["A3SS" if strand == "+" else "A5SS"].add((*head, a, b, d))
        if any(start < a and b < end for start, end in runs_two):
            found["RI"].add((*head, a, b))


def shares(reference: Sequence[Gene], prediction: Sequence[Gene]) -> tuple[float, float, float]:
    """gene_exact, gene_exact_primary, isoform_recall_multi.

    Pairing: with every gene that has the very CDS, else by most shared coding bases on the same strand.
    """
    given: dict[str, set[Key]] = {g.id: set() for g in reference}
    for p in prediction:
        for t in p.transcripts:
            seqid, strand, bases = _key(t, "cds")
            equal = [g.id for g in reference if (seqid, strand, bases) in {_key(u, "cds") for u in g.transcripts}]
            for name in equal:
                given[name].add((seqid, strand, bases))
            if equal:
                continue
            best = None
            for g in sorted(
                reference,
                key=lambda g: (
                    min(b for u in g.transcripts for b in _key(u, "cds")[2]),
                    max(b for u in g.transcripts for b in _key(u, "cds")[2]),
                    g.id,
                ),
            ):
                union = {b for u in g.transcripts for b in _key(u, "cds")[2]}
                n = len(union & bases) if (g.seqid, g.strand) == (seqid, strand) else 0
                if n and (best is None or n > best[0]):
                    best = (n, g.id)
            if best:
                given[best[1]].add((seqid, strand, bases))
    exact = primary = hits = total = 0
    for g in reference:
        own = {_key(t, "cds") for t in g.transcripts}
        exact += bool(own & given[g.id])
        longest = sorted(g.transcripts, key=lambda t: (-len(_key(t, "cds")[2]), -len(_key(t, "x")[2])))[0]
        primary += _key(longest, "cds") in given[g.id]
        if len(own) > 1:
            hits, total = hits + len(own & given[g.id]), total + len(own)
    return exact / len(reference), primary / len(reference), hits / total if total else 0.0


def _isoform(t: Transcript, view: str) -> tuple | None:
    """`cds`: its coding bases. `transcript`: its coding bases and the introns of the whole."""
    if view == "cds":
        return _key(t, "cds") if t.cds else None
    return (*_key(t, "cds"), tuple(_gaps(_key(t, "transcript")[2])))


def _given_genes(reference: Sequence[Gene], t: Transcript) -> list[str]:
    """The reference genes of a predicted transcript that names none: all with its CDS, else the most shared bases."""
    key = _key(t, "cds")
    equal = [g.id for g in reference if key in {_key(u, "cds") for u in g.transcripts}]
    if equal:
        return equal
    shared = []
    for g in reference:
        union = {b for u in g.transcripts for b in _key(u, "cds")[2]}
        n = len(union & key[2]) if (g.seqid, g.strand) == key[:2] else 0
        shared.append((-n, min(union), max(union), g.id))
    best = min(shared)
    return [best[3]] if best[0] else []


def alternatives(
    reference: Sequence[Gene],
    prediction: Sequence[Gene],
    view: str,
    *,
    budget: float | None,
    prompt: Sequence[Gene] | None,
) -> dict:
    """Extras in turn, the highest score first: one list of all (gene, isoform) pairs, sorted by looking at each."""
    order = [(t, p.id) for p in prediction for t in p.transcripts]
    score_of = {id(t): float("inf") if t.score is None else t.score for t, _ in order}
    given = None if prompt is None else {_isoform(t, view) for g in prompt for t in g.transcripts}
    members: dict[tuple, list[Transcript]] = {}
    for t, own in order:
        for name in [("ref", n) for n in _given_genes(reference, t)] or [("pred", own)]:
            members.setdefault(name, []).append(t)
    wanted, primary = {}, {}
    for g in reference:
        longest = sorted(g.transcripts, key=lambda t: (-len(_key(t, "cds")[2]), -len(_key(t, "x")[2])))[0]
        primary["ref", g.id] = _isoform(longest, view)
        hidden = {primary["ref", g.id]} if given is None else given
        wanted["ref", g.id] = {_isoform(t, view) for t in g.transcripts} - hidden
    extras, kept, best = [], set(), []
    for name, some in members.items():
        groups: dict[tuple, list[Transcript]] = {}
        for t in some:
            groups.setdefault(_isoform(t, view), []).append(t)
        rows = []
        for isoform, same in groups.items():
            place, first = next((i, t) for i, (t, _) in enumerate(order) if any(t is u for u in same))
            rows.append((-max(score_of[id(t)] for t in same), place, isoform, first))
        longest = {r[2]: max((len(_key(t, "cds")[2]), len(_key(t, "x")[2])) for t in groups[r[2]]) for r in rows}
        rows.sort(key=lambda r: (r[0], -longest[r[2]][0], -longest[r[2]][1], r[1]))
        for i, row in enumerate(rows):
            if (i == 0) if given is None else (row[2] in given):
                kept.add(_key(row[3], view))
                best.append((*row, name, longest[row[2]]))
            else:
                extras.append((*row, name, longest[row[2]]))
    extras.sort(key=lambda r: r[:2])
    size = len(extras) if budget is None else min(len(extras), int(budget * len(reference) + 1e-9))
    taken = extras[:size]
    found = events(kept | {_key(row[3], view) for row in taken})
    truth = events(distinct(reference, view))
    left = []
    for name in members:
        written = [row for row in best + taken if row[4] == name]
        written.sort(key=lambda r: (-r[5][0], -r[5][1], r[1]))
        left += written[1:]
    return {
        "extras": size,
        "right_by_length": None if prompt is not None else sum(r[2] in wanted.get(r[4], ()) for r in left),
        "right": sum(row[2] in wanted.get(row[4], ()) for row in taken),
        "primary": sum(given is None and row[2] == primary.get(row[4]) for row in taken),
        "alternatives": sum(len(w) for w in wanted.values()),
        "events": {n: (len(truth[n]), len(truth[n] & found[n]), len(found[n])) for n in truth},
    }
