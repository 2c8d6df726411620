"""What a base's licence requires of an adapter that is passed on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Licence:
    """One licence, as the hub and a reader need to know it."""

    hub: Mapping[str, str]
    """Entries of the card's metadata: https://huggingface.co/docs/hub/repositories-licenses."""
    notice: str | None = None
    """Text of the file NOTICE that has to go with every copy; None: not required."""
    duties: str = ""
    """The duties of people who pass the adapter on, in words."""


_LICENCES = {
    "MIT": Licence({"license": "mit"}),
    "Apache-2.0": Licence({"license": "apache-2.0"}),
    # From copies of the agreement in other projects, not compared with the original: read that before passing one on.
    "Stability AI Community License": Licence(
        {
            "license": "other",
            "license_name": "stabilityai-ai-community",
            "license_link": "https://stability.ai/community-license-agreement",
        },
        "This Stability AI Model is licensed under the Stability AI Community License, "
        "Copyright © Stability AI Ltd. All Rights Reserved\n",
        "Powered by Stability AI. If you pass the adapter on, add a copy of the licence and the file `NOTICE`, and "
        "show 'Powered by Stability AI'. Commercial use is free below a yearly revenue of 1,000,000 US dollars.",
    ),
}


def licence_of(name: str) -> Licence:
    """The licence with this name in the table of bases; only its name if this table does not list it."""
    return _LICENCES.get(name) or Licence({"license": "other", "license_name": name})
