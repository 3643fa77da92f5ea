"""Scenes with known truth: abundances, varying spectra, mixing and noise, each of a stated law."""

from unmixel.simulate.abundances import dirichlet_fields, sparse, without_pure_pixels
from unmixel.simulate.class_libraries import leaf_library, soil_library, water_library
from unmixel.simulate.composing import LINEAR, Ground, Mixing, compose, laws_of
from unmixel.simulate.demo import demo_sensor, simulate_demo
from unmixel.simulate.features import MATERIALS, Absorption, Material, material
from unmixel.simulate.fields import abundance_fields, gaussian_field
from unmixel.simulate.leaves import Leaf, LeafOptics, leaf_optics, prospect_d
from unmixel.simulate.noise import Noise, add_noise, noise_sd_for
from unmixel.simulate.pixel_spectra import FixedSpectra, LibrarySpectra, PixelSpectra, SmoothSpectra
from unmixel.simulate.posterior import exact_posterior
from unmixel.simulate.presets import PRESETS, Preset, simulate_preset
from unmixel.simulate.scene import Landscape, Sensor, simulate
from unmixel.simulate.soil import soil_over_angles
from unmixel.simulate.true_bundles import true_bundle
from unmixel.simulate.variability import brightness_field, varied_endmembers
from unmixel.simulate.water import water_over_illumination

__all__ = [
    "LINEAR",
    "MATERIALS",
    "PRESETS",
    "Absorption",
    "FixedSpectra",
    "Ground",
    "Landscape",
    "Leaf",
    "LeafOptics",
    "LibrarySpectra",
    "Material",
    "Mixing",
    "Noise",
    "PixelSpectra",
    "Preset",
    "Sensor",
    "SmoothSpectra",
    "abundance_fields",
    "add_noise",
    "brightness_field",
    "compose",
    "demo_sensor",
    "dirichlet_fields",
    "exact_posterior",
    "gaussian_field",
    "laws_of",
    "leaf_library",
    "leaf_optics",
    "material",
    "noise_sd_for",
    "prospect_d",
    "simulate",
    "simulate_demo",
    "simulate_preset",
    "soil_library",
    "soil_over_angles",
    "sparse",
    "true_bundle",
    "varied_endmembers",
    "water_library",
    "water_over_illumination",
    "without_pure_pixels",
]
