"""Sampling: the same prompt and seed give the same noise with every adapter,
so that only the adapter makes a difference.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

import torch
from diffusers import DiffusionPipeline
from PIL.Image import Image
from torch import Tensor, nn

from lessons_lib.adapters import loading
from lessons_lib.adapters.files import Adapter, read
from lessons_lib.models import bases, families
from lessons_lib.models.bases import Base
from lessons_lib.models.pixels import to_pixels
from lessons_lib.session import Session, current, explain_out_of_memory, quiet
from lessons_lib.training import capacity


class Sampler:
    """A loaded base model that makes pictures, with or without an adapter."""

    def __init__(self, base: Base | str, session: Session | None = None):
        self.session = session or current()
        base = bases.find(base) if isinstance(base, str) else base
        self.base = capacity.adapted_for_drawing(base, self.session)
        self.family = families.find(self.base.family)
        with self._explain_out_of_memory():
            self.pipe = self.family.load(self.base, self.session)
        self.adapter: str | None = None

    @property
    def denoiser(self) -> nn.Module:
        """The part of the pipeline that training changes."""
        return families.denoiser(self.family, self.pipe)

    def preview(self) -> Sampler:
        """Return a sampler of the base's distilled form, which needs few steps, or this one where there is
        none. Its pictures have the same size, and its weights are packed alike.
        """
        if not self.base.distilled:
            return self
        base = replace(bases.find(self.base.distilled), side=self.base.side, quantize=self.base.quantize)
        return Sampler(base, self.session)

    def load(self, run: Path | Adapter, name: str = "tuned") -> None:
        """Load an adapter in place of another: a run's, one in a file of another trainer, or one in memory.

        Raises FileNotFoundError when the folder holds none, ValueError in one line when it is damaged, not
        whole, no LoRA or of another base, as a whole or in some of its layers; what was loaded then stays.
        Where PEFT refuses it, a ValueError, or memory is full, a MemoryError, an adapter of the same name is
        gone.
        """
        adapter = run if isinstance(run, Adapter) else read(Path(run))
        try:
            loading.load(self.pipe, self.base, adapter, name)
        except (ValueError, MemoryError):
            if self.adapter not in loading.adapter_names(self.pipe):
                self.adapter = None
            raise
        if self.adapter and self.adapter != name:
            loading.unload(self.pipe, self.adapter)
        self.adapter = name

    def unload(self) -> None:
        """Remove the adapter; the base then gives bit for bit the same pictures as before."""
        if self.adapter:
            loading.unload(self.pipe, self.adapter)
        self.adapter = None

    def sample(
        self,
        prompts: Sequence[str],
        seeds: Sequence[int],
        strength: float | None = None,
        steps: int | None = None,
        guidance: float | None = None,
    ) -> list[list[Image]]:
        """Return samples, a row a prompt and a column a seed.

        Strength 0 is the base, exactly; 1 is as trained.
        What is None is the base model's own. Raises MemoryError when the pictures do not fit into memory.
        """
        self.set_strength(strength)
        arguments = self.family.pipeline_arguments(self.base, steps, guidance)
        with quiet(), self._explain_out_of_memory():
            return [[self._sample_one(prompt, seed, arguments) for seed in seeds] for prompt in prompts]

    def set_strength(self, strength: float | None = None) -> None:
        """Let the adapter, where there is one, draw at a strength; None is the base model's own."""
        strength = self.base.strength if strength is None else strength
        if self.adapter and strength:
            self.pipe.enable_lora()
            self.pipe.set_adapters(self.adapter, strength)
        elif self.adapter:
            self.pipe.disable_lora()

    def _explain_out_of_memory(self) -> AbstractContextManager[None]:
        return explain_out_of_memory(self.session.out_of_memory_message(self.base.name))

    def _sample_one(self, prompt: str, seed: int, arguments: dict) -> Image:
        """Return one picture.

        It is made alone and its noise on the CPU, so that the rest of a batch cannot change it.
        """
        noise = torch.Generator().manual_seed(seed)
        return self.pipe(prompt=prompt, generator=noise, **arguments).images[0]

    def sample_steps(self, prompt: str, seed: int, steps: int | None = None) -> list[Image]:
        """Return the noise that sampling starts from and the picture after each step, at the base model's own
        strength.

        The last is that of `sample`. Raises MemoryError when the pictures do not fit into memory.
        """
        latents: list[Tensor] = []

        def record(pipe: DiffusionPipeline, step: int, time: Tensor, values: dict) -> dict:
            latents.append(values["latents"])
            return values

        arguments = self.family.pipeline_arguments(self.base, steps, None) | {
            "callback_on_step_end": record,
            "output_type": "latent",
        }
        self.set_strength()
        with quiet(), self._explain_out_of_memory():
            self.pipe(prompt=prompt, generator=torch.Generator().manual_seed(seed), **arguments)
        noise = torch.randn(
            self.family.latent_shape(self.pipe, self.base), generator=torch.Generator().manual_seed(seed)
        )
        return [self.family.decode_latents(self.pipe, z)[0] for z in (noise, *latents)]

    def through_vae(self, images: Sequence[Image]) -> list[Image]:
        """Return pictures encoded by the base's VAE and decoded again: the best that an adapter could reach.

        They come at the base's size.
        """
        latents = self.family.encode_images(self.pipe, to_pixels(images, self.base.side))
        return self.family.decode_latents(self.pipe, latents)

    @torch.no_grad()
    def predict_original(
        self, noisy_latents: Tensor, sigma: float, prompt: str, guidance: float = 1.0
    ) -> Tensor:
        """Return the base's prediction of the clean latents, (n, channels, rows, columns);
        diffusers' ``pred_original_sample``.

        Most families predict a velocity, noise minus clean latents: the result is noisy latents minus sigma
        times velocity. See `Family.predict_original`. The adapter is at the strength that was last set.
        Noisy latents may be on any device and in any precision; the result is on the base's.
        """
        embeddings = self.family.encode_captions(self.pipe, [prompt] * len(noisy_latents), self.base)
        noisy_latents = noisy_latents.to(embeddings["prompt_embeds"])
        sigmas = torch.full((len(noisy_latents),), sigma, device=noisy_latents.device)
        return self.family.predict_original(self.pipe, noisy_latents, sigmas, embeddings, guidance)
