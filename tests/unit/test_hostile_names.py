"""Names that would command a spreadsheet or a terminal."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import pytest
from hostile import BUNDLE, SCENE

from unmixel.errors import UnmixingError
from unmixel.io import open_bundle, write_bundle_csv
from unmixel.io.result_folder import write_result_folder
from unmixel.methods.fcls import FCLS
from unmixel.spectra import make_bundle

NAMES = ["=1+1", "+1", "-2", "@SUM(A1)", "\t=1", "'quoted'", "'=1", "a,b", 'a"b', "a\nb", "'s Gravenhage", "[red]x"]


def test_names_that_spreadsheets_calculate(tmp_path: Path) -> None:
    spectra = np.random.default_rng(0).uniform(0.1, 0.9, (len(NAMES), 4))
    bundle = make_bundle(spectra, NAMES, wavelength=np.linspace(450, 850, 4))
    write_bundle_csv(bundle, tmp_path / "spectra.csv")
    cells = next(csv.reader(io.StringIO((tmp_path / "spectra.csv").read_text(), newline="")))
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n"))]
    assert open_bundle(tmp_path / "spectra.csv").endmember.values.tolist() == NAMES


def test_names_in_the_table_of_a_result(tmp_path: Path) -> None:
    bundle = BUNDLE.assign_coords(endmember=("spectrum", ["=1+1", "@b", "soil"]))
    write_result_folder(FCLS().fit(SCENE, bundle).unmix(SCENE), tmp_path / "out")
    header = (tmp_path / "out/endmembers.csv").read_text().splitlines()[0].split(",")
    assert {"'=1+1 mean", "'@b mean", "soil mean"} <= set(header)
    assert open_bundle(tmp_path / "out/endmembers.csv").endmember.values.tolist() == ["=1+1", "@b", "soil"]


def test_no_name_commands_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    from rich.table import Table

    from unmixel.cli.screen import screen

    table = Table(title="[red]title\x1b[2J")
    table.add_row("a\x1b[31mb\x07", "[bold]c\x9b31m\u202ed")
    screen().print(table)
    screen().print("[red]file\x1b]0;title\x07.npy\nsecond line", soft_wrap=True)
    printed = capsys.readouterr().out
    assert not [mark for mark in printed if not mark.isprintable() and mark != "\n"]
    for shown in ("[red]title\\x1b[2J", "a\\x1b[31mb\\x07", "[bold]c\\x9b31m\\u202ed", "[red]file", "\nsecond line"):
        assert shown in printed


def test_no_error_commands_the_terminal() -> None:
    said = str(UnmixingError("\x1b[2J\x1b[31mred.npy\x07\u202e", "x" * 10**6))
    assert said.isprintable()
    assert "\\x1b[31mred.npy\\x07" in said
    assert len(said) < 2500
