"""Train a LoRA: pictures and captions are encoded once, the encoders leave, and one loop teaches the adapter.

It follows diffusers' train_dreambooth_lora_flux.py with cached latents. The loop is in loop.py.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import torch
from diffusers import DiffusionPipeline
from peft import get_peft_model_state_dict
from PIL.Image import Image
from torch import Tensor, nn

from lessons_lib import compat, session, storage
from lessons_lib.adapters import export, lora, model_card
from lessons_lib.adapters.run import WEIGHTS, Run
from lessons_lib.adapters.settings import ResolvedSettings, Settings
from lessons_lib.dataset import crops
from lessons_lib.dataset.pictures import Picture
from lessons_lib.models import bases, families
from lessons_lib.models.bases import Base
from lessons_lib.models.families import Family
from lessons_lib.models.pixels import to_pixels
from lessons_lib.training import checkpoints, distributed, latent_cache, loop
from lessons_lib.training.data import TrainingData
from lessons_lib.training.forecast import Costs, forecast
from lessons_lib.training.state import Step
from lessons_lib.training.workspace import workspace

Examples = tuple[Sequence[Picture], Sequence[str]]  # pictures and their captions
NONE: Examples = ((), ())
ENCODERS = ("text_encoder", "text_encoder_2")


def train(pictures: Sequence[Picture], captions: Sequence[str], settings: Settings, out: Path,
          on_step: Callable[[Step], None] | None = None, resume: bool = False, *, validation: Examples = NONE,
          prior: Examples = NONE, on_forecast: Callable[[Costs], None] | None = None) -> Run:  # fmt: skip
    """Return the run that was made at `out`, an adapter folder.

    The same call goes on where it was stopped or killed, and ends with the adapter of an unbroken run; with `resume` it
    is an error when there is nothing to go on from. Ctrl-C keeps what was learned and returns a run with ``stopped`` set;
    so does an on_step that raises KeyboardInterrupt.
    `validation`: held-out pictures with captions, whose loss is measured on the way. `prior`: pictures of the class with
    captions without the trigger, learned beside the others. `on_forecast` is told before the first step what it will cost.
    Under ``accelerate launch`` every process makes this call; they share each batch, and the first writes.
    Raises ValueError for settings that cannot be used, OSError when `out` cannot be written, MemoryError when a batch does
    not fit, FloatingPointError when the loss is no number; then `out` holds what was learned until the last checkpoint,
    or nothing when there was none.
    """
    if not pictures:
        raise ValueError("there are no pictures to learn from; expected at least one")
    for some, words in ((pictures, captions), validation, prior):
        if len(some) != len(words):
            raise ValueError(
                f"{len(some)} pictures and {len(words)} captions; expected one caption a picture"
            )
    base = bases.find(settings.base)
    if not base.trainable:
        raise ValueError(f"{base.name} cannot be trained: {base.note}")
    plan = settings.filled(base)
    family = families.find(base.family)
    machine = distributed.accelerator()
    if plan.batch % machine.num_processes:
        raise ValueError(f"batch {plan.batch} cannot be shared by {machine.num_processes} processes alike")
    with workspace(Path(out), machine) as folder:
        session.seed(plan.seed)
        divided = distributed.divided(machine)
        # What is to be divided may be too large for one GPU, so it comes into the machine's own memory first.
        place = torch.device("cpu") if divided else session.current().device
        pipe = family.load(base, replace(session.current(), device=place))
        here = machine.device if divided else pipe.device
        with machine.main_process_first():  # the others then find the latents on disk
            lesson = TrainingData(
                *encode(family, pipe, base, pictures, [*captions, plan.trigger], here),
                prior=TrainingData(*encode(family, pipe, base, *prior, here)) if prior[0] else None,
                validation=TrainingData(*encode(family, pipe, base, *validation, here))
                if validation[0]
                else None,
            )
        told = family.encode_captions(pipe, [*plan.sample_prompts, ""], base)
        samples = {name: value.to(here) for name, value in told.items()}
        release(pipe)
        job = job_name(plan, (captions, prior[1], validation[1]), lesson)
        with machine.main_process_first():
            went_on_from = unfinished(folder, job, resume, machine.is_main_process)

        model = denoiser(pipe)
        if plan.gradient_checkpointing:
            model.enable_gradient_checkpointing()
        lora.attach(model, plan.rank, plan.alpha, family.TARGET_MODULES, plan.seed)
        if divided:
            distributed.divide(model, lora.trainable_parameters(model).values(), machine)
            pipe.vae.to(machine.device)
        if plan.compile:
            model.compile_repeated_blocks()

        def draw(step: int) -> None:
            if machine.is_main_process or divided:  # a divided model draws in all of them together
                drawn = sample(family, pipe, base, samples)
                if machine.is_main_process:
                    keep(drawn, folder / "samples", step)

        if not went_on_from:
            draw(0)  # a new adapter changes nothing: these are the base's own
        expected = forecast(family, model, lesson, plan) if on_forecast else None
        if on_forecast and expected:
            on_forecast(expected)
        last, ended = loop.learn(family, model, lesson, plan, folder, job, on_step, draw)
        if last % plan.sample_every:
            with suppress(KeyboardInterrupt):  # a second Ctrl-C leaves the last picture out
                draw(last)
        if machine.is_main_process:
            save(pipe, folder)
            run = Run(folder, plan, ended != "done", tuple(p.path for p in pictures), went_on_from)
            run.save()
            export.write_comfyui(folder, plan.name)
            (folder / "README.md").write_text(model_card.readme(plan, pictures, base), encoding="utf-8")
            if ended == "done":
                shutil.rmtree(folder / "checkpoints", ignore_errors=True)
    if ended not in ("done", "stopped"):
        raise FloatingPointError(f"{ended}. What was learned until step {last} is in {out}")
    return Run.load(out)


def job_name(plan: ResolvedSettings, captions: Sequence[Sequence[str]], lesson: TrainingData) -> str:
    """Return a hash of all that decides what is learned: settings, layers, captions, pictures. A checkpoint belongs to one."""
    layers = families.find(bases.find(plan.base).family).TARGET_MODULES
    parts = [part for part in (lesson, lesson.prior, lesson.validation) if part]
    files = [[path.name for path in getattr(part.latents, "files", ())] for part in parts]
    told = json.dumps([dataclasses.asdict(plan), layers, [list(some) for some in captions], files])
    return hashlib.sha256(told.encode()).hexdigest()


def unfinished(folder: Path, job: str, needed: bool, clears: bool = True) -> int:
    """Return the step at which this job was stopped, or 0; then what another job left in the folder is removed.

    Raises ValueError, and removes nothing, when it is `needed` and not there.
    """
    if kept := checkpoints.latest(folder / "checkpoints", job):
        return int(kept["step"])
    if needed:
        raise ValueError(
            "there is no unfinished run with these pictures, captions and settings; leave --resume out to start one"
        )
    for path in folder.iterdir() if clears else ():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    return 0


def denoiser(pipe: DiffusionPipeline) -> nn.Module:
    """Return the part of a pipeline that training changes: a transformer, or in older models a UNet."""
    return pipe.transformer if hasattr(pipe, "transformer") else pipe.unet


def encode(family: Family, pipe: DiffusionPipeline, base: Base, pictures: Sequence[Picture], texts: Sequence[str],
           place: torch.device | None = None) -> tuple[latent_cache.CachedTensors, dict[str, latent_cache.CachedTensors], torch.device]:  # fmt: skip
    """Return what a Lesson is made of: pictures as squares, cut by hand or in the middle, texts as the denoiser sees
    them, and the device that their batches are put on: `place`, or else the pipeline's.

    One of them is in memory at a time; what they become lies on disk, so that a second run encodes nothing.
    """
    squares = (crops.cut(p, base.side, "hand") for p in pictures)
    latents = latent_cache.encode_images(
        storage.cache_dir() / "latents",
        squares,
        {"base": base.name, "vae": latent_cache.fingerprint(pipe.vae)},
        lambda s: family.encode_images(pipe, to_pixels([s], base.side))[0],
    )
    encoders = [latent_cache.fingerprint(getattr(pipe, name)) for name in ENCODERS if hasattr(pipe, name)]
    embeddings = latent_cache.encode_captions(
        storage.cache_dir() / "embeddings",
        texts,
        {
            "base": base.name,
            "encoders": encoders,
            "tokens": base.caption_tokens,
            "version": families.EMBEDDINGS_VERSION,
        },
        lambda text: {name: value[0] for name, value in family.encode_captions(pipe, [text], base).items()},
    )
    return latents, embeddings, place or pipe.device


def release(pipe: DiffusionPipeline) -> None:
    """Let the text encoders go: their memory is needed for training, their work is done."""
    for name in ENCODERS:
        if hasattr(pipe, name):
            setattr(pipe, name, None)


@torch.no_grad()
def sample(family: Family, pipe: DiffusionPipeline, base: Base, embeddings: dict[str, Tensor]) -> list[Image]:
    """Draw each sample prompt at its fixed seed, the adapter at the base's own strength; the last embeddings are those of the empty prompt."""
    model = denoiser(pipe)
    lora.set_strength(model, base.strength)
    negative_embeddings = {name: value[-1:] for name, value in embeddings.items()}
    drawn = []
    for index in range(len(next(iter(embeddings.values()))) - 1):
        prompt = {name: value[index : index + 1] for name, value in embeddings.items()}
        drawn.append(family.sample_image(pipe, prompt, negative_embeddings, base, index + 1))
    lora.set_strength(model, 1)
    return drawn


def keep(drawn: Sequence[Image], folder: Path, step: int) -> None:
    """Write what was drawn at a step; step 0 is the base's own."""
    folder.mkdir(exist_ok=True)
    for number, picture in enumerate(drawn, 1):
        picture.save(folder / f"{step:05d}_{number}.jpg", quality=92)


def save(pipe: DiffusionPipeline, folder: Path) -> None:
    """Write the adapter as diffusers does, rank and alpha in its header."""
    model = denoiser(pipe)
    part = "transformer" if hasattr(pipe, "transformer") else "unet"
    pipe.save_lora_weights(folder, **{f"{part}_lora_layers": get_peft_model_state_dict(model)},
                           **compat.lora_metadata({part: model}))  # fmt: skip
    settle(folder / WEIGHTS)


def settle(path: Path) -> None:
    """Sort the header of a safetensors file, whose metadata is written in random order, so that equal adapters are equal files."""
    data = path.read_bytes()
    start = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:start])
    text = json.dumps(header, sort_keys=True, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(len(text).to_bytes(8, "little") + text + data[start:])
