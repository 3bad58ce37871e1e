"""Distil guidance as in FLUX.1-dev: one pass a step draws what two did. `python -m pocket.guidance --minutes 8`.

The teacher is the model that `pocket.flow` left, asked with and without words; the student is told how far to go past the
difference by its guidance input, which its teacher has never been taught to read.
"""

from __future__ import annotations

import argparse
import copy
import time

import numpy as np
import torch

from pocket import corpus, flow, latents, scenes
from pocket.muon import FAST, optimizers, set_rates
from pocket.text import LONGEST, SHORT

STATE = corpus.CACHE / "guided.pt"
SCALES = (1.0, 6.0)  # guidance_scale is drawn from here


def train(minutes: float, batch: int, peak: float, seed: int, centre: float) -> None:
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    packed, known = latents.load(corpus.SIDE)
    every, short, _ = latents.to_learn(known)
    both = flow.load()
    both.requires_grad_(False)
    teacher, words = copy.deepcopy(both.flow), both.texts
    student = both.flow.requires_grad_(True)
    asked = flow.Both.velocity
    opts = optimizers(student, flow.MATRICES, peak, 0.05 * peak)
    average = {k: v.clone() for k, v in student.state_dict().items()}
    start = said = time.time()
    step, smooth = 0, 0.1
    while (share := (time.time() - start) / (60 * minutes)) < 1:
        set_rates(opts, min(1, (step + 1) / 30, 1.02 - share))
        length, among = (SHORT, short) if step % 3 else (LONGEST, every)
        picks = rng.choice(among, batch)
        captions = [scenes.caption(known[i], rng) for i in picks]
        noisy, sigma, _ = flow.example(packed, picks, rng, centre)
        scale = torch.from_numpy(rng.uniform(*SCALES, batch)).float()
        with torch.autocast("cpu", FAST, enabled=FAST != torch.float32):
            with torch.no_grad():
                told = words(captions + [""] * batch, length)
                both.flow = teacher
                told_twice = asked(
                    both, noisy.repeat(2, 1, 1), sigma.repeat(2), torch.ones(2 * batch), told, corpus.SIDE
                )
            with_words, without = told_twice.float().chunk(2)
            both.flow = student
            made = asked(both, noisy, sigma, scale, (told[0][:batch], told[1][:batch]), corpus.SIDE)
        loss = (made.float() - without - scale[:, None, None] * (with_words - without)).square().mean()
        loss.backward()
        for opt in opts:
            opt.step()
            opt.zero_grad()
        step += 1
        smooth += 0.02 * (loss.item() - smooth)
        with torch.no_grad():
            names, values = zip(*student.state_dict().items(), strict=True)
            torch._foreach_lerp_([average[n] for n in names], list(values), 1 - min(0.99, step / (step + 20)))
        if time.time() - said > 30:
            said = time.time()
            torch.save(average, STATE)
            print(
                f"step {step} {share:.0%} {step * batch / (said - start):.0f} pictures/s error {smooth:.4f}",
                flush=True,
            )
    torch.save(average, STATE)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=8)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--peak", type=float, default=0.005, help="Muon's learning rate")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--centre", type=float, default=1.0, help="middle of the logit-normal sigma")
    o = parser.parse_args()
    torch.set_num_threads(2)
    train(o.minutes, o.batch, o.peak, o.seed, o.centre)
