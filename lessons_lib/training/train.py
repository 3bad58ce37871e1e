"""Train a LoRA: a base model, a dataset and settings become a run folder.

Pictures and captions are encoded once, the text encoders leave the memory before the denoiser comes into it,
and one loop trains the adapter.
It follows diffusers' train_dreambooth_lora_flux.py with cached latents. The loop is in loop.py.
"""

from __future__ import annotations

import dataclasses
import errno
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from diffusers import DiffusionPipeline
from safetensors import SafetensorError
from torch import Tensor, nn

from lessons_lib import session
from lessons_lib.adapters import export, lora, model_card
from lessons_lib.adapters.run import CARD, STEPS, Outcome, Run
from lessons_lib.adapters.settings import Settings, earlier_values
from lessons_lib.adapters.weights import save_weights
from lessons_lib.dataset.dataset import Dataset
from lessons_lib.dataset.records import to_records
from lessons_lib.models import bases, families, quantization
from lessons_lib.models.bases import Base
from lessons_lib.training import capacity, distributed, existing, fingerprints, samples
from lessons_lib.training.data import (
    TrainingData,
    captions_by_part,
    encode,
    encoder_hashes,
    release_text_encoders,
    validated,
)
from lessons_lib.training.forecast import Costs, settle_compiling
from lessons_lib.training.loop import Ending, Loop, Step
from lessons_lib.training.workspace import run_dir, workspace


def train(
    dataset: Dataset,
    settings: Settings,
    out: Path,
    on_step: Callable[[Step], None] | None = None,
    on_forecast: Callable[[Costs], None] | None = None,
    resume: bool = False,
    replace: bool = False,
) -> Run:
    """Return the run that was made at `out`: `Trainer.train` on the base model that the settings name."""
    trainer = Trainer(bases.find(settings.base), dataset, settings)
    return trainer.train(out, on_step, on_forecast, resume, replace)


class Interrupted(KeyboardInterrupt):
    """A training that was stopped at once; the message says what is kept of it."""


class Trainer:
    """Trains one LoRA on one dataset.

    Raises ValueError for settings that cannot be used, a base that cannot be trained or does not fit into
    this machine's memory, or a dataset without pictures.
    """

    def __init__(self, base: Base, dataset: Dataset, settings: Settings):
        if not dataset.train:
            raise ValueError("there are no pictures to learn from; expected at least one")
        if not base.trainable:
            raise ValueError(f"{base.name} cannot be trained: {base.note}")
        fitting = capacity.fit(settings, base, session.current()).settings
        self.settings, self.dataset = fitting.resolve(base), dataset
        self.base = self.settings.adapt(base)
        self.family = families.find(base.family)
        quantization.check(self.base)

    @cached_property
    def captions(self) -> dict[str, list[list[str]]]:
        """The captions of each picture, by the part of the dataset, as they are taught: with the trigger
        word, and in `prior` without it. A held-out picture has one.
        """
        return captions_by_part(self.family, self.base, self.dataset, self.settings)

    def train(
        self,
        out: Path,
        on_step: Callable[[Step], None] | None = None,
        on_forecast: Callable[[Costs], None] | None = None,
        resume: bool = False,
        replace: bool = False,
    ) -> Run:
        """Return the run that was made at `out`, an adapter folder.

        The same call resumes where it was stopped or killed and ends with the adapter of an uninterrupted
        run. With `resume` it is an error when there is nothing to resume from, and an equal run with fewer
        steps goes on: to the bit where the learning rates until then are equal, and the run says where they
        are not. A call with other settings that change nothing of what is learned resumes too. Where another
        run lies, or the steps of one, that is a ValueError and both stay, unless `replace` has them replaced.
        Ctrl-C keeps what was learned and returns a run whose outcome is STOPPED; so does an on_step that
        raises KeyboardInterrupt. A second Ctrl-C raises Interrupted. `on_forecast` is called before the first
        step; with `compile` left open a GPU makes that forecast in any case. Under ``accelerate launch``
        every process makes this call; they share each batch, and the main process writes.
        Raises OSError when `out` cannot be written, MemoryError when the base or a batch does not fit,
        FloatingPointError when the loss diverged; then `out` holds the adapter of a checkpoint from before
        that, or nothing when there was none.
        """
        machine, given, out = distributed.accelerator(), Path(out), run_dir(out)
        distributed.check_shares(machine, self.settings.batch, self.settings.quantize)
        self._go_on_as_earlier(out)
        claim = partial(existing.claim, out, self.wanted, resume, replace)
        with self._saying_what_is_kept(out), workspace(out, machine, claim) as folder:
            ending = self._train(out, folder, machine, on_step, on_forecast, resume)
        given = given if given.resolve() == out else out
        if ending.outcome is Outcome.DIVERGED:
            raise FloatingPointError(
                f"{ending.reason}. What was learned until step {ending.step} is in {given}"
            )
        return Run.load(given)

    def _go_on_as_earlier(self, out: Path) -> None:
        """Train as versions before 0.3 did where an unfinished run of one is to go on."""
        for one in existing.find(out):
            if one.fingerprint != self.fingerprint and one.may_be(self.wanted):
                self.settings = dataclasses.replace(self.settings, **earlier_values(self.base.name))
                self.base = self.settings.adapt(self.base)
                for name in ("captions", "fingerprint"):  # which depend on them
                    self.__dict__.pop(name, None)
                return

    @contextmanager
    def _saying_what_is_kept(self, out: Path) -> Iterator[None]:
        """Say what is kept of the training when it is interrupted inside, or a disk or memory is full."""
        try:
            with session.explain_out_of_memory(session.current().out_of_memory_message(self.base.name)):
                yield
        except KeyboardInterrupt as stop:
            raise Interrupted(existing.kept_line(out, self.settings)) from stop
        except OSError as problem:
            if problem.errno != errno.ENOSPC:
                raise
            line = existing.kept_line(out, self.settings)
            raise OSError(f"the disk of {out} is full; free some space. {line}") from problem

    def _train(
        self,
        out: Path,
        folder: Path,
        machine: Accelerator,
        on_step: Callable[[Step], None] | None,
        on_forecast: Callable[[Costs], None] | None,
        resume: bool,
    ) -> Ending:
        """Train in a folder and write the run into it; return how it ended."""
        session.set_seed(self.settings.seed)
        data, prompts, other_parts = self._encode_all(machine)
        earlier = fingerprints.earlier_fingerprint(
            self.settings, self.family.TARGET_MODULES, data, self.captions
        )
        shorter = existing.shorter_fingerprint(folder, self.wanted) if resume else ()
        own = (self.fingerprint, earlier, *shorter)
        with machine.main_process_first():
            resumed_from = existing.resume_or_clear(folder, own, self.wanted, resume, machine.is_main_process)
        pipe = self._load(machine, other_parts)
        draw = self._sampler(pipe, prompts, folder, machine)
        loop = self._loop(self._attach(pipe, machine), data, folder)
        if not resumed_from or samples.are_of_others(folder, self.settings.sample_prompts):
            if machine.is_main_process:
                samples.set_aside(folder / "samples")
            draw(0)  # a new adapter changes nothing: these are the base's own
        loop, compiling = settle_compiling(loop, folder / "checkpoints", own, on_forecast)
        ending = loop.run(folder, own, on_step, draw)
        if machine.is_main_process:
            samples.remove_after(folder, ending.step)
        if ending.step % self.settings.sample_every:
            with suppress(KeyboardInterrupt):  # a second Ctrl-C leaves the last samples out
                draw(ending.step)
        if machine.is_main_process:
            self._save(pipe, folder, out, ending, resumed_from, compiling)
        return ending

    def _encode_all(self, machine: Accelerator) -> tuple[TrainingData, dict[str, Tensor], dict[str, Any]]:
        """Return the dataset and the sample prompts encoded, and the pipeline's parts but the denoiser.

        The text encoders are in memory here alone: the denoiser is loaded after they have left.
        """
        pipe = self._load(machine, {self.family.DENOISER: None})
        with machine.main_process_first():  # the others then find the latents on disk
            data = self._encode(pipe, _training_device(pipe, machine))
        prompts = samples.fit_prompts(self.family, self.base, self.settings)
        embeddings = samples.encode_prompts(self.family, pipe, self.base, prompts, data.device)
        release_text_encoders(pipe, self.base)
        return data, embeddings, {n: part for n, part in pipe.components.items() if n != self.family.DENOISER}

    def _load(self, machine: Accelerator, components: dict[str, Any]) -> DiffusionPipeline:
        """Return the base's pipeline with some components given; one that is None is not loaded.

        One that is to be sharded may be too large for one GPU, so it comes into RAM first.
        """
        here = session.current()
        if distributed.is_sharded(machine):
            here = dataclasses.replace(here, device=torch.device("cpu"))
        return self.family.load(self.base, here, **components)

    def _encode(self, pipe: DiffusionPipeline, device: torch.device) -> TrainingData:
        """Return the dataset encoded, its parts with their captions,
        and the trigger alone for captions that are dropped. Of held-out pictures, those of `validated`.
        """
        hashes = encoder_hashes(pipe, self.base)

        def part(name: str, *more: str) -> TrainingData:
            pictures, texts = getattr(self.dataset, name), [*self.captions[name], *([text] for text in more)]
            if name == "held_out":
                pictures, texts = validated(pictures), validated(texts)
            return encode(self.family, pipe, self.base, pictures, texts, device, self.settings, hashes)

        return dataclasses.replace(
            part("train", self.settings.trigger),
            prior=part("prior") if self.dataset.prior else None,
            validation=part("held_out") if self.dataset.held_out else None,
        )

    def _sampler(
        self, pipe: DiffusionPipeline, embeddings: dict[str, Tensor], folder: Path, machine: Accelerator
    ) -> Callable[[int], None]:
        """Return a function that draws the sample prompts and keeps the pictures, and the adapter where that
        is wanted, given the step.
        """

        def draw(step: int) -> None:
            if machine.is_main_process or distributed.is_sharded(
                machine
            ):  # a sharded model draws in all of them
                images = samples.draw_samples(self.family, pipe, self.base, embeddings)
                if machine.is_main_process:
                    samples.save_samples(images, folder / "samples", step)
            if machine.is_main_process and self.settings.keep_adapters and 0 < step < self.settings.steps:
                save_weights(pipe, self.family.DENOISER, folder / STEPS / f"{step:06d}")

        return draw

    def _attach(self, pipe: DiffusionPipeline, machine: Accelerator) -> nn.Module:
        """Return the denoiser with a new adapter on it, prepared as the settings say.

        Raises ValueError for a rank that no layer has.
        """
        settings, denoiser = self.settings, families.denoiser(self.family, pipe)
        highest = lora.highest_rank(denoiser, self.family.TARGET_MODULES)
        if settings.rank > highest:
            raise ValueError(
                f"rank is {settings.rank}, and no layer of {self.base.name} can change by more than rank "
                f"{highest}; expected at most that, and 4 to 64 are usual"
            )
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

    @cached_property
    def fingerprint(self) -> str:
        """A hash of all that decides what is learned; see fingerprints.py."""
        return self.fingerprint_at(self.settings.steps)

    def fingerprint_at(self, steps: int) -> str:
        """Return the fingerprint that this training would have with another number of steps."""
        settings, targets = dataclasses.replace(self.settings, steps=steps), self.family.TARGET_MODULES
        return fingerprints.fingerprint(self.base, settings, targets, self.dataset, self.captions)

    @property
    def wanted(self) -> existing.Wanted:
        """What is looked for in the folder of a run before it is trained."""
        return existing.Wanted(self.settings, self.fingerprint_at)

    def _save(
        self, pipe: DiffusionPipeline, folder: Path, out: Path, ending: Ending, resumed_from: int,
        compiling: str,
    ) -> None:  # fmt: skip
        """Write the adapter, the settings, the file for other programs and the card of a run that goes to
        `out`.

        Raises OSError when there is no room.
        """
        parts = {name: getattr(self.dataset, name) for name in ("train", "held_out", "prior")}
        dataset = {name: to_records(part, out) for name, part in parts.items()}
        run = Run(
            folder, self.settings, ending.outcome, dataset, resumed_from, ending.step, ending.reason,
            ending.unseen, self.fingerprint, ending.earlier_schedules, bases.weights_id(self.base),
            compiling,
        )  # fmt: skip
        try:
            save_weights(pipe, self.family.DENOISER, folder)
            run.save()
            export.write_comfyui(folder, self.settings.name)
            card = model_card.readme(self.settings, self.dataset.train, self.base, run.samples)
            (folder / CARD).write_text(card, encoding="utf-8")
        except (OSError, SafetensorError) as problem:
            reason = getattr(problem, "strerror", None) or problem
            raise OSError(
                f"the adapter cannot be written to {folder} ({reason}); free some space. "
                f"{existing.kept_line(out, self.settings)}"
            ) from problem


def _training_device(pipe: DiffusionPipeline, machine: Accelerator) -> torch.device:
    return machine.device if distributed.is_sharded(machine) else pipe.device
