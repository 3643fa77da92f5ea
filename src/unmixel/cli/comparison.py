"""Methods beside the truth, as a table on the screen."""

from __future__ import annotations

from collections.abc import Mapping

from rich.console import Console
from rich.table import Table

from unmixel.benchmark.agreement import Agreement


def print_comparison(found: Mapping[str, Agreement], title: str, console: Console) -> None:
    """Print a table with one row for each method."""
    both = any(row.abundance_rmse_as_truth is not None for row in found.values())
    table = Table(title=title)
    table.add_column("method")
    headings = ["abundance\nrmse [1]", "spectral\nangle [rad]", "reconstruction\nrmse", "seconds"]
    if both:
        headings.insert(1, "in the truth's\nconvention [1]")
    for heading in headings:
        table.add_column(heading, justify="right")
    for name, row in found.items():
        cells = [
            f"{row.abundance_rmse:.4f}",
            f"{row.spectral_angle:.4f}",
            f"{row.reconstruction_rmse:.4f}",
            f"{row.seconds:.1f}",
        ]
        if both:
            cells.insert(1, f"{row.abundance_rmse_as_truth:.4f}")
        table.add_row(name, *cells)
    console.print(table)
