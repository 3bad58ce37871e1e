"""Text encoders, which first learn alone to predict the picture that a caption stands for, which is cheap.

`python -m pocket.text --minutes 20` after `python -m pocket.latents`; the transformer is then trained
together with them. Each of the sixteen register tokens behind a caption (Darcet et al. 2023, arXiv
2309.16588) learns to predict one of sixteen squares of the picture. So the looks of words are learned by
encoders, which are cheaper than the transformer.
"""

from __future__ import annotations

import argparse

import numpy as np
import torch
from torch import Tensor, nn

from pocket import corpus, latents, networks, scenes
from pocket.muon import optimizers, set_rates
from pocket.networks import CODE, TEXT_MATRICES, WIDTH, squares
from pocket.timing import Clock
from pocket.tokenizer import LONGEST, REGISTERS, cached_tokenizers
from pocket.training import Average, apply_gradients, autocast

STATE = corpus.CACHE / "text.pt"
HEADS = corpus.CACHE / "text_heads.pt"
JOINT = corpus.CACHE / "flow.pt"  # where `python -m pocket.flow` saves them, trained with the transformer
SHORT = 32  # text tokens, registers included, of a caption of one thing


class TextEncoders(nn.Module):
    """Both encoders with their tokenizers, called as FluxPipeline calls them."""

    def __init__(self) -> None:
        super().__init__()
        self.clip_tokenizer, self.t5_tokenizer = cached_tokenizers()
        self.clip = networks.new_clip_encoder(len(self.clip_tokenizer))
        self.t5 = networks.new_t5_encoder(len(self.t5_tokenizer))

    def forward(self, captions: list[str], length: int = LONGEST) -> tuple[Tensor, Tensor, Tensor]:
        """Return prompt_embeds (n, length, WIDTH), pooled_prompt_embeds (n, WIDTH), registers (n, REGISTERS,
        WIDTH).
        """
        clip_ids = self.clip_tokenizer(
            captions, padding="longest", truncation=True, return_tensors="pt"
        ).input_ids
        t5_ids = self.t5_tokenizer(
            captions, padding="max_length", max_length=length, truncation=True, return_tensors="pt"
        ).input_ids
        prompt_embeds = self.t5(t5_ids)[0]
        first_register = self.t5_tokenizer.convert_tokens_to_ids("<r0>")
        registers = prompt_embeds[t5_ids >= first_register].unflatten(0, (-1, REGISTERS))
        return prompt_embeds, self.clip(clip_ids).pooler_output, registers


def picture_codes(count: int = 10000) -> Tensor:
    """Return the CODE strongest principal components of every cached picture's latents, unit variance
    overall.
    """
    packed = latents.load(corpus.SIDE)[0].float().flatten(1)
    mean = packed[:count].mean(0)
    with torch.random.fork_rng():
        torch.manual_seed(0)  # the directions begin at random: another stage must find the same ones
        _, _, directions = torch.svd_lowrank(packed[:count] - mean, q=CODE, niter=2)
    codes = (packed - mean) @ directions
    return codes / codes.square().mean().sqrt()


def latest_weights() -> dict[str, Tensor]:
    """Return the encoders' weights from whichever stage ran last, {} before the first."""
    if JOINT.exists() and (not STATE.exists() or JOINT.stat().st_mtime > STATE.stat().st_mtime):
        joint = torch.load(JOINT, weights_only=True)["average"]
        return {
            name.removeprefix("texts."): value for name, value in joint.items() if name.startswith("texts.")
        }
    return torch.load(STATE, weights_only=True) if STATE.exists() else {}


def load_heads() -> nn.ModuleList:
    """Return two linear layers, those of the last run or new ones.

    The first predicts a square of the picture from its register, the second the picture's code from CLIP's
    vector.
    """
    heads = nn.ModuleList([nn.Linear(WIDTH, 256), nn.Linear(WIDTH, CODE)])
    if HEADS.exists():
        heads.load_state_dict(torch.load(HEADS, weights_only=True))
    return heads


def text_optimizers(model: TextEncoders, heads: nn.ModuleList, peak: float) -> list[torch.optim.Optimizer]:
    """Return the optimizers of encoders and heads; `peak` is Muon's rate, the others follow it.

    T5 does not scale its logits down: Muon would drive its attention into the corners, so queries and keys
    get AdamW.
    """
    queries_and_keys = [
        parameter
        for name, parameter in model.t5.named_parameters()
        if name.endswith(("Attention.q.weight", "Attention.k.weight"))
    ]
    for parameter in queries_and_keys:
        parameter.requires_grad_(False)
    opts = optimizers(model, TEXT_MATRICES, peak, 0.1 * peak)
    for parameter in queries_and_keys:
        parameter.requires_grad_(True)
    return [
        *opts,
        torch.optim.AdamW(queries_and_keys, lr=0.025 * peak, betas=(0.9, 0.98), weight_decay=0.0),
        torch.optim.AdamW(heads.parameters(), lr=0.1 * peak, betas=(0.9, 0.98), weight_decay=0.01),
    ]


def step_settings(
    step: int, every: np.ndarray, single: np.ndarray, several: np.ndarray
) -> tuple[int, float, np.ndarray]:
    """Return a step's caption length, its share of invented words, and the rows to draw from.

    Half of the steps take short captions, which cost less.
    """
    cycle = ((SHORT, 0.0, single), (LONGEST, 0.2, several), (SHORT, 0.0, single), (LONGEST, 0.4, every))
    return cycle[step % 4]


def caption_loss(
    model: TextEncoders, heads: nn.ModuleList, captions: list[str], length: int, packed: Tensor, codes: Tensor
) -> Tensor:
    """Return the squared errors of T5's and CLIP's predictions, (2,); 1.0 is that of the mean picture."""
    with autocast():
        embeddings = model(captions, length)
    return heads_loss(tuple(e.float() for e in embeddings), heads, packed, codes)


def heads_loss(embeddings: tuple[Tensor, ...], heads: nn.ModuleList, packed: Tensor, codes: Tensor) -> Tensor:
    """Return the same errors from text embeddings."""
    _, pooled_prompt_embeds, registers = embeddings
    of_squares = (heads[0](registers) - squares(packed).float()).square().mean()
    of_codes = (heads[1](pooled_prompt_embeds) - codes).square().mean()
    return torch.stack([of_squares, of_codes])


def train(minutes: float, peak: float, seed: int = 0, batch: int = 192) -> None:
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    packed, all_scenes = latents.load(corpus.SIDE)
    codes = picture_codes()
    rows = latents.training_rows(all_scenes)
    held_out = np.arange(len(rows[0]), len(all_scenes))
    is_single = np.array([len(all_scenes[i].concepts) == 1 for i in held_out])
    model, heads = TextEncoders(), load_heads()
    if weights := latest_weights():
        model.load_state_dict(weights)
    model.t5.compile(dynamic=False)
    opts = text_optimizers(model, heads, peak)
    average = Average(model)

    def held_out_loss(picks: np.ndarray) -> list[float]:
        captions = [scenes.clear_caption(all_scenes[i]) for i in picks]
        with torch.no_grad(), torch.compiler.set_stance("force_eager"):
            return caption_loss(model, heads, captions, LONGEST, packed[picks], codes[picks]).tolist()

    clock, step = Clock(60 * minutes), 0
    while (share := clock.share()) < 1:
        set_rates(opts, min(1, (step + 1) / 50, 1.5 * (1.01 - share)))
        length, invented, candidates = step_settings(step, *rows)
        picks = rng.choice(candidates, batch)
        captions = [scenes.caption(all_scenes[i], rng, invented) for i in picks]
        caption_loss(model, heads, captions, length, packed[picks], codes[picks]).sum().backward()
        apply_gradients(opts)
        step += 1
        average.update(model, step)
        if clock.is_report_due():
            torch.save(average.weights, STATE)
            torch.save(heads.state_dict(), HEADS)
            print(
                f"step {step} {share:.0%} {clock.rate(step * batch):.0f} captions/s held-out, one thing "
                f"{held_out_loss(held_out[is_single])} several {held_out_loss(held_out[~is_single])}",
                flush=True,
            )
    torch.save(average.weights, STATE)
    torch.save(heads.state_dict(), HEADS)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--peak", type=float, default=0.02, help="Muon's learning rate")
    torch.set_num_threads(2)
    o = parser.parse_args()
    train(o.minutes, o.peak)


if __name__ == "__main__":
    main()
