"""A causal language model: loaded, and asked in the form of its chat. No picture lesson needs it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from lessons_lib import session
from lessons_lib.session import quiet

# Every linear layer of a Llama, Qwen, Mistral or SmolLM but the embedding (QLoRA, arXiv 2305.14314)
TARGET_MODULES = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
SYSTEM = "Answer in a few words."
_BATCH = 64
_LONGEST_ANSWER = 16  # tokens


@dataclass(frozen=True)
class TextModel:
    """A language model and its tokenizer, which holds the form of its chat."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase

    def prompt(self, question: str) -> str:
        """Return a question in the form in which the model was trained to be asked."""
        chat = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": question}]
        return str(self.tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True))

    def tokens(self, text: str) -> list[int]:
        """Return the numbers of a text's tokens, with nothing added before or behind."""
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    @torch.inference_mode()
    def answers(self, questions: Sequence[str]) -> list[str]:
        """Return an answer to each question: always the most probable token, until the model ends."""
        self.model.eval()
        texts: list[str] = []
        for start in range(0, len(questions), _BATCH):
            prompts = [self.prompt(question) for question in questions[start : start + _BATCH]]
            inputs = self.tokenizer(
                prompts, padding=True, padding_side="left", add_special_tokens=False, return_tensors="pt"
            ).to(self.model.device)
            tokens = self.model.generate(
                **inputs, max_new_tokens=_LONGEST_ANSWER, do_sample=False,
                pad_token_id=self.tokenizer.pad_token_id,
            )  # fmt: skip
            texts += self.tokenizer.batch_decode(
                tokens[:, inputs["input_ids"].shape[1] :], skip_special_tokens=True
            )
        return [" ".join(text.split()) for text in texts]


def load(name: str | Path, gguf_file: str | None = None, dtype: torch.dtype = torch.float32) -> TextModel:
    """Return a language model from the Hub's name or a folder, on this machine's device.

    `gguf_file`: the file of a folder that holds llama.cpp's format; its weights are unpacked to `dtype`,
    which needs the package gguf. Raises OSError when there is no such model.
    """
    with quiet():
        tokenizer = AutoTokenizer.from_pretrained(name, gguf_file=gguf_file)
        # Questions are short: attention that is not fused is faster for them on a CPU, most of all backwards.
        model = AutoModelForCausalLM.from_pretrained(
            name, gguf_file=gguf_file, dtype=dtype, attn_implementation="eager"
        )
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    return TextModel(model.to(session.current().device).eval(), tokenizer)
