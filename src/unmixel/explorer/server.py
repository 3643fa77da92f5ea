"""The server of the explorer: on this machine only, for one browser only."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from bokeh.application import Application
from bokeh.application.handlers.function import FunctionHandler
from bokeh.document import Document
from bokeh.resources import Resources
from bokeh.server.server import BaseServer
from bokeh.server.tornado import BokehTornado
from bokeh.server.views.static_handler import StaticHandler
from tornado.httpserver import HTTPServer
from tornado.httputil import HTTPHeaders, HTTPServerRequest
from tornado.ioloop import IOLoop
from tornado.netutil import bind_sockets
from tornado.web import OutputTransform, RequestHandler

from unmixel.errors import ParameterError
from unmixel.explorer.document import ExplorerPage
from unmixel.explorer.exploration import Exploration
from unmixel.explorer.gate import ADDRESS, Gate, Verdict

_REFUSED = (
    "403: this page is open to the browser that used the link first. Start `unmixel explore` again for a new link.\n"
)
_WELCOME = (
    '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><meta http-equiv="refresh" content="0; url=/">'
    '<title>unmixel</title></head><body><p><a href="/">Explore the result</a></p></body></html>'
)


class _Refused(RequestHandler):
    def prepare(self) -> None:
        self.set_status(403)
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.finish(_REFUSED)


class _Welcome(RequestHandler):
    """Gives the cookie, and goes on by a page of its own: a cookie for this site only is not sent after a redirect if
    the link was followed from another site."""

    def initialize(self, gate: Gate) -> None:
        self._gate = gate

    def get(self, *path: str) -> None:
        cookie = self._gate.let_in()
        if cookie is None:
            self.set_status(403)
            self.finish(_REFUSED)
            return
        self.set_cookie(self._gate.cookie_name, cookie, path="/", httponly=True, samesite="Strict")
        self.finish(_WELCOME)


class _Headers(OutputTransform):
    """Headers of every answer: nothing from elsewhere is loaded, nothing is framed, nothing is kept."""

    def __init__(self, request: HTTPServerRequest) -> None:
        super().__init__(request)
        self._host = request.host

    def transform_first_chunk(
        self, status_code: int, headers: HTTPHeaders, chunk: bytes, finishing: bool
    ) -> tuple[int, HTTPHeaders, bytes]:
        headers["Content-Security-Policy"] = (
            "default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
            f"img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self' ws://{self._host}; "
            "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        )
        headers["X-Content-Type-Options"] = "nosniff"
        headers["X-Frame-Options"] = "DENY"
        headers["Referrer-Policy"] = "no-referrer"
        headers["Cross-Origin-Resource-Policy"] = "same-origin"
        headers["Cache-Control"] = "no-store"
        return status_code, headers, chunk


class _Guarded(BokehTornado):
    """Bokeh's application behind the gate: pages, websocket and files alike, before any of them is looked up."""

    def __init__(self, application: Application, gate: Gate) -> None:
        self._gate = gate
        super().__init__(
            application,
            extra_websocket_origins=[gate.host],
            sign_sessions=False,
            include_headers=[],  # or scripts of the page could read the cookie
            include_cookies=[],
        )
        self.add_transform(_Headers)

    def find_handler(self, request: HTTPServerRequest, **kwargs: Any) -> Any:
        token = request.query_arguments.get("token")
        cookie = request.cookies.get(self._gate.cookie_name)
        verdict = self._gate.verdict(
            str(request.method),
            request.headers,
            token=None if token is None else token[0].decode("utf-8", "replace"),
            cookie=None if cookie is None else cookie.value,
        )
        if verdict is Verdict.SERVE:
            return super().find_handler(request, **kwargs)
        if verdict is Verdict.LET_IN:
            return self.get_handler_delegate(request, _Welcome, {"gate": self._gate})
        return self.get_handler_delegate(request, _Refused)

    def resources(self, absolute_url: str | bool | None = None) -> Resources:
        """Where BokehJS comes from: this server, whatever the environment says."""
        parts = ["bokeh", "bokeh-widgets"]
        return Resources(mode="server", root_url="/", path_versioner=StaticHandler.append_version, components=parts)


def serve(exploration: Exploration, *, port: int = 0, ready: Callable[[str], None]) -> None:
    """Serve the explorer of a result on 127.0.0.1 until it is interrupted.

    Parameters
    ----------
    exploration : Exploration
    port : int
        A free one when 0.
    ready : callable
        Told the link that opens the explorer, once.

    Raises
    ------
    ParameterError
        If the port cannot be had.
    KeyboardInterrupt
        When it is interrupted.
    """
    try:
        sockets = bind_sockets(port, ADDRESS)
    except OSError as error:
        raise ParameterError(f"port {port} ({error.strerror or error})", "a free port", "leave --port out") from error
    gate = Gate(sockets[0].getsockname()[1])

    made: list[ExplorerPage] = []

    def fill(document: Document) -> None:
        (made.pop() if made else ExplorerPage(exploration)).fill(document)

    async def until_interrupted() -> None:
        application = _Guarded(Application(FunctionHandler(fill)), gate)
        http = HTTPServer(application)
        http.add_sockets(sockets)
        server = BaseServer(IOLoop.current(), application, http)
        server.start()
        try:
            ready(gate.link)
            made.append(ExplorerPage(exploration))  # while the browser starts
            await asyncio.Event().wait()
        finally:
            server.stop()
            await http.close_all_connections()

    asyncio.run(until_interrupted())
