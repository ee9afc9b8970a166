"""Models whose training is imitated: what a sample is, and how fast an accelerator takes a batch.

The figures are those that public storage benchmarks for machine learning measured or set for such
models; the names are ours, and results under them are not results of those benchmarks. Sizes with
a standard deviation are lognormal here.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """A model, with settings of the kind `train`.

    ``accelerators`` holds, by their name, the samples of a batch and the time that computing with
    it takes.
    """

    summary: str
    settings: Mapping[str, Any]
    accelerators: Mapping[str, tuple[int, str]]


def _lognormal(mean: int, deviation: int, largest: str) -> dict[str, Any]:
    """Settings for sizes with that mean and standard deviation, in bytes."""
    sigma = math.sqrt(math.log(1 + (deviation / mean) ** 2))
    return {"size": f"{mean}B", "sizes": "lognormal", "sigma": sigma, "largest": largest}


PRESETS: Mapping[str, Preset] = {
    "segmentation-3d": Preset(
        summary="medical images in three dimensions, 147 MB each, as for U-Net",
        settings={
            **_lognormal(146_600_628, 68_341_808, "600MB"),
            "format": "npz", "files": 168, "loaders": 4, "prefetch": 2, "bar": 0.9,
        },
        accelerators={"h100": (7, "323ms"), "a100": (7, "636ms"), "b200": (7, "162ms")},
    ),
    "image-classification": Preset(
        summary="photographs of 115 kB in shards of 1251, as for ResNet-50",
        settings={
            "size": "114660B", "sizes": "fixed", "format": "tfrecord", "samples_per_file": 1251,
            "files": 1024, "loaders": 8, "prefetch": 2, "bar": 0.9,
        },
        accelerators={"h100": (400, "224ms"), "a100": (400, "435ms")},
    ),
    "cosmology": Preset(
        summary="simulated universes of 2.8 MB, one a file and a batch, as for CosmoFlow",
        settings={
            **_lognormal(2_828_486, 71_311, "16MiB"),
            "format": "tfrecord", "files": 524_288, "loaders": 4, "prefetch": 2, "bar": 0.7,
        },
        accelerators={"h100": (1, "3500us"), "a100": (1, "5510us")},
    ),
    "object-detection": Preset(
        summary="photographs of 323 kB, one a file, as for RetinaNet",
        settings={
            "size": "322957B", "sizes": "fixed", "format": "jpeg", "files": 1_170_301,
            "loaders": 8, "prefetch": 2, "bar": 0.85,
        },
        accelerators={"b200": (24, "47550us"), "mi355": (32, "63400us")},
    ),
}  # fmt: skip


def settings_of(name: str, accelerator: str) -> dict[str, Any]:
    """The settings of a model on an accelerator, its first where ``accelerator`` is empty.

    ValueError names the known ones.
    """
    preset = PRESETS.get(name)
    if preset is None:
        raise ValueError(f"no preset {name!r}; known: {', '.join(PRESETS)}")
    chosen = accelerator or next(iter(preset.accelerators))
    if chosen not in preset.accelerators:
        known = ", ".join(preset.accelerators)
        raise ValueError(f"preset {name!r} has no accelerator {accelerator!r}; it has {known}")
    batch, compute = preset.accelerators[chosen]
    return {**preset.settings, "accelerator": chosen, "batch": batch, "compute": compute}
