"""Who may ask the explorer for anything: one browser that was given a link that works once."""

from __future__ import annotations

import enum
import secrets
from collections.abc import Mapping

ADDRESS = "127.0.0.1"


class Verdict(enum.Enum):
    """What is done with a request."""

    SERVE = "serve"
    LET_IN = "let in"
    REFUSE = "refuse"


class Gate:
    """The gate of a server on this machine.

    The link that is printed carries a token. Whoever comes with it first is given a cookie, and the token is void.
    Every other request needs the cookie, the right host (a page elsewhere may have its name point to 127.0.0.1), and no
    other origin (a page elsewhere may open a connection to this server, and the browser would send the cookie).

    Parameters
    ----------
    port : int

    Examples
    --------
    >>> gate = Gate(5006)
    >>> gate.verdict("GET", {"Host": "127.0.0.1:5006"}, token=None, cookie=None)
    <Verdict.REFUSE: 'refuse'>
    >>> gate.verdict("GET", {"Host": "127.0.0.1:5006"}, token=gate.token, cookie=None)
    <Verdict.LET_IN: 'let in'>
    """

    def __init__(self, port: int) -> None:
        self.host = f"{ADDRESS}:{port}"
        self.origin = f"http://{self.host}"
        self.cookie_name = f"unmixel-{port}"
        self.token = secrets.token_urlsafe(32)
        self._pass = secrets.token_urlsafe(32)
        self._used = False

    @property
    def link(self) -> str:
        """What the user opens, once."""
        return f"{self.origin}/?token={self.token}"

    def verdict(self, method: str, headers: Mapping[str, str], *, token: str | None, cookie: str | None) -> Verdict:
        """Return what is done with a request, by its method, headers, token and cookie."""
        if headers.get("Host", "") != self.host or headers.get("Origin", self.origin) != self.origin:
            return Verdict.REFUSE
        if token is not None:
            fresh = method == "GET" and not self._used and _same(token, self.token)
            return Verdict.LET_IN if fresh else Verdict.REFUSE
        if headers.get("Upgrade", "").lower() == "websocket" and "Origin" not in headers:
            return Verdict.REFUSE
        if headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
            return Verdict.REFUSE
        return Verdict.SERVE if cookie is not None and _same(cookie, self._pass) else Verdict.REFUSE

    def let_in(self) -> str | None:
        """Make the token void, and return the value of the cookie; None if it was void already."""
        used, self._used = self._used, True
        return None if used else self._pass


def _same(given: str, expected: str) -> bool:
    return secrets.compare_digest(given.encode(), expected.encode())
