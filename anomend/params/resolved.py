"""The values in force, in two files that stage `resolve` writes and every other stage reads.

`resolved/params.json` has what results depend on; stages name its sections as their dependencies in dvc.yaml.
`resolved/run.json` has the rest (`RUN_SETTING`): how a run is carried out. A change there makes no stage run again,
also where it changes the rounding of a result: hours on a GPU for the last bits are not what a user wants. Results
record what they were made with, and `dvc repro -f STAGE` runs a stage anyway.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from anomend.params.params import Params
from anomend.params.profiles import is_section, merge, validated
from anomend.project.json_files import read_json
from anomend.project.paths import RESOLVED, RUN_SETTINGS

Values = dict[str, Any]


def split(params: Params) -> tuple[Values, Values]:
    """What results depend on, and the run settings, each as nested values."""
    return _split(params.model_dump(mode="json"), Params)


def _split(values: Mapping[str, Any], section: type[BaseModel]) -> tuple[Values, Values]:
    results: Values = {}
    run: Values = {}
    for key, value in values.items():
        field = section.model_fields[key]
        annotation: Any = field.annotation
        if is_section(annotation):
            of_results, of_run = _split(value, annotation)
            results |= {key: of_results} if of_results or not of_run else {}
            run |= {key: of_run} if of_run else {}
        elif isinstance(field.json_schema_extra, dict) and field.json_schema_extra.get("run_setting"):
            run[key] = value
        else:
            results[key] = value
    return results, run


def load_params(folder: Path = Path()) -> Params:
    """The values in force, validated once more, since the files could have been edited.

    Raises:
        ValueError: a file is missing or broken, or a value is not allowed.
    """
    return validated(merge(read_json(folder / RESOLVED), read_json(folder / RUN_SETTINGS)))
