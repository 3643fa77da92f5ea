"""ID-Net as a method: its hyper-parameters, the published settings, and training."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
import xarray as xr
from jaxtyping import Float

from unmixel.errors import ParameterError
from unmixel.extraction import EXTRACTORS
from unmixel.methods._endmember_spectra import EndmemberSpectra
from unmixel.methods._fitted import Fitted
from unmixel.methods._method import Method
from unmixel.methods._progress import Progress
from unmixel.methods._ranges import check_range
from unmixel.methods.idnet.calibration import calibrate
from unmixel.methods.idnet.endmember_choice import extract_for_model
from unmixel.methods.idnet.fitted import FittedIDNet, device_of
from unmixel.methods.idnet.hypotheses import Hypothesis, choose
from unmixel.methods.idnet.informed_training import InformedTraining
from unmixel.methods.idnet.mixing_domain import to_domain
from unmixel.methods.idnet.mixing_law import MIXING_LAWS
from unmixel.methods.idnet.model import IDNetModel, Shape
from unmixel.methods.idnet.objective import Weights
from unmixel.methods.idnet.published_training import PublishedTraining
from unmixel.methods.idnet.start import LARGEST_SAMPLE, observe, start_from
from unmixel.preprocess import noise_source, noise_told
from unmixel.train.loop import History, Schedule, train
from unmixel.train.seeding import MOST_THREADS, seeded, threads

PUBLISHED_BATCH = 16
PUBLISHED_LATENTS = 2
PUBLISHED = {
    "dc1": {"labelled_weight": 10.0, "sparsity": 0.0, "abundance_decay": 1e4, "mixing_decay": 0.001},
    "dc2": {"labelled_weight": 1.0, "sparsity": 0.005, "abundance_decay": 0.01, "mixing_decay": 0.1},
    "samson": {"labelled_weight": 1.0, "sparsity": 0.005, "abundance_decay": 0.01, "mixing_decay": 0.1},
    "jasper_ridge": {"labelled_weight": 1.0, "sparsity": 0.0, "abundance_decay": 0.01, "mixing_decay": 0.1},
    "cuprite": {"labelled_weight": 10.0, "sparsity": 0.1, "abundance_decay": 0.05, "mixing_decay": 5.0},
}
"""λ, τ, λ_e and λ_d as published for each scene, for a loss summed over a batch of 16."""
HOW_LONG = ("n_epochs", "tolerance", "patience", "threads", "device", "n_nodes")
"""Parameters that a resumed training may change."""
POSITIVE = (
    "n_epochs",
    "batch_size",
    "learning_rate",
    "decay",
    "n_draws",
    "n_nodes",
    "threads",
    "patience",
)
MOST_NODES = 1024
PUBLISHED_ONLY = ("labelled_weight", "supervision", "sparsity", "abundance_decay")
NOT_NEGATIVE = (*PUBLISHED_ONLY, "mixing_decay", "n_ista", "mixing_gain", "abundance_gain", "tolerance")
IMPURITY: dict[tuple[str | None, bool], float] = {
    ("clusters", True): 0.1,
    ("clusters", False): 0.1,
    ("vca", True): 0.1,
    ("vca", False): 0.1,
    **{(extractor, varies): 0.1 for extractor in ("nfindr", "atgp", "spa") for varies in (True, False)},
    ("evidence", True): 0.05,
    ("evidence", False): 0.01,
    ("sisal", True): 0.05,
    ("sisal", False): 0.01,
}
"""Share of another endmember that an endmember may hold or lack (sd), by its extractor and by whether endmembers vary
as the scene says: pixels are seldom pure, and vertices are harder to place where more varies."""
LOOKED_AT = 1024
"""Pixels whose residual sets the noise."""


@dataclass(frozen=True, kw_only=True)
class IDNet(Method):
    """ID-Net: a variational network that disentangles abundances from endmembers.

    The default needs no tuning: it chooses how materials mix and vary by the evidence in the scene, teaches q by labels
    that p makes, and lets the scene teach the nonlinear stream of p.
    ``IDNet.paper(scene)`` is the published objective, networks and settings. See ``docs/methods/idnet.md``.

    Parameters
    ----------
    n_endmembers : int, optional
        P. Estimated from the scene when neither it nor a bundle is given.
    extraction : str
        How endmembers are found when no bundle is given: a name from `unmixel.extraction`, or ``"auto"``: that of two
        with which the model predicts the scene best.
    seed : int
        Seed of everything random.
    n_latents : int, optional
        H, latent dimensions of each endmember. When None, 4 where endmembers vary as the scene says, as many as the
        evidence asks for otherwise; 2 in the published form.
    n_ista : int
        Unrolled steps of the abundances' linear stream; published form only.
    mixing_gain, abundance_gain : float
        g_y and g_a, gains of the nonlinear streams.
    published : bool
        Published networks, labels and objective in place of the default's.
    labelled_weight : float
        λ, weight of the labelled bound; published objective only.
    supervision : float
        β; the supervised terms count 1 + β; published objective only.
    sparsity : float
        τ, weight of the concentration's quasi-norm; published objective only.
    abundance_decay, mixing_decay : float
        λ_e (published objective only) and λ_d per pixel: weights of the Frobenius norms of f_a and f_y.
    n_draws : int
        Draws of the latents of a labelled pixel in the published objective.
    n_epochs, batch_size : int
    steps_per_epoch : int, optional
        As many as make one pass over the scene when None; the pixels of each are drawn at random.
    learning_rate, decay : float
        Of Adam; the rate is multiplied by `decay` after each of the first ten epochs.
    tolerance : float
        Training stops when the watched loss improves by less than this share of it for `patience` epochs.
    patience : int
    n_nodes : int
        Nodes over which the latents are integrated for the spectra in a pixel, the same for all pixels: a power of
        two, at most 1024.
    device : str
        ``"cpu"`` or ``"cuda"``.
    threads : int
        Threads of torch while training and unmixing; no more are used than the machine has processors.
    """

    name: ClassVar[str] = "idnet"
    summary: ClassVar[str] = "variational network: nonlinear mixing, endmember variability, uncertainty"
    reference: ClassVar[str] = (
        "Borsoi, Erdoğmuş, Imbiriba: Learning Interpretable Deep Disentangled Neural Networks for Hyperspectral "
        "Unmixing. IEEE Transactions on Computational Imaging, 2023. arXiv:2310.02340"
    )
    fitted_type: ClassVar[type[Fitted]] = FittedIDNet
    extractions: ClassVar[tuple[str, ...]] = (*EXTRACTORS, "auto")

    extraction: str = "auto"
    n_latents: int | None = None
    n_ista: int = 10
    mixing_gain: float = 0.1
    abundance_gain: float = 0.1
    published: bool = False
    labelled_weight: float = 0.0
    supervision: float = 0.0
    sparsity: float = 0.0
    abundance_decay: float = 0.0
    mixing_decay: float = 0.1
    n_draws: int = 5
    n_epochs: int = 15
    batch_size: int = 128
    steps_per_epoch: int | None = 40
    learning_rate: float = 3e-3
    decay: float = 0.8
    tolerance: float = 0.001
    patience: int = 4
    n_nodes: int = 8
    device: str = "cpu"
    threads: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range(self, "n_latents", above=0, optional=True, expected="a number above 0, or None")
        check_range(self, *POSITIVE, above=0, expected="a number above 0")
        check_range(self, *NOT_NEGATIVE, least=0, expected="a number from 0")
        check_range(self, "steps_per_epoch", least=1, optional=True, expected="at least 1, or None")
        check_range(self, "threads", most=MOST_THREADS, expected=f"at most {MOST_THREADS}")
        if self.n_nodes & (self.n_nodes - 1) or self.n_nodes > MOST_NODES:
            raise ParameterError(f"n_nodes = {self.n_nodes}", f"a power of two, at most {MOST_NODES}")
        idle = [name for name in PUBLISHED_ONLY if not self.published and getattr(self, name)]
        if idle:
            raise ParameterError(
                f"{', '.join(idle)} in the default ID-Net", "them with published=True only", "leave them out"
            )

    @classmethod
    def paper(cls, scene: str, **changes: Any) -> IDNet:
        """Return the published settings for a scene: "samson", "jasper_ridge", "cuprite", "dc1" or "dc2".

        The published loss is a sum over a batch of 16; here it is a mean over pixels, so the weights of the two norms,
        which do not grow with the batch, are divided by 16.

        Raises
        ------
        ParameterError
            If there are no published settings for that scene.

        Examples
        --------
        >>> IDNet.paper("dc1").abundance_decay
        625.0
        """
        if scene not in PUBLISHED:
            raise ParameterError(f"published settings for {scene!r}", f"one of {', '.join(PUBLISHED)}")
        weights = dict(PUBLISHED[scene])
        for name in ("abundance_decay", "mixing_decay"):
            weights[name] /= PUBLISHED_BATCH
        settings: dict[str, Any] = {
            "published": True,
            "extraction": "vca",
            "n_latents": PUBLISHED_LATENTS,
            "supervision": 10.0,
            "n_epochs": 30,
            "batch_size": PUBLISHED_BATCH,
            "steps_per_epoch": None,
            "learning_rate": 1e-3,
            "decay": 0.9,
            "tolerance": 0.01,
            "patience": 1,
            "n_nodes": 1,
        }
        return cls(**{**settings, **weights, **changes})

    @property
    def weights(self) -> Weights:
        """The weights of the objective's terms."""
        if self.published:
            return Weights(
                scene_likelihood=1.0,
                scene_divergence=1.0,
                labelled=self.labelled_weight,
                abundances=1 + self.supervision,
                endmembers=1 + self.supervision,
                sparsity=self.sparsity,
                abundance_decay=self.abundance_decay,
                mixing_decay=self.mixing_decay,
            )
        return Weights(
            scene_likelihood=1.0,
            abundances=1.0,
            latents=1.0,
            mixing_decay=self.mixing_decay,
        )

    def _extract(self, scene: xr.DataArray) -> xr.DataArray:
        if self.extraction != "auto":
            return super()._extract(scene)
        return extract_for_model(
            scene, self.n_endmembers, self.n_latents, only_linear=self.mixing_gain == 0, seed=self.seed
        )

    def _fit(
        self,
        scene: xr.DataArray,
        pixels: Float[np.ndarray, "pixel band"],
        endmembers: EndmemberSpectra,
        progress: Progress,
        checkpoint: Path | None,
    ) -> FittedIDNet:
        device = device_of(self.device)
        if (self.n_latents or 0) > pixels.shape[1]:
            raise ParameterError(f"n_latents = {self.n_latents}", f"at most the {pixels.shape[1]} bands of the scene")
        rng = np.random.default_rng(self.seed)
        chosen = rng.permutation(len(pixels))[:LARGEST_SAMPLE]
        sample = pixels[chosen]
        evidence: dict[str, Any] = {}
        if self.published:
            hypothesis = Hypothesis(
                "linear", variability="bundle", n_latents=self.n_latents or PUBLISHED_LATENTS, brightness_sd=0.0
            )
            observed = observe(sample, endmembers.spectra, noise_told(scene))
        else:
            hypothesis, observed, judged = choose(
                sample,
                endmembers.spectra,
                self.n_latents,
                only_linear=self.mixing_gain == 0,
                noise_variance=noise_told(scene),
            )
            compared = [{**one._asdict(), "log_evidence": value} for one, value in judged]
            evidence = {"hypothesis": hypothesis._asdict(), "hypotheses": compared}
        law = MIXING_LAWS[hypothesis.mixing]
        start = start_from(
            observed,
            hypothesis.n_latents,
            hypothesis.brightness_sd,
            variability=hypothesis.variability,
            impurity=IMPURITY.get((endmembers.extractor, hypothesis.variability == "scene"), 0.0),
        )
        spectra, sample = observed.spectra, to_domain(sample, albedo=law.albedo)
        shape = Shape(
            n_endmembers=len(endmembers.names),
            n_latents=hypothesis.n_latents,
            n_bands=pixels.shape[1],
            n_features=len(start.features),
            n_ista=self.n_ista,
            mixing_gain=self.mixing_gain,
            abundance_gain=self.abundance_gain,
            **law._asdict(),
            concentration=hypothesis.concentration,
            published=self.published,
        )
        with seeded(self.seed, device), threads(self.threads):
            model = IDNetModel(shape)
            model.begin(start, torch.as_tensor(sample[:LOOKED_AT]))
            model.to(device)
            training = self._training(model, sample, spectra, device)
            history = train(
                model,
                training.step,
                training.watch,
                self._schedule(len(sample)),
                progress=lambda numbers: progress("train", numbers),
                checkpoint=checkpoint,
                identity=_identity(self, sample, spectra),
            )
            if isinstance(training, InformedTraining):
                calibrate(training, self.seed + 2)
        fitted = FittedIDNet(self, scene, endmembers.names, model)
        fitted.record = {
            "noise": noise_source(scene),
            **evidence,
            **_record(history, len(sample), start.noise_sd, float(model.p.noise_sd.detach())),
        }
        return fitted

    def _training(
        self,
        model: IDNetModel,
        sample: Float[np.ndarray, "pixel band"],
        spectra: tuple[np.ndarray, ...],
        device: torch.device,
    ) -> InformedTraining | PublishedTraining:
        pixels = torch.as_tensor(sample, dtype=torch.float32, device=device)
        if self.published:
            bundles = [torch.as_tensor(s, dtype=torch.float32, device=device) for s in spectra]
            return PublishedTraining(
                model, pixels, bundles, weights=self.weights, batch_size=self.batch_size, n_draws=self.n_draws
            )
        return InformedTraining(
            model,
            pixels,
            weights=self.weights,
            batch_size=self.batch_size,
            steps_per_epoch=self._schedule(len(sample)).steps_per_epoch,
            seed=self.seed + 1,
        )

    def _schedule(self, n_pixels: int) -> Schedule:
        return Schedule(
            n_epochs=self.n_epochs,
            steps_per_epoch=self.steps_per_epoch or max(1, n_pixels // self.batch_size),
            learning_rate=self.learning_rate,
            decay=self.decay,
            tolerance=self.tolerance,
            patience=self.patience,
            max_gradient_norm=float("inf") if self.published else 10.0,
        )


def _identity(method: IDNet, sample: np.ndarray, spectra: tuple[np.ndarray, ...]) -> str:
    """Return a digest of what is trained on what."""
    decisive = {name: value for name, value in asdict(method).items() if name not in HOW_LONG}
    digest = hashlib.sha256(json.dumps(decisive, sort_keys=True).encode())
    for array in (sample, *spectra):
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _record(history: History, n_pixels: int, sensor_noise_sd: float, noise_sd: float) -> dict[str, Any]:
    """Return what the provenance keeps of training."""
    return {
        "stopped": history.stopped,
        "best_epoch": history.best_epoch,
        "history": [{name: round(value, 5) for name, value in epoch.items()} for epoch in history.epochs],
        "training_pixels": n_pixels,
        "sensor_noise_sd": round(sensor_noise_sd, 6),
        "noise_sd": round(noise_sd, 6),
    }


METHOD = IDNet
