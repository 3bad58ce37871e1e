"""Paint scenes and cache their latents, so that no training waits for the VAE: `python -m pocket.latents`."""

from __future__ import annotations

import argparse

import numpy as np
import torch
from diffusers import AutoencoderKL
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor

from lessons_lib.models.families.flux import pack_latents
from pocket import corpus, scenes, vae
from pocket.training import autocast
from pocket.weights import MODEL


def load_vae() -> AutoencoderKL:
    """Return the trained VAE, from the cache or else the committed one, ready to encode."""
    if vae.STATE.exists():
        model = AutoencoderKL(**vae.CONFIG)
        model.load_state_dict(torch.load(vae.STATE, weights_only=True))
    else:
        model = AutoencoderKL.from_pretrained(MODEL, subfolder="vae", torch_dtype=torch.float32)
    return model.eval().requires_grad_(False)


def encode(pictures: np.ndarray, model: AutoencoderKL) -> Tensor:
    """Return (n, 16, h/8, w/8) latent means of (n, h, w, 3) uint8 pictures."""
    pixels = vae.to_pixels(pictures).contiguous(memory_format=torch.channels_last)
    with torch.inference_mode(), autocast():
        return model.encode(pixels).latent_dist.mean.float()


def load(side: int) -> tuple[Tensor, list[scenes.Scene]]:
    """Return cached packed latents (n, tokens, 64), mean 0 and spread 1, and their scenes."""
    stored = load_file(corpus.CACHE / f"latents_{side}.safetensors")
    return stored["packed"], scenes.restore((corpus.CACHE / "scenes.json").read_text())


def training_rows(
    all_scenes: list[scenes.Scene], held_out: int = 500
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the rows to learn from: all of them, those of one concept, those of several.

    The last scenes are held out.
    """
    every = np.arange(len(all_scenes) - held_out)
    has_several = np.array([len(all_scenes[i].concepts) > 1 for i in every])
    return every, every[~has_several], every[has_several]


def moments() -> tuple[float, float]:
    """Return (scaling_factor, shift_factor) for the VAE's config."""
    stored = load_file(corpus.CACHE / "latents_128.safetensors")
    return float(stored["scale"]), float(stored["shift"])


def paint_and_encode(
    count: int, sides: list[int], seed: int, chunk: int = 64
) -> tuple[list[scenes.Scene], dict[int, Tensor]]:
    """Return random scenes and, for every side in px, their latents (count, 16, side / 8, side / 8)."""
    rng = np.random.default_rng(seed)
    model = load_vae().to(memory_format=torch.channels_last)
    all_scenes: list[scenes.Scene] = []
    stacks: dict[int, list[Tensor]] = {side: [] for side in sides}
    for _ in range(count // chunk):
        batch = [scenes.random_scene(rng) for _ in range(chunk)]
        pictures = [Image.fromarray(scenes.paint(scene, rng)) for scene in batch]
        all_scenes += batch
        for side in sides:
            pixels = np.stack([np.asarray(p.resize((side, side), Image.Resampling.BOX)) for p in pictures])
            stacks[side].append(encode(pixels, model))
    return all_scenes, {side: torch.cat(stack) for side, stack in stacks.items()}


def build(count: int, sides: list[int], seed: int = 0) -> None:
    """Write the scenes and their packed latents to the cache."""
    all_scenes, latents = paint_and_encode(count, sides, seed)
    full_size = latents[corpus.SIDE]
    if (corpus.CACHE / f"latents_{corpus.SIDE}.safetensors").exists():
        # The transformer has learned the mean and spread of earlier scenes: new ones are scaled by these.
        scale, shift = (torch.tensor(value) for value in moments())
    else:
        shift, scale = full_size.mean(), 1 / full_size.std()
    (corpus.CACHE / "scenes.json").write_text(scenes.dump(all_scenes))
    for side in sides:
        packed = pack_latents((latents[side] - shift) * scale).half().contiguous()
        tensors = {"packed": packed, "scale": scale, "shift": shift}
        save_file(tensors, corpus.CACHE / f"latents_{side}.safetensors")
    spreads = [round(float(s), 2) for s in (full_size * scale).std((0, 2, 3))]
    print(f"{len(all_scenes)} pictures; scale {scale:.4f} shift {shift:.4f}; spread by channel {spreads}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=40000)
    sides_help = "64 beside 128 for a first stage at 64 px"
    parser.add_argument("--sides", type=int, nargs="+", default=[corpus.SIDE], help=sides_help)
    o = parser.parse_args()
    torch.set_num_threads(2)
    build(o.count, o.sides)


if __name__ == "__main__":
    main()
