"""What makes each method fast enough to be checked, and how exact it is; None if a file of its own checks it."""

from __future__ import annotations

from typing import Any

QUICK: dict[str, dict[str, Any] | None] = {
    "bundle_group_sparse": {},
    "fcls": {},
    "idnet": None,
    "nnls": {},
    "scls": {},
    "sunsal": {},
    "sunsal_tv": {},
    "ucls": {},
}
