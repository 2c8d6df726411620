"""Write the comment for a pull request to pull_request.md: `make pr-report`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from anomend.reporting.pull_request import pull_request_comment
from commands.check_results import check_results


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m commands.pull_request_comment", description=__doc__)
    parser.add_argument("--base", default="origin/main", help="revision that the pull request goes to")
    parser.add_argument("--images", default=".", help="address under which the report's pictures are linked")
    parser.add_argument("--out", type=Path, default=Path("pull_request.md"))
    options = parser.parse_args()
    try:
        problems = check_results(Path.cwd())
        comment = pull_request_comment(Path.cwd(), base=options.base, images=options.images, problems=problems)
    except ValueError as error:
        sys.exit(f"pull_request_comment: {error}")
    options.out.write_text(comment, encoding="utf-8")
    print(f"wrote {options.out}")


if __name__ == "__main__":
    main()
