"""What all windows of a browser share: the results, their layers, and what is read once."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np

from unmixel.errors import UnmixingError
from unmixel.explorer.compared import Compared
from unmixel.explorer.latent_panel import LatentSample, sample_latents
from unmixel.explorer.map_coordinates import map_coordinates
from unmixel.explorer.map_layers import MapLayer, layers_of
from unmixel.explorer.opened_result import OpenedResult, part_of
from unmixel.explorer.pixel_story import PixelStory, tell
from unmixel.explorer.scene_colours import SceneColours, scene_colours
from unmixel.lookup import lookup_of
from unmixel.scene import good_bands

ALONE = "only its abundances are compared"


class Exploration:
    """A result that is explored, beside another one if it is compared.

    Parameters
    ----------
    folder : path
        The result folder.
    scene : path, optional
        The scene file, if it is not where it was.
    other : path, optional
        Folder of another result on the same pixels.

    Attributes
    ----------
    opened : OpenedResult
    compared : Compared or None
    where : MapCoordinates
    layers : list of layers
    without_colours : str
        Why the scene is not among them, if it isn't.

    Raises
    ------
    SceneError, ParameterError
        If a folder holds no result, the scene is another one, or the two results can't be compared.
    """

    def __init__(self, folder: str | Path, scene: str | Path | None = None, other: str | Path | None = None) -> None:
        self.opened = OpenedResult(folder, scene)
        self.where = map_coordinates(self.opened.result)
        self.compared = Compared(self.opened, OpenedResult(other)) if other is not None else None
        self.layers: list[MapLayer | SceneColours] = [*layers_of(self.opened)]
        colours, self.without_colours = scene_colours(self.opened)
        if colours is not None:
            self.layers.append(colours)
        self._prepared: Future[LatentSample | None] | None = None
        self._has_model = False

    def prepare(self) -> Future[LatentSample | None]:
        """Load the model in another thread, once; what comes of it is the sample of latents, if there are any."""
        if self._prepared is None:
            threads = ThreadPoolExecutor(1, thread_name_prefix="unmixel-model")
            self._prepared = threads.submit(self._load)
            threads.shutdown(wait=False)
        return self._prepared

    def _load(self) -> LatentSample | None:
        """Load what takes seconds, and go once through what a click asks for."""
        with suppress(UnmixingError):  # a pixel that is asked for says it
            tell(self.opened, *self.first_pixel())
        self._has_model = True
        return sample_latents(self.opened.result)

    @property
    def notes(self) -> list[str]:
        """What should be known of the maps."""
        paired = self.compared.paired if self.compared is not None else []
        return [as_utf_8(note) for note in (*paired, self.without_colours) if note]

    @property
    def title(self) -> str:
        """Of the page."""
        name = self.opened.folder.resolve().name
        return as_utf_8(name if self.compared is None else " and ".join(self.compared.names))

    @property
    def subtitle(self) -> str:
        """Size and origin of the result, in one line."""
        result, provenance = self.opened.result, self.opened.provenance
        size = f"{result.sizes['y']} x {result.sizes['x']} pixels, {int(good_bands(result).sum())} bands"
        method = provenance.get("method")
        source = part_of(provenance, "input").get("path")
        seen = "" if lookup_of(result) is None else "as the sensor saw it"
        said = [size, seen, f"by {method}" if method else "", f"from {source}" if source else ""]
        return as_utf_8(", ".join(part for part in said if part))

    def first_pixel(self) -> tuple[int, int]:
        """Return row and column of the valid pixel nearest to the middle of the result."""
        layer = self.layers[0]
        assert isinstance(layer, MapLayer)
        values, covered = layer.overview
        known = np.argwhere(np.isfinite(values))
        if not len(known):
            return 0, 0
        far = ((known - np.array(values.shape) / 2) ** 2).sum(axis=1)
        row, column = ((known[np.argmin(far)] + 0.5) * np.array(covered.shape) / values.shape).astype(int)
        return min(int(row), self.where.rows - 1), min(int(column), self.where.columns - 1)

    def tell(self, row: int, column: int) -> tuple[PixelStory, list[str]]:
        """Return the story of a pixel as far as it is known by now, and in words."""
        waiting = "" if self._has_model else "the model is being loaded"
        try:
            story = tell(self.opened, row, column, without_spectra=waiting)
        except UnmixingError as error:  # of the model, or of the scene, which may have gone
            story = tell(self.opened, row, column, without_spectra=str(error))
        sentences = story.sentences()
        if self.compared is not None:
            other = replace(tell(self.compared.second, row, column, without_spectra=ALONE), without_spectra="")
            sentences += [f"{self.compared.names[1]}: {sentence}" for sentence in other.sentences()]
        return story, sentences


def as_utf_8(text: str) -> str:
    """Return a text that can be sent: names of files may hold bytes that are no UTF-8."""
    return text.encode("utf-8", "replace").decode()
