"""The base models: where each lives, what it asks for, and settings that are sensible for it. A new one is a row here.

Figures for the large ones are published ones, not ours (see each model's page); `pocket` is measured in this repository.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

from lessons_lib.paths import POCKET, POCKET_SCHNELL

SUMS = "SHA256SUMS"  # beside a model in the repository; `sha256sum -c` reads it too


@dataclass(frozen=True)
class Base:
    """A text-to-image model to start from; `side` in px, memory and size in GB, `caption_tokens` for the longest encoder.

    `strength`: how much of an adapter is drawn where nothing else is said. Distilled guidance turns up the adapter with the words.
    `fused`: the folder of an adapter that belongs to the base and is added to its weights on loading.
    `half_vae`: where a VAE lies that stands float16, for a base whose own does not.
    """

    name: str
    repository: str
    family: str
    licence: str
    gated: bool
    memory_gb: float
    size_gb: float
    side: int
    rank: int
    alpha: int
    learning_rate: float
    steps: int
    batch: int
    guidance_scale: float
    draw_steps: int
    caption_tokens: int
    note: str
    strength: float = 1.0
    sigma_shift: float = 1.0
    trainable: bool = True
    fused: str = ""
    half_vae: str = ""


BASES = {
    base.name: base
    for base in (
        Base("pocket", str(POCKET), "flux", "Apache-2.0", False, 2, 0.03, 128, 32, 32, 3e-3, 500, 4, 3.5, 20, 48,
             "in this repository; FLUX.1's classes at a thousandth of the size; any CPU, offline", 0.5, sigma_shift=2.7),
        Base("sd15", "stable-diffusion-v1-5/stable-diffusion-v1-5", "unet", "CreativeML OpenRAIL-M", False, 8, 4, 512,
             16, 16, 1e-4, 1500, 1, 7.5, 30, 77, "the free T4's default; safe in float16"),
        Base("sdxl", "stabilityai/stable-diffusion-xl-base-1.0", "unet", "CreativeML OpenRAIL++-M", False, 16, 7, 1024,
             16, 16, 1e-4, 1000, 1, 5.0, 30, 77, "the free T4's final piece; in float16 with a VAE made for that",
             half_vae="madebyollin/sdxl-vae-fp16-fix"),
        Base("flux2-klein", "black-forest-labs/FLUX.2-klein-base-4B", "flux2", "Apache-2.0", False, 12, 16, 1024,
             16, 16, 3e-4, 800, 1, 4.0, 50, 512, "the 24 GB default; train on base, draw on base or the distilled 4B"),
        Base("flux1-dev", "black-forest-labs/FLUX.1-dev", "flux", "FLUX.1-dev non-commercial", True, 30, 34, 1024,
             16, 16, 1e-4, 1000, 1, 3.5, 28, 512, "the model this course is about; opt-in: gated and non-commercial"),
        Base("flux1-schnell", "black-forest-labs/FLUX.1-schnell", "flux", "Apache-2.0", False, 30, 34, 1024,
             16, 16, 1e-4, 1000, 1, 0.0, 4, 256, "distilled to four steps: draw with it, do not train on it", trainable=False),
        Base("z-image", "Tongyi-MAI/Z-Image", "z_image", "Apache-2.0", False, 24, 20, 1024,
             16, 16, 1e-4, 1000, 1, 4.0, 50, 512, "bfloat16 only: float16 gives NaN"),
    )
}  # fmt: skip
BASES["pocket-schnell"] = replace(
    BASES["pocket"], name="pocket-schnell", draw_steps=4, trainable=False, fused=str(POCKET_SCHNELL),
    note="pocket in four steps, for sliders and previews; adapters trained on pocket work on it",
)  # fmt: skip


def find(name: str) -> Base:
    """Return the base model of that name; ValueError lists the names there are."""
    if name not in BASES:
        raise ValueError(f"there is no base model called {name!r}; choose one of {', '.join(BASES)}")
    return BASES[name]


def verify(folder: Path) -> None:
    """Raise ValueError that names the first weight file whose bytes are not those that the folder's SHA256SUMS lists.

    A folder without that list is not checked.
    """
    lines = (folder / SUMS).read_text(encoding="utf-8").splitlines() if (folder / SUMS).is_file() else ()
    for line in lines:
        expected, name = line.split(maxsplit=1)
        found = hashlib.sha256((folder / name).read_bytes()).hexdigest()
        if found != expected:
            raise ValueError(
                f"{folder / name} is damaged: its SHA-256 begins with {found[:8]}, expected {expected[:8]}; "
                "check that file out again"
            )
