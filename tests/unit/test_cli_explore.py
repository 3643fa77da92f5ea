"""`unmixel explore` on what it cannot explore: one line that says what is wrong."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

import numpy as np
import pytest

from unmixel.cli.main import run
from unmixel.io.result_folder import write_result_folder
from unmixel.result import make_result
from unmixel.scene import make_scene


def a_folder(path: Path, rows: int = 4) -> Path:
    """Write a small result without model and scene."""
    scene = make_scene(np.random.default_rng(0).random((rows, 5, 3)))
    maps = {"abundance": np.full((rows, 5, 2), 0.5, dtype=np.float32)}
    result = make_result(scene, endmember=["a", "b"], maps=maps, spectra={}, provenance={})
    write_result_folder(result, path)
    return path


def said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    monkeypatch.setattr(sys, "argv", ["unmixel", "explore", "--no-browser", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        run()
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line


def test_no_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    assert "holds no result" in said(monkeypatch, capsys, tmp_path / "nowhere")


def test_another_scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    np.save(tmp_path / "other.npy", np.ones((3, 3, 3)))
    line = said(monkeypatch, capsys, a_folder(tmp_path / "out"), "--scene", tmp_path / "other.npy")
    assert "3 x 3 x 3" in line and "4 x 5 x 3" in line


def test_another_grid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    line = said(monkeypatch, capsys, a_folder(tmp_path / "one"), "--with", a_folder(tmp_path / "two", rows=7))
    assert "7 x 5" in line and "4 x 5" in line


def test_a_port_that_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert f"port {port}" in said(monkeypatch, capsys, a_folder(tmp_path / "out"), "--port", port)
