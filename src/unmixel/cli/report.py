"""`unmixel report`: a result folder -> one page that travels."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from unmixel.cli.options import limit_threads


def report(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="Folder that `unmixel unmix` wrote.", show_default=False)
    ],
    scene: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The scene, if it is not where it was when it was unmixed.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a report that is there.")] = False,
) -> None:
    """Write DIR/report.html: a result on one page that needs no network.

    Maps, spectra, intervals, diagnostics and provenance, and a map on which a click explains a pixel. The page can be
    sent, printed and opened without unmixel.
    """
    limit_threads(None)
    from unmixel.cli.screen import screen
    from unmixel.explorer.opened_result import OpenedResult
    from unmixel.explorer.report import write_report
    from unmixel.explorer.report_pixels import without_spectra

    path = write_report(folder, scene=scene, overwrite=overwrite)
    if missing := without_spectra(OpenedResult(folder, scene)):
        screen(stderr=True).print(f"without spectra of single pixels: {missing}", soft_wrap=True)
    screen().print(f"written: {path} ({path.stat().st_size / 1e6:.1f} MB)", soft_wrap=True)
