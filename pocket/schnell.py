"""Distil four steps out of twenty, kept as a LoRA: pocket-schnell. `python -m pocket.schnell --minutes 8` after assemble.

The teacher's way from noise to picture is a fixed curve; the student learns each of its four chords. Stored as an adapter
because a second transformer would double the repository.
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
from torch import Tensor

from lessons_lib.models.families.flux import TARGET_MODULES
from pocket import corpus, flow, scenes
from pocket.assemble import write_sums
from pocket.flow import MODEL
from pocket.muon import FAST, set_rates
from pocket.text import LONGEST

FOLDER = corpus.HERE / "schnell"
STEPS, FINE = 4, 5  # the student's steps, and the teacher's in each of them
GUIDANCE = 3.5


def sigmas(pipe: FluxPipeline) -> Tensor:
    """Return the noise levels that FluxPipeline passes in STEPS steps at 128 px, the last 0, (STEPS + 1,)."""
    told = pipe.scheduler.config
    shift = calculate_shift(
        64, told.base_image_seq_len, told.max_image_seq_len, told.base_shift, told.max_shift
    )
    pipe.scheduler.set_timesteps(sigmas=np.linspace(1, 1 / STEPS, STEPS), mu=shift)
    return pipe.scheduler.sigmas.clone()


class Drawer:
    """A pipeline's transformer, asked as the pipeline asks it."""

    def __init__(self, pipe: FluxPipeline) -> None:
        self.net, self.pipe = pipe.transformer, pipe

    @torch.no_grad()
    def words(self, captions: list[str]) -> tuple[Tensor, Tensor]:
        states, pooled, _ = self.pipe.encode_prompt(captions, None, max_sequence_length=LONGEST)
        return states, pooled

    def velocity(self, noisy: Tensor, sigma: Tensor, words: tuple[Tensor, Tensor]) -> Tensor:
        with torch.autocast("cpu", FAST, enabled=FAST != torch.float32):
            return self.net(
                hidden_states=noisy,
                timestep=sigma,
                guidance=torch.full_like(sigma, GUIDANCE),
                pooled_projections=words[1],
                encoder_hidden_states=words[0],
                txt_ids=torch.zeros(LONGEST, 3),
                img_ids=flow.image_ids(corpus.SIDE),
                return_dict=False,
            )[0].float()


@torch.no_grad()
def curves(drawer: Drawer, levels: Tensor, captions: list[str], seed: int, chunk: int = 50) -> Tensor:
    """Return the teacher's latents at each level, (captions, STEPS + 1, 64, 64) half precision."""
    generator, out = torch.Generator().manual_seed(seed), []
    for k in range(0, len(captions), chunk):
        words = drawer.words(captions[k : k + chunk])
        x = torch.randn(len(words[0]), 64, 64, generator=generator)
        kept = [x]
        for high, low in zip(levels[:-1], levels[1:], strict=True):
            fine = torch.linspace(float(high), float(low), FINE + 1)
            for now, then in zip(fine[:-1], fine[1:], strict=True):
                x = x + (then - now) * drawer.velocity(x, now.expand(len(x)), words)
            kept.append(x)
        out.append(torch.stack(kept, 1).half())
    return torch.cat(out)


def train(minutes: float, count: int, rank: int, batch: int, rate: float, seed: int) -> None:
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    pipe = FluxPipeline.from_pretrained(MODEL, torch_dtype=torch.float32)
    drawer, levels = Drawer(pipe), sigmas(pipe)
    captions = [scenes.caption(scenes.random_scene(rng), rng) for _ in range(count)]
    start = time.time()
    seen = curves(drawer, levels, captions, seed)
    print(
        f"{count} curves in {time.time() - start:.0f} s, levels {[round(float(s), 3) for s in levels]}",
        flush=True,
    )
    drawer.net.requires_grad_(False)
    drawer.net.add_adapter(LoraConfig(r=rank, lora_alpha=rank, target_modules=list(TARGET_MODULES)))
    learned = [p for p in drawer.net.parameters() if p.requires_grad]
    opt = torch.optim.AdamW(learned, rate, weight_decay=0.0)
    start = said = time.time()
    step, smooth = 0, 0.0
    while (share := (time.time() - start) / (60 * minutes)) < 1:
        set_rates([opt], min(1, (step + 1) / 50, 1.01 - share))
        picks, part = rng.integers(0, count, batch), torch.from_numpy(rng.integers(0, STEPS, batch))
        high, low = levels[part], levels[part + 1]
        ways = seen[picks].float()
        here, there = ways[torch.arange(batch), part], ways[torch.arange(batch), part + 1]
        made = drawer.velocity(here, high, drawer.words([captions[i] for i in picks]))
        missed = (here + (low - high)[:, None, None] * made - there).square().mean((1, 2)) / (
            high - low
        ).square()
        missed.mean().backward()
        torch.nn.utils.clip_grad_norm_(learned, 1.0)
        opt.step()
        opt.zero_grad()
        smooth += (missed.mean().item() - smooth) * (0.02 if step > 50 else 1 / (step + 1))
        step += 1
        if time.time() - said > 30:
            said = time.time()
            print(
                f"step {step} {share:.0%} {step * batch / (said - start):.0f} pictures/s error {smooth:.4f}",
                flush=True,
            )
    state = {k: v.half() for k, v in get_peft_model_state_dict(drawer.net).items()}
    FluxPipeline.save_lora_weights(FOLDER, transformer_lora_layers=state)
    write_sums(FOLDER)
    print(f"{FOLDER}: {sum(p.stat().st_size for p in FOLDER.iterdir()) / 1e6:.2f} MB, error {smooth:.4f}")


if __name__ == "__main__":
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
