"""A result on one page: a file that travels, needs nothing else and asks nobody for anything."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

from bokeh.resources import Resources
from markupsafe import Markup

from unmixel import __version__
from unmixel.citation import citations_of, endmembers_in_words
from unmixel.errors import UnmixingError
from unmixel.explorer.opened_result import OpenedResult, part_of
from unmixel.explorer.pixel_story import LEVEL
from unmixel.explorer.report_maps import report_maps
from unmixel.explorer.report_pixels import pixel_explorer
from unmixel.explorer.report_sections import (
    Coverage,
    coverage_of,
    diagnostics_of,
    hypotheses_of,
    method_in_words,
    spectra_charts,
    summary_of,
    training_chart,
    warnings_of,
)
from unmixel.io.whole_file import written_whole
from unmixel.io.whole_folder import check_addition, list_addition
from unmixel.pages.content_policy import content_policy
from unmixel.pages.pictures import png_address
from unmixel.pages.templates import source_of, templates_of
from unmixel.result import no_result_in, provenance_of
from unmixel.scene import good_bands

REPORT = "report.html"
SECTIONS = {
    "summary": "Summary",
    "maps": "Maps",
    "explorer": "Pixel explorer",
    "spectra": "Endmember spectra",
    "calibration": "Calibration",
    "diagnostics": "Diagnostics",
    "nonlinearity": "Nonlinearity",
    "training": "Training",
    "provenance": "Provenance",
    "cite": "How to cite",
}
LARGEST_PICTURE = 2_000_000
"""Bytes of the picture of the scene up to which the page holds it."""
_PNG = b"\x89PNG\r\n\x1a\n"
"""How a picture begins; anything else, behind a link too, would be given away with the page."""


def write_report(folder: str | Path, *, scene: str | Path | None = None, overwrite: bool = False) -> Path:
    """Write ``report.html`` into a result folder: what was found, how sure it is, and how it came about.

    The page needs no other file and no network, and runs no script but its own.

    Parameters
    ----------
    folder : path
        The result folder.
    scene : path, optional
        The scene file, if it is not where it was. Without it, the page has no spectra of single pixels.
    overwrite : bool
        Replace a report that is there.

    Returns
    -------
    path
        Of the page.

    Raises
    ------
    SceneError
        If the folder holds no result, or the scene that is given is another one.
    OutputError
        If there is a report, or the folder cannot be written.
    """
    folder = Path(folder)
    if not (folder / "result.zarr").is_dir():
        raise no_result_in(folder)
    check_addition(folder, REPORT, overwrite=overwrite)
    page = _page(OpenedResult(folder, scene))
    list_addition(folder, REPORT)
    with written_whole(folder / REPORT, overwrite=overwrite) as (path,):
        path.write_text(page, encoding="utf-8", errors="replace", newline="\n")
    return folder / REPORT


def _page(opened: OpenedResult) -> str:
    result = opened.result
    provenance = {**provenance_of(result), **opened.provenance}
    summary, (map_groups, map_step) = summary_of(result), report_maps(result)
    templates = templates_of("unmixel.explorer")
    templates.policies["json.dumps_kwargs"] = {"sort_keys": False}  # Bokeh's references follow what they refer to
    style = source_of(templates, "page.css") + source_of(templates, "report.css")
    code = source_of(templates, "report.js")
    scripts = [Markup("\n".join(Resources(mode="inline", components=["bokeh"]).js_raw)), code]
    name = scene_name(provenance)
    return templates.get_template("report.html.j2").render(
        title=f"Unmixing report: {name}",
        program=f"unmixel {__version__}",
        policy=content_policy(scripts),
        style=style,
        scripts=scripts,
        sections=SECTIONS.items(),
        level=f"{100 * LEVEL:.0f} %",
        scene_name=name,
        scene_picture=_scene_picture(opened.folder),
        rows=result.sizes["y"],
        columns=result.sizes["x"],
        n_bands=result.sizes["band"],
        n_good=int(good_bands(result).sum()),
        names=[str(label) for label in result["endmember"].values],
        summary=summary,
        has_area=any(material.area for material in summary.materials),
        warnings=warnings_of(result),
        map_groups=map_groups,
        map_step=map_step,
        explorer=pixel_explorer(opened),
        charts=spectra_charts(result),
        coverage=_coverage(opened) if summary.has_intervals else None,
        diagnostics=diagnostics_of(result),
        hypotheses=hypotheses_of(provenance),
        training=training_chart(provenance),
        method_in_words=method_in_words(provenance),
        citations=citations_of(provenance),
        **_from_provenance(provenance),
    )


def _coverage(opened: OpenedResult) -> Coverage | None:
    """Return how the model's intervals fare on its own pixels; None without a model that can be loaded."""
    try:
        return None if opened.fitted is None else coverage_of(opened.fitted)
    except UnmixingError:  # the pixel explorer says it
        return None


def scene_name(provenance: dict[str, Any]) -> str:
    """Return the name of the scene's file.

    Examples
    --------
    >>> scene_name({"input": {"path": "/data/field.img"}}), scene_name({})
    ('field.img', 'a scene without a name')
    """
    for source in ("input", "scene"):
        path = part_of(provenance, source).get("path")
        if path:
            return Path(str(path)).name
    return "a scene without a name"


def _scene_picture(folder: Path) -> str:
    picture = folder / "scene.png"
    if not picture.is_file() or picture.stat().st_size > LARGEST_PICTURE:
        return ""
    content = picture.read_bytes()
    return png_address(content) if content.startswith(_PNG) else ""


def _from_provenance(provenance: dict[str, Any]) -> dict[str, Any]:
    """Return what the template says of the making of a result."""
    diagnosis = part_of(provenance, "diagnosis")
    source = part_of(provenance, "input") or part_of(provenance, "scene")
    command = provenance.get("command") or []
    digests = part_of(source, "sha256")
    run = {
        "command": shlex.join(map(str, command)),
        "written by": provenance.get("written_by"),
        "where": provenance.get("where"),
        "largest resident memory [MB]": provenance.get("peak_memory_mb"),
        "model": provenance.get("model"),
    }
    scene = {
        "path": source.get("path"),
        "bytes": source.get("bytes"),
        "changed": source.get("changed"),
        **{f"SHA-256 of {name}": digest for name, digest in digests.items()},
    }
    tables = {
        "Run": run,
        "Scene": scene,
        "Parameters of the method": part_of(provenance, "parameters"),
        "Versions": part_of(provenance, "environment"),
    }
    return {
        "method": provenance.get("method") or "an unknown method",
        "endmembers_from": endmembers_in_words(provenance),
        "nonlinearity": diagnosis.get("nonlinearity"),
        "stopped": provenance.get("stopped"),
        "best_epoch": provenance.get("best_epoch"),
        "training_pixels": provenance.get("training_pixels"),
        "noise_sd": provenance.get("noise_sd"),
        "seconds": {name.removesuffix("_s"): value for name, value in provenance.items() if name.endswith("_s")},
        "reading": provenance.get("scene_reading") or [],
        "provenance_tables": [
            (caption, [(name, _as_text(value)) for name, value in rows.items() if value not in (None, "")])
            for caption, rows in tables.items()
        ],
    }


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
