"""The table of methods in README.md beside this file, from what the methods say of themselves.

``python docs/methods/make_table.py`` writes it between the two marks.
"""

from __future__ import annotations

from pathlib import Path

from unmixel.registry import get_method, list_methods

PAGE = Path(__file__).with_name("README.md")
BEGIN, END = "<!-- made by make_table.py -->\n", "<!-- end -->\n"


def row_of(name: str) -> str:
    """Return the row of a method."""
    kind = get_method(name)
    constraints = [
        text for holds, text in ((kind.non_negative, "not negative"), (kind.sum_to_one, "sum to one")) if holds
    ]
    looks_at = "the whole scene" if kind.fitted_type.neighbours else "each pixel alone"
    page = f"[{name}]({name}.md)" if PAGE.with_name(f"{name}.md").is_file() else name
    cells = (page, kind.summary, ", ".join(constraints) or "free", looks_at, kind.reference)
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def main() -> None:
    """Write the table."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    header = "| method | what it is | abundances | unmixes | reference |\n| --- | --- | --- | --- | --- |"
    rows = "\n".join(map(row_of, list_methods()))
    PAGE.write_text(f"{before}{BEGIN}{header}\n{rows}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
