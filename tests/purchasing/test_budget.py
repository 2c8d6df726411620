"""Permission and budget."""

from __future__ import annotations

from functools import partial

import pytest

from anomend.purchasing.budget import check_permission
from anomend.purchasing.failures import FatalRequestError


def test_permission_and_budget_are_checked_first() -> None:
    check = partial(check_permission, estimate_usd=2.5, budget_parameter="collect.max_usd")
    with pytest.raises(FatalRequestError, match=r"up to \$2\.50: set ANOMEND_ALLOW_SPEND=1"):
        check(allowed=False, max_usd=10.0)
    with pytest.raises(FatalRequestError, match=r"\$2\.50, collect\.max_usd allows \$1\.00"):
        check(allowed=True, max_usd=1.0)
    check(allowed=True, max_usd=2.5)
