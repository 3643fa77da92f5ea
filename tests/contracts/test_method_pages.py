"""Every method can be found in the documentation."""

from __future__ import annotations

from pathlib import Path

import pytest

import unmixel.methods
from unmixel.registry import list_methods

PAGES = Path(unmixel.methods.__file__).parents[3] / "docs" / "methods"


@pytest.mark.parametrize("name", list_methods())
def test_every_method_has_a_page_and_a_row_in_the_table(name: str) -> None:
    assert (PAGES / f"{name}.md").is_file(), f"docs/methods/{name}.md is missing"
    row = f"| [{name}]({name}.md) |"
    assert row in (PAGES / "README.md").read_text(), f"no row of {name}: run python docs/methods/make_table.py"
