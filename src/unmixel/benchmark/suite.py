"""Suites: which scenes, which methods and which seeds a benchmark runs, in a file.

::

    title = "Mine"
    seeds = 5                     # 0 to 4; or a list, [3, 7]

    [limits]                      # of every run
    seconds = 600
    memory_gb = 4

    [[scene]]
    dataset = "samson"            # a name of `unmixel datasets`

    [[scene]]
    preset = "dc1"                # a scene of `unmixel simulate`: another one for every seed
    rows = 40
    columns = 40
    snr_db = 25
    endmembers = "true"           # given; or found by an extraction ("clusters" if left out), the same for all methods

    [[scene]]
    file = "field.hdr"            # relative to the suite
    truth = "field.truth.zarr"    # a result with the true abundances and spectra

    [[method]]                    # every registered method as it is, if there is none
    name = "*"                    # the same

    [[method]]
    name = "idnet"
    label = "idnet, short"        # in the table; the name if left out
    parameters = { n_epochs = 5 }

    [[method]]
    name = "idnet"
    label = "idnet, own endmembers"
    endmembers = "own"            # it finds them itself, but where scenes give the true ones
"""

from __future__ import annotations

import hashlib
import os
import re
from collections import Counter
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic_core import PydanticCustomError

from unmixel.benchmark.truth_file import open_truth
from unmixel.datasets import describe
from unmixel.errors import ParameterError, SceneError, UnmixingError
from unmixel.extraction import EXTRACTORS
from unmixel.registry import get_method, list_methods
from unmixel.settings import as_parameter_error, checked_hyperparameters
from unmixel.simulate import PRESETS
from unmixel.toml_text import read_toml
from unmixel.whole_numbers import LARGEST_SEED

LIBRARIES = ("image", "field")
"""Libraries of DLR HySU, which give endmembers there."""
SOURCES = (*EXTRACTORS, "true", *LIBRARIES)
"""Where endmembers come from."""
MOST_SEEDS = 1000
EVERY = "*"
"""Stands for every registered method, as it is."""
_STRICT = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Limits(BaseModel):
    """What a run may take before it is stopped."""

    model_config = _STRICT

    seconds: float = Field(default=3600.0, gt=0)
    memory_gb: float = Field(default=8.0, gt=0)


class SceneEntry(BaseModel):
    """A scene with a truth, and where the endmembers come from.

    Examples
    --------
    >>> SceneEntry(preset="dc1", endmembers="true").title
    'dc1'
    """

    model_config = _STRICT

    name: str | None = Field(default=None, min_length=1)
    dataset: str | None = None
    preset: str | None = None
    rows: int | None = Field(default=None, ge=1)
    columns: int | None = Field(default=None, ge=1)
    snr_db: float | None = None
    file: Path | None = None
    truth: Path | None = None
    endmembers: str = "clusters"

    @property
    def title(self) -> str:
        """The name of the scene in the table."""
        return self.name or self.dataset or self.preset or (self.file.stem if self.file else "")

    @model_validator(mode="after")
    def _is_one_scene(self) -> SceneEntry:
        sources = [name for name in ("dataset", "preset", "file") if getattr(self, name) is not None]
        if len(sources) != 1:
            raise _wrong(f"one of dataset, preset and file, not {' and '.join(sources) or 'none of them'}")
        if self.preset is None and (self.rows, self.columns, self.snr_db) != (None, None, None):
            raise _wrong("rows, columns and snr_db with a preset only")
        if (self.file is None) != (self.truth is None):
            raise _wrong("file and truth together")
        if self.preset is not None and self.preset not in PRESETS:
            raise _wrong(f"a preset that is one of {', '.join(PRESETS)}")
        if self.endmembers not in SOURCES:
            raise _wrong(f"endmembers from one of {', '.join(SOURCES)}")
        if self.endmembers in LIBRARIES and self.dataset != "dlr_hysu":
            raise _wrong(f"endmembers from {self.endmembers!r} for the dataset dlr_hysu only")
        self._check_dataset()
        return self

    def _check_dataset(self) -> None:
        if self.dataset is None:
            return
        try:
            about = describe(self.dataset)
        except UnmixingError as error:
            raise _wrong(f"a dataset that is {error.expected}") from error
        if about.truth_kind == "none":
            raise _wrong(f"a scene with a truth, which {self.dataset} doesn't have")
        if self.endmembers == "true" and about.truth_kind != "exact":
            raise _wrong(f"endmembers from an extraction or a library: those of {self.dataset} aren't known exactly")


class MethodEntry(BaseModel):
    """A method with its hyper-parameters."""

    model_config = _STRICT

    name: str
    label: str | None = Field(default=None, min_length=1)
    parameters: dict[str, Any] = Field(default_factory=dict)
    endmembers: Literal["shared", "own"] = "shared"

    @property
    def title(self) -> str:
        """The name of the method in the table."""
        return self.label or self.name

    @field_validator("name")
    @classmethod
    def _is_registered(cls, name: str) -> str:
        if name not in (*list_methods(), EVERY):
            raise _wrong(f"one of {', '.join(list_methods())}, or {EVERY!r} for all of them")
        return name

    @field_validator("parameters")
    @classmethod
    def _leaves_ours(cls, parameters: dict[str, Any]) -> dict[str, Any]:
        ours = sorted(set(parameters) & {"seed", "n_endmembers", "extraction"})
        if ours:
            raise _wrong(f"hyper-parameters without {', '.join(ours)}, which the suite decides for all methods")
        return parameters

    @model_validator(mode="after")
    def _every_method_as_it_is(self) -> MethodEntry:
        if self.name == EVERY and self.model_fields_set != {"name"}:
            raise _wrong(f"the method {EVERY!r} without label, parameters and endmembers")
        return self


class Run(BaseModel):
    """One method on one scene with one seed."""

    model_config = _STRICT

    scene: SceneEntry
    method: MethodEntry
    seed: int
    limits: Limits

    @property
    def name(self) -> str:
        """A name for files: readable, and another one for everything in the suite that changes what is measured."""
        content = self.model_dump_json(exclude={"limits"}, exclude_defaults=True)
        parts = (self.scene.title, self.scene.endmembers, self.method.title, str(self.seed))
        readable = "--".join(re.sub(r"[^A-Za-z0-9_.]+", "-", part)[:40] for part in parts)
        return f"{readable}--{hashlib.sha256(content.encode()).hexdigest()[:8]}"

    def __str__(self) -> str:
        return f"{self.scene.title} ({self.scene.endmembers}), {self.method.title}, seed {self.seed}"


class Suite(BaseModel):
    """Scenes, methods and seeds."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, validate_default=True)

    title: str = Field(min_length=1)
    seeds: int | list[int] = 5
    limits: Limits = Limits()
    scene: list[SceneEntry] = Field(min_length=1)
    method: list[MethodEntry] = Field(default_factory=list)

    @field_validator("seeds")
    @classmethod
    def _listed(cls, seeds: int | list[int]) -> list[int]:
        if isinstance(seeds, int) and seeds > MOST_SEEDS:
            raise _wrong(f"at most {MOST_SEEDS} seeds")
        listed = list(range(seeds)) if isinstance(seeds, int) else seeds
        if not listed or min(listed) < 0 or max(listed) > LARGEST_SEED or len(set(listed)) < len(listed):
            raise _wrong(f"at least one seed, each from 0 to {LARGEST_SEED} and once")
        return listed

    @field_validator("method")
    @classmethod
    def _every_method_by_name(cls, method: list[MethodEntry]) -> list[MethodEntry]:
        every = [MethodEntry(name=name) for name in list_methods()]
        return [one for entry in method for one in (every if entry.name == EVERY else [entry])] or every

    @model_validator(mode="after")
    def _rows_are_distinct(self) -> Suite:
        for what, keys in (
            ("scene", [f"{one.title} ({one.endmembers})" for one in self.scene]),
            ("method", [one.title for one in self.method]),
        ):
            if twice := sorted(key for key, count in Counter(keys).items() if count > 1):
                label = "name" if what == "scene" else "label"
                raise _wrong(f"{what}s that differ, not {twice[0]} twice: give one of them a {label} of its own")
        return self

    @property
    def runs(self) -> list[Run]:
        """All runs: scene by scene, seed by seed, the methods of a seed together.

        Where the true endmembers are given, none is left to find its own.
        """
        seeds = self.seeds if isinstance(self.seeds, list) else list(range(self.seeds))
        return [
            Run(scene=scene, method=method, seed=seed, limits=self.limits)
            for scene in self.scene
            for seed in seeds
            for method in self.method
            if not (scene.endmembers == "true" and method.endmembers == "own")
        ]


def list_suites() -> list[str]:
    """Return the names of the suites that come with unmixel.

    Examples
    --------
    >>> list_suites()
    ['independent', 'paper', 'quick', 'simulated']
    """
    return sorted(path.name.removesuffix(".toml") for path in _shipped().iterdir())


def read_suite(name: str | Path) -> Suite:
    """Read a suite: one that comes with unmixel by its name, or a file.

    Raises
    ------
    ParameterError
        If it is missing, is not TOML, or holds an unknown key, a wrong value, a file that does not exist or a truth
        that is no result with abundances and spectra.

    Examples
    --------
    >>> suite = read_suite("independent")
    >>> [scene.endmembers for scene in suite.scene], suite.seeds
    (['image', 'field'], [0, 1, 2, 3, 4])
    """
    path = Path(name)
    shipped = str(name) in list_suites()
    if not shipped and path.suffix != ".toml":
        raise ParameterError(f"the suite {name}", f"a file that ends in .toml, or one of {', '.join(list_suites())}")
    content = read_toml(_shipped() / f"{name}.toml" if shipped else path, "the suite")
    _beside(content, path.parent)
    try:
        suite = Suite.model_validate(content, strict=False)
    except ValidationError as error:
        raise as_parameter_error(error, f"the suite {name}", _known_to(error)) from error
    for file in [file for scene in suite.scene for file in (scene.file, scene.truth) if file is not None]:
        if not os.path.exists(file):  # noqa: PTH110  # Path.exists raises an error for a name that is too long
            raise ParameterError(f"the suite {name}: {file}, which does not exist", "a file", "correct its path")
    for truth in [scene.truth for scene in suite.scene if scene.truth is not None]:
        try:
            open_truth(truth)
        except SceneError as error:
            remedy = "correct its path, or write it with unmixel.result.save_result"
            raise ParameterError(f"the suite {name}: {error.given}", error.expected, remedy) from error
    for method in suite.method:
        if method.parameters:
            checked_hyperparameters(get_method(method.name), method.parameters)
    return suite


def _shipped() -> Any:
    return files("unmixel.benchmark") / "suites"


def _beside(content: dict[str, Any], folder: Path) -> None:
    """Make the paths of scenes relative to the suite's folder."""
    scenes = content.get("scene")
    for scene in scenes if isinstance(scenes, list) else []:
        for key in ("file", "truth"):
            if isinstance(scene, dict) and isinstance(scene.get(key), str):
                scene[key] = _whole(folder / scene[key])


def _whole(file: Path) -> Path:
    try:
        return file.resolve()
    except (OSError, ValueError, RuntimeError) as error:
        raise ParameterError(f"a suite with the path {file} ({error})", "that of a file", "correct it") from error


def _known_to(error: ValidationError) -> str:
    """Return the keys of the table in which the first finding is."""
    place = error.errors(include_url=False)[0]["loc"]
    tables: dict[Any, type[BaseModel]] = {"scene": SceneEntry, "method": MethodEntry, "limits": Limits}
    return ", ".join((tables.get(place[0], Suite) if len(place) > 1 else Suite).model_fields)


def _wrong(expected: str) -> PydanticCustomError:
    return PydanticCustomError("suite", "{expected}", {"expected": expected})
