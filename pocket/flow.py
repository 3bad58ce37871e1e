"""Train the transformer by flow matching on cached latents, text encoders with it.

`python -m pocket.flow --side 64 --minutes 15`. Starting at 64 px is cheaper by the number of tokens;
positions are doubled there, so that "left" and "top" mean the same at 128 px. Every run continues from the
last saved state. The encoders go on predicting the picture from the caption as they did alone: trained
through the transformer only, they forgot half of what they had learned about what a word looks like.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import torch
from diffusers import FluxPipeline, FluxTransformer2DModel
from torch import Tensor, nn

from pocket import corpus, latents, scenes, text
from pocket.muon import optimizers, set_rates
from pocket.networks import FLOW_MATRICES, Depth, image_ids, new_transformer
from pocket.timing import Clock
from pocket.training import Average, apply_gradients, autocast
from pocket.weights import MODEL

STATE = corpus.CACHE / "flow.pt"
DEPTH = Depth(double=2, single=3)
HEADS_WEIGHT = 0.2  # of the encoders' own loss beside the flow-matching loss
# The third weights had five single blocks. Three are kept: the encoders grew, and the whole has to stay as
# small.
KEPT_BLOCKS = (0, 1, 4)


class JointModel(nn.Module):
    """The transformer and the text encoders, trained as one."""

    def __init__(self) -> None:
        super().__init__()
        self.flow, self.texts = new_transformer(DEPTH), text.TextEncoders()

    def velocity(
        self,
        noisy_latents: Tensor,
        sigma: Tensor,
        guidance: Tensor,
        embeddings: tuple[Tensor, ...],
        side: int,
    ) -> Tensor:
        """Return the predicted noise - picture, (n, tokens, 64)."""
        prompt_embeds, pooled_prompt_embeds = embeddings[:2]
        return self.flow(
            hidden_states=noisy_latents,
            timestep=sigma,
            guidance=guidance,
            pooled_projections=pooled_prompt_embeds,
            encoder_hidden_states=prompt_embeds,
            txt_ids=torch.zeros(prompt_embeds.shape[1], 3),
            img_ids=image_ids(side),
            return_dict=False,
        )[0]


def load() -> JointModel:
    """Return the averaged model of the last run."""
    model = JointModel()
    model.load_state_dict(torch.load(STATE, weights_only=True)["average"])
    return model


def initial_model() -> JointModel:
    """Return the model of the last run, or else the committed transformer, or else an untrained one.

    Text encoders trained since, which may know other words, replace those that the transformer was trained
    with.
    """
    model = JointModel()
    if STATE.exists():
        weights = torch.load(STATE, weights_only=True)["model"]
        if text.STATE.exists() and text.STATE.stat().st_mtime > STATE.stat().st_mtime:
            weights = {name: value for name, value in weights.items() if name.startswith("flow.")}
            weights |= {f"texts.{n}": v for n, v in torch.load(text.STATE, weights_only=True).items()}
        model.load_state_dict(weights)
    elif (MODEL / "transformer").exists():
        load_pipeline(model, FluxPipeline.from_pretrained(MODEL, torch_dtype=torch.float32))
    else:
        model.texts.load_state_dict(torch.load(text.STATE, weights_only=True))
    return model


def load_pipeline(model: JointModel, pipe: FluxPipeline) -> None:
    """Give the model the transformer of a pipeline, and its encoders where none were trained since."""
    model.flow = without_dropped_blocks(pipe.transformer)
    if text.STATE.exists():
        model.texts.load_state_dict(torch.load(text.STATE, weights_only=True))
        adapt_text_inputs(model, pipe)
    else:
        model.texts.clip, model.texts.t5 = pipe.text_encoder, pipe.text_encoder_2
        model.texts.clip_tokenizer, model.texts.t5_tokenizer = pipe.tokenizer, pipe.tokenizer_2


def without_dropped_blocks(transformer: FluxTransformer2DModel) -> FluxTransformer2DModel:
    """Return a transformer with the single blocks of KEPT_BLOCKS, or the same one where it has no more."""
    if transformer.config.num_single_layers == DEPTH.single:
        return transformer
    blocks = [transformer.single_transformer_blocks[i] for i in KEPT_BLOCKS]
    model = new_transformer(DEPTH)
    transformer.single_transformer_blocks = nn.ModuleList(blocks)
    model.load_state_dict(transformer.state_dict())
    return model


@torch.no_grad()
def adapt_text_inputs(model: JointModel, pipe: FluxPipeline, spread: float = 0.3) -> None:
    """Make the transformer's text inputs small and random, around the mean they had with the pipeline's
    encoders.

    Left as they were, they read the new encoders' numbers as noise: the first loss was above 100.
    """
    captions = scenes.write_sample_text(200)[:200]
    old_embeddings = pipe.encode_prompt(captions, None, max_sequence_length=32)[:2]
    layers = (model.flow.context_embedder, model.flow.time_text_embed.text_embedder.linear_1)
    for layer, old, new in zip(layers, old_embeddings, model.texts(captions)[:2], strict=True):
        output, inputs = layer(old.flatten(0, -2)), new.flatten(0, -2)
        nn.init.normal_(layer.weight)
        layer.weight *= spread * output.std(0).mean() / (inputs - inputs.mean(0)).matmul(layer.weight.T).std()
        layer.bias.copy_(output.mean(0) - layer.weight @ inputs.mean(0))


def noisy_batch(
    packed: Tensor, rows: np.ndarray, rng: np.random.Generator, centre: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Return (noisy latents, sigma, target) for one batch.

    Sigma is logit-normal around `centre`. What a picture shows is decided above sigma 0.9, where only the
    caption tells it; around 0, as for large models, three samples in a hundred lie there and the words are
    hardly learned.
    """
    clean = packed[rows].float()
    noise = torch.randn_like(clean)
    sigma = torch.sigmoid(torch.from_numpy(rng.normal(centre, 1.2, len(rows))).float())
    spread = sigma[:, None, None]
    return (1 - spread) * clean + spread * noise, sigma, noise - clean


@torch.no_grad()
def held_out_error(
    model: JointModel, packed: Tensor, all_scenes: list[scenes.Scene], side: int, sigma: float = 0.95
) -> float:
    """Return the squared error of the picture predicted for held-out captions out of almost nothing but
    noise.
    """
    clean = packed[-48:].float()
    noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(0))
    noisy_latents = (1 - sigma) * clean + sigma * noise
    embeddings = model.texts([scenes.clear_caption(scene) for scene in all_scenes[-48:]])
    with torch.compiler.set_stance("force_eager"):
        velocity = model.velocity(noisy_latents, torch.full((48,), sigma), torch.ones(48), embeddings, side)
    return (noisy_latents - sigma * velocity - clean).square().mean().item()


def train(
    side: int,
    minutes: float,
    batch: int,
    peak: float,
    seed: int,
    end_share: float,
    centre: float,
    compiled: bool,
) -> None:
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    packed, all_scenes = latents.load(side)
    rows = latents.training_rows(all_scenes)
    codes, heads = text.picture_codes(), text.load_heads()
    model = initial_model()
    for part in (model.flow, model.texts.t5):
        part.compile(dynamic=False, disable=not compiled)
    average = Average(model)
    opts = optimizers(model.flow, FLOW_MATRICES, peak, 2e-3)
    opts += text.text_optimizers(model.texts, heads, 0.3 * peak)
    clock, step, smooth_loss = Clock(60 * minutes), 0, 1.0
    while (share := clock.share()) < 1:
        set_rates(opts, min(1, (step + 1) / 100, (1 - share) / (1 - end_share) if end_share < 1 else 1))
        length, invented, candidates = text.step_settings(step, *rows)
        picks = rng.choice(candidates, batch)
        captions = [scenes.caption(all_scenes[i], rng, invented) if rng.random() > 0.1 else "" for i in picks]
        noisy_latents, sigma, target = noisy_batch(packed, picks, rng, centre)
        with autocast():
            embeddings = model.texts(captions, length)
            velocity = model.velocity(noisy_latents, sigma, torch.ones(batch), embeddings, side)
        loss = (velocity.float() - target).square().mean()
        heads_loss = text.heads_loss(tuple(e.float() for e in embeddings), heads, packed[picks], codes[picks])
        (loss + HEADS_WEIGHT * heads_loss.sum()).backward()
        nn.utils.clip_grad_norm_(model.texts.parameters(), 1.0)
        apply_gradients(opts)
        step += 1
        smooth_loss += 0.01 * (loss.item() - smooth_loss)
        average.update(model, step)
        if clock.is_report_due():
            torch.save({"model": model.state_dict(), "average": average.weights}, STATE)
            error = held_out_error(model, packed, all_scenes, side)
            print(
                f"{side} px step {step} {share:.0%} {clock.rate(step * batch):.0f} pictures/s "
                f"loss {smooth_loss:.4f} picture predicted from held-out captions {error:.4f}",
                flush=True,
            )
    torch.save({"model": model.state_dict(), "average": average.weights}, STATE)
    torch.save(heads.state_dict(), text.HEADS)
    print(f"{side} px step {step} loss {smooth_loss:.4f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", type=int, default=128, choices=(64, 128))
    parser.add_argument("--minutes", type=float, default=40)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--peak", type=float, default=0.02, help="Muon's learning rate")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument(
        "--end-share", type=float, default=0.3, help="share of the time before the rate falls"
    )
    parser.add_argument("--centre", type=float, default=1.5, help="middle of the logit-normal sigma")
    parser.add_argument("--compile", action="store_true", help="a fifth faster; needs a C++ compiler")
    o = parser.parse_args()
    torch.set_num_threads(2)
    train(o.side, o.minutes, o.batch, o.peak, o.seed, o.end_share, o.centre, o.compile)


if __name__ == "__main__":
    main()
