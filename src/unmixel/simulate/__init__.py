"""Scenes with known truth, built from physical absorption features."""

from unmixel.simulate.demo import demo_sensor, simulate_demo
from unmixel.simulate.features import MATERIALS, Absorption, Material, material
from unmixel.simulate.fields import abundance_fields, gaussian_field
from unmixel.simulate.noise import noise_sd_for
from unmixel.simulate.scene import Landscape, Sensor, simulate
from unmixel.simulate.variability import brightness_field, varied_endmembers

__all__ = [
    "MATERIALS",
    "Absorption",
    "Landscape",
    "Material",
    "Sensor",
    "abundance_fields",
    "brightness_field",
    "demo_sensor",
    "gaussian_field",
    "material",
    "noise_sd_for",
    "simulate",
    "simulate_demo",
    "varied_endmembers",
]
