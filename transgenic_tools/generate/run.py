"""Gene shards to prediction shards.

In: a `Config`. Out: `predictions-*.parquet` in the output directory, one for each shard, under the shard's own suffix.
A surprise: a shard that has its prediction file already, made from the same bytes with the same settings and model, is
left as it is, so a killed run goes on where it stopped.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import torch

from transgenic_tools.errors import BadInputError, MissingInputError, UsageError
from transgenic_tools.generate.compare import Pair, PairReads, compare, lacking, pair_of
from transgenic_tools.generate.config import Config, check_samples
from transgenic_tools.generate.judge import RegionJudge, judge_of
from transgenic_tools.generate.memory import keep_freed_memory, return_freed_memory
from transgenic_tools.generate.predict import Predictor, Shown
from transgenic_tools.generate.preflight import Limits, announce
from transgenic_tools.genome.code import STANDARD
from transgenic_tools.genome.interval import Interval
from transgenic_tools.io.conditions import listed
from transgenic_tools.io.differences import write_differences
from transgenic_tools.io.distance import Confidences, DistanceScoring, load_distance_scoring
from transgenic_tools.io.encodings import EncodingStore
from transgenic_tools.io.junctions import EvidenceFile
from transgenic_tools.io.progress import Progress
from transgenic_tools.io.rows import NO_GENE, TOO_LONG, GeneRow, PredictionRow
from transgenic_tools.io.shards import (
    count_genes,
    expand_shards,
    has_regions,
    prediction_provenance,
    read_lengths,
    read_shard,
    write_prediction_shard,
)
from transgenic_tools.lattice.condition import Condition
from transgenic_tools.model.alternatives import FILE as ALTERNATIVES
from transgenic_tools.model.alternatives import load_alternatives
from transgenic_tools.model.condition import find_values, load_conditions
from transgenic_tools.model.files import load_network, model_hash
from transgenic_tools.model.network import pick_device
from transgenic_tools.provenance import Provenance, file_sha256
from transgenic_tools.search.confidence import FURTHER_FEATURES
from transgenic_tools.search.departures import FEATURES
from transgenic_tools.search.reader import Reader

logger = logging.getLogger(__name__)
#: Genes that are read before their decoding starts.
GENES_AT_ONCE = 128
BASES_AT_ONCE = 2_000_000
#: Genes after which the distance from home is told, while the others are still to come.
_FIRST_GENES = 50


@dataclass(frozen=True)
class Result:
    """What one run wrote; `differences`: tables, with another sample to hold the condition against."""

    predictions: tuple[Path, ...]
    genes: int
    transcripts: int
    without_transcript: int
    bases: int
    seconds: float
    device: str
    reused: int
    differences: tuple[Path, ...] = ()

    @property
    def bases_per_second(self) -> float:
        return self.bases / self.seconds if self.seconds else 0.0


def prediction_path(shard: Path, outdir: Path) -> Path:
    """`genes-0001.parquet` -> `predictions-0001.parquet`."""
    stem = shard.name.removesuffix(".parquet")
    return outdir / f"predictions-{stem.removeprefix('genes-')}.parquet"


def differences_path(shard: Path, outdir: Path) -> Path:
    """`genes-0001.parquet` -> `differences-0001.tsv`."""
    return outdir / prediction_path(shard, outdir).name.replace("predictions-", "differences-").replace(
        ".parquet", ".tsv"
    )


def _chunks(rows: Iterator[GeneRow], limits: Limits) -> Iterator[list[GeneRow]]:
    """Genes in order, so many at once; a window that is too long for reading beside others comes alone."""
    chunk: list[GeneRow] = []
    bases = 0
    for row in rows:
        if len(row.sequence) > limits.together:
            if chunk:
                yield chunk
            yield [row]
            chunk, bases = [], 0
            continue
        if chunk and (len(chunk) >= GENES_AT_ONCE or bases + len(row.sequence) > BASES_AT_ONCE):
            yield chunk
            chunk, bases = [], 0
        chunk.append(row)
        bases += len(row.sequence)
    if chunk:
        yield chunk


def _provenance(
    config: Config,
    shard: Path,
    digest: str,
    precision: str,
    limits: Limits,
    conditions: tuple[Condition | None, Pair | None],
    *,
    judge: RegionJudge | None,
    evidence: Mapping[str, str] | None,
    scoring: DistanceScoring | None,
    alternatives: str | None,
) -> Provenance:
    """All that a prediction shard is made from: settings, model, the bytes of the gene shard, and what was not read."""
    left_out = any(bases > limits.longest for bases in read_lengths(shard, split=config.split))
    parameters = {"model": digest, "precision": precision, "complete": config.complete, "split": config.split}
    parameters |= {"shard": file_sha256(shard)[:16], "longest": limits.longest if left_out else None}
    if config.encodings is not None:
        parameters["encodings"] = asdict(EncodingStore(config.encodings).header)
    condition, pair = conditions
    if condition is not None:
        parameters["condition"] = [condition.name, condition.digest]
    if pair is not None:
        parameters["against"] = [pair.against, pair.mean[1].digest]
        if config.usage is not None:
            parameters["usage"] = file_sha256(config.usage)[:16]
    if evidence is not None:
        parameters["evidence"] = evidence
    if config.genetic_code != STANDARD:
        parameters["genetic_code"] = asdict(config.genetic_code)
    if scoring is not None:  # tg-backmap, which sees the whole genome, knows no model
        parameters["distance"] = scoring.to_json()
    if judge is not None and has_regions(shard):
        parameters |= {"min_region": config.min_region, "scan_model": judge.digest}
    if config.add_utrs:
        parameters["add_utrs"] = True
    parameters |= asdict(config.decoding)
    if alternatives is not None:
        parameters["alternatives"] = alternatives
    else:
        parameters["min_confidence"] = config.decoding.least_confidence
    return Provenance("tg-generate", parameters)


def _is_current(target: Path, provenance: Provenance) -> bool:
    """The file is whole and was made from the same; a damaged one is made again."""
    try:
        return target.exists() and prediction_provenance(target) == provenance.to_json()
    except BadInputError as error:
        logger.warning("%s; it is made again", error.message)
        return False


def warn_of_others(outdir: Path, targets: Sequence[Path]) -> None:
    """Say which predictions in the directory are of no shard of this run: whoever reads it whole takes them, too."""
    others = sorted(set(outdir.glob("predictions-*.parquet")) - set(targets))
    if others:
        logger.warning(
            "%s holds %d more (%s ...) of other shards than these: tg-backmap on the whole directory reads them, too",
            outdir, len(others), others[0].name,
        )  # fmt: skip


class _FirstLook:
    """Says how far a genome seems to be from home as soon as enough of its genes are predicted."""

    def __init__(self, scoring: DistanceScoring | None) -> None:
        self._scoring = scoring
        self._seen = Confidences()
        self._count = 0

    def see(self, genes: Sequence[GeneRow], rows: Sequence[PredictionRow]) -> None:
        if self._scoring is None:
            return
        for gene, row in zip(genes, rows, strict=True):
            self._seen.see(row, partial(_whole_window, gene))
            self._count += bool(row.scores)
        if self._count >= _FIRST_GENES:
            self.tell()

    def tell(self) -> None:
        """Once, of what has been seen."""
        if self._scoring is None:
            return
        distance = self._seen.distance(self._scoring)
        self._scoring = None
        if distance is not None:
            distance.tell(logger)


def _whole_window(gene: GeneRow) -> str | None:
    return None if gene.kept else gene.sequence


def _wanted(shard: Path, split: str | None) -> Iterator[GeneRow]:
    return (row for row in read_shard(shard) if split is None or row.split == split)


def _load_evidence(path: Path, directory: Path) -> tuple[Shown, tuple[float, ...], dict[str, str]]:
    """Evidence looked up by gene, weights of the lattice, and digests of both."""
    from transgenic_tools.io.junctions import EvidenceFile, EvidenceOfWindows
    from transgenic_tools.model.evidence import load_evidence_scoring

    scoring, scoring_path = load_evidence_scoring(directory, features=FURTHER_FEATURES)
    windows = EvidenceOfWindows(EvidenceFile(path))
    shown = Shown(of=lambda row: windows.of(row.reading, Interval(row.start, row.end)), scoring=scoring)
    digests = {"file": file_sha256(path)[:16], "scoring": file_sha256(scoring_path)[:16]}
    return shown, scoring.weights, digests


def load(config: Config) -> tuple[Reader, Path]:
    """The model laid out on its device, and its directory.

    Raises:
        MissingInputError: no model directory.
        UsageError: CUDA asked for where there is none.
    """
    device = pick_device(config.device)
    keep_freed_memory()
    model, path = load_network(config.model)
    torch.set_num_threads(1)  # threads share out the genes, see `generate.predict`
    # oneDNN keeps a compiled kernel for every shape, about a MB each; 1,024 unless told.
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "256")
    if config.encodings is not None:
        from transgenic_tools.model.stored import use_stored

        use_stored(model, config.encodings)
    model = model.eval().to(device)
    return Reader(model, precision=config.precision, genetic_code=config.genetic_code), path


def wanted_conditions(config: Config, directory: Path) -> tuple[Condition | None, Pair | None]:
    """The sample that is predicted for, and it with the one that it is held against; None where not asked for.

    Raises:
        UsageError: a table or another sample without a sample.
        MissingInputError, BadInputError: the model has learned no conditions, or nobody knows a sample.
    """
    flags = {"--conditions": config.conditions, "--against": config.against, "--usage": config.usage}
    check_samples(config.condition, flags)
    if config.condition is None:
        return None, None
    model = load_conditions(directory)
    values = find_values(model, config.condition, config.conditions)
    condition = Condition(name=config.condition, shift=model.layer.at(values))
    if config.against is None:
        if config.usage is not None:
            raise UsageError("--usage, but no --against", hint="name the sample to compare with")
        return condition, None
    against = find_values(model, config.against, config.conditions)
    return condition, pair_of(model, (config.condition, config.against), (values, against))


def _reads_of(pair: Pair | None, config: Config) -> PairReads | None:
    """What stands beside differences: reads of --usage, else of --evidence where it has both samples.

    Raises:
        BadInputError: --usage lacks a sample; both sides are listed.
    """
    if pair is None:
        return None
    names = (pair.name, pair.against)
    if config.usage is not None:
        return PairReads(EvidenceFile(config.usage), names)
    if config.evidence is None:
        return None
    evidence = EvidenceFile(config.evidence)
    if lost := lacking(evidence, names):
        logger.warning(
            "%s has no reads of %s (inputs: %s): none stand beside what changes from %s to %s",
            config.evidence, listed(lost), listed(source.name for source in evidence.inputs), pair.against, pair.name,
        )  # fmt: skip
        return None
    return PairReads(evidence, names)


def run(config: Config, *, loaded: tuple[Reader, Path] | None = None) -> Result:
    """Predict every shard; `loaded` is what `load` gave for the same model, device and precision."""
    shards = expand_shards(config.shards)
    targets = [prediction_path(shard, config.outdir) for shard in shards]
    if len(set(targets)) < len(targets):
        raise UsageError("two shards have the same file name", hint="run them with different --outdir")
    for shard in shards:
        if not shard.exists():
            raise MissingInputError("no such shard", path=shard, hint="make shards with tg-prep genes")
    genes = sum(count_genes(shard, split=config.split) for shard in shards)
    reader, model_dir = loaded or load(config)
    shown, digests = None, None
    if config.evidence is not None:
        shown, weights, digests = _load_evidence(config.evidence, model_dir)
        reader = reader.guided(weights)
    device, precision = reader.device, reader.precision
    if device.type == "cpu":
        logger.info("device cpu, %d thread(s), %s; no GPU is used", config.threads, precision)
    else:
        logger.info("device %s, %s, %s", device, torch.cuda.get_device_name(device), precision)
    limits = announce(reader.network, device, shards, config, half=precision == "bf16")
    digest = model_hash(model_dir)
    condition, pair = wanted_conditions(config, model_dir)
    support = _reads_of(pair, config)
    judge = judge_of(config, reader.network, model_dir, device) if any(map(has_regions, shards)) else None
    alternatives = load_alternatives(model_dir, features=FEATURES) if config.decoding.is_best_first else None
    scored_by = None if alternatives is None else file_sha256(model_dir / ALTERNATIVES)[:16]
    predictor = Predictor(
        reader, config, model_hash=digest, condition=condition, judge=judge, shown=shown, alternatives=alternatives
    )
    # Further isoforms, which is what completion writes, tell nothing of a genome.
    scoring = None if config.complete else load_distance_scoring(model_dir)
    look = _FirstLook(scoring)
    config.outdir.mkdir(parents=True, exist_ok=True)
    warn_of_others(config.outdir, targets)
    progress = Progress(logger, total=genes)
    counts = {"transcripts": 0, "without": 0, "reused": 0, "no gene": 0}
    for shard, target in zip(shards, targets, strict=True):
        provenance = _provenance(
            config, shard, digest, precision, limits, (condition, pair), judge=judge, evidence=digests,
            scoring=scoring,
            alternatives=scored_by,
        )  # fmt: skip
        if not config.overwrite and _is_current(target, provenance):
            logger.info("%s is there already", target)
            counts["reused"] += 1
            continue
        if pair is not None:  # before the predictions, so that whoever finds these has both
            rows = (row for row in _wanted(shard, config.split) if len(row.sequence) <= limits.longest)
            write_differences(differences_path(shard, config.outdir), compare(rows, reader, pair, support))
        predicted = _predict(shard, predictor, config, limits, progress, counts, look)
        write_prediction_shard(predicted, target, provenance=provenance, evidence=shown is not None)
    look.tell()
    seconds = time.perf_counter() - progress.began
    if support is not None:
        support.warn_of_strangers()
    if config.complete and counts["without"]:
        logger.info(
            "nothing new for %d of %d genes: no further isoform was probable enough; tg-generate --min-confidence 0.2 "
            "takes less probable ones", counts["without"], progress.number,
        )  # fmt: skip
    if counts["no gene"]:
        logger.warning(
            "regions without a gene, by the model of scans: %d (below %s); tg-generate --min-region 0 keeps all",
            counts["no gene"], config.min_region,
        )  # fmt: skip
    return Result(
        tuple(targets),
        progress.number,
        counts["transcripts"],
        counts["without"],
        progress.bases,
        seconds,
        str(device),
        counts["reused"],
        tuple(differences_path(shard, config.outdir) for shard in shards) if pair is not None else (),
    )


def _predict(
    shard: Path,
    predictor: Predictor,
    config: Config,
    limits: Limits,
    progress: Progress,
    counts: dict[str, int],
    look: _FirstLook,
) -> Iterator[PredictionRow]:
    for rows in _chunks(_wanted(shard, config.split), limits):
        if len(rows[0].sequence) > limits.longest:
            predictions = [predictor.without(row, TOO_LONG) for row in rows]
        else:
            predictions = predictor.predict(rows)
        return_freed_memory()
        look.see(rows, predictions)
        progress.add(len(rows), sum(len(row.sequence) for row in rows))
        counts["transcripts"] += sum(len(row.scores) for row in predictions)
        counts["without"] += sum(row.gsf is None for row in predictions)
        counts["no gene"] += sum(NO_GENE in row.flags for row in predictions)
        yield from predictions
