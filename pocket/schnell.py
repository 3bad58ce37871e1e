"""Distil twenty steps into four, as a LoRA: pocket-schnell.

`python -m pocket.schnell --minutes 8` after assemble.
The teacher's way from noise to picture is a fixed curve; the student learns each of its four chords. It is
stored as an adapter because a second transformer would double the repository.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import torch
from diffusers import FluxPipeline
from diffusers.pipelines.flux.pipeline_flux import calculate_shift
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict
from torch import Tensor, nn

from lessons_lib.models.families.flux import TARGET_MODULES
from pocket import corpus, networks, scenes
from pocket.muon import set_rates
from pocket.timing import Clock
from pocket.tokenizer import LONGEST
from pocket.training import apply_gradients, autocast
from pocket.weights import MODEL, SCHNELL, write_checksums

STEPS, FINE = 4, 5  # the student's steps, and the teacher's in each of them
GUIDANCE = 3.5


def student_sigmas(pipe: FluxPipeline) -> Tensor:
    """Return the noise levels of FluxPipeline in STEPS steps at 128 px, the last 0, (STEPS + 1,)."""
    config = pipe.scheduler.config
    shift = calculate_shift(
        64, config.base_image_seq_len, config.max_image_seq_len, config.base_shift, config.max_shift
    )
    pipe.scheduler.set_timesteps(sigmas=np.linspace(1, 1 / STEPS, STEPS), mu=shift)
    return pipe.scheduler.sigmas.clone()


class Denoiser:
    """A pipeline's transformer, called as the pipeline calls it."""

    def __init__(self, pipe: FluxPipeline) -> None:
        self.transformer, self.pipe = pipe.transformer, pipe

    @torch.no_grad()
    def encode(self, captions: list[str]) -> tuple[Tensor, Tensor]:
        """Return prompt_embeds and pooled_prompt_embeds."""
        embeddings = self.pipe.encode_prompt(captions, None, max_sequence_length=LONGEST)
        return embeddings[0], embeddings[1]

    def velocity(self, noisy_latents: Tensor, sigma: Tensor, embeddings: tuple[Tensor, Tensor]) -> Tensor:
        prompt_embeds, pooled_prompt_embeds = embeddings
        with autocast():
            return self.transformer(
                hidden_states=noisy_latents,
                timestep=sigma,
                guidance=torch.full_like(sigma, GUIDANCE),
                pooled_projections=pooled_prompt_embeds,
                encoder_hidden_states=prompt_embeds,
                txt_ids=torch.zeros(LONGEST, 3),
                img_ids=networks.image_ids(corpus.SIDE),
                return_dict=False,
            )[0].float()


@torch.no_grad()
def teacher_curves(
    denoiser: Denoiser, sigmas: Tensor, captions: list[str], seed: int, chunk: int = 50
) -> Tensor:
    """Return the teacher's latents at each noise level, (captions, STEPS + 1, 64, 64) half precision."""
    generator, curves = torch.Generator().manual_seed(seed), []
    for k in range(0, len(captions), chunk):
        embeddings = denoiser.encode(captions[k : k + chunk])
        x = torch.randn(len(embeddings[0]), 64, 64, generator=generator)
        points = [x]
        for high, low in zip(sigmas[:-1], sigmas[1:], strict=True):
            fine = torch.linspace(float(high), float(low), FINE + 1)
            for sigma, next_sigma in zip(fine[:-1], fine[1:], strict=True):
                x = x + (next_sigma - sigma) * denoiser.velocity(x, sigma.expand(len(x)), embeddings)
            points.append(x)
        curves.append(torch.stack(points, 1).half())
    return torch.cat(curves)


def chord_loss(
    denoiser: Denoiser, curves: Tensor, parts: Tensor, sigmas: Tensor, captions: list[str]
) -> Tensor:
    """Return the mean squared error of one student step along part `parts` of each curve, (n, STEPS + 1, 64,
    64).
    """
    rows = torch.arange(len(curves))
    start, end = curves[rows, parts], curves[rows, parts + 1]
    high, low = sigmas[parts], sigmas[parts + 1]
    velocity = denoiser.velocity(start, high, denoiser.encode(captions))
    error = start + (low - high)[:, None, None] * velocity - end
    return (error.square().mean((1, 2)) / (high - low).square()).mean()


def add_student(transformer: nn.Module, rank: int) -> list[nn.Parameter]:
    """Add a LoRA adapter to the transformer and return its weights, the only ones that train."""
    transformer.requires_grad_(False)
    transformer.add_adapter(LoraConfig(r=rank, lora_alpha=rank, target_modules=list(TARGET_MODULES)))
    return [p for p in transformer.parameters() if p.requires_grad]


def save(transformer: nn.Module) -> None:
    """Write the adapter in half precision."""
    state = {name: value.half() for name, value in get_peft_model_state_dict(transformer).items()}
    FluxPipeline.save_lora_weights(SCHNELL, transformer_lora_layers=state)
    write_checksums(SCHNELL)
    print(f"{SCHNELL}: {sum(p.stat().st_size for p in SCHNELL.iterdir()) / 1e6:.2f} MB")


def train(minutes: float, count: int, rank: int, batch: int, rate: float, seed: int) -> None:
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    pipe = FluxPipeline.from_pretrained(MODEL, torch_dtype=torch.float32)
    denoiser, sigmas = Denoiser(pipe), student_sigmas(pipe)
    captions = [scenes.caption(scenes.random_scene(rng), rng) for _ in range(count)]
    start = time.time()
    curves = teacher_curves(denoiser, sigmas, captions, seed)
    levels = [round(float(s), 3) for s in sigmas]
    print(f"{count} curves in {time.time() - start:.0f} s, noise levels {levels}", flush=True)
    trainable = add_student(denoiser.transformer, rank)
    opt = torch.optim.AdamW(trainable, rate, weight_decay=0.0)
    clock, step, smooth_loss = Clock(60 * minutes, report_every=30), 0, 0.0
    while (share := clock.share()) < 1:
        set_rates([opt], min(1, (step + 1) / 50, 1.01 - share))
        picks, parts = rng.integers(0, count, batch), torch.from_numpy(rng.integers(0, STEPS, batch))
        loss = chord_loss(denoiser, curves[picks].float(), parts, sigmas, [captions[i] for i in picks])
        loss.backward()
        nn.utils.clip_grad_norm_(trainable, 1.0)
        apply_gradients([opt])
        smooth_loss += (loss.item() - smooth_loss) * (0.02 if step > 50 else 1 / (step + 1))
        step += 1
        if clock.is_report_due():
            rate_now = clock.rate(step * batch)
            print(f"step {step} {share:.0%} {rate_now:.0f} pictures/s error {smooth_loss:.4f}", flush=True)
    print(f"step {step} error {smooth_loss:.4f}", flush=True)
    save(denoiser.transformer)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=8, help="of training, after the teacher has drawn")
    parser.add_argument("--count", type=int, default=6000, help="pictures that the teacher draws")
    parser.add_argument("--rank", type=int, default=8)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--seed", type=int, default=0)
    o = parser.parse_args()
    torch.set_num_threads(2)
    train(o.minutes, o.count, o.rank, o.batch, o.rate, o.seed)


if __name__ == "__main__":
    main()
