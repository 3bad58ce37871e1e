"""The stages of the rented run: text encoders, transformer, guidance, four steps, decoder. Each ends when
its time does.

The pictures of every step are composed and encoded on the device as they are needed, and never seen again.
"""

from __future__ import annotations

import copy
import json
from dataclasses import replace

import numpy as np
import torch
from diffusers import FlowMatchEulerDiscreteScheduler
from diffusers.pipelines.flux.pipeline_flux import calculate_shift
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict
from torch import Tensor, nn

from pocket.captions import token_ids
from pocket.feed import HELD_OUT_SEED, Codes, Encoder, Feed, noisy
from pocket.muon import optimizers, set_rates
from pocket.networks import FLOW_MATRICES, Joint
from pocket.options import Settings
from pocket.painting import Scenes
from pocket.timing import Timer
from pocket.training import Average, apply_gradients, autocast

GUIDANCE = 3.5
SCALES = (1.0, 6.0)  # guidance_scale is drawn from here
LORA_TARGETS = tuple(
    f"attn.{layer}"
    for layer in ("to_q", "to_k", "to_v", "to_out.0", "add_q_proj", "add_k_proj", "add_v_proj", "to_add_out")
) + ("ff.net.0.proj", "ff.net.2", "ff_context.net.0.proj", "ff_context.net.2", "proj_mlp", "proj_out")


def train_text(
    model: Joint, average: Average, feed: Feed, codes: Codes, timer: Timer, settings: Settings
) -> None:
    """The encoders alone learn to predict the picture of a caption: the cheapest place to learn what words
    look like.
    """
    opts = model.text_optimizers(settings.text_peak)
    feed.mix = settings.mix
    for batch in feed:
        if timer.share() >= 1:
            return
        set_rates(opts, min(1, (timer.step + 1) / 50, 1.5 * (1.01 - timer.share())))
        with autocast(feed.encoder.device):
            embeddings = model.encode(batch.t5_ids, batch.clip_ids)
        loss = model.forecast_loss(embeddings, batch.packed, codes(batch.packed))
        loss.sum().backward()
        nn.utils.clip_grad_norm_([*model.clip.parameters(), *model.t5.parameters()], 1.0)
        apply_gradients(opts)
        average.update(model, timer.step + 1)
        timer.done(len(batch.packed), squares=loss[0].detach(), code=loss[1].detach())


def train_flow(
    model: Joint, average: Average, feed: Feed, codes: Codes, timer: Timer, settings: Settings
) -> None:
    """The transformer learns by flow matching, the encoders with it; the rate falls, and captions become
    short at the end.
    """
    opts = model.optimizers(settings.peak, settings.text_share)
    feed.mix = settings.mix
    texts = [*model.clip.parameters(), *model.t5.parameters()]
    for batch in feed:
        share = timer.share()
        if share >= 1:
            return
        set_rates(opts, min(1, (timer.step + 1) / 100, (1.001 - share) / (1 - settings.end_share)))
        feed.mix = settings.mix.later() if share > settings.short_from else settings.mix
        x, sigma, target = noisy(batch.packed, settings.centre)
        with autocast(feed.encoder.device):
            embeddings = model.encode(batch.t5_ids, batch.clip_ids)
            velocity = model.velocity(x, sigma, torch.ones_like(sigma), embeddings).float()
        flow = (velocity - target).square().mean()
        loss = (
            flow
            + settings.heads_weight * model.forecast_loss(embeddings, batch.packed, codes(batch.packed)).sum()
        )
        if settings.contrast:
            loss = loss - settings.contrast * (velocity - target.roll(1, 0)).square().mean()
        loss.backward()
        nn.utils.clip_grad_norm_(texts, 1.0)
        apply_gradients(opts)
        average.update(model, timer.step + 1)
        timer.done(len(batch.packed), flow=flow.detach())


def train_guidance(
    model: Joint, average: Average, feed: Feed, timer: Timer, settings: Settings, empty: tuple[Tensor, Tensor]
) -> nn.Module:
    """Guidance is distilled as in FLUX.1-dev; return the teacher, which is the transformer as it was."""
    teacher = copy.deepcopy(model.flow).requires_grad_(False)
    own = list(model.flow.parameters())
    opts = optimizers(
        model.flow,
        FLOW_MATRICES,
        settings.guidance_peak,
        0.05 * settings.guidance_peak,
    )
    feed.mix = replace(settings.mix, empty=0.0).later()
    with torch.no_grad(), autocast(feed.encoder.device), torch.compiler.set_stance("force_eager"):
        unsaid = model.encode(*empty)
    for batch in feed:
        if timer.share() >= 1:
            return teacher
        set_rates(opts, min(1, (timer.step + 1) / 30, 1.02 - timer.share()))
        x, sigma, _ = noisy(batch.packed, settings.centre - 0.3)
        scale = SCALES[0] + (SCALES[1] - SCALES[0]) * torch.rand_like(sigma)
        with autocast(feed.encoder.device):
            with torch.no_grad(), torch.compiler.set_stance("force_eager"):
                said = model.encode(batch.t5_ids, batch.clip_ids)
                student, model.flow = model.flow, teacher
                both = (said, tuple(e.expand(len(x), *e.shape[1:]) for e in unsaid))
                with_words, without = (
                    model.velocity(x, sigma, torch.ones_like(sigma), e).float() for e in both
                )
                model.flow = student
            velocity = model.velocity(x, sigma, scale, said).float()
        loss = (velocity - without - scale[:, None, None] * (with_words - without)).square().mean()
        loss.backward()
        nn.utils.clip_grad_norm_(own, 5.0)
        apply_gradients(opts)
        average.update(model, timer.step + 1)
        timer.done(len(batch.packed), guidance=loss.detach())
    return teacher


def sigmas(steps: int) -> Tensor:
    """Return the noise levels of FLUX.1-dev's scheduler at 128 px, the last 0, (steps + 1,)."""
    scheduler = FlowMatchEulerDiscreteScheduler(
        use_dynamic_shifting=True, base_shift=0.5, max_shift=1.15, shift=3.0
    )
    config = scheduler.config
    shift = calculate_shift(
        64, config.base_image_seq_len, config.max_image_seq_len, config.base_shift, config.max_shift
    )
    scheduler.set_timesteps(sigmas=np.linspace(1, 1 / steps, steps), mu=shift)
    return scheduler.sigmas.clone()


@torch.no_grad()
def draw(
    model: Joint, embeddings: tuple[Tensor, ...], seed: int, levels: Tensor, guidance: float = GUIDANCE
) -> Tensor:
    """Return the latents at every noise level, (levels, n, TOKENS, CHANNELS); noise depends on the seed and
    the row.
    """
    device, n = embeddings[0].device, len(embeddings[0])
    x = torch.stack(
        [torch.randn(64, 64, generator=torch.Generator().manual_seed(seed + i)) for i in range(n)]
    ).to(device)
    out = [x]
    for now, then in zip(levels[:-1].tolist(), levels[1:].tolist(), strict=True):
        with autocast(device), torch.compiler.set_stance("force_eager"):
            velocity = model.velocity(
                x, torch.full((n,), now, device=device), torch.full((n,), guidance, device=device), embeddings
            )
        x = x + (then - now) * velocity.float()
        out.append(x)
    return torch.stack(out)


def train_four_steps(
    model: Joint, feed: Feed, timer: Timer, settings: Settings, steps: int = 4, fine: int = 5
) -> dict[str, Tensor]:
    """Learn each of the four chords of the teacher's way as an adapter, which is returned in PEFT's names."""
    levels = sigmas(steps)
    dense = torch.cat(
        [
            torch.linspace(float(a), float(b), fine + 1)[:-1]
            for a, b in zip(levels[:-1], levels[1:], strict=True)
        ]
        + [levels[-1:]]
    )
    ways: list[Tensor] = []
    said: list[list[Tensor]] = []
    seed = HELD_OUT_SEED // 2
    feed.mix = replace(settings.mix, empty=0.0).later()
    model.eval()
    while timer.share() < 0.45 and len(ways) * feed.batch < settings.curves or not ways:
        rows = feed.short(feed.composer.scenes(feed.batch, seed + len(ways), feed.mix)).rows
        with torch.no_grad(), autocast(feed.encoder.device), torch.compiler.set_stance("force_eager"):
            embeddings = tuple(e.float() for e in model.encode(*token_ids(rows, feed.tokens)))
        ways.append(draw(model, embeddings, seed + len(ways) * feed.batch, dense)[::fine].half())
        said.append([e.half() for e in embeddings[:2]])
        timer.progress.log(f"{len(ways) * feed.batch} ways drawn, {timer.share():.0%}") if len(
            ways
        ) % 8 == 1 else None
    student = copy.deepcopy(model.flow).requires_grad_(False)
    student.add_adapter(
        LoraConfig(r=settings.rank, lora_alpha=settings.rank, target_modules=list(LORA_TARGETS))
    )
    adapter_weights = [p for p in student.parameters() if p.requires_grad]
    opt = torch.optim.AdamW(adapter_weights, settings.lora_rate, weight_decay=0.0)
    teacher, model.flow = model.flow, student
    try:
        _chords(model, ways, said, levels.to(ways[0].device), opt, adapter_weights, timer)
    finally:
        model.flow = teacher
    return {k: v.half().cpu() for k, v in get_peft_model_state_dict(student).items()}


def _chords(
    model: Joint,
    ways: list[Tensor],
    said: list[list[Tensor]],
    levels: Tensor,
    opt: torch.optim.Optimizer,
    adapter_weights: list[nn.Parameter],
    timer: Timer,
) -> None:
    start, device = timer.share(), levels.device
    while (share := timer.share()) < 1:
        set_rates([opt], min(1, (timer.step + 1) / 50, 1.02 - (share - start) / max(1 - start, 1e-6)))
        k = timer.step % len(ways)
        n = ways[k].shape[1]
        part = torch.randint(0, len(levels) - 1, (n,), device=device)
        here, there = (ways[k][part + j, torch.arange(n, device=device)].float() for j in (0, 1))
        high, low = levels[part], levels[part + 1]
        with autocast(device):
            velocity = model.velocity(
                here, high, torch.full_like(high, GUIDANCE), tuple(e.float() for e in said[k])
            )
        missed = (here + (low - high)[:, None, None] * velocity.float() - there).square().mean((1, 2)) / (
            high - low
        ).square()
        missed.mean().backward()
        nn.utils.clip_grad_norm_(adapter_weights, 1.0)
        apply_gradients([opt])
        timer.done(n, chord=missed.mean().detach())


def train_decoder(encoder: Encoder, feed: Feed, timer: Timer, peak: float = 1e-3) -> dict[str, Tensor]:
    """The decoder learns on, the latents stay. It sees composed scenes only: photographs and paintings are
    seen at home.
    """
    decoder = encoder.vae.decoder.requires_grad_(True)
    average = Average(decoder)
    opt = torch.optim.AdamW(decoder.parameters(), peak, betas=(0.9, 0.98), weight_decay=0.0)
    few = max(4, feed.batch // 8)
    while (share := timer.share()) < 1:
        set_rates([opt], min(1, (timer.step + 1) / 50, 1.02 - share))
        pictures = feed.composer.paint(feed.composer.scenes(few, HELD_OUT_SEED // 4 + timer.step, feed.mix))
        with autocast(encoder.device):
            z = encoder.vae.encode(pictures * 2 - 1).latent_dist.mean
            off = decoder(z).float() - (pictures * 2 - 1)
        loss = off.abs().mean() + 4 * off.square().mean()
        loss.backward()
        apply_gradients([opt])
        average.update(decoder, timer.step + 1)
        timer.done(few, decoder=loss.detach())
    decoder.load_state_dict(average.weights)
    decoder.requires_grad_(False)
    return {k: v.half().cpu() for k, v in average.weights.items()}


@torch.no_grad()
def held_out_losses(
    model: Joint, feed: Feed, sets: dict[str, Scenes], levels: tuple[float, ...] = (0.5, 0.8, 0.95)
) -> dict[str, dict[str, float]]:
    """Return for each set of scenes the squared error of the predicted picture at some noise levels; the
    noise is always the same.
    """
    out: dict[str, dict[str, float]] = {}
    for name, scenes in sets.items():
        with autocast(feed.encoder.device), torch.compiler.set_stance("force_eager"):
            batch = feed.encoded(scenes)
            noise = torch.randn(batch.packed.shape, generator=torch.Generator().manual_seed(0)).to(
                batch.packed
            )
            embeddings = model.encode(batch.t5_ids, batch.clip_ids)
            out[name] = {}
            for level in levels:
                x = torch.lerp(batch.packed, noise, level)
                sigma = torch.full((len(x),), level, device=x.device)
                velocity = model.velocity(x, sigma, torch.ones_like(sigma), embeddings).float()
                out[name][f"sigma {level}"] = round(
                    float((x - level * velocity - batch.packed).square().mean()), 4
                )
    return out


def as_json(value: object) -> str:
    return json.dumps(value, indent=1)
