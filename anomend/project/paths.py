"""Where the pipeline's files are, relative to the project's root, which is every stage's working directory.

Stages and commands name files by this table; the library is given paths as arguments.
"""

from __future__ import annotations

from pathlib import Path

# Parameters, and what DVC wrote down.
PARAMS = Path("params.yaml")
PROFILES = Path("profiles")
RESOLVED = Path("resolved/params.json")
RUN_SETTINGS = Path("resolved/run.json")
CODE = Path("resolved/code.json")
SCAN_CODE = Path("scan/resolved/code.json")
INPUTS = Path("resolved/inputs.json")
INPUT_LINKS = Path("resolved/links")
"""Links to the files and folders that parameters name; git ignores them."""
LOCK = Path("dvc.lock")
DVC_TEMPORARY = Path(".dvc/tmp")

# Data, in the order in which the stages write it.
DATA = Path("data")
COLLECTED = DATA / "collected"
DECISIONS = DATA / "decisions.csv"
INSTANCE = DATA / "instance"
CLASS_IMAGES = DATA / "class_images"
LOSERS = DATA / "losers"
ENCODED = DATA / "encoded"
SAMPLES = DATA / "samples"
"""One image set per model: `base`, `tuned`."""
FEATURES = DATA / "features"
"""One folder per model."""
JUDGEMENTS = DATA / "judgements"
SURVEY_KEY = DATA / "survey_key.json"
SURVEY_PAGE = Path("survey")
LABEL_KEY = DATA / "label_key.json"
LABEL_DESIGN = DATA / "label_design.csv"
LABEL_ANSWERS = DATA / "label_answers"
"""What the labels' server receives, one file per rater, until it is imported into the folder that git keeps."""
LABEL_PAGE = Path("labelling")
RATER_KEY = Path(".rater_key")
"""Hashes the ids that other tools give to raters; git ignores it."""
SCAN_LABELS = DATA / "scan_labels"
"""What people are to label for a scan: design, page and key; empty where there is nothing to label."""
SCANNED = DATA / "scanned"
"""Pictures of a scan, right and wrong ones of each prompt."""
PAPER_JUDGES = DATA / "paper" / "judges.csv"
PRICES = DATA / "prices.csv"
RETIRED_MODELS = DATA / "retired_models.csv"
COSTS = DATA / "costs.csv"
"""Seconds of a training step on GPUs, as others published them."""

LORA = Path("models/lora")
AGAINST = Path("models/against")
"""The LoRA of another program that the base side is sampled with."""

# Results, which git keeps.
METRICS = Path("metrics")
RESOURCES = METRICS / "resources"
"""What each stage of the last run took on this machine; git does not keep it."""
PLOTS = METRICS / "plots"
CURVES = METRICS / "training"
REPORT = Path("report")
CONFIRMATIONS = Path("confirmations")
"""Records of confirmations, and their results by number."""

# Working files of a run, which may be deleted at any time.
CHECKPOINTS = Path(".checkpoints")
FEATURE_STORE = Path(".features")
SAMPLE_STORE = ".samples"
"""In the main checkout, which experiments and worktrees share."""

MODELS = ("base", "tuned")
"""The two models that are compared, as files and columns name them."""
