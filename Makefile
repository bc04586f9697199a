# The project's commands. `make` alone lists them.
SHELL := /usr/bin/env bash
# Imports of torch take seconds without cached bytecode.
unexport PYTHONDONTWRITEBYTECODE
.DEFAULT_GOAL := help
PYTHON := .venv/bin/python
# How many pytest workers: the pipeline tests start Nextflow, so two are enough on a small machine.
WORKERS ?= 2
OUTDIR ?= results/demo
CASES ?= 5000

.PHONY: help setup demo test bench bench-quick model golden-update test-avx2 images test-faults fuzz test-executors lint lint-nfcore docs release clean constraints

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 26

setup: ## Python, Java and Nextflow into .venv/ and .cache/ (a second run returns at once)
	@bin/bootstrap

demo: setup ## a slice of A. thaliana chromosome 1 through the whole pipeline; results in results/demo
	@bin/nextflow run . -profile test --outdir $(OUTDIR) -ansi-log false

test: ## everything that CI checks, numeric tests twice: unit, property, golden, pipeline, SLURM, one container engine, lint
	@bin/bootstrap test
	@$(PYTHON) -m pytest -m "not all_engines and not faults" -n $(WORKERS) --dist loadgroup --durations=15 $(PYTEST_ARGS)
	@$(MAKE) --no-print-directory test-avx2

test-faults: setup ## 28 kills of tools, full disks, limits, and the fuzzer's 300 cases
	@$(PYTHON) -m pytest tests/faults $(PYTEST_ARGS)

fuzz: setup ## thousands of damaged inputs for all tools; make fuzz CASES=20000
	@$(PYTHON) -m tests.faults.fuzz --cases $(CASES)

# A processor with AVX2 and nothing newer: oneDNN, MKL, ATen and LLVM are told to leave the rest alone.
AVX2 := ONEDNN_MAX_CPU_ISA=AVX2 MKL_ENABLE_INSTRUCTIONS=AVX2 ATEN_CPU_CAPABILITY=avx2 NUMBA_CPU_NAME=haswell \
  NUMBA_CPU_FEATURES=+avx,+avx2,+fma,+f16c,+bmi,+bmi2,+lzcnt,+popcnt,+movbe,+sse4.2
NUMERIC := tests/fast tests/search tests/model tests/generate

test-avx2: ## the numeric tests as on a processor with AVX2 and nothing newer
	@bin/bootstrap test
	@$(AVX2) $(PYTHON) -m pytest $(NUMERIC) -n $(WORKERS) --dist loadgroup $(PYTEST_ARGS)

test-executors: ## the pipeline on every engine: SLURM, podman, docker, charliecloud, singularity
	@bin/bootstrap test executors
	@$(PYTHON) -m pytest tests/executors $(PYTEST_ARGS)

lint: setup ## ruff, mypy, import direction, Nextflow's strict syntax
	@bin/bootstrap strict
	@$(PYTHON) -m ruff check
	@$(PYTHON) -m ruff format --check
	@$(PYTHON) -m mypy
	@.venv/bin/lint-imports
	@bin/lint-nextflow

lint-nfcore: setup ## nf-core's own lint, in an environment of its own
	@test -x .cache/nf-core/bin/nf-core || { uv venv -q .cache/nf-core && uv pip install -q -p .cache/nf-core/bin/python nf-core==4.2.1; }
	@PATH=$(CURDIR)/bin:$$PATH .cache/nf-core/bin/nf-core pipelines lint --dir .

bench: ## side by side with peers on the whole test split; writes benchmarks/results.json
	@bin/bootstrap python data peers
	@$(PYTHON) -m benchmarks.run

bench-quick: ## the same on a sample of the test split, in minutes
	@bin/bootstrap python data peers
	@$(PYTHON) -m benchmarks.run --quick

SPECIES ?= .cache/species
model: ## train the embedded model again; SPECIES=DIR: with further species; SOURCES=open: from open sources alone
	@bin/bootstrap python data
	@SOURCES=$(SOURCES) SPECIES=$(SPECIES) bin/make-model

golden-update: ## rewrite the golden files, after gt and gffread agree with them
	@bin/bootstrap python debian
	@GOLDEN_UPDATE=1 $(PYTHON) -m pytest tests --snapshot-update -m "not executors"

release: setup ## sdist, wheel, conda recipe, image context, documentation, checksums in dist/, from a clean tree
	@PYTHONPATH=. $(PYTHON) -m release.build

images: ## container images from containers/: thin, and with torch
	@containers/build

docs: setup ## the documentation as a site, links checked: results/docs/index.html
	@PYTHONPATH=. $(PYTHON) -m mkdocs build --strict

constraints: setup ## pin the dependencies anew (versions only)
	@uv pip compile pyproject.toml --all-extras --universal --python-version 3.11 --no-header --no-annotate -q -o constraints.txt

clean: ## results and caches of runs; keeps .venv and .cache
	@rm -rf results work .nextflow .nextflow.log* .pytest_cache .hypothesis .mypy_cache .ruff_cache
