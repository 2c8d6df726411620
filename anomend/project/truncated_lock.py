"""dvc.lock is restored where a kill truncated it while DVC wrote it.

DVC writes the whole file anew after every stage, over the old one, and that takes it a good part of a second. Cut off
there, the file is refused by every command, or it has lost the records of other stages. Each stage keeps a copy of the
file when it starts (`lock_copy`), so at most the stage that had just ended has to run again.
"""

from __future__ import annotations

import re
from pathlib import Path

from anomend.project.files import write_whole
from anomend.project.lock_copy import COPY
from anomend.project.yaml_files import parse_yaml

REFUSED = "dvc.lock.truncated"
"""Name under which a truncated file is kept beside it, for whoever wants to see it."""
MERGE = "<<<<<<<"
"""What git writes into a file that two branches have changed."""
STAGE = re.compile(r"^  (?=[^ \n])", re.MULTILINE)
"""The start of a stage's record: the only lines with an indentation of two."""


def restore_truncated_lock(lock: Path, temporary: Path) -> bool:
    """Put the kept copy in the place of a truncated dvc.lock; where there was none, delete what was written of it.

    The lock of another commit, or one with the marks of a merge, is left alone. An older copy does no harm: its records
    are true, and DVC runs what they lack, or takes it from its run cache.

    Args:
        lock: dvc.lock.
        temporary: DVC's folder `.dvc/tmp`.

    Returns:
        Whether it was restored.
    """
    from dvc.lock import Lock, LockError  # Not at the top: this takes a good part of a second.

    if not lock.exists() or not (temporary / COPY).exists():
        return False
    try:
        with Lock(str(temporary / "lock")):
            return _restore(lock, temporary)
    except LockError:
        # DVC is at work here, and may be writing the file.
        return False


def _restore(lock: Path, temporary: Path) -> bool:
    # Read as bytes would be: a kill can split a letter.
    found = lock.read_text(encoding="utf-8", errors="replace")
    kept = (temporary / COPY).read_text(encoding="utf-8")
    if not is_truncated(found, kept):
        return False
    write_whole(temporary / REFUSED, lock.read_bytes())
    if kept:
        write_whole(lock, kept)
    else:
        lock.unlink()
    return True


def is_truncated(found: str, kept: str) -> bool:
    """Whether a dvc.lock was cut off while it was written.

    Args:
        found: the text of the file.
        kept: the text of the copy from before.
    """
    if not _is_valid(found):
        return MERGE not in found
    # Valid, and yet cut: it ends between two lines. It is the copy with at most one other record, that of the stage
    # which had just ended, and its last record is only begun or the last of several.
    records, before = STAGE.split(found), STAGE.split(kept)
    pairs = list(zip(records, before, strict=False))
    changed = sum(record != former for record, former in pairs[:-1])
    record, former = pairs[-1]
    is_cut = former.startswith(record) and (record != former or len(records) < len(before))
    is_same_stage = record.split(":\n")[0] == former.split(":\n")[0]
    if len(records) == len(before):
        return is_cut and changed == 1
    return len(records) < len(before) and ((is_cut and changed <= 1) or (is_same_stage and changed == 0))


def _is_valid(text: str) -> bool:
    """Whether DVC takes the text for a dvc.lock."""
    from dvc.schema import COMPILED_LOCKFILE_SCHEMA
    from voluptuous import Invalid

    try:
        COMPILED_LOCKFILE_SCHEMA(parse_yaml(text))
    except (Invalid, ValueError):
        return False
    return True
