"""The encoded training set, and the batches that are drawn from it."""

from __future__ import annotations

import gc
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import torch
from diffusers import DiffusionPipeline
from torch import Tensor

from lessons_lib import origins, storage
from lessons_lib.dataset import crops
from lessons_lib.dataset.pictures import Picture
from lessons_lib.models import families
from lessons_lib.models.bases import Base
from lessons_lib.models.families import Family
from lessons_lib.models.pixels import to_pixels
from lessons_lib.training import latent_cache
from lessons_lib.training.latent_cache import CachedTensors
from lessons_lib.training.order import Order, ShuffledRounds, WithReplacement


@dataclass(frozen=True)
class TrainingData:
    """A training set as the denoiser sees it: latents (pictures, ...), and the embeddings of each caption.

    The training part has a caption behind those of its pictures: the trigger word, used when a caption is
    dropped. `caption_counts`: how many captions each picture has, one after the other; empty where each has
    one. `weights`: how often each picture is drawn compared to the others; empty where they are equal.
    All of it may lie on disk; a batch is on `device`, where the model is. `prior`: pictures of the class
    without the trigger, for prior preservation (Ruiz et al. 2022, arXiv 2208.12242). `validation`:
    held-out pictures, never learned from.
    """

    latents: Tensor | CachedTensors
    embeddings: Mapping[str, Tensor | CachedTensors]
    device: torch.device | str = "cpu"
    caption_counts: tuple[int, ...] = ()
    weights: tuple[Fraction, ...] = ()
    prior: TrainingData | None = None
    validation: TrainingData | None = None

    def order(self, is_shuffled: bool = True) -> Order:
        """Return a new order of the pictures: shuffled rounds, or with replacement."""
        count = len(self.latents)
        weights = self.weights or (Fraction(1),) * count
        return ShuffledRounds(weights) if is_shuffled else WithReplacement(count)

    def batch(
        self, size: int, dropout: float, generator: torch.Generator, order: Order | None = None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Return latents and embeddings of the next `size` pictures of an order, or else of a new one.

        Of several captions of a picture one is taken at random. A dropped caption is the trigger word alone.
        """
        pictures = (order or self.order()).next_batch(size, generator)
        captions, trigger = pictures, len(self.latents)
        if max(self.caption_counts, default=1) > 1:
            counts = torch.tensor(self.caption_counts)
            first, trigger = counts.cumsum(0) - counts, int(counts.sum())
            choices = (torch.rand(size, generator=generator) * counts[pictures]).long()
            captions = first[pictures] + choices
        is_dropped = torch.rand(size, generator=generator) < dropout
        return self.rows(pictures, torch.where(is_dropped, trigger, captions))

    def rows(self, pictures: Tensor, captions: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the latents of some pictures with the embeddings of some captions, both by index."""
        embeddings = {name: value[captions].to(self.device) for name, value in self.embeddings.items()}
        return self.latents[pictures].to(self.device), embeddings


def encode(
    family: Family,
    pipe: DiffusionPipeline,
    base: Base,
    pictures: Sequence[Picture],
    captions: Sequence[str | Sequence[str]],
    device: torch.device | None = None,
) -> TrainingData:
    """Return pictures and captions encoded; their batches are put on `device`, or else on the pipeline's.

    `captions`: one a picture, or a list of several, and the trigger word behind them.
    Pictures are cut to squares, by the box in their table's column `crop` or at the centre.
    One is in memory at a time; what is encoded lies on disk, so that a second run encodes nothing.
    """
    squares = (crops.crop_square(picture, base.side, "hand") for picture in pictures)
    latents = latent_cache.encode_images(
        storage.cache_dir() / "latents",
        squares,
        {"base": base.name, "vae": latent_cache.fingerprint(pipe.vae)},
        lambda square: family.encode_images(pipe, to_pixels([square], base.side))[0],
    )
    of_pictures = [[texts] if isinstance(texts, str) else texts for texts in captions]
    encoders = [latent_cache.fingerprint(getattr(pipe, n)) for n in base.text_encoders]
    embeddings = latent_cache.encode_captions(
        storage.cache_dir() / "embeddings",
        [text for texts in of_pictures for text in texts],
        {
            "base": base.name,
            "encoders": encoders,
            "tokens": base.caption_tokens,
            "version": families.EMBEDDINGS_VERSION,
        },
        lambda caption: {n: v[0] for n, v in family.encode_captions(pipe, [caption], base).items()},
    )
    _record_origins(pictures, of_pictures, latents, embeddings)
    counts = tuple(len(texts) for texts in of_pictures[: len(pictures)])
    weights = tuple(picture.weight for picture in pictures)
    return TrainingData(latents, embeddings, device or pipe.device, counts, weights)


def _record_origins(
    pictures: Sequence[Picture],
    captions: Sequence[Sequence[str]],
    latents: CachedTensors,
    embeddings: Mapping[str, CachedTensors],
) -> None:
    """Note which cached files came from which picture; the trigger word alone came from none."""
    of_captions = [picture.path for picture, texts in zip(pictures, captions, strict=False) for _ in texts]
    pairs = [*zip((picture.path for picture in pictures), latents.files, strict=True)]
    pairs += [pair for cached in embeddings.values() for pair in zip(of_captions, cached.files, strict=False)]
    origins.record(pairs)


def release_text_encoders(pipe: DiffusionPipeline, base: Base) -> None:
    """Delete the text encoders to free their memory; captions are encoded by then."""
    for name in base.text_encoders:
        setattr(pipe, name, None)
    gc.collect()  # modules refer to one another; the denoiser that is loaded next needs their memory
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
