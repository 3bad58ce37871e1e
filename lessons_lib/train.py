"""Train a LoRA: pictures and captions are encoded once, the encoders leave, and one loop teaches the adapter.

Lesson 05 shows this loop. It follows diffusers' train_dreambooth_lora_flux.py with cached latents.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from accelerate import Accelerator
from diffusers import DiffusionPipeline
from diffusers.optimization import get_cosine_schedule_with_warmup
from diffusers.training_utils import _collate_lora_metadata
from peft import get_peft_model_state_dict
from torch import Tensor, nn

from lessons_lib import bases, cache, families, lora, session, share
from lessons_lib.bases import Base
from lessons_lib.cache import Latents
from lessons_lib.families import Family
from lessons_lib.pictures import Picture, pixels, square
from lessons_lib.runs import Plan, Run, Settings, workplace


@dataclass(frozen=True)
class Step:
    """One step's news: `loss` of its batch, `smooth_loss` of the last fifty or so, `seconds` so far and `left`."""

    step: int
    steps: int
    loss: float
    smooth_loss: float
    seconds: float
    left: float


@dataclass(frozen=True)
class Lesson:
    """What the loop learns from, encoded: latents (pictures, ...), words of each caption, and last of the trigger alone."""

    latents: Tensor | Latents
    words: dict[str, Tensor]

    def batch(
        self, size: int, dropout: float, generator: torch.Generator
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Return latents and words of `size` random pictures; a dropped caption is the trigger word alone."""
        picks = torch.randint(len(self.latents), (size,), generator=generator)
        dropped = torch.rand(size, generator=generator) < dropout
        told = torch.where(dropped, len(self.latents), picks)
        words = {name: value[told] for name, value in self.words.items()}
        return self.latents[picks].to(next(iter(words.values())).device), words


def train(pictures: Sequence[Picture], captions: Sequence[str], settings: Settings, out: Path,
          on_step: Callable[[Step], None] | None = None) -> Run:  # fmt: skip
    """Return the run that was made at `out`, an adapter folder.

    Ctrl-C keeps what was learned and returns a run with ``stopped`` set. Raises ValueError for settings that cannot be
    used, OSError when `out` cannot be written, FloatingPointError when the loss is no number; then nothing is left.
    """
    if not pictures:
        raise ValueError("there are no pictures to learn from; expected at least one")
    if len(pictures) != len(captions):
        raise ValueError(
            f"{len(pictures)} pictures and {len(captions)} captions; expected one caption a picture"
        )
    base = bases.find(settings.base)
    if not base.trainable:
        raise ValueError(f"{base.name} cannot be trained: {base.note}")
    plan = settings.filled(base)
    family = families.find(base.family)
    with workplace(Path(out)) as folder:
        session.seed(plan.seed)
        pipe = family.load(base, session.current())
        lesson = encode(family, pipe, base, pictures, [*captions, plan.trigger])
        samples = family.encode_captions(pipe, [*plan.sample_prompts, ""], base)
        release(pipe)
        sample(family, pipe, base, samples, folder / "samples", 0)
        lora.attach(denoiser(pipe), plan.rank, plan.alpha, family.TARGETS, plan.seed)
        stopped = learn(family, pipe, base, lesson, samples, plan, folder, on_step)
        save(pipe, folder)
        run = Run(folder, plan, stopped, tuple(p.path for p in pictures))
        run.save()
        share.comfyui(folder, plan.name)
        (folder / "README.md").write_text(share.card(plan, pictures, base), encoding="utf-8")
    return Run.load(out)


def denoiser(pipe: DiffusionPipeline) -> nn.Module:
    """Return the part of a pipeline that training changes: a transformer, or in older models a UNet."""
    return pipe.transformer if hasattr(pipe, "transformer") else pipe.unet


def encode(
    family: Family, pipe: DiffusionPipeline, base: Base, pictures: Sequence[Picture], texts: Sequence[str]
) -> Lesson:
    """Return pictures, cropped to the base's square, and texts as the denoiser sees them.

    One picture is in memory at a time; latents lie on disk, so that a second run on the same pictures encodes none.
    """
    squares = (square(p.image, base.side) for p in pictures)
    settings = {"base": base.name, "vae": cache.fingerprint(pipe.vae)}
    latents = cache.encode_to(
        cache.home() / "latents",
        squares,
        settings,
        lambda s: family.encode_pictures(pipe, pixels([s], base.side))[0],
    )
    return Lesson(latents, family.encode_captions(pipe, texts, base))


def release(pipe: DiffusionPipeline) -> None:
    """Let the text encoders go: their memory is needed for training, their work is done."""
    for name in ("text_encoder", "text_encoder_2"):
        if hasattr(pipe, name):
            setattr(pipe, name, None)


def learn(family: Family, pipe: DiffusionPipeline, base: Base, lesson: Lesson, samples: dict[str, Tensor],
          plan: Plan, folder: Path, on_step: Callable[[Step], None] | None) -> bool:  # fmt: skip
    """Teach the adapter and keep a log; return whether Ctrl-C ended it early."""
    accelerator = Accelerator()
    model = denoiser(pipe)
    optimizer = torch.optim.AdamW(lora.learned(model).values(), plan.learning_rate, weight_decay=1e-4)
    rates = get_cosine_schedule_with_warmup(optimizer, min(20, plan.steps // 10), plan.steps)
    model, optimizer = accelerator.prepare(model, optimizer)
    generator = torch.Generator().manual_seed(plan.seed)
    start, smooth = time.monotonic(), None
    with open(folder / "log.jsonl", "w") as log:
        try:
            for step in range(1, plan.steps + 1):
                rate = optimizer.param_groups[0]["lr"]
                loss = one_step(family, model, lesson, plan, generator, accelerator, optimizer)
                rates.step()
                if not math.isfinite(loss):
                    raise FloatingPointError(
                        f"the loss became {loss} at step {step}; lower the learning rate ({rate:g})"
                    )
                smooth = loss if smooth is None else smooth + (loss - smooth) / min(step, 50)
                seconds = time.monotonic() - start
                row = Step(step, plan.steps, loss, smooth, seconds, seconds / step * (plan.steps - step))
                log.write(
                    json.dumps(
                        {"step": step, "loss": loss, "seconds": round(seconds, 3), "learning_rate": rate}
                    )
                    + "\n"
                )
                if step % plan.sample_every == 0:
                    sample(family, pipe, base, samples, folder / "samples", step)
                if on_step:
                    on_step(row)
        except KeyboardInterrupt:
            if smooth is None:
                raise
            return True
    return False


def one_step(family: Family, model: nn.Module, lesson: Lesson, plan: Plan, generator: torch.Generator,
             accelerator: Accelerator, optimizer: torch.optim.Optimizer) -> float:  # fmt: skip
    """Change the adapter once and return the batch's loss."""
    latents, words = lesson.batch(plan.batch, plan.caption_dropout, generator)
    noise = torch.randn(latents.shape, generator=generator).to(latents)
    sigma = family.sample_sigma(len(latents), generator).to(latents)
    loss = family.loss(model, latents, words, noise, sigma).mean()
    accelerator.backward(loss)
    accelerator.clip_grad_norm_(lora.learned(model).values(), 1.0)
    optimizer.step()
    optimizer.zero_grad()
    return loss.item()


@torch.no_grad()
def sample(
    family: Family, pipe: DiffusionPipeline, base: Base, words: dict[str, Tensor], folder: Path, step: int
) -> None:
    """Draw each sample prompt at its fixed seed; step 0 is the base's own."""
    folder.mkdir(exist_ok=True)
    nothing = {name: value[-1:] for name, value in words.items()}
    for index in range(len(next(iter(words.values()))) - 1):
        told = {name: value[index : index + 1] for name, value in words.items()}
        family.sample(pipe, told, nothing, base, index + 1).save(
            folder / f"{step:05d}_{index + 1}.jpg", quality=92
        )


def save(pipe: DiffusionPipeline, folder: Path) -> None:
    """Write the adapter as diffusers does, rank and alpha in its header."""
    model = denoiser(pipe)
    part = "transformer" if hasattr(pipe, "transformer") else "unet"
    pipe.save_lora_weights(folder, **{f"{part}_lora_layers": get_peft_model_state_dict(model)},
                           **_collate_lora_metadata({part: model}))  # fmt: skip
