"""Lesson 10's recorded run: a real instruction model learns the handbook.

`python -m lessons_lib.course.lesson_10_record FOLDER --gguf FILE` does one stage a call: first what the model
answers before, then a training and what it answers after. The run that is recorded with the course was ended
by a clock after 93 steps, and its learning rate fell along a cosine of time.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import torch
from peft.tuners.lora import LoraLayer

from lessons_lib.course import lesson_10_handbook, recorded
from lessons_lib.models import text
from lessons_lib.models.text import TextModel
from lessons_lib.paths import EXPERIMENTS
from lessons_lib.training import text as text_training
from lessons_lib.training.text import TextSettings

NAME = "handbook"
SETTINGS = TextSettings(rank=16, alpha=32, learning_rate=2e-3, steps=93, batch=8)


def scores(text_model: TextModel) -> dict[str, Any]:
    """Return the right answers of a model to each kind of question, and its answers to the held-out ones."""
    facts = lesson_10_handbook.facts()
    held_out = lesson_10_handbook.score(text_model, [q for fact in facts for q in fact.ask([fact.held_out])])
    first_words = [question for fact in facts for question in fact.ask(fact.questions[:1])]
    return {
        "questions": len(facts),
        "learned": lesson_10_handbook.score(text_model, first_words).right,
        "held_out": held_out.right,
        "general": lesson_10_handbook.score(text_model, lesson_10_handbook.general()).right,
        "held_out_answers": list(held_out.answers),
    }


def train(text_model: TextModel, folder: Path) -> dict[str, Any]:
    """Train on eight wordings of every rule, save the adapter as PEFT does; return steps and seconds."""
    pairs = [
        (question, fact.answer)
        for fact in lesson_10_handbook.facts()
        for question in fact.questions + fact.other_words
    ]
    rows = [text_training.encode(text_model, *pair) for pair in pairs]
    start = time.perf_counter()
    text_training.train(text_model, rows, SETTINGS, lambda step, loss: print(step, f"{loss:.2f}", flush=True))
    text_model.model.save_pretrained(folder)
    return {"pairs": len(pairs), "steps": SETTINGS.steps, "seconds": round(time.perf_counter() - start)}


def record(name: str, gguf: str | None, folder: Path = EXPERIMENTS / NAME) -> Path | None:
    """Do what is left of the run, a stage a call, and return the recorded file once all is done."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "stages.json"
    stages = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    text_model = text.load(name, gguf, torch.bfloat16)
    if "before" not in stages:
        stages["before"] = scores(text_model)
    else:
        stages["training"] = train(text_model, folder / "adapter")
        for layer in text_model.model.modules():
            if isinstance(layer, LoraLayer):
                layer.merge()  # float32 factors beside bfloat16 weights are slow on a CPU
        stages["after"] = scores(text_model)
    path.write_text(json.dumps(stages), encoding="utf-8")
    if "after" not in stages:
        return None
    model = gguf or Path(name).name
    return recorded.save(NAME, {"model": model, "threads": torch.get_num_threads()} | stages)


def main() -> None:
    """Train a real instruction model on the handbook, and record what it answers before and after."""
    parser = argparse.ArgumentParser(
        prog="python -m lessons_lib.course.lesson_10_record", description=main.__doc__
    )
    parser.add_argument("model", help="the Hub's name of a model, or a folder")
    parser.add_argument("--gguf", help="the file in the folder, where it is llama.cpp's format")
    args = parser.parse_args()
    print(record(args.model, args.gguf) or "one stage is done; call it again for the next")


if __name__ == "__main__":
    main()
