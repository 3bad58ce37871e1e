"""The loop that most notebooks show: PEFT and AdamW; every step encodes its pictures and captions again."""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import torch
from diffusers import FluxPipeline
from diffusers.optimization import get_scheduler
from peft.utils import get_peft_model_state_dict

from lessons_lib.adapters import lora
from lessons_lib.dataset import dataset
from lessons_lib.models import bases, pixels
from lessons_lib.models.families import flux


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name, kind in (("data", Path), ("out", Path), ("steps", int), ("seed", int)):
        parser.add_argument(f"--{name}", type=kind, required=True)
    o = parser.parse_args()
    base = bases.find("pocket")
    pipe = FluxPipeline.from_pretrained(base.repository, torch_dtype=torch.float32)
    train_pictures = dataset.read(o.data, side=base.side).train
    inputs = pixels.to_pixels([p.image for p in train_pictures], base.side)
    captions = [p.caption or "" for p in train_pictures]
    model = pipe.transformer
    lora.attach(model, base.rank, base.alpha, flux.TARGET_MODULES, o.seed)
    trainable = list(lora.trainable_parameters(model).values())
    optimizer = torch.optim.AdamW(trainable, base.learning_rate, weight_decay=1e-4)
    rates = get_scheduler("cosine", optimizer, num_warmup_steps=20, num_training_steps=o.steps)
    generator = torch.Generator().manual_seed(o.seed)
    o.out.mkdir(parents=True)
    start = time.monotonic()
    with open(o.out / "log.jsonl", "w", encoding="utf-8") as log:
        for step in range(1, o.steps + 1):
            picks = torch.randint(len(train_pictures), (base.batch,), generator=generator)
            latents = flux.encode_images(pipe, inputs[picks])
            embeddings = flux.encode_captions(pipe, [captions[i] for i in picks], base)
            noise = torch.randn(latents.shape, generator=generator)
            sigma = flux.sample_sigma(base.batch, generator)
            loss = flux.loss(model, latents, embeddings, noise, sigma).mean()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(trainable, 1.0)
            optimizer.step()
            rates.step()
            optimizer.zero_grad()
            row = {"step": step, "loss": loss.item(), "seconds": time.monotonic() - start}
            print(json.dumps(row), file=log)
    pipe.save_lora_weights(o.out, transformer_lora_layers=get_peft_model_state_dict(model))


if __name__ == "__main__":
    main()
