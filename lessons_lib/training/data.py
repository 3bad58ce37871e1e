"""The encoded training set, and the batches that are drawn from it."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

import torch
from diffusers import DiffusionPipeline
from PIL.Image import Image
from torch import Tensor
from torch.nn import functional

from lessons_lib import origins, session, storage
from lessons_lib.adapters.settings import ResolvedSettings
from lessons_lib.dataset import crops
from lessons_lib.dataset.captions import all_training_captions, fill_placeholders
from lessons_lib.dataset.dataset import Dataset
from lessons_lib.dataset.pictures import Picture
from lessons_lib.models import families
from lessons_lib.models.bases import Base
from lessons_lib.models.families import Family
from lessons_lib.models.pixels import to_pixels
from lessons_lib.training import latent_cache
from lessons_lib.training.latent_cache import CachedTensors
from lessons_lib.training.order import Order, ShuffledRounds, WithReplacement

_STD = "std"  # beside the latents in their file: the VAE's standard deviation around each number
MOST_VALIDATED = 64  # held-out pictures, each at four noise levels: more take long and say no more


@dataclass(frozen=True)
class TrainingData:
    """A training set as the denoiser sees it: latents (pictures, ...), and the embeddings of each caption.

    The training part has a caption behind those of its pictures: the trigger word, used when a caption is
    dropped. `caption_counts`: how many captions each picture has, one after the other; empty where each has
    one. `weights`: how often each picture is drawn compared to the others; empty where they are equal.
    `buckets`: the size of each picture where a batch holds pictures of one size.
    `deviations`: the standard deviation of each picture's latents, where a batch is a sample of them.
    `time_ids`: (pictures, 6), see `crops.size_ids`. `loss_weights`: (1, rows, columns), of each place in the
    latents, by the index of the picture; other pictures count 1 everywhere.
    All of it may lie on disk; a batch is on `device`, where the model is. `prior`: pictures of the class
    without the trigger, for prior preservation (Ruiz et al. 2022, arXiv 2208.12242). `validation`:
    held-out pictures, never learned from.
    """

    latents: Tensor | CachedTensors
    embeddings: Mapping[str, Tensor | CachedTensors]
    device: torch.device | str = "cpu"
    caption_counts: tuple[int, ...] = ()
    weights: tuple[Fraction, ...] = ()
    buckets: tuple[crops.Bucket, ...] = ()
    deviations: CachedTensors | None = None
    time_ids: Tensor | None = None
    loss_weights: Mapping[int, Tensor] = field(default_factory=dict)
    prior: TrainingData | None = None
    validation: TrainingData | None = None

    def order(self, is_shuffled: bool = True) -> Order:
        """Return a new order of the pictures: shuffled rounds, or with replacement."""
        count = len(self.latents)
        weights = self.weights or (Fraction(1),) * count
        return ShuffledRounds(weights, self.buckets) if is_shuffled else WithReplacement(count)

    def batch(
        self, size: int, dropout: float, generator: torch.Generator, order: Order | None = None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Return latents and embeddings of the next `size` pictures of an order, or else of a new one.

        With buckets they may be fewer.
        Of several captions of a picture one is taken at random. A dropped caption is the trigger word alone.
        """
        pictures = (order or self.order()).next_batch(size, generator)
        captions, trigger = pictures, len(self.latents)
        if max(self.caption_counts, default=1) > 1:
            counts = torch.tensor(self.caption_counts)
            first, trigger = counts.cumsum(0) - counts, int(counts.sum())
            choices = (torch.rand(len(pictures), generator=generator) * counts[pictures]).long()
            captions = first[pictures] + choices
        is_dropped = torch.rand(len(pictures), generator=generator) < dropout
        latents, embeddings = self.rows(pictures, torch.where(is_dropped, trigger, captions))
        if self.deviations:
            deviations = self.deviations[pictures].to(latents)
            latents = latents + deviations * torch.randn(latents.shape, generator=generator).to(latents)
        return latents, embeddings

    def rows(self, pictures: Tensor, captions: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the latents of some pictures with the embeddings of some captions, both by index, and beside
        the embeddings what else the loss takes of each picture; see `Family.loss`.
        """
        latents = self.latents[pictures].to(self.device)
        embeddings = {name: value[captions].to(self.device) for name, value in self.embeddings.items()}
        if self.time_ids is not None:
            embeddings["time_ids"] = self.time_ids[pictures].to(self.device)
        if self.loss_weights:
            ones = torch.ones(1, *latents.shape[-2:])
            weights = [self.loss_weights.get(index, ones) for index in pictures.tolist()]
            embeddings["loss_weights"] = torch.stack(weights).to(self.device)
        return latents, embeddings


def captions_by_part(
    family: Family, base: Base, dataset: Dataset, settings: ResolvedSettings
) -> dict[str, list[list[str]]]:
    """Return the captions of each picture as they are taught, by the part of the dataset."""
    trigger, mode, limit = settings.trigger, settings.mode, base.caption_tokens
    tokenizer = family.load_tokenizer(base)
    every = {
        name: all_training_captions(getattr(dataset, name), trigger, mode, tokenizer, limit)
        for name in ("train", "held_out")
    }
    every["prior"] = [[fill_placeholders(c, "") for c in p.captions] for p in dataset.prior]
    singles = every if settings.caption_choice == "first" else ("held_out",)
    return every | {name: [texts[:1] for texts in every[name]] for name in singles}


def encode(
    family: Family,
    pipe: DiffusionPipeline,
    base: Base,
    pictures: Sequence[Picture],
    captions: Sequence[str | Sequence[str]],
    device: torch.device | None = None,
    settings: ResolvedSettings | None = None,
    hashes: Mapping[str, str] | None = None,
) -> TrainingData:
    """Return pictures and captions encoded; their batches are put on `device`, or else on the pipeline's.

    `captions`: one a picture, or a list of several, and the trigger word behind them.
    Pictures are cut by the box in their table's column `crop` or at the centre, to squares or, as `settings`
    say, to buckets. Without settings the latents are modes, and masks are not used.
    One is in memory at a time; what is encoded lies on disk, so that a second run encodes nothing.
    `hashes`: those of `encoder_hashes`, where they are known already.
    """
    hashes = hashes or encoder_hashes(pipe, base)
    in_buckets = settings is not None and settings.aspect_ratio_buckets == "on"
    is_sampled = settings is not None and settings.latents == "sample"
    latents = _encode_images(family, pipe, base, pictures, in_buckets, is_sampled, hashes)
    deviations = replace(latents, name=_STD) if is_sampled else None
    of_pictures = [[texts] if isinstance(texts, str) else texts for texts in captions]
    every = [text for texts in of_pictures for text in texts]
    embeddings = _encode_captions(family, pipe, base, every, hashes)
    _record_origins(pictures, of_pictures, latents, embeddings)
    counts = tuple(len(texts) for texts in of_pictures[: len(pictures)])
    weights = tuple(picture.weight for picture in pictures)
    data = TrainingData(latents, embeddings, device or pipe.device, counts, weights, deviations=deviations)
    if in_buckets:
        data = replace(data, buckets=tuple(crops.bucket_of(picture, base.side) for picture in pictures))
    if settings and settings.size_ids == "picture":
        ids = [crops.size_ids(picture, base.side, in_buckets) for picture in pictures]
        data = replace(data, time_ids=torch.tensor(ids, dtype=torch.float32))
    if settings and settings.unmasked_weight < 1:
        data = replace(data, loss_weights=_loss_weights(pictures, latents, base.side, in_buckets, settings))
    return data


def encoder_hashes(pipe: DiffusionPipeline, base: Base) -> dict[str, str]:
    """Return a hash of the weights of the VAE and of each text encoder, by the pipeline's components.

    It reads all of them: a text encoder of 9 GB takes many seconds.
    """
    return {name: latent_cache.weights_hash(getattr(pipe, name)) for name in ("vae", *base.text_encoders)}


def _encode_captions(
    family: Family, pipe: DiffusionPipeline, base: Base, captions: Sequence[str], hashes: Mapping[str, str]
) -> dict[str, CachedTensors]:
    """Return the embeddings of captions by name."""
    key = {
        "base": base.name,
        "encoders": [hashes[name] for name in base.text_encoders],
        "tokens": base.caption_tokens,
        "version": families.EMBEDDINGS_VERSION,
    }
    return latent_cache.encode_captions(
        storage.cache_dir() / "embeddings",
        captions,
        key,
        lambda caption: {n: v[0] for n, v in family.encode_captions(pipe, [caption], base).items()},
    )


def _encode_images(
    family: Family,
    pipe: DiffusionPipeline,
    base: Base,
    pictures: Sequence[Picture],
    in_buckets: bool,
    is_sampled: bool,
    hashes: Mapping[str, str],
) -> CachedTensors:
    """Return the latents of pictures; where they are to be sampled, their files hold `_STD` as well."""

    def encode_image(image: Image) -> dict[str, Tensor]:
        mode, std = family.latent_distribution(pipe, to_pixels([image]))
        return {"latents": mode[0]} | ({_STD: std[0]} if is_sampled else {})

    # Files of latents alone keep the name that earlier versions gave them, and are read again.
    key: dict[str, Any] = {"base": base.name, "vae": hashes["vae"]} | ({"with": _STD} if is_sampled else {})
    images = (crops.crop_for_training(picture, base.side, in_buckets) for picture in pictures)
    return latent_cache.encode_images(storage.cache_dir() / "latents", images, key, encode_image)


def _loss_weights(
    pictures: Sequence[Picture],
    latents: CachedTensors,
    side: int,
    in_buckets: bool,
    settings: ResolvedSettings,
) -> dict[int, Tensor]:
    """Return the weight of the loss at each place in the latents, (1, rows, columns), of each picture with a
    mask, by its index.

    Scaled to latents as kohya's ``apply_masked_loss``, clamped and normalised as OneTrainer's
    ``masked_losses``.
    """
    result = {}
    for index in (index for index, picture in enumerate(pictures) if picture.mask):
        image = crops.crop_for_training(crops.mask_of(pictures[index]), side, in_buckets)
        mask = (to_pixels([image])[:, :1] + 1) / 2  # (1, 1, height, width), 0 ... 1
        size = latents[torch.tensor([index])].shape[-2:]
        weights = functional.interpolate(mask, size=size, mode="area").clamp(settings.unmasked_weight, 1)
        if settings.normalize_masked_area_loss:
            weights = weights / weights.mean().clamp_min(1e-6)
        result[index] = weights[0]
    return result


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
    for failure in origins.record(pairs):
        warnings.warn(failure, stacklevel=2)


def validated(held_out: Sequence[Any]) -> list[Any]:
    """Return the held-out pictures that the loss is measured on, MOST_VALIDATED at most, evenly chosen."""
    return list(held_out[:: max(1, -(-len(held_out) // MOST_VALIDATED))])


def release_text_encoders(pipe: DiffusionPipeline, base: Base) -> None:
    """Delete the text encoders to free their memory; captions are encoded by then."""
    for name in base.text_encoders:
        setattr(pipe, name, None)
    session.release_memory()  # the denoiser that is loaded next needs it
