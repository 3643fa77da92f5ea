"""What the default has to reach, on which scenes: the rows of the page that ``targets.py`` prints."""

from __future__ import annotations

from dataclasses import dataclass

BLIND, GIVEN = "blind", "given"
BASELINES = ("fcls", "scls")
PRESETS = ("dc1", "dc2", "intimate", "no_pure_pixels", "mixed")
AREAS = ("9", "4", "1", "0.25", "0.0625")
NOISE_LEVELS = (20.0, 30.0, 40.0)
DEFAULT_NOISE = 30.0


@dataclass(frozen=True, kw_only=True)
class Case:
    """A scene, and where its endmembers come from.

    Attributes
    ----------
    scene : str
        A preset of `unmixel.simulate` or a public scene.
    endmembers : str
        "blind" (from the scene), "given" (the spectra each can have) or a library of DLR HySU.
    snr_db : float, optional
        Signal-to-noise ratio of a simulated scene [dB].
    """

    scene: str
    endmembers: str
    snr_db: float | None = None

    @property
    def simulated(self) -> bool:
        """Whether the scene is another one for every seed."""
        return self.scene in PRESETS

    @property
    def has_floor(self) -> bool:
        """Whether the posterior under the law of the simulation is known."""
        return self.simulated and self.scene != "mixed"

    def __str__(self) -> str:
        return self.scene if self.snr_db is None else f"{self.scene}, {self.snr_db:g} dB"


@dataclass(frozen=True, kw_only=True)
class Target:
    """A row: what is measured of a case, and what its median has to be at most.

    Attributes
    ----------
    case : Case
    measure : str
        Name of the number, see `target_runs.measure`.
    limit : float, optional
        Largest median; with `baselines`, as a factor on the lowest of their medians. None asks for nothing.
    baselines : tuple of str
        Methods to compare with.
    """

    case: Case
    measure: str = "abundance_rmse"
    limit: float | None = None
    baselines: tuple[str, ...] = ()


def _simulated(scene: str, endmembers: str, snr_db: float = DEFAULT_NOISE) -> Case:
    return Case(scene=scene, endmembers=endmembers, snr_db=snr_db)


def _real(scene: str, rmse: float, angle: float) -> list[Target]:
    case = Case(scene=scene, endmembers=BLIND)
    return [
        Target(case=case, measure="abundance_rmse_as_truth", limit=rmse),
        Target(case=case, measure="spectral_angle", limit=angle),
        Target(case=case, measure="cpu_s", limit=30.0 if scene == "samson" else None),
    ]


TARGETS = (
    Target(case=_simulated("dc1", BLIND), limit=0.030),
    Target(case=_simulated("dc1", GIVEN), limit=0.015),
    Target(case=_simulated("dc2", BLIND), limit=0.030),
    Target(case=_simulated("dc2", GIVEN), limit=0.020),
    Target(case=_simulated("intimate", BLIND)),
    Target(case=_simulated("intimate", GIVEN)),
    Target(case=Case(scene="hapke_sim1", endmembers=GIVEN), limit=0.05),
    *(
        target
        for scene in ("no_pure_pixels", "mixed")
        for snr_db in NOISE_LEVELS
        for target in (
            Target(case=_simulated(scene, BLIND, snr_db), limit=0.75, baselines=BASELINES),
            Target(case=_simulated(scene, GIVEN, snr_db)),
        )
    ),
    *(
        Target(case=Case(scene="dlr_hysu", endmembers="image"), measure=area, limit=1.0, baselines=("fcls",))
        for area in AREAS
    ),
    Target(case=Case(scene="dlr_hysu", endmembers="field"), measure="mean", limit=0.8, baselines=("fcls",)),
    *_real("samson", 0.020, 0.027),
    *_real("jasper_ridge", 0.040, 0.05),
)
"""The rows in the order of the page."""

SCENES = tuple(dict.fromkeys(target.case.scene for target in TARGETS))
