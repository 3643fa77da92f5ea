"""When a scene was taken, as every reader says it: ISO 8601 in UTC, to the second."""

from __future__ import annotations

from datetime import UTC, datetime


def utc_of_text(text: str) -> str:
    """Return a time written as ISO 8601; empty if it is none. A time without a zone is UTC.

    Examples
    --------
    >>> utc_of_text("2020-05-24T10:37:04.123456"), utc_of_text("2023-08-01T19:25:31+0200"), utc_of_text("yesterday")
    ('2020-05-24T10:37:04Z', '2023-08-01T17:25:31Z', '')
    """
    try:
        time = datetime.fromisoformat(text.strip())
        return _written(time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC))
    except (ValueError, OverflowError):
        return ""


def utc_of_seconds(seconds: float) -> str:
    """Return a time given in seconds since the start of 1970, UTC; empty if it can be none.

    Examples
    --------
    >>> utc_of_seconds(1727290504.9), utc_of_seconds(float("nan"))
    ('2024-09-25T18:55:04Z', '')
    """
    try:
        return _written(datetime.fromtimestamp(seconds, tz=UTC))
    except (ValueError, OverflowError, OSError):
        return ""


def _written(time: datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")
