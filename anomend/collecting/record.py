"""Where each collected image and its caption came from, and what was left out and why."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from anomend.collecting.captions import prompts_in
from anomend.collecting.image import Skipped, SourceImage
from anomend.project.files import write_whole
from anomend.project.slugs import slug

FILES_TABLE = "files.csv"
"""Table in the image folder: a row for everything that was read or left out."""
COLUMNS = ("source", "name", "outcome", "file_name", "caption", "caption_from", "changes", "reason")
NAMED = 50
"""Images left out that a metric file names; the table has all."""


class CollectionRecord:
    """Collects a row per image or file, for the table and for the counts in `metrics/collect.json`."""

    def __init__(self, prompts: Sequence[str]) -> None:
        self.prompts = prompts
        self.rows: list[dict[str, str]] = []
        self._untold: set[tuple[str, str]] = set()
        self.sources: Counter[str] = Counter()
        self.captions: Counter[str] = Counter()
        self.left_out: Counter[str] = Counter()
        self.answered: Counter[str] = Counter()

    def take(self, source: str, file_name: str, item: SourceImage) -> None:
        """Note an image that was written as `file_name`."""
        name = item.provenance.get("original", file_name)
        where = item.provenance.get("caption_from", item.caption_kind)
        changes = "; ".join(item.provenance.get("changes", ()))
        self._add(
            source=source,
            name=name,
            outcome="read",
            file_name=file_name,
            caption=item.text,
            caption_from=where,
            changes=changes,
        )
        self.sources[source] += 1
        self.captions[item.caption_kind] += 1
        # A caption of several prompts ("on the grass or on the street") is for each of them.
        self.answered.update({item.prompt, *prompts_in(item.text, self.prompts)}.intersection(self.prompts))

    def leave_out(self, source: str, item: Skipped) -> None:
        """Note something that was left out."""
        self._add(source=source, name=item.name, outcome="left out", reason=item.reason)
        self.left_out[item.kind] += 1
        if item.one_of_many:
            self._untold.add((source, item.name))

    def metrics(self, sources: Sequence[str]) -> dict[str, Any]:
        """images; sources, skipped, left_out, captions and prompts: see `Collection.metrics`."""
        return {
            "images": self.sources.total(),
            "sources": {source: self.sources[source] for source in sources},
            "skipped": self.left_out.total(),
            "left_out": dict(sorted(self.left_out.items())),
            "captions": dict(sorted(self.captions.items())),
            "prompts": {slug(prompt): self.answered[prompt] for prompt in self.prompts},
        }

    def skipped(self) -> list[dict[str, str]]:
        """source, name and reason of the first that were left out; a last entry says how many more there are."""
        rows = [row for row in self._sorted() if row["reason"] and (row["source"], row["name"]) not in self._untold]
        out = [{key: row[key] for key in ("source", "name", "reason")} for row in rows]
        more = len(out) - NAMED
        last = {
            "source": "",
            "name": f"{more} more",
            "reason": f"the table {FILES_TABLE} of the collected images has all",
        }
        return [*out[:NAMED], *([last] if more > 0 else [])]

    def prompts_without_image(self) -> list[str]:
        """Target prompts that no image answers."""
        return [prompt for prompt in self.prompts if not self.answered[prompt]]

    def write(self, path: Path) -> None:
        """Write the table as CSV."""
        text = io.StringIO()
        writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(self._sorted())
        write_whole(path, text.getvalue(), durable=False)

    def _sorted(self) -> list[dict[str, str]]:
        """The rows by source, in the order in which sources were asked, and by name."""
        sources = list(dict.fromkeys(row["source"] for row in self.rows))
        return sorted(self.rows, key=lambda row: (sources.index(row["source"]), row["name"]))

    def _add(self, **values: str) -> None:
        self.rows.append({column: values.get(column, "") for column in COLUMNS})
