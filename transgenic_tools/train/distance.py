"""Fit how far a model's confidences can be believed on genomes that it has not learned.

In: a model directory, gene shards with known transcripts of the species that it learned (held-out genes), and of others
for a check. Out: `distance.json`, which belongs into the model directory (`io.distance`), and a table of all sets.
Usage: python -m transgenic_tools.train.distance MODEL --learned DIR... [--other DIR...] [--shown DIR...]
       --out MODEL/distance.json
Dims: P transcripts that are written for the genes of all sets.
A surprise: a handful of species gives no curve. So each learned species lends its held-out genes to a dozen strange
genomes (`train.shifts`), whose known transcripts are still right; other species only check, and widen the interval.
Those that are shown, animals say, do not even that. What the learned species look like is taken from their training
genes, and how far held-out ones lie from that is home.
"""

from __future__ import annotations

import argparse
import json
import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from transgenic_tools.errors import BadInputError, UsageError
from transgenic_tools.genome.hashing import stable_rng
from transgenic_tools.genome.odds import logit
from transgenic_tools.genome.profile import Profile
from transgenic_tools.io.distance import DistanceScoring, Look, Looks, distance_of, write_distance_scoring
from transgenic_tools.io.shards import read_shard
from transgenic_tools.model.files import load_network, model_hash
from transgenic_tools.provenance import Provenance
from transgenic_tools.search.confidence import choose, found_transcript
from transgenic_tools.search.config import DecodingConfig
from transgenic_tools.search.reader import Reader
from transgenic_tools.train.calibration import expected_calibration_error
from transgenic_tools.train.examples import Example, example_from_row, spread_evenly
from transgenic_tools.train.judged import searched
from transgenic_tools.train.shifts import Shift, shifted

logger = logging.getLogger(__name__)
Floats = npt.NDArray[np.float64]
#: What each learned species is made into: share drawn anew, GC that is drawn, stretch of introns.
SHIFTS = tuple(
    Shift(rate=rate, gc=gc, stretch=stretch)
    for rate, gc, stretch in (
        (0.05, 0.40, 1), (0.1, 0.36, 1), (0.1, 0.36, 3), (0.1, 0.50, 1), (0.15, 0.30, 2), (0.2, 0.50, 1),
        (0.2, 0.25, 1), (0.2, 0.45, 3), (0.3, 0.36, 1), (0.3, 0.30, 2), (0.4, 0.60, 1), (0.5, 0.36, 1),
    )
)  # fmt: skip
#: Genes of a species as it is, and of each strange genome made of it; longer windows are left out.
HOME_GENES, SHIFTED_GENES, LONGEST = 300, 100, 40_000
#: Training genes of a learned species whose looks are taken.
PROFILE_GENES = 1_000
#: Log-odds of the distance for a distance of composition of 1 that are tried.
WEIGHTS = (0.0, 1.0, 2.0, 4.0, 6.0, 8.0, 12.0, 16.0, 24.0)
#: Deviations of the mean confidence of `FEWEST` genes by which a genome at home may fall below home by chance.
_MARGIN = 2.0
#: Accuracy that is lost where the warning begins.
_LOST = 0.2
_LEAST_SPREAD = 0.1


@dataclass(frozen=True, kw_only=True)
class GenomeSet:
    """What a model wrote for some genes of one genome, real or made.

    Attributes:
        best: (genes,) confidence of each gene's most probable transcript; right: whether its CDS is exact.
        written, written_right: (P,) the same of every transcript that is written.
        learned: A species that the model learned, as it is.
        made: By a shift.
        profile: Of the most probable transcripts.
        look: Beside the learned species; None before these are known.
    """

    name: str
    best: Floats
    right: npt.NDArray[np.bool_]
    written: Floats
    written_right: npt.NDArray[np.bool_]
    learned: bool = False
    made: bool = False
    profile: Profile = field(default_factory=Profile.none)
    look: Look | None = None

    @property
    def level(self) -> float:
        """Log-odds of the mean confidence."""
        return logit(float(self.best.mean()))

    @property
    def accuracy(self) -> float:
        return float(self.right.mean())


@torch.no_grad()
def read_set(reader: Reader, name: str, examples: Sequence[Example], *, learned: bool, made: bool) -> GenomeSet:
    """What the model writes for some genes in jittered windows."""
    config, calibration = DecodingConfig(), reader.network.settings.calibration
    best, written, profiles = [], [], []
    for cropped, gene in searched(reader, examples, config, seed=1):
        if gene is None:
            continue
        known = {transcript.cds for transcript in cropped.transcripts}
        chosen = choose(gene, calibration, min_confidence=config.least_confidence, keep_best=True)
        transcripts = [found_transcript(one.found, gene, "t") for one in chosen]
        pairs = [(one.probability, t.cds in known) for one, t in zip(chosen, transcripts, strict=True)]
        best.append(pairs[0])
        written += pairs
        profiles.append(Profile.of(cropped.window.codes, transcripts[0]))
    if not best:
        raise BadInputError(f"{name}: no transcript was written", hint="give shards with genes that the model reads")
    (p, o), (all_p, all_o) = (zip(*pairs, strict=True) for pairs in (best, written))
    return GenomeSet(
        name=name, best=np.array(p), right=np.array(o), written=np.array(all_p), written_right=np.array(all_o),
        learned=learned, made=made, profile=Profile.total(profiles),
    )  # fmt: skip


def looks_of(learned: Mapping[str, Profile], held_out: Sequence[GenomeSet]) -> Looks:
    """Of the learned species; held-out genes are at home, so their distance is tolerated. Weighs nothing yet."""
    bare = Looks(learned=learned, tolerance=0.0, weight=0.0)
    distances = [bare.of(one.profile, len(one.best)).aspects["composition"] for one in held_out]
    return replace(bare, tolerance=round(max(distances, default=0.0), 4))


def _weights(sets: Sequence[GenomeSet]) -> list[float]:
    """Of one transcript in each set: sets count alike, and those as they are together as much as those made."""
    made = max(1, sum(one.made for one in sets))
    return [(1.0 if one.made else made / (len(sets) - made)) / len(one.written) for one in sets]


def _at_home(home: float, looks: Looks | None, weight: float) -> DistanceScoring:
    """Distances alone, for a fit of what they do to confidences."""
    weighed = None if looks is None else replace(looks, weight=weight)
    return DistanceScoring(home=home, slope=0.0, shift=0.0, spread=0.0, limit=math.inf, looks=weighed)


def _fit_at(sets: Sequence[GenomeSet], places: DistanceScoring) -> tuple[float, float, float]:
    """Slope and shift for distances, neither below 0, and the loss: Newton's method, the confidence as the offset."""
    distances = [places.distance(one.best.tolist(), one.look) for one in sets]
    odds = [np.array([logit(float(p)) for p in one.written]) for one in sets]
    x = np.concatenate([np.stack([-d * o, np.full(len(o), -d)], axis=1) for d, o in zip(distances, odds, strict=True)])
    offset, outcome = np.concatenate(odds), np.concatenate([one.written_right for one in sets]).astype(float)
    weight = np.concatenate([np.full(len(one.written), w) for one, w in zip(sets, _weights(sets), strict=True)])
    free = [0, 1]
    while True:
        found = np.zeros(2)
        for _ in range(30 if free else 0):
            p = 1 / (1 + np.exp(-(offset + x @ found)))
            part = x[:, free]
            gradient = part.T @ (weight * (p - outcome)) + 1e-3 * found[free]
            hessian = (part * (weight * p * (1 - p))[:, None]).T @ part + 1e-3 * np.eye(len(free))
            found[free] -= np.linalg.solve(hessian, gradient)
        below = [i for i in free if found[i] < 0]
        if not below:
            break
        free = [i for i in free if i not in below]
    total = offset + x @ found
    loss = float((weight * (np.logaddexp(0, total) - outcome * total)).sum())
    return float(found[0]), float(found[1]), loss


def fit_distance(
    sets: Sequence[GenomeSet], others: Sequence[GenomeSet] = (), looks: Looks | None = None
) -> DistanceScoring:
    """What holds for sets of learned species, as they are and made strange.

    `home` and the weight of composition are chosen by the loss; the species that the model is surest of is always at
    home. `others` widen the interval.

    Raises:
        UsageError: no learned species as it is, or none made strange.
    """
    learned = [one for one in sets if one.learned]
    if not learned or not any(one.made for one in sets):
        raise UsageError("no learned species, or none made strange", hint="give shards of a species that was learned")
    surest = max(learned, key=lambda one: one.level)
    mean = float(surest.best.mean())
    margin = _MARGIN * float(surest.best.std()) / math.sqrt(50) / (mean * (1 - mean))
    highest = surest.level - margin
    lowest = min([highest, *(one.level for one in learned)])
    candidates = np.unique(np.linspace(lowest, highest, 9).round(4)).tolist()
    weights = (0.0,) if looks is None else WEIGHTS
    places = min(
        (_at_home(home, looks, weight) for home in candidates for weight in weights),
        key=lambda places: _fit_at(sets, places)[2],
    )
    slope, shift, _ = _fit_at(sets, places)
    scoring = replace(places, slope=round(slope, 4), shift=round(shift, 4))
    spread = max(_spread(scoring, [one for one in sets if one.made]), _spread(scoring, others), _LEAST_SPREAD)
    return replace(scoring, spread=round(spread, 4), limit=_limit(sets, places))


def _expected(scoring: DistanceScoring, one: GenomeSet) -> float:
    distance = scoring.distance(one.best.tolist(), one.look)
    return float(np.mean([scoring.at(distance, p) for p in one.best.tolist()]))


def _spread(scoring: DistanceScoring, sets: Sequence[GenomeSet]) -> float:
    """Deviation of accuracies from what is expected, in log-odds, beyond that of counting genes."""
    if not sets:
        return 0.0
    expected = [_expected(scoring, one) for one in sets]
    squares = [(logit(one.accuracy) - logit(e)) ** 2 for one, e in zip(sets, expected, strict=True)]
    counting = [1 / (len(one.best) * e * (1 - e)) for one, e in zip(sets, expected, strict=True)]
    return math.sqrt(max(0.0, float(np.mean(squares) - np.mean(counting))))


def _limit(sets: Sequence[GenomeSet], places: DistanceScoring) -> float:
    """The distance at which a line through the sets has lost `_LOST` of the accuracy at home."""
    distance = np.array([places.distance(one.best.tolist(), one.look) for one in sets])
    odds = np.array([logit(one.accuracy) for one in sets])
    slope, at_home = np.polyfit(distance, odds, 1, w=np.sqrt([len(one.best) for one in sets]))
    accuracy = 1 / (1 + math.exp(-at_home))
    return round(float((logit(max(accuracy - _LOST, 0.05)) - at_home) / min(slope, -0.1)), 4)


def figures(scoring: DistanceScoring, one: GenomeSet) -> dict[str, Any]:
    """What is expected of a set and what came true; calibration errors before and after."""
    distance = distance_of(scoring, one.best.tolist(), one.look)
    value = scoring.distance(one.best.tolist(), one.look)
    after = np.array([scoring.at(value, p) for p in one.written.tolist()])
    return {
        "set": one.name,
        "genes": len(one.best),
        "distance": round(value, 3),
        "confidence": round(float(one.best.mean()), 3),
        "accuracy": round(one.accuracy, 3),
        **({} if distance is None else {"expected": round(distance.expected, 3),
                                        "interval": [round(distance.low, 3), round(distance.high, 3)]}),
        "calibration_error_before": round(expected_calibration_error(one.written, one.written_right), 3),
        "calibration_error": round(expected_calibration_error(after, one.written_right), 3),
        **({} if one.look is None else {"look": one.look.to_json()}),
    }  # fmt: skip


def _chosen(directory: Path, split: str | None, most: int) -> tuple[str, list[Example]]:
    rows = [row for row in read_shard(directory) if row.gsf and split in (None, row.split)]
    rows = [row for row in rows if len(row.sequence) <= LONGEST]
    if not rows:
        raise BadInputError(
            f"no gene of the split {split!r} with known transcripts", path=directory, hint="see --split"
        )
    return rows[0].sample, [example_from_row(row) for row in spread_evenly(rows, most)]


def learned_sets(reader: Reader, directory: Path, split: str) -> Iterator[GenomeSet]:
    """A species as it is, and made strange."""
    sample, examples = _chosen(directory, split, HOME_GENES)
    yield read_set(reader, sample, examples, learned=True, made=False)
    some = examples[:: max(1, len(examples) // SHIFTED_GENES)][:SHIFTED_GENES]
    for number, shift in enumerate(SHIFTS):
        strange = [shifted(one, shift, stable_rng("shift", number, one.gene_id)) for one in some]
        name = f"{sample}, {shift.rate:.0%} anew, GC {shift.gc:.0%}, introns x{shift.stretch:g}"
        yield read_set(reader, name, strange, learned=False, made=True)


def learned_profile(directory: Path) -> tuple[str, Profile]:
    """Name of a species, and what its training genes look like by their longest coding sequences."""
    sample, examples = _chosen(directory, "train", PROFILE_GENES)
    return sample, Profile.total(Profile.of(one.window.codes, one.transcripts[0]) for one in examples)


def measure(reader: Reader, given: argparse.Namespace) -> tuple[DistanceScoring, list[GenomeSet], list[GenomeSet]]:
    """The scoring, all sets, and those of other species."""
    sets = []
    for path in given.learned:
        for one in learned_sets(reader, path, given.split):
            logger.info("%s: accuracy %.3f, mean confidence %.3f", one.name, one.accuracy, one.best.mean())
            sets.append(one)
    others, shown = (
        [read_set(reader, *_chosen(path, None, HOME_GENES), learned=False, made=False) for path in paths]
        for paths in (given.other, given.shown)
    )
    looks = looks_of(dict(map(learned_profile, given.learned)), [one for one in sets if one.learned])
    sets, others, shown = (
        [replace(one, look=looks.of(one.profile, len(one.best))) for one in some] for some in (sets, others, shown)
    )
    return fit_distance(sets, others, looks), [*sets, *others, *shown], others


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m transgenic_tools.train.distance", description=__doc__)
    parser.add_argument("model", type=Path, nargs="?", help="model directory; the embedded one by default")
    parser.add_argument(
        "--learned", type=Path, nargs="+", required=True, help="shards of species that it learned, the split train too"
    )
    parser.add_argument("--split", default="validation", help="genes of these that it has not learned")
    parser.add_argument("--other", type=Path, nargs="*", default=[], help="of further species: may widen the interval")
    parser.add_argument("--shown", type=Path, nargs="*", default=[], help="of further species: only printed")
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    logging.basicConfig(level=logging.INFO)
    torch.set_num_threads(1)
    network, directory = load_network(given.model)
    scoring, sets, others = measure(Reader(network.eval()), given)
    table = [figures(scoring, one) for one in sets]
    parameters = {
        "model": model_hash(directory),
        "learned": [one.name for one in sets if one.learned],
        "others": [one.name for one in others],
        "sets": table,
    }
    write_distance_scoring(given.out, scoring, provenance=Provenance("transgenic_tools.train.distance", parameters))
    for row in table:
        print(json.dumps(row))
    numbers = {name: value for name, value in scoring.to_json().items() if name != "looks"}
    looks = {} if scoring.looks is None else {"weight": scoring.looks.weight, "tolerance": scoring.looks.tolerance}
    print(json.dumps({**numbers, **looks}))


if __name__ == "__main__":
    main()
