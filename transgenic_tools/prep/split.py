"""Train, validation and test: which gene goes where.

In: a rule as text and the genes. Out: a split (and a fold) for each gene ID.
A surprise: `fraction` hashes the gene ID, so adding genes never moves another one; the shares are therefore met on
average, not exactly.

    fraction                         75/10/15 by gene ID
    fraction:80/10/10                other shares
    block:SEQID:A:B                  on SEQID: start < A train, A <= start < B validation, B <= start test
    seqid:validation=S1,S2;test=S3   whole sequences; all others train
    species:validation=N1;test=N2    whole samples; all others train
    homology[:75/10/15]              genes of one family stay together (protein k-mer sketch)
    all:test                         every gene
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from transgenic_tools.choices import Split
from transgenic_tools.errors import UsageError
from transgenic_tools.genome.gene import Gene
from transgenic_tools.genome.hashing import uniform_hash
from transgenic_tools.io.gff3.table import Entry

SPLITS: tuple[Split, ...] = get_args(Split)
DEFAULT_SHARES = (75.0, 10.0, 15.0)
_HINT = (
    "write fraction, fraction:80/10/10, block:SEQID:23000000:24000000, seqid:validation=S1;test=S2, "
    "species:test=NAME, homology or all:test"
)


@dataclass(frozen=True)
class SplitRule:
    """A parsed rule.

    Attributes:
        kind: Word before the first colon.
        shares: Percent of train, validation, test (fraction and homology).
        seqid, first, second: Of a block rule.
        named: Sequence or sample name to split (seqid and species rules).
        everywhere: Of an `all` rule.
    """

    kind: Literal["fraction", "block", "seqid", "species", "homology", "all"]
    shares: tuple[float, float, float] = DEFAULT_SHARES
    seqid: str = ""
    first: int = 0
    second: int = 0
    named: Mapping[str, Split] | None = None
    everywhere: Split = "train"


def _shares(text: str, rule: str) -> tuple[float, float, float]:
    if not text:
        return DEFAULT_SHARES
    try:
        train, validation, test = (float(part) for part in text.split("/"))
    except ValueError as error:
        raise UsageError(f"--split {rule}: {text!r} is not TRAIN/VALIDATION/TEST", hint=_HINT) from error
    if min(train, validation, test) < 0 or train + validation + test <= 0:
        raise UsageError(f"--split {rule}: shares must be 0 or more and not all 0", hint=_HINT)
    return train, validation, test


def _named(text: str, rule: str) -> dict[str, Split]:
    named: dict[str, Split] = {}
    for part in text.split(";"):
        split, equals, names = part.partition("=")
        chosen = _split_name(split, rule)
        if not equals or not names:
            raise UsageError(f"--split {rule}: {part!r} is not SPLIT=NAME,NAME", hint=_HINT)
        named.update({name: chosen for name in names.split(",")})
    return named


def _split_name(text: str, rule: str) -> Split:
    for split in SPLITS:
        if text == split:
            return split
    raise UsageError(f"--split {rule}: {text!r} is not train, validation or test", hint=_HINT)


def parse_split(rule: str) -> SplitRule:
    """Parse the text of `--split`. Raises UsageError."""
    kind, _, rest = rule.partition(":")
    if kind == "fraction":
        return SplitRule("fraction", shares=_shares(rest, rule))
    if kind == "homology":
        return SplitRule("homology", shares=_shares(rest, rule))
    if kind == "block":
        seqid, _, numbers = rest.partition(":")
        if ":" not in numbers or not all(n.isdigit() for n in numbers.split(":", 1)):
            raise UsageError(f"--split {rule}: two whole numbers are needed", hint=_HINT)
        first, second = (int(n) for n in numbers.split(":"))
        if first > second or not seqid:
            raise UsageError(f"--split {rule}: {first} lies after {second}, or the SEQID is missing", hint=_HINT)
        return SplitRule("block", seqid=seqid, first=first, second=second)
    if kind == "seqid":
        return SplitRule("seqid", named=_named(rest, rule))
    if kind == "species":
        return SplitRule("species", named=_named(rest, rule))
    if kind == "all":
        return SplitRule("all", everywhere=_split_name(rest, rule))
    raise UsageError(f"--split {rule}: {kind!r} is no rule", hint=_HINT)


def split_by_share(value: float, shares: tuple[float, float, float]) -> Split:
    """The split of a number in [0, 1)."""
    total = sum(shares)
    if value * total < shares[0]:
        return "train"
    return "validation" if value * total < shares[0] + shares[1] else "test"


def _of_block(gene: Gene | Entry, rule: SplitRule) -> Split:
    if gene.seqid != rule.seqid or gene.interval.start < rule.first:
        return "train"
    return "validation" if gene.interval.start < rule.second else "test"


def split_groups(groups: Mapping[str, Sequence[str]], shares: tuple[float, float, float]) -> dict[str, Split]:
    """Whole groups to splits: the largest first, each to the split that lacks most of its share.

    Args:
        groups: Group name to gene IDs.

    Returns:
        Group name to split.
    """
    total = sum(len(members) for members in groups.values())
    wanted = {split: share / sum(shares) * total for split, share in zip(SPLITS, shares, strict=True)}
    chosen: dict[str, Split] = {}
    for name in sorted(groups, key=lambda n: (-len(groups[n]), n)):
        best = max(SPLITS, key=lambda s: (wanted[s], -SPLITS.index(s)))
        wanted[best] -= len(groups[name])
        chosen[name] = best
    return chosen


def assign_splits(
    genes: Sequence[Gene | Entry],
    rule: SplitRule | None,
    *,
    sample: str,
    groups: Callable[[], Mapping[str, str]] | None = None,
) -> dict[str, Split | None]:
    """A split for each gene ID; None where no rule is given.

    Args:
        groups: Gives the homology group of each gene ID; called for a homology rule alone.
    """
    if rule is None:
        return {gene.id: None for gene in genes}
    if rule.kind == "homology":
        assert groups is not None
        members: dict[str, list[str]] = {}
        group_of = groups()
        for gene in genes:
            members.setdefault(group_of[gene.id], []).append(gene.id)
        of_group = split_groups(members, rule.shares)
        return {gene.id: of_group[group_of[gene.id]] for gene in genes}
    if rule.kind == "fraction":
        return {gene.id: split_by_share(uniform_hash("split", gene.id), rule.shares) for gene in genes}
    if rule.kind == "block":
        return {gene.id: _of_block(gene, rule) for gene in genes}
    if rule.kind == "all":
        return {gene.id: rule.everywhere for gene in genes}
    named = rule.named or {}
    if rule.kind == "species":
        return {gene.id: named.get(sample, "train") for gene in genes}
    return {gene.id: named.get(gene.seqid, "train") for gene in genes}


def assign_folds(
    genes: Sequence[Gene | Entry],
    folds: int,
    splits: Mapping[str, Split | None],
    group_of: Mapping[str, str] | None = None,
) -> dict[str, int | None]:
    """Fold 0 to folds-1 for each gene outside the test split; genes of one group share a fold."""
    if not folds:
        return {gene.id: None for gene in genes}
    return {
        gene.id: None if splits[gene.id] == "test" else fold_of(group_of[gene.id] if group_of else gene.id, folds)
        for gene in genes
    }


def fold_of(name: str, folds: int) -> int:
    """Fold 0 to folds-1 of a gene or family, by its name alone."""
    return int(uniform_hash("fold", name) * folds)
