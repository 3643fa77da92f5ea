"""Files that once did harm do none any more, and whole files are taken."""

from __future__ import annotations

from pathlib import Path

import pytest

from .corpus import stored_cases
from .targets import TARGETS
from .worker import replay


@pytest.mark.parametrize("reader", TARGETS)
def test_stored_cases_do_no_harm(reader: str, tmp_path: Path) -> None:
    cases = stored_cases(reader)
    outcomes = replay(TARGETS[reader], cases, tmp_path)
    assert list(outcomes) == list(cases)
    assert {name: outcome.finding for name, outcome in outcomes.items() if outcome.finding} == {}


@pytest.mark.parametrize("reader", TARGETS)
def test_whole_files_are_taken(reader: str, tmp_path: Path) -> None:
    whole = {str(number): case for number, case in enumerate(TARGETS[reader].seeds())}
    outcomes = replay(TARGETS[reader], whole, tmp_path)
    assert {outcome.signature for outcome in outcomes.values()} == {"opened"}
