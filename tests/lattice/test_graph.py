"""The graph of valid transcripts against a slow, obvious enumeration; forced paths; split codons."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

import numpy as np
import pytest

from transgenic_tools.errors import UsageError
from transgenic_tools.genome import code as code_module
from transgenic_tools.genome.code import STANDARD, GeneticCode
from transgenic_tools.genome.gene import Transcript
from transgenic_tools.genome.interval import Interval
from transgenic_tools.lattice.candidates import Candidates, choose_candidates
from transgenic_tools.lattice.config import GrammarConfig, ScoringConfig
from transgenic_tools.lattice.grammar import Kind, path_to_transcript, transcript_to_path
from transgenic_tools.lattice.graph import Graph, best_path, build_graph
from transgenic_tools.lattice.paths import exact_sites, find_path
from transgenic_tools.lattice.site_graph import History
from transgenic_tools.lattice.vocabulary import N_CONTENTS, N_SITES, Site
from transgenic_tools.lattice.window import WindowInput

GRAMMAR = GrammarConfig(min_intron=6, min_probability=1e-6, noncanonical_probability=0.01)


def random_window(seed: int, length: int = 46) -> tuple[str, np.ndarray, np.ndarray]:
    """A sequence rich in sites, with random scores."""
    rng = np.random.default_rng(seed)
    pieces = ["ATG", "GT", "AG", "TAA", "TGA", "C", "A", "T", "G", "CA", "GC"]
    sequence = "C" + "".join(rng.choice(pieces, size=length))[: length - 1]
    sites = rng.normal(0, 2, (N_SITES, length)).astype(np.float32)
    contents = np.log(rng.dirichlet(np.ones(N_CONTENTS), length).T).astype(np.float32)
    return sequence, sites, contents


def few_candidates(sequence: str, sites: np.ndarray, code: GeneticCode = STANDARD) -> Candidates:
    """At most a handful of each, so that everything can be enumerated."""
    chosen = choose_candidates(WindowInput.of(sequence), sites, GRAMMAR, genetic_code=code)
    keep = chosen.split == 0
    return Candidates(
        tss=chosen.tss[:2],
        start=chosen.start[keep][:2],
        split=chosen.split[keep][:2],
        donor=chosen.donor[:4],
        acceptor=chosen.acceptor[:4],
        tts=chosen.tts[-2:],
        strong=chosen.strong,
    )


def random_graph(seed: int) -> Graph | None:
    """Of a random window with few candidates; None where it holds no transcript."""
    sequence, sites, contents = random_window(seed)
    return build_graph(
        WindowInput.of(sequence), sites, contents, grammar=GRAMMAR, scoring=ScoringConfig(),
        candidates=few_candidates(sequence, sites),
    )  # fmt: skip


def introns_between(
    candidates: Candidates, sequence: str, code: GeneticCode, low: int, high: int
) -> Iterator[list[tuple[int, int]]]:
    """All chains of allowed introns within [low, high)."""
    single = [
        (d, a)
        for d in candidates.donor.tolist()
        for a in candidates.acceptor.tolist()
        if low <= d and a + 1 - d >= GRAMMAR.min_intron and a + 1 <= high
        if (sequence[d : d + 2], sequence[a - 1 : a + 1]) in code.all_pairs
    ]
    for count in range(3):
        for chain in itertools.combinations(sorted(single), count):
            if all(right[0] - (left[1] + 1) >= GRAMMAR.min_exon for left, right in itertools.pairwise(chain)):
                yield list(chain)


def is_valid(transcript: Transcript, sequence: str, code: GeneticCode = STANDARD) -> bool:
    """By translation alone."""
    coding = transcript.spliced(sequence, coding=True)
    protein = code.translate(coding)
    in_frame = len(coding) > 0 and len(coding) % 3 == 0
    return in_frame and coding[:3] in code.start_codons and protein.find("*") == len(protein) - 1


def all_transcripts(
    candidates: Candidates, sequence: str, code: GeneticCode = STANDARD
) -> set[tuple[tuple[Interval, ...], tuple[Interval, ...]]]:
    """Every valid transcript over the candidates, as (exons, CDS): no frame arithmetic, only translation."""
    found = set()
    length = len(sequence)
    for tss, start, stop, tts in itertools.product(
        [None, *candidates.tss.tolist()], candidates.start.tolist(), range(length),
        [None, *candidates.tts.tolist()],
    ):  # fmt: skip
        left, right = start if tss is None else tss, stop if tts is None else tts
        if not (left <= start < stop <= right) or (tts is not None and tts <= stop):
            continue
        for chain in introns_between(candidates, sequence, code, left, right + 1):
            bounds = [left, *itertools.chain.from_iterable((d, a + 1) for d, a in chain), right + 1]
            exons = [(bounds[i], bounds[i + 1]) for i in range(0, len(bounds), 2)]
            if any(b <= a for a, b in exons) or not fits(exons, start, stop):
                continue
            intervals = tuple(Interval(a, b) for a, b in exons)
            coding = Interval(start, stop + 1)
            cds = tuple(c for c in (e.intersect(coding) for e in intervals) if c)
            transcript = Transcript("t", "window", "+", intervals, cds)
            if is_valid(transcript, sequence, code):
                found.add((intervals, cds))
    return found


def fits(exons: list[tuple[int, int]], start: int, stop: int) -> bool:
    """Start and stop lie in exons; an exon that begins the CDS holds the whole start codon."""
    holder = [e for e in exons if e[0] <= start < e[1]]
    ending = [e for e in exons if e[0] <= stop < e[1]]
    return bool(holder and ending) and (start + 3 <= holder[0][1])


def paths_of(graph: Graph) -> Iterator[tuple[list[int], float]]:
    """All paths and their scores."""
    stack: list[tuple[list[int], float]] = [([0], 0.0)]
    while stack:
        path, score = stack.pop()
        if path[-1] == graph.n_states - 1:
            yield path, score
            continue
        for edge in range(graph.first[path[-1]], graph.first[path[-1] + 1]):
            stack.append(([*path, int(graph.target[edge])], score + float(graph.score[edge])))


def read(graph: Graph, path: list[int]) -> Transcript:
    return path_to_transcript(graph.kind[path].tolist(), graph.position[path].tolist(), transcript_id="t")


#: Other stop codons, other start codons, other splice pairs.
CILIATE, TWO_STOPS = GeneticCode(table=6), GeneticCode(table=10)
FOREIGN = GeneticCode(
    start_codons=("ATG", "CAG"), splice_pairs=(("GT", "AG"), ("CA", "AG")), rare_pairs=(("AT", "CA"),)
)
WINDOWS = [*((seed, STANDARD) for seed in range(40))]
WINDOWS += [(seed, code) for code in (CILIATE, TWO_STOPS, FOREIGN) for seed in range(12)]


@pytest.mark.parametrize(("seed", "code"), WINDOWS)
def test_paths_are_all_valid_transcripts_and_no_others(seed: int, code: GeneticCode) -> None:
    sequence, sites, contents = random_window(seed)
    candidates = few_candidates(sequence, sites, code)
    graph = build_graph(
        WindowInput.of(sequence), sites, contents, grammar=GRAMMAR, scoring=ScoringConfig(), candidates=candidates,
        genetic_code=code,
    )  # fmt: skip
    expected = all_transcripts(candidates, sequence, code)
    if graph is None:
        assert not expected
        return
    scored = list(paths_of(graph))
    structures = [(t.exons, t.cds) for t in (read(graph, path) for path, _ in scored)]
    # the enumeration stops at two introns in each transcript
    assert {s for s in structures if len(s[0]) <= 3} == expected
    assert len(set(structures)) == len(structures)
    best = max(score for _, score in scored)
    total = best + math.log(sum(math.exp(score - best) for _, score in scored))
    assert graph.beta[0] == pytest.approx(total, abs=1e-6)
    viterbi = best_path(graph.first, graph.target, graph.score).tolist()
    assert dict((tuple(p), s) for p, s in scored)[tuple(viterbi)] == pytest.approx(best, abs=1e-9)


@pytest.mark.parametrize("code", [STANDARD, CILIATE, TWO_STOPS, FOREIGN])
def test_the_enumeration_meets_introns(code: GeneticCode) -> None:
    """The oracle above is worth something only where transcripts have introns."""
    spliced = 0
    for seed in sorted({seed for seed, used in WINDOWS if used == code}):
        sequence, sites, _ = random_window(seed)
        known = all_transcripts(few_candidates(sequence, sites, code), sequence, code)
        spliced += sum(len(exons) > 1 for exons, _ in known)
    assert spliced > (50 if code == STANDARD else 0)


def test_a_code_whose_stops_an_intron_would_hide_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(code_module.TABLES, 2, {"TGA": "W", "AGA": "*", "AGG": "*", "ATA": "M"})
    sequence, sites, contents = random_window(1)
    candidates = few_candidates(sequence, sites)
    with pytest.raises(UsageError, match="AGA, AGG"):
        build_graph(
            WindowInput.of(sequence), sites, contents, grammar=GRAMMAR, scoring=ScoringConfig(), candidates=candidates,
            genetic_code=GeneticCode(table=2),
        )  # fmt: skip


def window_with(sequence: str, transcript: Transcript, code: GeneticCode = STANDARD) -> Graph:
    """A graph in which the transcript's sites are likely."""
    window = WindowInput.of(sequence)
    sites = np.full((N_SITES, len(sequence)), -6.0, dtype=np.float32)
    for site, position in transcript_to_path(transcript):
        sites[site, position] = 4.0
    contents = np.full((N_CONTENTS, len(sequence)), -2.0, dtype=np.float32)
    forced = exact_sites([transcript])
    candidates = choose_candidates(window, sites, GRAMMAR, forced=forced, genetic_code=code)
    graph = build_graph(
        window, sites, contents, grammar=GRAMMAR, scoring=ScoringConfig(), candidates=candidates, genetic_code=code
    )
    assert graph is not None
    return graph


INTRON = "GTAAGTCCCCTTTTCCAG"


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("CCATGGCC", "GGCGCCTAACC"),  # intron between codons
        ("CCATGGCCG", "GCGCCTAACC"),  # after one base of a codon
        ("CCATGGCCGG", "CGCCTAACC"),  # after two
        ("CCATGGCCT", "AACC"),  # stop codon split T|AA
        ("CCATGGCCTA", "GCC"),  # TA|G
        ("CCATGGCCTG", "ACC"),  # TG|A
        ("CCA", "TGGCCGGCTAACC"),  # start codon split A|TG
        ("CCAT", "GGCCGGCTAACC"),  # AT|G
    ],
)
def test_introns_in_every_frame_and_in_split_codons(first: str, second: str) -> None:
    sequence = first + INTRON + second
    exons = (Interval(0, len(first)), Interval(len(first) + len(INTRON), len(sequence)))
    spliced = first + second
    stop = next(i for i in range(2, len(spliced), 3) if spliced[i : i + 3] in STANDARD.stop_codons) + 3
    extra = len(INTRON) if stop > len(first) else 0
    coding = Interval(2, stop + extra)
    cds = tuple(c for c in (e.intersect(coding) for e in exons) if c)
    transcript = Transcript("t", "window", "+", exons, cds)
    assert is_valid(transcript, sequence)
    graph = window_with(sequence, transcript)
    path = find_path(graph, transcript)
    assert path is not None
    assert read(graph, list(path.states)).cds == cds


@pytest.mark.parametrize(("start", "cut"), [("CTG", 1), ("CTG", 2), ("ATG", 1), ("ATG", 2)])
def test_other_start_codons_may_be_split_too(start: str, cut: int) -> None:
    code = GeneticCode(start_codons=("ATG", "CTG"))
    first, second = "CC" + start[:cut], start[cut:] + "GCCGGCTAACC"
    sequence = first + INTRON + second
    exons = (Interval(0, len(first)), Interval(len(first) + len(INTRON), len(sequence)))
    coding = Interval(2, len(sequence) - 2)
    cds = tuple(part for part in (exon.intersect(coding) for exon in exons) if part)
    transcript = Transcript("t", "window", "+", exons, cds)
    assert is_valid(transcript, sequence, code)
    path = find_path(window_with(sequence, transcript, code), transcript)
    assert path is not None
    assert (start == "ATG") == (find_path(window_with(sequence, transcript), transcript) is not None)


def test_a_stop_codon_across_an_intron_is_forced() -> None:
    """A path through T|AA must end there: the reading frame cannot run past it."""
    sequence = "CCATGGCCT" + INTRON + "AACCGGCTAACC"
    exons = (Interval(0, 9), Interval(27, len(sequence)))
    past = Transcript("t", "window", "+", exons, (Interval(2, 9), Interval(27, 37)))
    assert find_path(window_with(sequence, past), past) is None


def test_a_window_without_an_open_reading_frame_has_no_graph() -> None:
    window = WindowInput.of("C" * 60)
    sites = np.zeros((N_SITES, 60), dtype=np.float32)
    contents = np.zeros((N_CONTENTS, 60), dtype=np.float32)
    candidates = choose_candidates(window, sites, GRAMMAR, every_start=True)
    assert build_graph(window, sites, contents, grammar=GRAMMAR, scoring=ScoringConfig(), candidates=candidates) is None


def test_every_state_reaches_the_end() -> None:
    for seed in range(20):
        sequence, sites, contents = random_window(seed, length=300)
        candidates = choose_candidates(WindowInput.of(sequence), sites, GRAMMAR)
        graph = build_graph(
            WindowInput.of(sequence), sites, contents, grammar=GRAMMAR, scoring=ScoringConfig(), candidates=candidates
        )
        if graph is not None:
            assert np.isfinite(graph.beta).all()
            assert (np.diff(graph.first)[:-1] > 0).all()
            assert (graph.target > np.repeat(np.arange(graph.n_states), np.diff(graph.first))).all()
            assert graph.kind[-1] == Kind.END
            history = History.of(graph)
            sums = [np.exp(history.describe(graph, state)[0]).sum() for state in range(graph.n_states - 1)]
            assert np.allclose(sums, 1.0)


def test_unknown_bases_carry_no_site() -> None:
    sites = np.full((N_SITES, 30), 9.0, dtype=np.float32)
    chosen = choose_candidates(WindowInput.of("N" * 30), sites, GRAMMAR)
    assert not len(chosen.donor)
    assert not len(chosen.acceptor)
    assert not len(chosen.start)
    assert Site.TSS == 0


@pytest.mark.parametrize("seed", range(0, 40, 4))
def test_improbable_states_are_left_out(seed: int) -> None:
    """By enumeration of all paths: what stays is probable enough, or on the best path; whole paths alone are left."""
    sequence, sites, contents = random_window(seed)
    window, floor = WindowInput.of(sequence), 3.0
    chosen = few_candidates(sequence, sites)
    options = {"grammar": GRAMMAR, "scoring": ScoringConfig(), "candidates": chosen}
    whole = build_graph(window, sites, contents, **options)  # type: ignore[arg-type]
    pruned = build_graph(window, sites, contents, floor=floor, **options)  # type: ignore[arg-type]
    if whole is None:
        assert pruned is None
        return
    assert pruned is not None
    likely = np.zeros(whole.n_states)
    for states, score in paths_and_scores(whole):
        likely[list(states)] += math.exp(score - whole.beta[0])
    kept = np.log(likely) >= -floor
    kept[best_path(whole.first, whole.target, whole.score)] = True
    expected = {
        tuple(named(whole, states)): score for states, score in paths_and_scores(whole) if kept[list(states)].all()
    }
    found = {tuple(named(pruned, states)): score for states, score in paths_and_scores(pruned)}
    assert found.keys() == expected.keys()
    np.testing.assert_allclose([found[path] for path in expected], list(expected.values()), rtol=1e-9)
    assert pruned.beta[0] == pytest.approx(math.log(sum(map(math.exp, expected.values()))))


def paths_and_scores(graph: Graph) -> Iterator[tuple[tuple[int, ...], float]]:
    """Every path from BEGIN to END."""
    stack: list[tuple[tuple[int, ...], float]] = [((0,), 0.0)]
    while stack:
        states, score = stack.pop()
        if states[-1] == graph.n_states - 1:
            yield states, score
        for edge in range(graph.first[states[-1]], graph.first[states[-1] + 1]):
            stack.append(((*states, int(graph.target[edge])), score + float(graph.score[edge])))


def named(graph: Graph, states: tuple[int, ...]) -> list[tuple[int, int]]:
    return list(zip(graph.kind[list(states)].tolist(), graph.position[list(states)].tolist(), strict=True))
