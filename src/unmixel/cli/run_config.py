"""The settings of a run, from a TOML file and from the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, StrictInt, ValidationError, field_validator

from unmixel.settings import as_parameter_error
from unmixel.toml_text import read_toml
from unmixel.whole_numbers import LARGEST_SEED

OF_SOME_METHODS = {"n_epochs": "epochs", "device": "device"}
"""Options for hyper-parameters that not every method has, by the name that methods give these."""


class RunConfig(BaseModel):
    """The settings of `unmixel unmix`, under the names of its options.

    Examples
    --------
    >>> RunConfig(method="fcls", n_endmembers=4).seed
    0
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    method: str = "idnet"
    n_endmembers: StrictInt | None = None
    endmembers: Path | None = None
    bundle: Path | None = None
    bands: str | None = None
    scale: float | None = None
    keep_atmosphere: bool = False
    uncertainty: Path | None = None
    seed: StrictInt = Field(default=0, ge=0, le=LARGEST_SEED)
    epochs: StrictInt | None = Field(default=None, ge=1)
    device: str | None = None
    threads: int | None = Field(default=None, ge=1)
    parameters: dict[str, Any] = Field(default_factory=dict)

    @field_validator("n_endmembers", mode="before")
    @classmethod
    def _auto_is_none(cls, given: Any) -> Any:
        return None if given == "auto" else given

    @field_validator("parameters")
    @classmethod
    def _only_once(cls, parameters: dict[str, Any]) -> dict[str, Any]:
        twice = sorted(set(parameters) & set(cls.model_fields))
        if twice:
            raise ValueError(f"{', '.join(twice)} belongs outside [parameters]")
        return parameters

    @property
    def of_some_methods(self) -> dict[str, Any]:
        """Hyper-parameters that were given by options of the command which not every method has."""
        return {name: value for name, option in OF_SOME_METHODS.items() if (value := getattr(self, option)) is not None}

    @property
    def hyperparameters(self) -> dict[str, Any]:
        """All hyper-parameters of the method that were given."""
        number = {} if self.n_endmembers is None else {"n_endmembers": self.n_endmembers}
        return {
            **self.parameters,
            **number,
            **self.of_some_methods,
            "seed": self.seed,
        }


def read_run_config(path: Path | None, **flags: Any) -> RunConfig:
    """Read a run file, if any, and let the flags that were given (not None) win.

    Paths in the file are relative to the file.

    Raises
    ------
    ParameterError
        If the file is missing, is not TOML, or holds an unknown key or a wrong value.
    """
    settings: dict[str, Any] = {}
    if path is not None:
        settings = read_toml(path, "the run file")
        for name in ("endmembers", "bundle", "uncertainty"):
            if isinstance(settings.get(name), str):
                settings[name] = path.parent / settings[name]
    settings.update({name: value for name, value in flags.items() if value is not None})
    try:
        return RunConfig(**settings)
    except ValidationError as error:
        known = ", ".join(RunConfig.model_fields)
        raise as_parameter_error(error, f"the run file {path}" if path else "the command line", known) from error
