"""Every error that unmixel raises on purpose: what was given, what was expected, what to do."""

from __future__ import annotations


class UnmixingError(Exception):
    """The root of every error unmixel raises on purpose.

    Parameters
    ----------
    given : str
        What was given, with its name (a file, a parameter and its value).
    expected : str, optional
        What was expected instead.
    remedy : str, optional
        What to do about it.

    Examples
    --------
    >>> print(UnmixingError("scene.hdr has 3 bands", "at least 4 for 4 endmembers", "lower -p"))
    scene.hdr has 3 bands; expected at least 4 for 4 endmembers; lower -p
    """

    def __init__(self, given: str, expected: str = "", remedy: str = "") -> None:
        super().__init__(given, expected, remedy)
        self.given, self.expected, self.remedy = given, expected, remedy

    def __str__(self) -> str:
        parts = [self.given, self.expected and f"expected {self.expected}", self.remedy]
        return "; ".join(" ".join(part.split()) for part in parts if part)


class SceneError(UnmixingError):
    """A scene, or a file that should hold one, cannot be used."""


class NoValidPixelError(SceneError):
    """A scene has nothing that can be unmixed."""


class BundleError(UnmixingError):
    """Endmember spectra, or a file that should hold them, cannot be used."""


class ParameterError(UnmixingError):
    """A parameter is out of its range, or unknown."""


class ModelError(UnmixingError):
    """A saved model cannot be read, or does not fit the scene."""


class TrainingError(UnmixingError):
    """Training diverged or could not start."""


class OutputError(UnmixingError):
    """Results cannot be written."""


class EngineError(UnmixingError):
    """The processes that should do the work can't be reached, or died."""


class DatasetError(UnmixingError):
    """A named public scene is unknown, or could not be downloaded and verified."""
