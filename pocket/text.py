"""Tokenizers and text encoders. They first learn to foresee the picture a caption stands for, which is cheap; then the
transformer trains on with them. `python -m pocket.text --minutes 3` after `python -m pocket.latents`.
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
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer, T5Config, T5EncoderModel, T5Tokenizer

from pocket import corpus, latents, scenes
from pocket.muon import optimizers, set_rates

STATE = corpus.CACHE / "text.pt"
HEADS = corpus.CACHE / "text_heads.pt"
JOINT = corpus.CACHE / "flow.pt"  # where `python -m pocket.flow` leaves them, trained on with the transformer
MATRICES = ("SelfAttention.q", "SelfAttention.k", "SelfAttention.v", "SelfAttention.o", "DenseReluDense", "self_attn", "mlp.fc")
WIDTH = 256
CODE = 384  # numbers that stand for a picture while the text encoders learn
LONGEST = 32  # text tokens, the longest caption that the model is trained with
LETTERS = list("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789,.-'!?_")


def text_lines() -> list[str]:
    """Return captions of the corpus, and of the practice paintings for their everyday words only."""
    with open(corpus.HERE.parent / "data" / "sample_mughal" / "metadata.csv") as handle:
        return scenes.write_sample_text() + [row["caption"] for row in csv.DictReader(handle)] * 4


def clip_tokenizer() -> CLIPTokenizer:
    raw = Tokenizer(models.BPE(end_of_word_suffix="</w>", continuing_subword_prefix="", unk_token="<|endoftext|>"))
    raw.normalizer = normalizers.Lowercase()
    raw.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Whitespace(), pre_tokenizers.ByteLevel(False)])
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    raw.train_from_iterator(text_lines(), trainers.BpeTrainer(
        vocab_size=1500, end_of_word_suffix="</w>", initial_alphabet=alphabet, show_progress=False))  # fmt: skip
    parts = json.loads(raw.to_str())["model"]
    pieces = alphabet + [a + "</w>" for a in alphabet] + ["".join(m) for m in parts["merges"]]
    vocab = {piece: index for index, piece in enumerate(dict.fromkeys(pieces))}
    vocab |= {"<|startoftext|>": len(vocab), "<|endoftext|>": len(vocab) + 1}
    return CLIPTokenizer(vocab=vocab, merges=[tuple(m) for m in parts["merges"]], model_max_length=77)


def t5_tokenizer() -> T5Tokenizer:
    """Return a Unigram tokenizer whose pieces are the words of the captions, then single letters for all others."""
    words = Counter(word for line in text_lines() for word in line.replace(",", "").split())
    total = sum(words.values())
    vocab = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("\u2581", -9.0)]
    vocab += [(f"\u2581{word}", math.log(count / total)) for word, count in sorted(words.items())]
    vocab += [(letter, -4.0 if letter == "," else -14.0) for letter in LETTERS]
    return T5Tokenizer(vocab=vocab, extra_ids=0, model_max_length=512)


def kept_tokenizers() -> tuple[CLIPTokenizer, T5Tokenizer]:
    """Return the tokenizers of this cache; the weights trained with them fit no others."""
    clip, t5 = corpus.CACHE / "tokenizer", corpus.CACHE / "tokenizer_2"
    if not t5.exists():
        clip_tokenizer().save_pretrained(clip)
        t5_tokenizer().save_pretrained(t5)
    return CLIPTokenizer.from_pretrained(clip), T5Tokenizer.from_pretrained(t5)


class Texts(nn.Module):
    """Both encoders with their tokenizers, called as FluxPipeline calls them."""

    def __init__(self) -> None:
        super().__init__()
        self.clip_tokenizer, self.t5_tokenizer = kept_tokenizers()
        pieces = len(self.clip_tokenizer)
        self.clip = CLIPTextModel(CLIPTextConfig(
            vocab_size=pieces, hidden_size=WIDTH, intermediate_size=WIDTH, num_hidden_layers=2, num_attention_heads=4,
            max_position_embeddings=77, projection_dim=WIDTH, bos_token_id=pieces - 2, eos_token_id=pieces - 1))  # fmt: skip
        self.t5 = T5EncoderModel(T5Config(
            vocab_size=len(self.t5_tokenizer), d_model=WIDTH, d_kv=64, d_ff=WIDTH, num_layers=2, num_heads=4,
            feed_forward_proj="gated-gelu", dropout_rate=0.0))  # fmt: skip

    def forward(self, captions: list[str], length: int = LONGEST) -> tuple[Tensor, Tensor]:
        """Return T5's states (n, length, WIDTH) and CLIP's pooled vector (n, WIDTH)."""
        pieces = self.clip_tokenizer(captions, padding="longest", truncation=True, return_tensors="pt").input_ids
        words = self.t5_tokenizer(captions, padding="max_length", max_length=length, truncation=True, return_tensors="pt")
        return self.t5(words.input_ids)[0], self.clip(pieces).pooler_output


def picture_codes(count: int = 10000) -> Tensor:
    """Return the CODE strongest principal components of every cached picture's latents, unit variance overall."""
    packed = latents.load(corpus.SIDE)[0].float().flatten(1)
    mean = packed[:count].mean(0)
    _, _, directions = torch.svd_lowrank(packed[:count] - mean, q=CODE, niter=2)
    codes = (packed - mean) @ directions
    return codes / codes.square().mean().sqrt()


def known_weights() -> dict[str, Tensor]:
    """Return the encoders' weights from whichever stage ran last, {} before the first."""
    if JOINT.exists() and (not STATE.exists() or JOINT.stat().st_mtime > STATE.stat().st_mtime):
        both = torch.load(JOINT, weights_only=True)["average"]
        return {name.removeprefix("texts."): value for name, value in both.items() if name.startswith("texts.")}
    return torch.load(STATE, weights_only=True) if STATE.exists() else {}


def fresh_heads() -> nn.ModuleList:
    """Return the two linear forecasts of a picture's code, from T5's mean state and from CLIP's pooled vector."""
    return nn.ModuleList([nn.Linear(WIDTH, CODE), nn.Linear(WIDTH, CODE)])


def train(minutes: float, peak: float, seed: int = 0, batch: int = 256) -> None:
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    known = latents.load(corpus.SIDE)[1]
    codes = picture_codes()
    model = Texts()
    heads = fresh_heads()
    if known_weights():
        model.load_state_dict(known_weights())
    if HEADS.exists():
        heads.load_state_dict(torch.load(HEADS, weights_only=True))
    opts = optimizers(model, MATRICES, peak, 0.1 * peak)
    opts.append(torch.optim.AdamW(heads.parameters(), lr=2e-3, betas=(0.9, 0.98), weight_decay=0.01))
    start = said = time.time()
    step = 0
    while (share := (time.time() - start) / (60 * minutes)) < 1:
        set_rates(opts, min(1, (step + 1) / 50, 1.02 - share))
        picks = rng.integers(0, len(known) - 500, batch)
        loss = guess(model, heads, [scenes.caption(known[i], rng, 0.2) for i in picks], codes[picks])
        loss.backward()
        for opt in opts:
            opt.step()
            opt.zero_grad()
        step += 1
        if time.time() - said > 30:
            said = time.time()
            with torch.no_grad():
                held = range(len(known) - 500, len(known))
                unseen = guess(model, heads, [scenes.clear_caption(known[i]) for i in held], codes[list(held)])
            print(f"step {step} {share:.0%} loss {loss:.4f} held-out {unseen:.4f}", flush=True)
    torch.save(model.state_dict(), STATE)
    torch.save(heads.state_dict(), HEADS)


def guess(model: Texts, heads: nn.ModuleList, captions: list[str], wanted: Tensor) -> Tensor:
    """Return the squared error of both encoders' forecasts of the picture codes; 1.0 is knowing nothing."""
    return forecast_error(model(captions, LONGEST), heads, wanted)


def forecast_error(words: tuple[Tensor, Tensor], heads: nn.ModuleList, wanted: Tensor) -> Tensor:
    states, pooled = words
    made = heads[0](states.mean(1)), heads[1](pooled)
    return sum((m - wanted).square().mean() for m in made) / 2


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=3)
    parser.add_argument("--peak", type=float, default=0.02, help="Muon's learning rate")
    torch.set_num_threads(2)
    o = parser.parse_args()
    train(o.minutes, o.peak)
