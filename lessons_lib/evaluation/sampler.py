"""Sampling: the same prompt and seed give the same noise with every adapter,
so that only the adapter makes a difference.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path

import torch
from diffusers import DiffusionPipeline
from PIL.Image import Image
from safetensors import SafetensorError
from torch import Tensor

from lessons_lib.adapters import fit, kinds
from lessons_lib.adapters.info import read_adapter
from lessons_lib.models import bases, families
from lessons_lib.models.bases import Base
from lessons_lib.session import Session, current, quiet


class Sampler:
    """A loaded base model that makes pictures, with or without an adapter."""

    def __init__(self, base: Base | str, session: Session | None = None):
        self.base = bases.find(base) if isinstance(base, str) else base
        self.family = families.find(self.base.family)
        self.pipe = self.family.load(self.base, session or current())
        self.adapter: str | None = None

    def load(self, run: Path, name: str = "learned") -> None:
        """Load a run's adapter, in place of another.

        Raises FileNotFoundError when the folder holds none, ValueError when it is damaged, not whole, of
        another program or of another base, as a whole or in some of its layers.
        """
        path = kinds.adapter_file(Path(run))
        tensors, _ = read_adapter(run)
        denoiser = families.denoiser(self.family, self.pipe)
        shapes = fit.linear_shapes(denoiser, self.family.DENOISER)
        if misfit := fit.misfit(tensors, shapes, self.base):
            raise ValueError(f"{path} does not fit {self.base.name}: {misfit}")
        self.unload()
        try:
            with quiet(), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                self.pipe.load_lora_weights(str(path.parent), weight_name=path.name, adapter_name=name)
        except (ValueError, RuntimeError, OSError, SafetensorError) as problem:
            self.pipe.unload_lora_weights()
            raise ValueError(
                f"{path} does not fit {self.base.name}: it is damaged or was made for another base model"
            ) from problem
        attached = sum(name in getattr(module, "lora_A", ()) for module in denoiser.modules())
        if attached != len(layers := fit.adapter_layers(tensors)):
            self.pipe.unload_lora_weights()
            raise ValueError(
                f"{path} does not fit {self.base.name}: {attached} of {len(layers)} layers took it"
            )
        self.adapter = name

    def unload(self) -> None:
        """Remove the adapter; the base then gives bit for bit the same pictures as before."""
        if self.adapter:
            self.pipe.unload_lora_weights()
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
        What is None is the base model's own.
        """
        strength = self.base.strength if strength is None else strength
        if self.adapter and strength:
            self.pipe.enable_lora()
            self.pipe.set_adapters(self.adapter, strength)
        elif self.adapter:
            self.pipe.disable_lora()
        arguments = self.family.pipeline_arguments(self.base, steps, guidance)
        with quiet():
            return [[self._sample_one(prompt, seed, arguments) for seed in seeds] for prompt in prompts]

    def _sample_one(self, prompt: str, seed: int, arguments: dict) -> Image:
        """Return one picture.

        It is made alone and its noise on the CPU, so that the rest of a batch cannot change it.
        """
        noise = torch.Generator().manual_seed(seed)
        return self.pipe(prompt=prompt, generator=noise, **arguments).images[0]

    def sample_steps(self, prompt: str, seed: int, steps: int | None = None) -> list[Image]:
        """Return the noise that sampling starts from and the picture after each step.

        The last is that of `sample`.
        """
        latents: list[Tensor] = []

        def record(pipe: DiffusionPipeline, step: int, time: Tensor, values: dict) -> dict:
            latents.append(values["latents"])
            return values

        arguments = self.family.pipeline_arguments(self.base, steps, None) | {
            "callback_on_step_end": record,
            "output_type": "latent",
        }
        with quiet():
            self.pipe(prompt=prompt, generator=torch.Generator().manual_seed(seed), **arguments)
        noise = torch.randn(
            self.family.latent_shape(self.pipe, self.base), generator=torch.Generator().manual_seed(seed)
        )
        return [self.family.decode_latents(self.pipe, z)[0] for z in (noise, *latents)]

    @torch.no_grad()
    def predict_original(
        self, noisy_latents: Tensor, sigma: float, prompt: str, guidance: float = 1.0
    ) -> Tensor:
        """Return the base's prediction of the clean latents, (n, channels, rows, columns);
        diffusers' ``pred_original_sample``.

        The model predicts a velocity, noise minus clean latents; the result is noisy latents minus sigma
        times velocity.
        """
        embeddings = self.family.encode_captions(self.pipe, [prompt] * len(noisy_latents), self.base)
        sigmas = torch.full((len(noisy_latents),), sigma)
        return self.family.predict_original(self.pipe, noisy_latents, sigmas, embeddings, guidance)
