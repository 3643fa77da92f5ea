"""Who is let in to the explorer."""

from __future__ import annotations

import pytest

from unmixel.explorer.gate import Gate, Verdict

PORT = 5006
HOST = {"Host": f"127.0.0.1:{PORT}"}


@pytest.fixture
def gate() -> Gate:
    return Gate(PORT)


def test_the_link_works_once(gate: Gate):
    assert gate.link == f"http://127.0.0.1:{PORT}/?token={gate.token}" and len(gate.token) >= 43
    assert gate.verdict("GET", HOST, token=gate.token, cookie=None) is Verdict.LET_IN
    cookie = gate.let_in()
    assert cookie != gate.token
    assert gate.verdict("GET", HOST, token=gate.token, cookie=None) is Verdict.REFUSE
    assert gate.verdict("GET", HOST, token=None, cookie=cookie) is Verdict.SERVE


@pytest.mark.parametrize("token", ["", "wrong", "ü" * 43])
def test_other_tokens_do_not(gate: Gate, token: str):
    assert gate.verdict("GET", HOST, token=token, cookie=None) is Verdict.REFUSE
    assert gate.verdict("GET", HOST, token=token, cookie=gate.let_in()) is Verdict.REFUSE


def test_a_preview_does_not_use_the_link_up(gate: Gate):
    assert gate.verdict("HEAD", HOST, token=gate.token, cookie=None) is Verdict.REFUSE
    assert gate.verdict("GET", HOST, token=gate.token, cookie=None) is Verdict.LET_IN


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Host": "localhost:5006"},
        {"Host": "evil.example:5006"},
        {"Host": "127.0.0.1"},
        {**HOST, "Origin": "http://evil.example"},
        {**HOST, "Origin": "null"},
        {**HOST, "Origin": "http://127.0.0.1:8888"},
        {**HOST, "Upgrade": "websocket"},
        {**HOST, "Upgrade": "WebSocket", "Origin": "http://localhost:5006"},
        {**HOST, "Sec-Fetch-Site": "cross-site"},
        {**HOST, "Sec-Fetch-Site": "same-site"},
    ],
)
def test_other_places_are_refused(gate: Gate, headers: dict[str, str]):
    assert gate.verdict("GET", headers, token=None, cookie=gate.let_in()) is Verdict.REFUSE


@pytest.mark.parametrize("cookie", [None, "", "wrong"])
def test_nothing_without_the_cookie(gate: Gate, cookie: str | None):
    mine = gate.let_in()
    assert gate.let_in() is None, "only once"
    assert gate.verdict("GET", HOST, token=None, cookie=cookie) is Verdict.REFUSE
    socket = {**HOST, "Upgrade": "websocket", "Origin": f"http://127.0.0.1:{PORT}"}
    assert gate.verdict("GET", socket, token=None, cookie=cookie) is Verdict.REFUSE
    assert gate.verdict("GET", socket, token=None, cookie=mine) is Verdict.SERVE
