"""What every stage of the rented run is fed with: composed and encoded scenes without end, and its time."""

from __future__ import annotations

import pickle
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing import get_context

import torch
from diffusers import AutoencoderKL, FluxPipeline
from torch import Tensor, nn

from pocket.captions import Tokens, shortened, token_ids
from pocket.composer import Composer
from pocket.networks import CODE
from pocket.painting import Scenes
from pocket.training import autocast
from pocket.wording import Mix

HELD_OUT_SEED = 1 << 40  # scenes from here on are measured by and never trained on
KEPT = 64  # batches that can come again


@dataclass
class Batch:
    packed: Tensor  # (n, TOKENS, CHANNELS)
    t5_ids: Tensor
    clip_ids: Tensor


class Encoder:
    """The fixed VAE: pictures to packed latents of mean 0 and spread 1, and back."""

    def __init__(self, vae: AutoencoderKL, device: torch.device) -> None:
        self.vae = vae.to(device).eval().requires_grad_(False)
        self.vae.encoder = self.vae.encoder.to(memory_format=torch.channels_last)
        self.device = device

    @torch.no_grad()
    def encode(self, pictures: Tensor) -> Tensor:
        """Return (n, TOKENS, CHANNELS) of (n, 3, 128, 128), 0 to 1."""
        with autocast(self.device):
            z = self.vae.encode(
                (pictures * 2 - 1).contiguous(memory_format=torch.channels_last)
            ).latent_dist.mean
        z = (z.float() - self.vae.config.shift_factor) * self.vae.config.scaling_factor
        return FluxPipeline._pack_latents(z, *z.shape)

    @torch.no_grad()
    def decode(self, packed: Tensor) -> Tensor:
        z = FluxPipeline._unpack_latents(packed, 128, 128, 8)
        return (
            self.vae.decode(z / self.vae.config.scaling_factor + self.vae.config.shift_factor).sample / 2
            + 0.5
        ).clamp(0, 1)


class Feed:
    """Batches without end. Scenes are drawn ahead, in an order that depends on nothing but the seed: by
    threads, or for a GPU by processes, since threads would hold up the one that starts its kernels.

    A batch costs a GPU as long to paint and encode as to learn from: after each, `replays` of the last come
    again.
    """

    def __init__(
        self,
        composer: Composer,
        encoder: Encoder,
        tokens: Tokens,
        batch: int,
        seed: int,
        workers: int,
        replays: int = 0,
    ) -> None:
        self.composer, self.encoder, self.batch = composer, encoder, batch
        self.tokens = tokens.to(composer.device)
        self.seed, self.mix, self.replays = seed, Mix(), replays
        self.waited = 0.0  # s
        self._kept = deque[Batch](maxlen=KEPT)
        self._workers = workers
        self._ahead = deque[Future[Scenes | bytes]]()
        self._pool: Executor
        if composer.device.type == "cuda":
            own = (composer.without_drawings(), tokens)
            self._pool = ProcessPoolExecutor(workers, get_context("spawn"), _begin, own)
            self._draw: Callable[..., Scenes | bytes] = _drawn_apart
            # A process takes ten seconds to start, and who asks for it waits: begun beside what comes before.
            threading.Thread(target=self._start_processes, daemon=True).start()
        else:
            self._pool = ThreadPoolExecutor(workers)
            self._draw = partial(_drawn, composer, self.tokens)

    def _start_processes(self) -> None:
        for _ in range(self._workers):
            self._pool.submit(time.sleep, 1.0)

    def short(self, scenes: Scenes) -> Scenes:
        """Return scenes whose captions T5 need not cut."""
        return replace(scenes, rows=shortened(scenes.rows, self.tokens))

    def __iter__(self) -> Iterator[Batch]:
        while True:
            while len(self._ahead) < 2 * self._workers:
                self._ahead.append(self._pool.submit(self._draw, self.batch, self.seed, self.mix))
                self.seed += 1
            start = time.monotonic()
            scenes = self._ahead.popleft().result()
            self.waited += time.monotonic() - start
            batch = self.encoded(pickle.loads(scenes) if isinstance(scenes, bytes) else scenes)
            yield batch
            if self.replays:
                again = random.Random(self.seed)
                self._kept.append(batch)
                yield from again.choices(self._kept, k=self.replays)

    def example(self, number: int) -> Batch:
        """Return one of the batches by which a run takes the measure of its latents."""
        return self.encoded(self.composer.scenes(self.batch, HELD_OUT_SEED // 8 + number))

    def encoded(self, scenes: Scenes) -> Batch:
        return Batch(self.encoder.encode(self.composer.paint(scenes)), *token_ids(scenes.rows, self.tokens))

    def close(self) -> None:
        self._pool.shutdown(cancel_futures=True)


def _drawn(composer: Composer, tokens: Tokens, count: int, seed: int, mix: Mix) -> Scenes:
    scenes = composer.scenes(count, seed, mix)
    return replace(scenes, rows=shortened(scenes.rows, tokens))


_OWN: list[tuple[Composer, Tokens]] = []  # of a process that draws


def _begin(composer: Composer, tokens: Tokens) -> None:
    torch.set_num_threads(1)
    _OWN[:] = [(composer, tokens)]


def _drawn_apart(count: int, seed: int, mix: Mix) -> bytes:
    """Return the scenes as plain bytes: tensors themselves would each be sent through a file of its own."""
    return pickle.dumps(_drawn(*_OWN[0], count, seed, mix))


class Codes:
    """The strongest principal components of some composed pictures' latents: what CLIP's encoder predicts."""

    def __init__(self, mean: Tensor, directions: Tensor, spread: Tensor) -> None:
        self.mean, self.directions, self.spread = mean, directions, spread

    @classmethod
    @torch.no_grad()
    def of(cls, packed: Tensor) -> Codes:
        flat = packed.flatten(1)
        mean = flat.mean(0)
        count = min(CODE, len(flat) - 1)
        with torch.random.fork_rng(devices=[flat.device] if flat.is_cuda else []):
            torch.manual_seed(0)
            _, _, directions = torch.svd_lowrank(flat - mean, q=count, niter=2)
        directions = nn.functional.pad(directions, (0, CODE - count))
        return cls(
            mean, directions, ((flat - mean) @ directions).square().mean().sqrt() * (CODE / count) ** 0.5
        )

    def __call__(self, packed: Tensor) -> Tensor:
        return (packed.flatten(1) - self.mean) @ self.directions / self.spread


def noisy(packed: Tensor, centre: float) -> tuple[Tensor, Tensor, Tensor]:
    """Return noisy latents, sigma and target. What a picture shows is decided at high sigma, where only the
    caption tells.
    """
    noise = torch.randn_like(packed)
    sigma = torch.sigmoid(centre + 1.2 * torch.randn(len(packed), device=packed.device))
    return torch.lerp(packed, noise, sigma[:, None, None]), sigma, noise - packed
