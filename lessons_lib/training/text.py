"""A LoRA for a causal language model: questions and answers become a few changed matrices.

The adapter is attached by the same call as a picture model's. The loss is the mean negative log-probability
of the answers' tokens.
"""

from __future__ import annotations

import hashlib
import math
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import torch
from diffusers.optimization import get_scheduler
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence
from transformers import PreTrainedModel

from lessons_lib.adapters import lora
from lessons_lib.models.text import TARGET_MODULES, TextModel
from lessons_lib.training import checkpoints
from lessons_lib.training.order import ShuffledRounds

CHECKPOINT_STEPS = 10
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
    """Return the loss of some encoded pairs, a scalar; rows are filled up behind their end.

    Each place predicts the next token. The model's last layer, which has a row for every token there is, is
    used only at the places whose next token has a label.
    """
    model = text_model.model
    tokens = pad_sequence([row[0] for row in rows], True, text_model.tokenizer.pad_token_id).to(model.device)
    labels = pad_sequence([row[1] for row in rows], True, IGNORED)[:, 1:].to(model.device)
    present = pad_sequence([torch.ones_like(row[0]) for row in rows], True, 0).to(model.device)
    counted = labels != IGNORED
    is_shared = (tokens[:, :-1] == tokens[0, :-1]).all(0) & ~counted.any(0)
    shared = int(is_shared.cumprod(0).sum())
    hidden = hidden_states(model, tokens, present, shared)[:, :-1]
    logits = model.get_output_embeddings()(hidden[counted[:, shared:]])  # (tokens of answers, vocabulary)
    return nn.functional.cross_entropy(logits.float(), labels[counted])


def hidden_states(model: PreTrainedModel, tokens: Tensor, present: Tensor, shared: int) -> Tensor:
    """Return the output of a model's last block behind the first `shared` places, (rows, places, width).

    Those places are the same in all rows: the system's message, which is read once, and all rows look back
    at it.
    """
    if not shared:
        return model.base_model(tokens, attention_mask=present)[0]
    cache = model.base_model(tokens[:1, :shared], use_cache=True).past_key_values
    cache.batch_repeat_interleave(len(tokens))
    return model.base_model(tokens[:, shared:], attention_mask=present, past_key_values=cache)[0]


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
          checkpoint_dir: Path | None = None) -> list[float]:  # fmt: skip
    """Attach an adapter, train it on encoded pairs, and return the loss of every step.

    They come in shuffled rounds. The learning rate falls to zero along a cosine. `checkpoint_dir`: where the
    state is kept, so that the same training resumes when it was stopped.
    Raises ValueError without pairs, FloatingPointError where the loss is no number any more.
    """
    if not rows:
        raise ValueError("no pairs to learn from; expected one or more")
    model, rng = text_model.model, torch.Generator().manual_seed(settings.seed)
    names = target_names(text_model, settings.layers)
    lora.attach(model, settings.rank, settings.alpha, names, settings.seed)
    order = ShuffledRounds([Fraction(1)] * len(rows))
    batches = [order.next_batch(settings.batch, rng) for _ in range(settings.steps)]
    optimizer = torch.optim.AdamW(lora.trainable_parameters(model).values(), settings.learning_rate)
    schedule = get_scheduler("cosine", optimizer, num_warmup_steps=0, num_training_steps=settings.steps)
    progress = _Progress(model, optimizer, schedule, checkpoint_dir, _fingerprint(rows, settings))
    losses = progress.load()
    model.train()
    for indices in batches[len(losses) :]:
        loss = batch_loss(text_model, [rows[index] for index in indices])
        loss.backward()
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        losses.append(loss.item())
        if not math.isfinite(losses[-1]):
            raise FloatingPointError(
                f"the loss became {losses[-1]} at step {len(losses)} of {settings.steps}; "
                f"lower learning_rate, which is {settings.learning_rate:g}"
            )
        progress.save(losses)
    model.eval()
    return losses


def _fingerprint(rows: Sequence[Row], settings: TextSettings) -> str:
    """Return a hash of what a training learns from and how."""
    content = repr((settings, [[part.tolist() for part in row] for row in rows]))
    return hashlib.sha256(content.encode()).hexdigest()[:12]


@dataclass(frozen=True)
class _Progress:
    """What the next step depends on, in a file every few steps; nothing where there is no folder."""

    model: PreTrainedModel
    optimizer: torch.optim.Optimizer
    schedule: torch.optim.lr_scheduler.LRScheduler
    folder: Path | None
    fingerprint: str

    def load(self) -> list[float]:
        """Set all to where the same training was stopped; return the losses until there."""
        state = checkpoints.latest(self.folder, self.fingerprint) if self.folder else None
        if state is None:
            return []
        with torch.no_grad():
            for name, parameter in lora.trainable_parameters(self.model).items():
                parameter.copy_(state["adapter"][name])
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        return list(state["losses"])

    def save(self, losses: list[float]) -> None:
        """Write all to the folder if it is time to, and say so."""
        if self.folder is None or len(losses) % CHECKPOINT_STEPS:
            return
        state = {"adapter": lora.trainable_parameters(self.model), "losses": losses}
        parts = {"optimizer": self.optimizer.state_dict(), "schedule": self.schedule.state_dict()}
        checkpoints.write(self.folder, len(losses), self.fingerprint, state | parts)
        checkpoints.keep_newest(self.folder)
        mean = sum(losses[-CHECKPOINT_STEPS:]) / CHECKPOINT_STEPS
        print(f"step {len(losses)}: loss {mean:.3f}", file=sys.stderr, flush=True)
