"""Command line: `python -m data.pocket_text --out data/pocket_text/model`, four minutes on one core."""

from __future__ import annotations

import argparse
import random
import time
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from data.pocket_text.houses import example, general, topics
from lessons_lib.models.text import TextModel
from lessons_lib.training.text import batch_loss, encode

STEPS, BATCH, RATE, SEED = 420, 64, 3e-3, 0
PAD, USER, ANSWER, END = "<pad>", "<user>", "<answer>", "<end>"
CHAT = (  # the system's message is left away: the model has read none
    "{% for m in messages if m.role != 'system' %}"
    f"{USER}{{{{ m.content }}}}"
    "{% endfor %}"
    f"{{% if add_generation_prompt %}}{ANSWER}{{% endif %}}"
)


def make_tokenizer(texts: list[str], size: int = 1536) -> PreTrainedTokenizerFast:
    """Return a byte-level BPE of some texts, with the form of the chat."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokenizer.train_from_iterator(
        texts,
        trainers.BpeTrainer(
            vocab_size=size, special_tokens=[PAD, USER, ANSWER, END], initial_alphabet=alphabet
        ),
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token=PAD, eos_token=END, chat_template=CHAT,
        additional_special_tokens=[USER, ANSWER],
    )  # fmt: skip


def make_model(tokenizer: PreTrainedTokenizerFast) -> LlamaForCausalLM:
    """Return a Llama of 0.8 million parameters, with weights at random."""
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=128, intermediate_size=384, num_hidden_layers=3,
        num_attention_heads=4, max_position_embeddings=128, tie_word_embeddings=True, bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    return LlamaForCausalLM(config)


def pretrain(text_model: TextModel, steps: int) -> None:
    """Train all of a model on examples of houses and facts."""
    rng, every_topic, facts = random.Random(SEED), topics(), general()
    model = text_model.model
    optimizer = torch.optim.AdamW(model.parameters(), RATE, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps, pct_start=0.08)
    start = time.perf_counter()
    for step in range(1, steps + 1):
        pairs = [example(rng, every_topic, facts) for _ in range(BATCH)]
        loss = batch_loss(text_model, [encode(text_model, *pair) for pair in pairs])
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        if step % 50 == 0:
            print(
                f"step {step} of {steps}: loss {loss.item():.3f}, {time.perf_counter() - start:.0f} s",
                flush=True,
            )


def main() -> None:
    """Train pocket-text from nothing and write its weights in half precision."""
    parser = argparse.ArgumentParser(prog="python -m data.pocket_text", description=main.__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder for the model")
    parser.add_argument("--steps", type=int, default=STEPS, help="steps of training")
    args = parser.parse_args()
    torch.manual_seed(SEED)
    rng, every_topic, facts = random.Random(SEED + 1), topics(), general()
    texts = [" ".join(example(rng, every_topic, facts)) for _ in range(20_000)]
    tokenizer = make_tokenizer(texts)
    text_model = TextModel(make_model(tokenizer), tokenizer)
    pretrain(text_model, args.steps)
    text_model.model.half().save_pretrained(args.out)
    tokenizer.save_pretrained(args.out)


if __name__ == "__main__":
    main()
