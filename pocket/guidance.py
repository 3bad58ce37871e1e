"""Distil guidance as in FLUX.1-dev: one pass a step draws what two did.

`python -m pocket.guidance --minutes 8`.
The teacher is the model that `pocket.flow` left, run with the caption and with the empty prompt. The student
reads the guidance scale from its guidance input, which nothing has trained before, and learns the
extrapolated prediction.
"""

from __future__ import annotations

import argparse
import copy
import time

import numpy as np
import torch
from torch import Tensor

from pocket import corpus, flow, latents, networks, scenes
from pocket.muon import optimizers, set_rates
from pocket.text import SHORT
from pocket.timing import Clock
from pocket.tokenizer import LONGEST
from pocket.training import Average, apply_gradients, autocast

STATE = corpus.CACHE / "guided.pt"
SCALES = (1.0, 6.0)  # guidance_scale is drawn from this range


class Distillation:
    """The student's transformer and a fixed copy of it, its teacher, which share the text encoders."""

    def __init__(self) -> None:
        self.model = flow.load()
        self.model.requires_grad_(False)
        self.teacher = copy.deepcopy(self.model.flow)
        self.student = self.model.flow.requires_grad_(True)

    def loss(
        self, captions: list[str], length: int, noisy_latents: Tensor, sigma: Tensor, scale: Tensor
    ) -> Tensor:
        """Return the mean squared error between the student's prediction and the teacher's guided one."""
        model, side, count = self.model, corpus.SIDE, len(captions)
        with autocast():
            with torch.no_grad():
                embeddings = model.texts(captions + [""] * count, length)
                model.flow = self.teacher
                both = model.velocity(
                    noisy_latents.repeat(2, 1, 1), sigma.repeat(2), torch.ones(2 * count), embeddings, side
                )
            conditional, unconditional = both.float().chunk(2)
            model.flow = self.student
            prompt_embeds, pooled_prompt_embeds = (e[:count] for e in embeddings[:2])
            velocity = model.velocity(
                noisy_latents, sigma, scale, (prompt_embeds, pooled_prompt_embeds), side
            )
        guidance = scale[:, None, None] * (conditional - unconditional)
        return (velocity.float() - unconditional - guidance).square().mean()


def train(minutes: float, batch: int, peak: float, seed: int, centre: float) -> None:
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    packed, all_scenes = latents.load(corpus.SIDE)
    every, single, _ = latents.training_rows(all_scenes)
    distillation = Distillation()
    student = distillation.student
    opts = optimizers(student, networks.FLOW_MATRICES, peak, 0.05 * peak)
    average = Average(student, decay=0.99)
    clock, step, smooth_loss = Clock(60 * minutes, report_every=30), 0, 0.1
    while (share := clock.share()) < 1:
        set_rates(opts, min(1, (step + 1) / 30, 1.02 - share))
        length, candidates = (SHORT, single) if step % 3 else (LONGEST, every)
        picks = rng.choice(candidates, batch)
        captions = [scenes.caption(all_scenes[i], rng) for i in picks]
        noisy_latents, sigma, _ = flow.noisy_batch(packed, picks, rng, centre)
        scale = torch.from_numpy(rng.uniform(*SCALES, batch)).float()
        loss = distillation.loss(captions, length, noisy_latents, sigma, scale)
        loss.backward()
        apply_gradients(opts)
        step += 1
        smooth_loss += 0.02 * (loss.item() - smooth_loss)
        average.update(student, step)
        if clock.is_report_due():
            torch.save(average.weights, STATE)
            rate = clock.rate(step * batch)
            print(f"step {step} {share:.0%} {rate:.0f} pictures/s error {smooth_loss:.4f}", flush=True)
    torch.save(average.weights, STATE)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=8)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--peak", type=float, default=0.005, help="Muon's learning rate")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--centre", type=float, default=1.0, help="middle of the logit-normal sigma")
    o = parser.parse_args()
    torch.set_num_threads(2)
    train(o.minutes, o.batch, o.peak, o.seed, o.centre)


if __name__ == "__main__":
    main()
