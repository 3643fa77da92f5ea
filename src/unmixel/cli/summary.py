"""The table that ends a run: how much of each endmember there is, how well it fits, where the files are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from rich.console import Console
from rich.table import Table

from unmixel.diagnostics import diagnosis_of
from unmixel.io.whole_folder import provenance_in
from unmixel.result import provenance_of, thinned, unit_of

VARIABILITY = {
    "none": "and spectra no more",
    "bundle": "and spectra as those in the bundle do",
    "scene": "and spectra as the pixels of the scene do",
}
"""How endmembers vary, in words."""


def print_summary(result: xr.Dataset, folder: Path, console: Console) -> None:
    """Print the summary of a result that was written to a folder."""
    small, step = thinned(result)
    console.print(_abundance_table(small, "the valid pixels" if step == 1 else f"every {step}th row and column"))
    for line in _lines(small, {**provenance_of(result), **provenance_in(folder)}):
        console.print(line, soft_wrap=True)
    console.print("what the result says about itself, without a truth:")
    for line in diagnosis_of(result).sentences():
        console.print(f"  {line}", soft_wrap=True)
    files = ", ".join(sorted(path.name + ("/" if path.is_dir() else "") for path in folder.iterdir()))
    console.print(f"written to {folder}/: {files}", soft_wrap=True)


def _abundance_table(result: xr.Dataset, over: str) -> Table:
    table = Table(title=f"abundance [1] over {over}")
    table.add_column("endmember")
    has_uncertainty = "abundance_sd" in result
    for heading in ("mean ± sd", "5 % to 95 %", *["mean uncertainty (sd)"] * has_uncertainty):
        table.add_column(heading, justify="right")
    for k, name in enumerate(result["endmember"].values.astype(str)):
        abundance = result["abundance"].values[:, :, k]
        low, high = np.nanquantile(abundance, [0.05, 0.95])
        cells = [f"{np.nanmean(abundance):.3f} ± {np.nanstd(abundance):.3f}", f"{low:.3f} to {high:.3f}"]
        if has_uncertainty:
            cells.append(f"{np.nanmean(result['abundance_sd'].values[:, :, k]):.3f}")
        table.add_row(name, *cells)
    return table


def _lines(result: xr.Dataset, provenance: dict[str, Any]) -> list[str]:
    lines = []
    invalid = np.isnan(result["abundance"].values[:, :, 0])
    if invalid.any():
        lines.append(f"masked pixels: {int(invalid.sum())} of {invalid.size} ({100 * invalid.mean():.2g} %)")
    if "reconstruction_rmse" in result:
        residual = result["reconstruction_rmse"].values
        lines.append(
            f"reconstruction rmse [{unit_of('reconstruction_rmse', provenance)}]: {np.nanmedian(residual):.4g} in the "
            f"median pixel, {np.nanquantile(residual, 0.95):.4g} at 95 %"
        )
    if "hypothesis" in provenance:
        chosen = provenance["hypothesis"]
        lines.append(
            f"chosen by evidence: {chosen['mixing']} mixing; "
            f"brightness varies by {100 * chosen['brightness_sd']:.3g} % (sd), {VARIABILITY[chosen['variability']]}"
        )
    if "stopped" in provenance:
        lines.append(f"training stopped: {provenance['stopped']}")
    seconds = {name.removesuffix("_s"): value for name, value in provenance.items() if name.endswith("_s")}
    if seconds:
        lines.append("seconds: " + ", ".join(f"{name} {value:.3g}" for name, value in seconds.items()))
    return lines
