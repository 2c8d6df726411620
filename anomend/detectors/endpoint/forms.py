"""The table of forms: a new kind of server is one file and one row."""

from __future__ import annotations

from anomend.detectors.endpoint.form import Form
from anomend.detectors.endpoint.hadm import HADM
from anomend.detectors.endpoint.magicassessor import MAGICASSESSOR
from anomend.detectors.endpoint.sdg import SDG

FORMS: dict[str, Form] = {"hadm": HADM, "magicassessor": MAGICASSESSOR, "sdg": SDG}
