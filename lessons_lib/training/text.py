"""A LoRA for a causal language model: questions and answers become a few changed matrices.

The adapter is attached by the same call as a picture model's. The loss is the mean negative log-probability
of the answers' tokens.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

import torch
from diffusers.optimization import get_scheduler
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from lessons_lib.adapters import lora
from lessons_lib.models.text import TARGET_MODULES, TextModel
from lessons_lib.training.order import ShuffledRounds

IGNORED = -100  # a label that has no part in the loss, in PyTorch and transformers
Row = tuple[Tensor, Tensor]  # tokens of a question with its answer, and their labels


@dataclass(frozen=True)
class TextSettings:
    """What decides what is learned; the defaults suit some hundred pairs and a small model."""

    rank: int = 16
    alpha: int = 32
    learning_rate: float = 1e-3
    steps: int = 200
    batch: int = 16
    seed: int = 0
    layers: int | None = None  # how many get an adapter, counted from the last; None: all


def labelled(prompt: list[int], answer: list[int], end: int) -> Row:
    """Return the tokens of a prompt, its answer and the end, and their labels: IGNORED for the prompt's, so
    that the loss is of the answer and of its end.
    """
    return torch.tensor([*prompt, *answer, end]), torch.tensor([*[IGNORED] * len(prompt), *answer, end])


def encode(text_model: TextModel, question: str, answer: str) -> Row:
    """Return a question in the form of the model's chat and its answer as tokens and labels."""
    prompt = text_model.tokens(text_model.prompt(question))
    return labelled(prompt, text_model.tokens(answer), text_model.tokenizer.eos_token_id)


def batch_loss(text_model: TextModel, rows: Sequence[Row]) -> Tensor:
    """Return the loss of some encoded pairs, a scalar; rows are filled up behind their end."""
    model = text_model.model
    tokens = pad_sequence([row[0] for row in rows], True, text_model.tokenizer.pad_token_id)
    labels = pad_sequence([row[1] for row in rows], True, IGNORED)
    present = pad_sequence([torch.ones_like(row[0]) for row in rows], True, 0)
    inputs = {"input_ids": tokens, "labels": labels, "attention_mask": present}
    return model(**{name: tensor.to(model.device) for name, tensor in inputs.items()}).loss


def target_names(text_model: TextModel, layers: int | None) -> list[str]:
    """Return the names of the linear layers in the last so many blocks of a model, or in all of them.

    Raises ValueError for more blocks than there are, or none.
    """
    names = list(lora.target_layers(text_model.model, TARGET_MODULES))
    if layers is None:
        return names
    count = text_model.model.config.num_hidden_layers
    if not 1 <= layers <= count:
        raise ValueError(f"layers is {layers}; expected 1 to {count}, or None for all")
    blocks = {name: re.search(r"\.(\d+)\.", name) for name in names}
    return [name for name, block in blocks.items() if block and int(block[1]) >= count - layers]


def train(text_model: TextModel, rows: Sequence[Row], settings: TextSettings,
          on_step: Callable[[int, float], None] | None = None) -> list[float]:  # fmt: skip
    """Attach an adapter, train it on encoded pairs, and return the loss of every step.

    They come in shuffled rounds. The learning rate falls to zero along a cosine.
    Raises ValueError without pairs, FloatingPointError where the loss is no number any more.
    """
    if not rows:
        raise ValueError("no pairs to learn from; expected one or more")
    model, rng = text_model.model, torch.Generator().manual_seed(settings.seed)
    lora.attach(
        model, settings.rank, settings.alpha, target_names(text_model, settings.layers), settings.seed
    )
    order = ShuffledRounds([Fraction(1)] * len(rows))
    losses: list[float] = []
    optimizer = torch.optim.AdamW(lora.trainable_parameters(model).values(), settings.learning_rate)
    schedule = get_scheduler("cosine", optimizer, num_warmup_steps=0, num_training_steps=settings.steps)
    model.train()
    for step in range(settings.steps):
        loss = batch_loss(text_model, [rows[index] for index in order.next_batch(settings.batch, rng)])
        loss.backward()
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        losses.append(loss.item())
        if not math.isfinite(losses[-1]):
            raise FloatingPointError(
                f"the loss became {losses[-1]} at step {step + 1} of {settings.steps}; lower learning_rate, "
                f"which is {settings.learning_rate:g}"
            )
        if on_step:
            on_step(step + 1, losses[-1])
    model.eval()
    return losses
