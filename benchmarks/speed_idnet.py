"""Speed of ID-Net: a training step beside the bare matrix products it is made of, and pixels unmixed per second."""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any
from unittest import mock

import numpy as np
import torch
import xarray as xr
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from samson_size import N_ENDMEMBERS, open_samson_size
from synthetic_scene import BANDS, NOISE_SD, WAVELENGTH, P, endmembers, small_scene
from unmixel import IDNet
from unmixel.methods._pixelwise import BLOCK
from unmixel.methods.idnet import FittedIDNet
from unmixel.methods.idnet.mixing_domain import to_domain
from unmixel.scene import ValidPixels, make_scene
from unmixel.spectra import make_bundle
from unmixel.train.loop import History, train
from unmixel.train.seeding import threads

BATCH = 256
STEPS = 40
REPEATS = 7
N_BLOCKS = 8
SHOWN = 4

aten = torch.ops.aten
FACTORS = {
    **dict.fromkeys([aten.mm.default, aten.mm.out, aten.bmm.default, aten.mv.default], 0),
    **dict.fromkeys([aten.addmm.default, aten.addmm.out, aten.addmm_.default, aten.baddbmm.default], 1),
}
"""Where the first factor is among the arguments of each matrix product; the second follows it."""

Product = tuple[Tensor, Tensor]


class RecordedProducts(TorchDispatchMode):
    """Keeps the factors of every matrix product inside the block, those of the backward pass too."""

    def __init__(self) -> None:
        super().__init__()
        self.products: list[Product] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in FACTORS:
            first = FACTORS[func]
            self.products.append((args[first].detach(), args[first + 1].detach()))
        else:
            with self:  # in inference mode, `linear` comes here before it is made of products
                made_of_others = func.decompose(*args, **(kwargs or {}))
            if made_of_others is not NotImplemented:
                return made_of_others
        return func(*args, **(kwargs or {}))


def operations(product: Product) -> int:
    """Return multiplications and additions: 2 · rows · inner · columns, for every matrix of a batch."""
    left, right = product
    return 2 * left.numel() * (right.shape[-1] if right.ndim > 1 else 1)


def one_training(method: IDNet, scene: xr.DataArray) -> tuple[list[Product], list[float], list[float]]:
    """Return the matrix products of an epoch, seconds of a step, and seconds of nothing but its products.

    The method's own `fit` sets everything up; where it would train, the loop is timed instead. The first step of an
    epoch makes what all its steps need; the others have the products of the second.
    """
    products: list[Product] = []
    steps: list[float] = []
    bare: list[float] = []

    def measure(module: Any, step: Callable, watch: Callable, schedule: Any, **_: Any) -> History:
        def take(n_steps: int) -> None:
            short = replace(schedule, n_epochs=1, steps_per_epoch=n_steps)
            train(module, step, lambda loss: loss, short, progress=lambda numbers: None)

        take(STEPS)
        with RecordedProducts() as first:
            take(1)
        with RecordedProducts() as second:
            take(1)
        take(STEPS - 2)
        products.extend([*first.products, *second.products * (STEPS - 1)])
        results = [left @ right for left, right in [*first.products, *second.products]]
        results.extend(results[len(first.products) :] * (STEPS - 2))
        for _repeat in range(REPEATS):
            steps.append(seconds(lambda: take(STEPS)) / STEPS)
            bare.append(seconds(lambda: multiply(products, results)) / STEPS)
        return History()

    with mock.patch("unmixel.methods.idnet.method.train", measure):
        method.fit(scene)
    return products, steps, bare


@torch.no_grad()
def multiply(products: Sequence[Product], results: Sequence[Tensor]) -> None:
    """Repeat matrix products, in their order, into memory that is there already."""
    for (left, right), result in zip(products, results, strict=True):
        torch.matmul(left, right, out=result)


def seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def print_training(name: str, method: IDNet, scene: xr.DataArray) -> None:
    """Print count, rates and their ratio for one set of hyper-parameters."""
    products, steps, bare = one_training(method, scene)
    count = sum(operations(product) for product in products) / STEPS
    step, alone = median(steps), median(bare)
    ratio = median(b / s for s, b in zip(steps, bare, strict=True))
    print(f"ID-Net training step, {name}: batch {BATCH}, {scene.sizes['band']} bands, {N_ENDMEMBERS} endmembers")
    print(f"  operations of its {len(products) / STEPS:.0f} matrix products {count / 1e6:10.1f} million, of which")
    for shapes, (n, own) in largest(products):
        print(f"    {n / STEPS:3.0f} of {shapes:34s} {own / STEPS / 1e6:10.1f}")
    print(f"  a step                              {step * 1e3:9.2f} ms   {count / step / 1e9:6.1f} GFLOP/s")
    print(f"  its matrix products alone           {alone * 1e3:9.2f} ms   {count / alone / 1e9:6.1f} GFLOP/s")
    print(f"  rate of the step / rate of these    {ratio:9.2f}      target: at least 0.5")


def largest(products: Sequence[Product]) -> list[tuple[str, tuple[int, int]]]:
    """Return the shapes on which most operations are spent: how many products, and their operations."""
    number: Counter[str] = Counter()
    spent: Counter[str] = Counter()
    for product in products:
        shapes = " @ ".join("x".join(str(size) for size in factor.shape) for factor in product)
        number[shapes] += 1
        spent[shapes] += operations(product)
    return [(shapes, (number[shapes], own)) for shapes, own in spent.most_common(SHOWN)]


def scene_of(*, varying: bool) -> xr.DataArray:
    """Return a simulated scene of P endmembers, whose brightness and shape may vary from pixel to pixel."""
    if not varying:
        return small_scene()
    rng = np.random.default_rng(5)
    shapes = np.cos(np.pi * np.arange(1, 5)[:, None] * np.linspace(0, 1, BANDS))
    values = np.empty((50, 200, BANDS), dtype=np.float32)
    for row in values:
        brightness = 1 + 0.1 * rng.standard_normal((len(row), P, 1))
        spectra = endmembers() * brightness + 0.02 * rng.standard_normal((len(row), P, 4)) @ shapes
        row[:] = (rng.dirichlet(np.full(P, 0.5), len(row))[:, :, None] * spectra).sum(axis=1)
        row += NOISE_SD * rng.standard_normal(row.shape)
    return make_scene(values, wavelength=WAVELENGTH)


def print_unmixing(*, varying: bool) -> None:
    """Print how many pixels a second are unmixed, with and without the mixing stream, and by bare matrix products.

    How long a model was trained does not matter to that.
    """
    scene = scene_of(varying=varying)
    bundle = make_bundle(endmembers(), [f"material {k}" for k in range(P)], wavelength=WAVELENGTH)
    fitted = IDNet(n_epochs=1).fit(scene, bundle)
    assert isinstance(fitted, FittedIDNet)
    shape = fitted.model.shape
    blocks = list(ValidPixels(scene)[: BLOCK * N_BLOCKS].reshape(N_BLOCKS, BLOCK, BANDS))
    domain = [torch.from_numpy(to_domain(block, albedo=shape.albedo)) for block in blocks]
    how = "with" if varying else "without"
    print(f"ID-Net unmixing, {how} endmember variability: P = {P}, H = {shape.n_latents}, {BANDS} bands, {shape.law}")
    with threads(1):
        for name, call, given, target in (
            ("abundance, sd, latents", lambda block: fitted.posterior_of(fitted.model.q.look(block)), domain, 60_000),
            ("these, residual and nonlinearity", fitted._unmix_pixels, blocks, 25_000),
        ):
            with RecordedProducts() as recorded:
                call(given[0])
            products = recorded.products
            results = [left @ right for left, right in products]
            took, alone = [], []
            for _ in range(REPEATS):
                took.append(seconds(lambda call=call, given=given: [call(block) for block in given]) / N_BLOCKS)
                alone.append(seconds(lambda p=products, r=results: multiply(p, r)))
            print(f"  pixels per second: {name:33s} {BLOCK / median(took):9,.0f}      target: at least {target:,}")
            print(f"    its {len(products):3d} matrix products alone              {BLOCK / median(alone):9,.0f}")


def main() -> None:
    """Print all, for one thread."""
    with tempfile.TemporaryDirectory() as folder:
        scene, what = open_samson_size(Path(folder))
        print(f"on {what}, one thread; medians of {REPEATS} runs of {STEPS} steps")
        print_training("default", IDNet(n_endmembers=N_ENDMEMBERS, batch_size=BATCH), scene)
        paper = IDNet.paper("samson", n_endmembers=N_ENDMEMBERS, batch_size=BATCH)
        print_training("IDNet.paper", paper, scene)
    for varying in (False, True):
        print_unmixing(varying=varying)


if __name__ == "__main__":
    main()
