"""Paint scenes and keep their latents, so that the transformer never waits for the VAE. `python -m pocket.latents`."""

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
from pocket.muon import FAST


def load_vae() -> AutoencoderKL:
    """Return the trained VAE, from the cache or else the committed one, ready to encode."""
    if vae.STATE.exists():
        model = AutoencoderKL(**vae.CONFIG)
        model.load_state_dict(torch.load(vae.STATE, weights_only=True))
    else:
        model = AutoencoderKL.from_pretrained(
            corpus.HERE / "model", subfolder="vae", torch_dtype=torch.float32
        )
    return model.eval().requires_grad_(False)


def encode(pictures: np.ndarray, model: AutoencoderKL) -> Tensor:
    """Return (n, 16, h/8, w/8) latent means of (n, h, w, 3) uint8 pictures."""
    pixels = torch.from_numpy(pictures).permute(0, 3, 1, 2).float().div(127.5).sub(1)
    with torch.inference_mode(), torch.autocast("cpu", FAST, enabled=FAST != torch.float32):
        return model.encode(pixels.contiguous(memory_format=torch.channels_last)).latent_dist.mean.float()


def load(side: int) -> tuple[Tensor, list[scenes.Scene]]:
    """Return cached packed latents (n, tokens, 64), mean 0 and spread 1, and their scenes."""
    stored = load_file(corpus.CACHE / f"latents_{side}.safetensors")
    return stored["packed"], scenes.restore((corpus.CACHE / "scenes.json").read_text())


def to_learn(known: list[scenes.Scene], held_out: int = 500) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the rows to learn from: all of them, those of one concept, those of several. The last scenes are held out."""
    every = np.arange(len(known) - held_out)
    several = np.array([len(known[i].concepts) > 1 for i in every])
    return every, every[~several], every[several]


def moments() -> tuple[float, float]:
    """Return (scaling_factor, shift_factor) for the VAE's config."""
    stored = load_file(corpus.CACHE / "latents_128.safetensors")
    return float(stored["scale"]), float(stored["shift"])


def build(count: int, sides: list[int], seed: int = 0, chunk: int = 64) -> None:
    rng = np.random.default_rng(seed)
    model = load_vae().to(memory_format=torch.channels_last)
    known: list[scenes.Scene] = []
    stacks: dict[int, list[Tensor]] = {side: [] for side in sides}
    for _ in range(count // chunk):
        batch = [scenes.random_scene(rng) for _ in range(chunk)]
        pictures = [Image.fromarray(scenes.paint(s, rng)) for s in batch]
        known += batch
        for side in sides:
            stacks[side].append(
                encode(np.stack([np.asarray(p.resize((side, side), Image.BOX)) for p in pictures]), model)
            )
    z = torch.cat(stacks[corpus.SIDE])
    first = corpus.CACHE / f"latents_{corpus.SIDE}.safetensors"
    # the transformer has learned these scenes' mean and spread: new ones are measured by them
    if first.exists():
        scale, shift = (torch.tensor(value) for value in moments())
    else:
        shift, scale = z.mean(), 1 / z.std()
    (corpus.CACHE / "scenes.json").write_text(scenes.dump(known))
    for side in sides:
        packed = pack_latents((torch.cat(stacks[side]) - shift) * scale).half().contiguous()
        save_file(
            {"packed": packed, "scale": scale, "shift": shift}, corpus.CACHE / f"latents_{side}.safetensors"
        )
    print(
        f"{len(known)} pictures; scale {scale:.4f} shift {shift:.4f}; spread by channel "
        f"{[round(float(s), 2) for s in (z * scale).std((0, 2, 3))]}"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=40000)
    parser.add_argument(
        "--sides", type=int, nargs="+", default=[corpus.SIDE], help="64 beside 128 for a first stage at 64 px"
    )
    o = parser.parse_args()
    torch.set_num_threads(2)
    build(o.count, o.sides)
