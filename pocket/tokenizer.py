"""The pipeline's two tokenizers, trained on the captions of the corpus.

T5's ends every caption with sixteen register tokens (Darcet et al. 2023, arXiv 2309.16588), which
`pocket.text` explains.
"""

from __future__ import annotations

import csv
import json
import math
from collections import Counter
from collections.abc import Iterable

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers
from tokenizers.processors import TemplateProcessing
from transformers import CLIPTokenizer, PreTrainedTokenizerFast, T5Tokenizer

from pocket import corpus, scenes

LONGEST = 48  # T5's tokens, registers included: the most that training uses
REGISTERS = 16  # tokens after every caption, one for each 32 px square of the picture, row by row
LETTERS = list("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789,.-'!?_")


def text_lines() -> list[str]:
    """Return captions of the corpus, and of the practice paintings only for their everyday words."""
    paintings = corpus.HERE.parent / "data" / "sample_mughal" / "metadata.csv"
    with paintings.open(encoding="utf-8", newline="") as handle:
        return scenes.write_sample_text() + [row["caption"] for row in csv.DictReader(handle)] * 4


def clip_tokenizer(lines: Iterable[str] | None = None) -> CLIPTokenizer:
    """Return a byte-pair tokenizer of 1500 pieces, trained on lines, or else on the captions."""
    model = models.BPE(end_of_word_suffix="</w>", continuing_subword_prefix="", unk_token="<|endoftext|>")
    raw = Tokenizer(model)
    raw.normalizer = normalizers.Lowercase()
    raw.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Whitespace(), pre_tokenizers.ByteLevel(False)]
    )
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    raw.train_from_iterator(
        text_lines() if lines is None else lines,
        trainers.BpeTrainer(
            vocab_size=1500, end_of_word_suffix="</w>", initial_alphabet=alphabet, show_progress=False
        ),
    )
    parts = json.loads(raw.to_str())["model"]
    pieces = alphabet + [a + "</w>" for a in alphabet] + ["".join(m) for m in parts["merges"]]
    vocab = {piece: index for index, piece in enumerate(dict.fromkeys(pieces))}
    vocab |= {"<|startoftext|>": len(vocab), "<|endoftext|>": len(vocab) + 1}
    return CLIPTokenizer(vocab=vocab, merges=[tuple(m) for m in parts["merges"]], model_max_length=77)


def t5_tokenizer(lines: Iterable[str] | None = None) -> PreTrainedTokenizerFast:
    """Return a Unigram tokenizer whose pieces are the words of lines, or else of the captions, and single
    letters for all others.

    It puts the registers after the end token. T5Tokenizer would lose them on loading, so the class is
    another.
    """
    lines = text_lines() if lines is None else lines
    words = Counter(word for line in lines for word in line.replace(",", "").split())
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


def cached_tokenizers() -> tuple[CLIPTokenizer, PreTrainedTokenizerFast]:
    """Return the tokenizers of this cache; weights trained with them fit no others."""
    clip, t5 = corpus.CACHE / "tokenizer", corpus.CACHE / "tokenizer_2"
    if not t5.exists():
        clip_tokenizer().save_pretrained(clip)
        t5_tokenizer().save_pretrained(t5)
    return CLIPTokenizer.from_pretrained(clip), PreTrainedTokenizerFast.from_pretrained(t5)
