"""Train a LoRA: a base model, a dataset and settings become a run folder.

Pictures and captions are encoded once, the text encoders leave the memory, and one loop trains the adapter.
It follows diffusers' train_dreambooth_lora_flux.py with cached latents. The loop is in loop.py.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
from collections.abc import Callable
from contextlib import suppress
from functools import cached_property
from pathlib import Path

import torch
from accelerate import Accelerator
from diffusers import DiffusionPipeline
from torch import nn

from lessons_lib import session
from lessons_lib.adapters import export, lora, model_card
from lessons_lib.adapters.run import Outcome, Run
from lessons_lib.adapters.settings import Settings
from lessons_lib.adapters.weights import save_weights
from lessons_lib.dataset import captions
from lessons_lib.dataset.dataset import Dataset
from lessons_lib.dataset.records import to_records
from lessons_lib.models import bases, families
from lessons_lib.models.bases import Base
from lessons_lib.training import checkpoints, distributed, samples
from lessons_lib.training.data import TrainingData, encode, release_text_encoders
from lessons_lib.training.forecast import Costs, forecast
from lessons_lib.training.loop import Ending, Loop, Step
from lessons_lib.training.workspace import workspace


def train(
    dataset: Dataset,
    settings: Settings,
    out: Path,
    on_step: Callable[[Step], None] | None = None,
    on_forecast: Callable[[Costs], None] | None = None,
    resume: bool = False,
) -> Run:
    """Return the run that was made at `out`: `Trainer.train` on the base model that the settings name."""
    return Trainer(bases.find(settings.base), dataset, settings).train(out, on_step, on_forecast, resume)


class Trainer:
    """Trains one LoRA on one dataset.

    Raises ValueError for settings that cannot be used, a base that cannot be trained,
    or a dataset without pictures.
    """

    def __init__(self, base: Base, dataset: Dataset, settings: Settings):
        if not dataset.train:
            raise ValueError("there are no pictures to learn from; expected at least one")
        if not base.trainable:
            raise ValueError(f"{base.name} cannot be trained: {base.note}")
        self.base, self.dataset = base, dataset
        self.settings = settings.resolve(base)
        self.family = families.find(base.family)

    @cached_property
    def captions(self) -> dict[str, list[str]]:
        """The captions of each part of the dataset as they are taught: with the trigger word,
        and in `prior` without it.
        """
        trigger, mode = self.settings.trigger, self.settings.mode
        tokenizer, limit = self.family.load_tokenizer(self.base), self.base.caption_tokens
        with_trigger = {
            name: captions.training_captions(getattr(self.dataset, name), trigger, mode, tokenizer, limit)
            for name in ("train", "held_out")
        }
        return with_trigger | {
            "prior": [captions.fill_placeholders(p.caption or "", "") for p in self.dataset.prior]
        }

    def train(
        self,
        out: Path,
        on_step: Callable[[Step], None] | None = None,
        on_forecast: Callable[[Costs], None] | None = None,
        resume: bool = False,
    ) -> Run:
        """Return the run that was made at `out`, an adapter folder.

        The same call resumes where it was stopped or killed, and ends with the adapter of an uninterrupted
        run; with `resume` it is an error when there is nothing to resume from. Ctrl-C keeps what was learned
        and returns a run whose outcome is STOPPED; so does an on_step that raises KeyboardInterrupt.
        `on_forecast` is called before the first step. Under ``accelerate launch`` every process makes this
        call; they share each batch, and the main process writes.
        Raises OSError when `out` cannot be written, MemoryError when a batch does not fit, FloatingPointError
        when the loss is NaN or infinite; then `out` holds the last checkpoint's adapter, or nothing when
        there was no checkpoint.
        """
        machine = distributed.accelerator()
        if self.settings.batch % machine.num_processes:
            raise ValueError(
                f"batch {self.settings.batch} cannot be shared equally by {machine.num_processes} processes"
            )
        with workspace(Path(out), machine) as folder:
            session.set_seed(self.settings.seed)
            pipe = self._load(machine)
            with machine.main_process_first():  # the others then find the latents on disk
                data = self._encode(pipe, _training_device(pipe, machine))
            draw = self._sampler(pipe, data.device, folder, machine)
            release_text_encoders(pipe, self.base)
            fingerprint = self._fingerprint(data)
            with machine.main_process_first():
                resumed_from = _resume_step(folder, fingerprint, resume, machine.is_main_process)
            loop = self._loop(self._attach(pipe, machine), data, folder)
            if not resumed_from:
                draw(0)  # a new adapter changes nothing: these are the base's own
            if on_forecast:
                on_forecast(forecast(loop))
            ending = loop.run(folder, fingerprint, on_step, draw)
            if ending.step % self.settings.sample_every:
                with suppress(KeyboardInterrupt):  # a second Ctrl-C leaves the last samples out
                    draw(ending.step)
            if machine.is_main_process:
                self._save(pipe, folder, ending, resumed_from)
        if ending.outcome is Outcome.DIVERGED:
            raise FloatingPointError(
                f"{ending.reason}. What was learned until step {ending.step} is in {out}"
            )
        return Run.load(out)

    def _load(self, machine: Accelerator) -> DiffusionPipeline:
        """Return the base's pipeline.

        One that is to be sharded may be too large for one GPU, so it comes into RAM first.
        """
        here = session.current()
        if distributed.is_sharded(machine):
            here = dataclasses.replace(here, device=torch.device("cpu"))
        return self.family.load(self.base, here)

    def _encode(self, pipe: DiffusionPipeline, device: torch.device) -> TrainingData:
        """Return the dataset encoded, its parts with their captions,
        and the trigger alone for captions that are dropped.
        """

        def part(name: str, *more: str) -> TrainingData:
            pictures, texts = getattr(self.dataset, name), [*self.captions[name], *more]
            return encode(self.family, pipe, self.base, pictures, texts, device)

        return dataclasses.replace(
            part("train", self.settings.trigger),
            prior=part("prior") if self.dataset.prior else None,
            validation=part("held_out") if self.dataset.held_out else None,
        )

    def _sampler(
        self, pipe: DiffusionPipeline, device: torch.device | str, folder: Path, machine: Accelerator
    ) -> Callable[[int], None]:
        """Return a function that draws the sample prompts and keeps the pictures, given the step."""
        prompts = [*self.settings.sample_prompts, ""]
        encoded = self.family.encode_captions(pipe, prompts, self.base)
        embeddings = {name: value.to(device) for name, value in encoded.items()}

        def draw(step: int) -> None:
            if machine.is_main_process or distributed.is_sharded(
                machine
            ):  # a sharded model draws in all of them
                images = samples.draw_samples(self.family, pipe, self.base, embeddings)
                if machine.is_main_process:
                    samples.save_samples(images, folder / "samples", step)

        return draw

    def _attach(self, pipe: DiffusionPipeline, machine: Accelerator) -> nn.Module:
        """Return the denoiser with a new adapter on it, prepared as the settings say."""
        settings, denoiser = self.settings, families.denoiser(self.family, pipe)
        if settings.gradient_checkpointing:
            denoiser.enable_gradient_checkpointing()
        lora.attach(denoiser, settings.rank, settings.alpha, self.family.TARGET_MODULES, settings.seed)
        if distributed.is_sharded(machine):
            distributed.shard(denoiser, lora.trainable_parameters(denoiser).values(), machine)
            pipe.vae.to(machine.device)
        if settings.compile:
            denoiser.compile_repeated_blocks()
        return denoiser

    def _loop(self, denoiser: nn.Module, data: TrainingData, folder: Path) -> Loop:
        tracker = "tensorboard" if self.settings.tensorboard else None
        accelerator = distributed.accelerator(log_with=tracker, project_dir=folder)
        return Loop(self.family, denoiser, data, self.settings, accelerator)

    def _fingerprint(self, data: TrainingData) -> str:
        """Return a hash of everything that the result depends on: settings, layers, captions, pictures."""
        parts = [part for part in (data, data.prior, data.validation) if part]
        files = [[path.name for path in getattr(part.latents, "files", ())] for part in parts]
        texts = [self.captions[name] for name in ("train", "prior", "held_out")]
        content = [dataclasses.asdict(self.settings), self.family.TARGET_MODULES, texts, files]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()

    def _save(self, pipe: DiffusionPipeline, folder: Path, ending: Ending, resumed_from: int) -> None:
        """Write the adapter, the settings, the file for other programs and the card."""
        save_weights(pipe, self.family.DENOISER, folder)
        parts = {name: getattr(self.dataset, name) for name in ("train", "held_out", "prior")}
        dataset = {name: to_records(part) for name, part in parts.items()}
        Run(folder, self.settings, ending.outcome, dataset, resumed_from).save()
        export.write_comfyui(folder, self.settings.name)
        card = model_card.readme(self.settings, self.dataset.train, self.base)
        (folder / "README.md").write_text(card, encoding="utf-8")
        if ending.outcome is Outcome.DONE:
            shutil.rmtree(folder / "checkpoints", ignore_errors=True)


def _training_device(pipe: DiffusionPipeline, machine: Accelerator) -> torch.device:
    return machine.device if distributed.is_sharded(machine) else pipe.device


def _resume_step(folder: Path, fingerprint: str, needed: bool, clears: bool = True) -> int:
    """Return the step at which this run was stopped, or 0.

    Then what another run left in the folder is removed.
    Raises ValueError, and removes nothing, when it is `needed` and not there.
    """
    if checkpoint := checkpoints.latest(folder / "checkpoints", fingerprint):
        return int(checkpoint["step"])
    if needed:
        raise ValueError(
            "there is no unfinished run with these pictures, captions and settings; leave --resume out to "
            "start one"
        )
    for path in folder.iterdir() if clears else ():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    return 0
