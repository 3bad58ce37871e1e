"""Draw pictures that differ only where asked: the same prompt and seed give the same noise, whatever the adapter."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from diffusers import DiffusionPipeline
from PIL.Image import Image
from safetensors import SafetensorError
from torch import Tensor

from lessons_lib.adapters.run import WEIGHTS
from lessons_lib.models import bases, families
from lessons_lib.models.bases import Base
from lessons_lib.session import Session, current, quiet


class Sampler:
    """One base model kept ready, with or without an adapter."""

    def __init__(self, base: Base | str, session: Session | None = None):
        self.base = bases.find(base) if isinstance(base, str) else base
        self.family = families.find(self.base.family)
        self.pipe = self.family.load(self.base, session or current())
        self.adapter: str | None = None

    def load(self, run: Path, name: str = "learned") -> None:
        """Put a run's adapter on, in place of another.

        Raises FileNotFoundError when the folder holds none, ValueError when it is damaged or of another base.
        """
        weights = Path(run) / WEIGHTS
        if not weights.exists():
            raise FileNotFoundError(
                f"no adapter in {run}: expected {weights.name}; train one, or name another folder"
            )
        self.unload()
        try:
            with quiet():
                self.pipe.load_lora_weights(str(run), weight_name=weights.name, adapter_name=name)
        except (ValueError, RuntimeError, OSError, SafetensorError) as problem:
            self.pipe.unload_lora_weights()
            raise ValueError(
                f"{weights} does not fit {self.base.name}: it is damaged or was made for another base model"
            ) from problem
        self.adapter = name

    def unload(self) -> None:
        """Take the adapter off; the base is then bit for bit what it was."""
        if self.adapter:
            self.pipe.unload_lora_weights()
        self.adapter = None

    def draw(self, prompts: Sequence[str], seeds: Sequence[int], strength: float | None = None, steps: int | None = None,
             guidance: float | None = None) -> list[list[Image]]:  # fmt: skip
        """Return pictures, a row a prompt and a column a seed. Strength 0 is the base, exactly; 1 is as trained.

        Where nothing is said it is the base model's own.
        """
        strength = self.base.strength if strength is None else strength
        if self.adapter and strength:
            self.pipe.enable_lora()
            self.pipe.set_adapters(self.adapter, strength)
        elif self.adapter:
            self.pipe.disable_lora()
        call = self.family.call(self.base, steps, guidance)
        with quiet():
            return [[self.one(prompt, seed, call) for seed in seeds] for prompt in prompts]

    def one(self, prompt: str, seed: int, call: dict) -> Image:
        """Return one picture; drawn alone and its noise made on the CPU, so that it never depends on its company."""
        noise = torch.Generator().manual_seed(seed)
        return self.pipe(prompt=prompt, generator=noise, **call).images[0]

    def forming(self, prompt: str, seed: int, steps: int | None = None) -> list[Image]:
        """Return the noise a picture starts from and the picture after each step, the last as `draw` gives it."""
        seen = []

        def keep(pipe: DiffusionPipeline, step: int, time: Tensor, now: dict) -> dict:
            seen.append(now["latents"])
            return now

        call = self.family.call(self.base, steps, None) | {
            "callback_on_step_end": keep,
            "output_type": "latent",
        }
        with quiet():
            self.pipe(prompt=prompt, generator=torch.Generator().manual_seed(seed), **call)
        noise = torch.randn(
            self.family.noise_shape(self.pipe, self.base), generator=torch.Generator().manual_seed(seed)
        )
        return [self.family.decode(self.pipe, z)[0] for z in (noise, *seen)]

    @torch.no_grad()
    def guess(self, noisy: Tensor, sigma: float, prompt: str, guidance: float = 1.0) -> Tensor:
        """Return the latents that the base believes to be under the noise, (n, channels, rows, columns).

        Its loss is measured against noise minus picture, so the guess is the noisy latents less sigma times that.
        """
        words = self.family.encode_captions(self.pipe, [prompt] * len(noisy), self.base)
        return self.family.guess(self.pipe, noisy, torch.full((len(noisy),), sigma), words, guidance)
