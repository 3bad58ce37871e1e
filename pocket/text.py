"""Tokenizers and text encoders. They first learn to foresee the picture a caption stands for, which is cheap; then the
transformer trains on with them. `python -m pocket.text --minutes 20` after `python -m pocket.latents`.

T5's tokenizer ends every caption with sixteen register tokens (Darcet et al. 2023, arXiv 2309.16588): each learns to foresee
one of sixteen squares of the picture. So the looks of words are learned by encoders, which are cheaper than the transformer.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import time
from collections import Counter

import numpy as np
import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers
from tokenizers.processors import TemplateProcessing
from torch import Tensor, nn
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTokenizer,
    PreTrainedTokenizerFast,
    T5Config,
    T5EncoderModel,
    T5Tokenizer,
)

from pocket import corpus, latents, scenes
from pocket.muon import FAST, optimizers, set_rates

STATE = corpus.CACHE / "text.pt"
HEADS = corpus.CACHE / "text_heads.pt"
JOINT = corpus.CACHE / "flow.pt"  # where `python -m pocket.flow` leaves them, trained on with the transformer
MATRICES = (
    "SelfAttention.q",
    "SelfAttention.k",
    "SelfAttention.v",
    "SelfAttention.o",
    "DenseReluDense",
    "self_attn",
    "mlp.fc",
)
WIDTH = 256
CODE = 384  # numbers that stand for a picture while CLIP's encoder learns
REGISTERS = 16  # tokens behind every caption, one for each 32 px square of the picture, row by row
# text tokens, registers among them: of a caption of one thing, and the most that is trained with
SHORT, LONGEST = 32, 48
LETTERS = list("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789,.-'!?_")


def text_lines() -> list[str]:
    """Return captions of the corpus, and of the practice paintings for their everyday words only."""
    with open(corpus.HERE.parent / "data" / "sample_mughal" / "metadata.csv") as handle:
        return scenes.write_sample_text() + [row["caption"] for row in csv.DictReader(handle)] * 4


def clip_tokenizer() -> CLIPTokenizer:
    raw = Tokenizer(
        models.BPE(end_of_word_suffix="</w>", continuing_subword_prefix="", unk_token="<|endoftext|>")
    )
    raw.normalizer = normalizers.Lowercase()
    raw.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Whitespace(), pre_tokenizers.ByteLevel(False)]
    )
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    raw.train_from_iterator(
        text_lines(),
        trainers.BpeTrainer(
            vocab_size=1500, end_of_word_suffix="</w>", initial_alphabet=alphabet, show_progress=False
        ),
    )
    parts = json.loads(raw.to_str())["model"]
    pieces = alphabet + [a + "</w>" for a in alphabet] + ["".join(m) for m in parts["merges"]]
    vocab = {piece: index for index, piece in enumerate(dict.fromkeys(pieces))}
    vocab |= {"<|startoftext|>": len(vocab), "<|endoftext|>": len(vocab) + 1}
    return CLIPTokenizer(vocab=vocab, merges=[tuple(m) for m in parts["merges"]], model_max_length=77)


def t5_tokenizer() -> PreTrainedTokenizerFast:
    """Return a Unigram tokenizer whose pieces are the words of the captions, then single letters for all others.

    Behind the end mark it puts the registers, which T5Tokenizer would forget when it is loaded: hence the other class.
    """
    words = Counter(word for line in text_lines() for word in line.replace(",", "").split())
    total = sum(words.values())
    vocab = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("\u2581", -9.0)]
    vocab += [(f"\u2581{word}", math.log(count / total)) for word, count in sorted(words.items())]
    vocab += [(letter, -4.0 if letter == "," else -14.0) for letter in LETTERS]
    inner = T5Tokenizer(vocab=vocab, extra_ids=0)._tokenizer
    marks = [f"<r{i}>" for i in range(REGISTERS)]
    inner.add_special_tokens(marks)
    ends = [(mark, inner.token_to_id(mark)) for mark in ("</s>", *marks)]
    inner.post_processor = TemplateProcessing(single=" ".join(("$A", "</s>", *marks)), special_tokens=ends)
    return PreTrainedTokenizerFast(
        tokenizer_object=inner,
        pad_token="<pad>",
        eos_token="</s>",
        unk_token="<unk>",
        additional_special_tokens=marks,
        model_max_length=512,
    )


def kept_tokenizers() -> tuple[CLIPTokenizer, PreTrainedTokenizerFast]:
    """Return the tokenizers of this cache; the weights trained with them fit no others."""
    clip, t5 = corpus.CACHE / "tokenizer", corpus.CACHE / "tokenizer_2"
    if not t5.exists():
        clip_tokenizer().save_pretrained(clip)
        t5_tokenizer().save_pretrained(t5)
    return CLIPTokenizer.from_pretrained(clip), PreTrainedTokenizerFast.from_pretrained(t5)


class Texts(nn.Module):
    """Both encoders with their tokenizers, called as FluxPipeline calls them."""

    def __init__(self) -> None:
        super().__init__()
        self.clip_tokenizer, self.t5_tokenizer = kept_tokenizers()
        pieces = len(self.clip_tokenizer)
        self.clip = CLIPTextModel(
            CLIPTextConfig(
                vocab_size=pieces,
                hidden_size=WIDTH,
                intermediate_size=WIDTH,
                num_hidden_layers=2,
                num_attention_heads=4,
                max_position_embeddings=77,
                projection_dim=WIDTH,
                bos_token_id=pieces - 2,
                eos_token_id=pieces - 1,
            )
        )
        self.t5 = T5EncoderModel(
            T5Config(
                vocab_size=len(self.t5_tokenizer),
                d_model=WIDTH,
                d_kv=64,
                d_ff=3 * WIDTH,
                num_layers=3,
                num_heads=4,
                feed_forward_proj="gated-gelu",
                dropout_rate=0.0,
            )
        )
        nn.init.normal_(self.t5.shared.weight, std=0.05)  # T5's own 1.0 would take hundreds of steps to move

    def forward(self, captions: list[str], length: int = LONGEST) -> tuple[Tensor, Tensor, Tensor]:
        """Return T5's states (n, length, WIDTH), CLIP's pooled vector (n, WIDTH), and the registers' states (n, REGISTERS, WIDTH)."""
        pieces = self.clip_tokenizer(
            captions, padding="longest", truncation=True, return_tensors="pt"
        ).input_ids
        words = self.t5_tokenizer(
            captions, padding="max_length", max_length=length, truncation=True, return_tensors="pt"
        )
        states = self.t5(words.input_ids)[0]
        first = self.t5_tokenizer.convert_tokens_to_ids("<r0>")
        return (
            states,
            self.clip(pieces).pooler_output,
            states[words.input_ids >= first].unflatten(0, (-1, REGISTERS)),
        )


def picture_codes(count: int = 10000) -> Tensor:
    """Return the CODE strongest principal components of every cached picture's latents, unit variance overall."""
    packed = latents.load(corpus.SIDE)[0].float().flatten(1)
    mean = packed[:count].mean(0)
    with torch.random.fork_rng():
        torch.manual_seed(0)  # the directions begin at random: another stage must find the same ones
        _, _, directions = torch.svd_lowrank(packed[:count] - mean, q=CODE, niter=2)
    codes = (packed - mean) @ directions
    return codes / codes.square().mean().sqrt()


def known_weights() -> dict[str, Tensor]:
    """Return the encoders' weights from whichever stage ran last, {} before the first."""
    if JOINT.exists() and (not STATE.exists() or JOINT.stat().st_mtime > STATE.stat().st_mtime):
        both = torch.load(JOINT, weights_only=True)["average"]
        return {
            name.removeprefix("texts."): value for name, value in both.items() if name.startswith("texts.")
        }
    return torch.load(STATE, weights_only=True) if STATE.exists() else {}


def squares(packed: Tensor) -> Tensor:
    """Return (n, 64, 64) packed latents of 128 px as (n, REGISTERS, 256): each row is a square of 2 x 2 tokens."""
    grid = packed.unflatten(1, (4, 2, 4, 2))  # (n, 4, 2, 4, 2, 64)
    return grid.permute(0, 1, 3, 2, 4, 5).reshape(len(packed), REGISTERS, 256)


def fresh_heads() -> nn.ModuleList:
    """Return two linear forecasts: of a square of the picture from its register, and of the picture's code from CLIP's vector."""
    return nn.ModuleList([nn.Linear(WIDTH, 256), nn.Linear(WIDTH, CODE)])


def learners(model: Texts, heads: nn.ModuleList, peak: float) -> list[torch.optim.Optimizer]:
    """Return the optimizers of encoders and forecasts; `peak` is Muon's rate, the others follow it.

    T5 does not scale its logits down: Muon would drive its attention into the corners, so queries and keys get AdamW.
    """
    asking = [
        p
        for name, p in model.t5.named_parameters()
        if name.endswith(("Attention.q.weight", "Attention.k.weight"))
    ]
    for p in asking:
        p.requires_grad_(False)
    opts = optimizers(model, MATRICES, peak, 0.1 * peak)
    for p in asking:
        p.requires_grad_(True)
    return [
        *opts,
        torch.optim.AdamW(asking, lr=0.025 * peak, betas=(0.9, 0.98), weight_decay=0.0),
        torch.optim.AdamW(heads.parameters(), lr=0.1 * peak, betas=(0.9, 0.98), weight_decay=0.01),
    ]


def turn(step: int, every: np.ndarray, short: np.ndarray, many: np.ndarray) -> tuple[int, float, np.ndarray]:
    """Return a step's caption length, its share of made-up words, and the rows to draw from; short captions cost less."""
    return ((SHORT, 0.0, short), (LONGEST, 0.2, many), (SHORT, 0.0, short), (LONGEST, 0.4, every))[step % 4]


def train(minutes: float, peak: float, seed: int = 0, batch: int = 192) -> None:
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    packed, known = latents.load(corpus.SIDE)
    codes = picture_codes()
    every, short, many = latents.to_learn(known)
    held = np.arange(len(every), len(known))
    alone = np.array([len(known[i].concepts) == 1 for i in held])
    model, heads = Texts(), fresh_heads()
    if known_weights():
        model.load_state_dict(known_weights())
    if HEADS.exists():
        heads.load_state_dict(torch.load(HEADS, weights_only=True))
    model.t5.compile(dynamic=False)
    opts = learners(model, heads, peak)
    average = {k: v.clone() for k, v in model.state_dict().items()}
    start = said = time.time()
    step = 0
    while (share := (time.time() - start) / (60 * minutes)) < 1:
        set_rates(opts, min(1, (step + 1) / 50, 1.5 * (1.01 - share)))
        length, strange, among = turn(step, every, short, many)
        picks = rng.choice(among, batch)
        loss = guess(
            model,
            heads,
            [scenes.caption(known[i], rng, strange) for i in picks],
            length,
            packed[picks],
            codes[picks],
        )
        loss.sum().backward()
        for opt in opts:
            opt.step()
            opt.zero_grad()
        step += 1
        with torch.no_grad():
            names, values = zip(*model.state_dict().items(), strict=True)
            torch._foreach_lerp_(
                [average[n] for n in names], list(values), 1 - min(0.998, step / (step + 20))
            )
        if time.time() - said > 60:
            said = time.time()
            torch.save(average, STATE)
            torch.save(heads.state_dict(), HEADS)
            with torch.no_grad(), torch.compiler.set_stance("force_eager"):
                unseen = [
                    guess(
                        model,
                        heads,
                        [scenes.clear_caption(known[i]) for i in rows],
                        LONGEST,
                        packed[rows],
                        codes[rows],
                    )
                    for rows in (held[alone], held[~alone])
                ]
            print(
                f"step {step} {share:.0%} {step * batch / (said - start):.0f} captions/s held-out, one thing {unseen[0].tolist()} "
                f"several {unseen[1].tolist()}",
                flush=True,
            )
    torch.save(average, STATE)
    torch.save(heads.state_dict(), HEADS)


def guess(
    model: Texts, heads: nn.ModuleList, captions: list[str], length: int, packed: Tensor, codes: Tensor
) -> Tensor:
    """Return the squared errors of T5's and CLIP's forecasts, (2,); 1.0 is knowing nothing."""
    with torch.autocast("cpu", FAST, enabled=FAST != torch.float32):
        words = model(captions, length)
    return forecast_error(tuple(w.float() for w in words), heads, packed, codes)


def forecast_error(words: tuple[Tensor, ...], heads: nn.ModuleList, packed: Tensor, codes: Tensor) -> Tensor:
    """Return what `guess` does, of encoded words."""
    _, pooled, registers = words
    return torch.stack(
        [
            (heads[0](registers) - squares(packed).float()).square().mean(),
            (heads[1](pooled) - codes).square().mean(),
        ]
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--peak", type=float, default=0.02, help="Muon's learning rate")
    torch.set_num_threads(2)
    o = parser.parse_args()
    train(o.minutes, o.peak)
