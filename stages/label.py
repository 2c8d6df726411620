"""Stage `label`: draw single pictures for people to label, build their page, and count the committed labels."""

from __future__ import annotations

from dataclasses import asdict

import pandas as pd

from anomend.judging.protocol import choose_pairs
from anomend.labelling.counting import RaterRules, excluded_raters, label_metrics
from anomend.labelling.design import design_table, write_design
from anomend.labelling.gold import read_gold
from anomend.labelling.records import read_labels
from anomend.labelling.texts import versions
from anomend.params.resolved import load_params
from anomend.pictures.image_sets import read_imagefolder
from anomend.project.checkouts import found
from anomend.project.metric_files import write_metrics
from anomend.project.paths import LABEL_DESIGN, LABEL_KEY, LABEL_PAGE, METRICS, MODELS, SAMPLES
from anomend.project.run import run_stage
from anomend.surveying.key import write_key
from anomend.surveying.labels import build_labels


def main() -> None:
    params = load_params().label
    labels = read_labels(found(params.labels), texts=versions())
    gold = {} if params.gold is None else read_gold(found(params.gold))
    base, tuned = (read_imagefolder(SAMPLES / model) for model in MODELS)
    tables = []
    elsewhere = params.held_out_pairs_per_prompt
    for group, per_prompt in (("target", params.pairs_per_prompt), ("held_out", elsewhere), ("siblings", elsewhere)):
        sides = [table[table["group"].eq(group)] for table in (base, tuned)]
        if per_prompt and len(sides[0]):
            # Drawn as for the judges and the survey: at the same seed, all see the same pairs.
            drawn = choose_pairs(*sides, per_prompt=per_prompt, seed=params.seed)
            tables.append(design_table(drawn, group=group, showings=params.raters_per_picture))
    design = pd.concat(tables, ignore_index=True)
    write_design(LABEL_DESIGN, design)
    key = build_labels(design, gold, params, site=LABEL_PAGE)
    write_key(LABEL_KEY, key)
    rules = RaterRules(max_failed_gold=params.max_failed_gold, min_median_ms=params.min_median_ms)
    out = excluded_raters(labels, rules)
    provenance = {
        "design": key.design,
        "texts": key.texts,
        "exclusion": asdict(rules),
        "excluded_raters": {
            str(rater): [rule for rule, is_broken in row.items() if is_broken] for rater, row in out.iterrows()
        },
        "seed": params.seed,
    }
    write_metrics(METRICS / "label.json", label_metrics(labels, design, rules), provenance)


if __name__ == "__main__":
    run_stage("label", main)
