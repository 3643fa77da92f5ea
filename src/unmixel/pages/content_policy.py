"""What a browser may load for a page of ours: nothing but what is in it."""

from __future__ import annotations

import base64
import hashlib

from markupsafe import Markup

NO_SCRIPT = "'none'"


def content_policy(scripts: list[Markup]) -> str:
    """Return a policy by which a browser loads nothing for the page and runs these scripts only.

    Examples
    --------
    >>> content_policy([Markup("1")]).split("; ")[:2]
    ["default-src 'none'", "script-src 'sha256-a4ayc/80/OGda4BO/1o/V0etpOqiLx1JwB5S3beHW0s='"]
    """
    digests = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii") for script in scripts]
    allowed = " ".join(f"'sha256-{digest}'" for digest in digests)
    return (
        f"default-src 'none'; script-src {allowed or NO_SCRIPT}; style-src 'unsafe-inline'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
