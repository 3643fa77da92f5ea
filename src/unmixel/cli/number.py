"""The table of what speaks for each number of endmembers."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from unmixel.extraction import NumberEvidence
from unmixel.extraction.number_evidence import WORTH


def print_number(evidence: NumberEvidence, console: Console) -> None:
    """Print which number of endmembers is suggested, and why."""
    table = Table(title="number of endmembers: what speaks for each")
    table.add_column("P", justify="right")
    for heading in ("held-out residual", "gain", "moves by [rad]", "worst", "nearest other", "stable"):
        table.add_column(heading, justify="right")
    for row in evidence.rows:
        mark = " <-" if row.n_endmembers == evidence.suggested else ""
        table.add_row(
            f"{row.n_endmembers}{mark}",
            f"{row.held_out:.4f}",
            f"{100 * row.gain:.1f} %",
            f"{row.angle:.3f}",
            f"{row.worst_angle:.3f}",
            f"{row.nearest_angle:.3f}",
            "yes" if row.stable else "no",
        )
    console.print(table)
    console.print(
        f"endmembers: {evidence.suggested} estimated, the largest stable number whose endmembers each explain "
        f"{100 * WORTH:.0f} % of what held-out pixels have left. Dimensions above the noise: {evidence.hysime} by "
        f"HySime (not exceeded), {evidence.nwhfc} by noise-whitened HFC. Materials that are rare or mixtures of others "
        "are missed: if you know better, say -p.",
        soft_wrap=True,
    )
