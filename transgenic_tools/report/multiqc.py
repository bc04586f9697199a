"""Figures for MultiQC: custom content that a user's own MultiQC picks up.

In: sample reports. Out: `*_mqc.json` files, each a complete MultiQC section.
A surprise: MultiQC finds them by name alone, anywhere below the directory it is pointed at, and writes what they hold
into its page as HTML; so names of samples and reasons, which come from files, are escaped here.
"""

from __future__ import annotations

import html
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from transgenic_tools.provenance import write_aside
from transgenic_tools.report.loci import STATUS_WORDS
from transgenic_tools.report.page import SampleReport

_PARENT = {
    "parent_id": "transgenic_tools",
    "parent_name": "transgenic_tools",
    "parent_description": "Isoforms generated from the DNA of gene loci.",
}


def _general(samples: Sequence[SampleReport]) -> dict[str, Any]:
    data = {}
    for sample in samples:
        numbers, evaluation = sample.numbers, sample.evaluation
        row: dict[str, float] = {
            "tg_genes": numbers.genes,
            "tg_transcripts": numbers.transcripts,
            "tg_isoforms": round(numbers.isoforms_per_gene, 4),
        }
        if "gene_exact" in evaluation:
            row["tg_gene_exact"] = evaluation["gene_exact"] * 100
            row["tg_exon_f1"] = evaluation.get("cds", {}).get("exon", {}).get("f1", 0.0)
        data[numbers.sample] = row
    headers = [
        {"tg_genes": {"title": "Genes", "description": "Genes predicted", "format": "{:,.0f}", "scale": "Blues"}},
        {
            "tg_transcripts": {
                "title": "Isoforms",
                "description": "Isoforms predicted",
                "format": "{:,.0f}",
                "scale": "Blues",
            }
        },
        {"tg_isoforms": {"title": "Isoforms a gene", "format": "{:,.2f}", "min": 1, "scale": "Purples"}},
        {
            "tg_gene_exact": {
                "title": "Exact genes",
                "description": "Genes with a predicted CDS equal to a reference one",
                "suffix": "%",
                "min": 0,
                "max": 100,
                "scale": "Greens",
            }
        },
        {
            "tg_exon_f1": {
                "title": "Exon F1",
                "description": "F1 of coding exons",
                "min": 0,
                "max": 1,
                "scale": "Greens",
            }
        },
    ]
    return {"id": "transgenic_tools_general", "plot_type": "generalstats", "pconfig": headers, "data": data}


def _outcome(samples: Sequence[SampleReport]) -> dict[str, Any]:
    return {
        **_PARENT,
        "id": "transgenic_tools_loci",
        "section_name": "Loci",
        "description": "What became of each locus, against the reference.",
        "plot_type": "bargraph",
        "pconfig": {"id": "transgenic_tools_loci_plot", "title": "transgenic_tools: loci", "ylab": "Loci"},
        "data": {
            sample.numbers.sample: {STATUS_WORDS[status]: count for status, count in sample.numbers.statuses.items()}
            for sample in samples
        },
    }


def _levels(samples: Sequence[SampleReport]) -> dict[str, Any]:
    data = {
        sample.numbers.sample: {
            level.replace("_", " "): score["f1"]
            for level, score in sample.evaluation.get("cds", {}).items()
            if "f1" in score
        }
        for sample in samples
        if sample.evaluation
    }
    return {
        **_PARENT,
        "id": "transgenic_tools_f1",
        "section_name": "Accuracy",
        "description": "F1 of the coding structure at each level, as gffcompare defines them under strict matching.",
        "plot_type": "table",
        "pconfig": {"id": "transgenic_tools_f1_table", "title": "transgenic_tools: F1", "min": 0, "max": 1},
        "data": data,
    }


def _rejects(samples: Sequence[SampleReport]) -> dict[str, Any]:
    return {
        **_PARENT,
        "id": "transgenic_tools_rejects",
        "section_name": "Rejects",
        "description": "Rows of rejects.tsv by reason.",
        "plot_type": "bargraph",
        "pconfig": {"id": "transgenic_tools_rejects_plot", "title": "transgenic_tools: rejects", "ylab": "Rows"},
        "data": {sample.numbers.sample: dict(sample.rejects) for sample in samples if sample.rejects},
    }


def _escaped(data: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Names of samples and of figures as HTML text."""
    return {html.escape(sample): {html.escape(k): v for k, v in row.items()} for sample, row in data.items()}


def write_multiqc(samples: Sequence[SampleReport], directory: Path) -> tuple[Path, ...]:
    """Write one file for each section that has data."""
    directory.mkdir(parents=True, exist_ok=True)
    written = []
    for name, content in (
        ("general", _general(samples)),
        ("loci", _outcome(samples)),
        ("f1", _levels(samples)),
        ("rejects", _rejects(samples)),
    ):
        if not content["data"]:
            continue
        path = directory / f"transgenic_tools_{name}_mqc.json"
        with write_aside(path) as aside:
            text = json.dumps(content | {"data": _escaped(content["data"])}, indent=1, sort_keys=True)
            aside.write_text(text + "\n", encoding="utf-8")
        written.append(path)
    return tuple(written)
