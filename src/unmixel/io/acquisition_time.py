"""When a scene was taken, however its file writes it, as one form of text."""

from __future__ import annotations

from datetime import UTC, datetime


def utc_time(text: str) -> str:
    """Return a time as ISO 8601 in UTC, to the second; nothing if the text is no time.

    A time without a zone is UTC. A date alone stays a date: nobody knows more.

    Parameters
    ----------
    text : str
        ISO 8601, or with a blank or ``/`` where it is usual.

    Examples
    --------
    >>> utc_time("2023-08-01T19:25:31.604Z"), utc_time("2023-08-01 21:25:31+02:00"), utc_time("2023/08/01")
    ('2023-08-01T19:25:31Z', '2023-08-01T19:25:31Z', '2023-08-01')
    >>> utc_time("yesterday")
    ''
    """
    cleaned = text.strip().strip("\x00").replace("/", "-")
    try:
        moment = datetime.fromisoformat(cleaned)
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return ""
    if len(cleaned) <= len("2023-08-01"):
        return moment.date().isoformat()
    return moment.replace(tzinfo=None).isoformat(timespec="seconds") + "Z"


def utc_of_seconds(seconds: float) -> str:
    """Return a time in seconds since the start of 1970, UTC, as `utc_time` writes it; nothing if it can be none.

    Examples
    --------
    >>> utc_of_seconds(1727290504.9), utc_of_seconds(float("nan"))
    ('2024-09-25T18:55:04Z', '')
    """
    try:
        return utc_time(datetime.fromtimestamp(seconds, tz=UTC).isoformat())
    except (ValueError, OverflowError, OSError):
        return ""


def moment_of(acquired: str) -> datetime | None:
    """Return what `utc_time` wrote as a moment, None if it is empty. Of a date alone: its noon.

    Examples
    --------
    >>> moment_of("2023-08-01T19:25:31Z").isoformat(), moment_of("2023-08-01").isoformat()
    ('2023-08-01T19:25:31+00:00', '2023-08-01T12:00:00+00:00')
    """
    if not acquired:
        return None
    moment = datetime.fromisoformat(acquired)
    return moment if moment.tzinfo is not None else moment.replace(hour=12, tzinfo=UTC)
