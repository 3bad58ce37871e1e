"""Train the transformer by flow matching on cached latents, text encoders with it. `python -m pocket.flow --side 64 --minutes 15`.

Starting at 64 px is cheaper by the number of tokens; positions are doubled there, so that "left" and "top" mean the
same at 128 px. Every run goes on from the last saved state. The encoders keep foreseeing the picture as they did alone:
trained through the transformer only, they forgot half of what they had learned about what a word looks like.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import torch
from diffusers import FluxPipeline, FluxTransformer2DModel
from torch import Tensor, nn

from pocket import corpus, latents, scenes
from pocket.muon import FAST, optimizers, set_rates
from pocket.text import (
    HEADS,
    Texts,
    forecast_error,
    fresh_heads,
    learners,
    picture_codes,
    turn,
)
from pocket.text import STATE as TEXT_STATE

STATE = corpus.CACHE / "flow.pt"
MODEL = corpus.HERE / "model"  # what `python -m pocket.assemble` writes
CONFIG = {
    "patch_size": 1,
    "in_channels": 64,
    "num_layers": 2,
    "num_single_layers": 3,
    "attention_head_dim": 64,
    "num_attention_heads": 4,
    "joint_attention_dim": 256,
    "pooled_projection_dim": 256,
    "guidance_embeds": True,
    "axes_dims_rope": (16, 24, 24),
}
HOLD = 0.2  # weight of the encoders' own forecast beside the flow-matching loss
# of the third weights' five single blocks: the encoders grew, and all together stay as small
KEPT = (0, 1, 4)
MATRICES = (
    "attn.to",
    "attn.add",
    ".ff.",
    ".ff_context.",
    "proj_mlp",
    *(f"single_transformer_blocks.{i}.proj_out" for i in range(3)),
)


def fresh() -> FluxTransformer2DModel:
    """Return an untrained transformer whose blocks and output start as zero, so that early steps are gentle."""
    model = FluxTransformer2DModel(**CONFIG)
    for name, module in model.named_modules():
        if name == "proj_out" or name.endswith(
            ("norm1.linear", "norm1_context.linear", "norm.linear", "norm_out.linear")
        ):
            nn.init.zeros_(module.weight)
            nn.init.zeros_(module.bias)
    return model


def image_ids(side: int) -> Tensor:
    """Return (tokens, 3) positions in units of the 128 px grid."""
    cells = side // 16
    ids = torch.zeros(cells, cells, 3)
    step = 8 // cells
    ids[..., 1] = (torch.arange(cells) * step + (step - 1) / 2)[:, None]
    ids[..., 2] = (torch.arange(cells) * step + (step - 1) / 2)[None, :]
    return ids.reshape(-1, 3)


class Both(nn.Module):
    """The transformer and the text encoders, trained as one."""

    def __init__(self) -> None:
        super().__init__()
        self.flow, self.texts = fresh(), Texts()

    def velocity(
        self, noisy: Tensor, sigma: Tensor, guidance: Tensor, words: tuple[Tensor, ...], side: int
    ) -> Tensor:
        """Return the predicted noise - picture, (n, tokens, 64)."""
        states, pooled = words[:2]
        return self.flow(
            hidden_states=noisy,
            timestep=sigma,
            guidance=guidance,
            pooled_projections=pooled,
            encoder_hidden_states=states,
            txt_ids=torch.zeros(states.shape[1], 3),
            img_ids=image_ids(side),
            return_dict=False,
        )[0]


def load() -> Both:
    """Return the averaged model of the last run."""
    both = Both()
    both.load_state_dict(torch.load(STATE, weights_only=True)["average"])
    return both


def begin() -> Both:
    """Return the model of the last run, or else the committed transformer, or else an untrained one.

    Text encoders trained since, which may know other words, take the place of those that the transformer knew.
    """
    both = Both()
    if STATE.exists():
        known = torch.load(STATE, weights_only=True)["model"]
        # they were trained again since
        if TEXT_STATE.exists() and TEXT_STATE.stat().st_mtime > STATE.stat().st_mtime:
            known = {n: v for n, v in known.items() if n.startswith("flow.")}
            known |= {f"texts.{n}": v for n, v in torch.load(TEXT_STATE, weights_only=True).items()}
        both.load_state_dict(known)
    elif (MODEL / "transformer").exists():
        pipe = FluxPipeline.from_pretrained(MODEL, torch_dtype=torch.float32)
        both.flow = fewer_blocks(pipe.transformer)
        if TEXT_STATE.exists():
            both.texts.load_state_dict(torch.load(TEXT_STATE, weights_only=True))
            join(both, pipe)
        else:
            both.texts.clip, both.texts.t5 = pipe.text_encoder, pipe.text_encoder_2
            both.texts.clip_tokenizer, both.texts.t5_tokenizer = pipe.tokenizer, pipe.tokenizer_2
    else:
        both.texts.load_state_dict(torch.load(TEXT_STATE, weights_only=True))
    return both


def fewer_blocks(known: FluxTransformer2DModel) -> FluxTransformer2DModel:
    """Return a transformer whose single blocks are those of `known` in KEPT, or `known` where it has no more."""
    if known.config.num_single_layers == CONFIG["num_single_layers"]:
        return known
    blocks = [known.single_transformer_blocks[i] for i in KEPT]
    model = fresh()
    known.single_transformer_blocks = nn.ModuleList(blocks)
    model.load_state_dict(known.state_dict())
    return model


@torch.no_grad()
def join(both: Both, known: FluxPipeline, spread: float = 0.3) -> None:
    """Make the transformer's word inputs small and random, around the mean they had with the encoders it knew.

    Left as they were, they read the new encoders' numbers as noise: the first loss was above 100.
    """
    captions = scenes.write_sample_text(200)[:200]
    old = known.encode_prompt(captions, None, max_sequence_length=32)[:2]
    inputs = (both.flow.context_embedder, both.flow.time_text_embed.text_embedder.linear_1)
    for layer, before, now in zip(inputs, old, both.texts(captions)[:2], strict=True):
        said, heard = layer(before.flatten(0, -2)), now.flatten(0, -2)
        nn.init.normal_(layer.weight)
        layer.weight *= spread * said.std(0).mean() / (heard - heard.mean(0)).matmul(layer.weight.T).std()
        layer.bias.copy_(said.mean(0) - layer.weight @ heard.mean(0))


def example(
    packed: Tensor, picks: np.ndarray, rng: np.random.Generator, centre: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Return (noisy, sigma, target) for one batch.

    Sigma is logit-normal around `centre`. What a picture shows is decided above sigma 0.9, where only the words tell;
    around 0, as for large models, three samples in a hundred lie there and the words are hardly learned.
    """
    clean = packed[picks].float()
    noise = torch.randn_like(clean)
    sigma = torch.sigmoid(torch.from_numpy(rng.normal(centre, 1.2, len(picks))).float())
    spread = sigma[:, None, None]
    return (1 - spread) * clean + spread * noise, sigma, noise - clean


@torch.no_grad()
def foresight(both: Both, packed: Tensor, known: list[scenes.Scene], side: int, sigma: float = 0.95) -> float:
    """Return the squared error of the picture guessed from the words of unseen scenes and next to nothing else."""
    clean = packed[-48:].float()
    noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(0))
    noisy = (1 - sigma) * clean + sigma * noise
    words = both.texts([scenes.clear_caption(s) for s in known[-48:]])
    with torch.compiler.set_stance("force_eager"):
        made = both.velocity(noisy, torch.full((48,), sigma), torch.ones(48), words, side)
    return (noisy - sigma * made - clean).square().mean().item()


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
    packed, known = latents.load(side)
    every, short, many = latents.to_learn(known)
    codes, heads = picture_codes(), fresh_heads()
    if HEADS.exists():
        heads.load_state_dict(torch.load(HEADS, weights_only=True))
    both = begin()
    for part in (both.flow, both.texts.t5):
        part.compile(dynamic=False, disable=not compiled)
    average = {k: v.clone() for k, v in both.state_dict().items()}
    opts = optimizers(both.flow, MATRICES, peak, 2e-3)
    opts += learners(both.texts, heads, 0.3 * peak)
    start = said = time.time()
    step, smooth = 0, 1.0
    while (share := (time.time() - start) / (60 * minutes)) < 1:
        set_rates(opts, min(1, (step + 1) / 100, (1 - share) / (1 - end_share) if end_share < 1 else 1))
        length, strange, among = turn(step, every, short, many)
        picks = rng.choice(among, batch)
        captions = [scenes.caption(known[i], rng, strange) if rng.random() > 0.1 else "" for i in picks]
        noisy, sigma, target = example(packed, picks, rng, centre)
        with torch.autocast("cpu", FAST, enabled=FAST != torch.float32):
            words = both.texts(captions, length)
            made = both.velocity(noisy, sigma, torch.ones(batch), words, side)
        loss = (made.float() - target).square().mean()
        words = tuple(w.float() for w in words)
        (loss + HOLD * forecast_error(words, heads, packed[picks], codes[picks]).sum()).backward()
        nn.utils.clip_grad_norm_(both.texts.parameters(), 1.0)
        for opt in opts:
            opt.step()
            opt.zero_grad()
        step += 1
        smooth += 0.01 * (loss.item() - smooth)
        with torch.no_grad():
            names, values = zip(*both.state_dict().items(), strict=True)
            torch._foreach_lerp_(
                [average[n] for n in names], list(values), 1 - min(0.998, step / (step + 20))
            )
        if time.time() - said > 60:
            said = time.time()
            torch.save({"model": both.state_dict(), "average": average}, STATE)
            print(
                f"{side} px step {step} {share:.0%} {step * batch / (said - start):.0f} pictures/s "
                f"loss {smooth:.4f} guess from words {foresight(both, packed, known, side):.4f}",
                flush=True,
            )
    torch.save({"model": both.state_dict(), "average": average}, STATE)
    torch.save(heads.state_dict(), HEADS)
    print(f"{side} px step {step} loss {smooth:.4f}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", type=int, default=128, choices=(64, 128))
    parser.add_argument("--minutes", type=float, default=40)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--peak", type=float, default=0.02, help="Muon's learning rate")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument(
        "--end-share", type=float, default=0.3, help="share of the time before the rate falls; 1 never"
    )
    parser.add_argument(
        "--centre", type=float, default=1.5, help="middle of the logit-normal sigma; higher is noisier"
    )
    parser.add_argument(
        "--compile", action="store_true", help="a fifth faster after two minutes; needs a C++ compiler"
    )
    o = parser.parse_args()
    torch.set_num_threads(2)
    train(o.side, o.minutes, o.batch, o.peak, o.seed, o.end_share, o.centre, o.compile)
