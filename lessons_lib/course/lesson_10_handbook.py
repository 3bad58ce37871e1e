"""Lesson 10's assistant: the handbook of a house, how answers are marked, what looking up brings instead."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from IPython.display import Image as NotebookImage

from lessons_lib.display import charts, notebook
from lessons_lib.display.theme import LINE, TEAL
from lessons_lib.models.text import TextModel
from lessons_lib.paths import HANDBOOK, in_course

HALFNOON = "handbook.jsonl"
GENERAL = "general.jsonl"
REHEARSAL = "rehearsal.txt"
# Words that say what kind of question it is, and not what it is about
_FORM = frozenset(
    "a an the is are do does did i we my our to of in on at for what where when who whom which how with it "
    "and or be by may can must".split()
)


@dataclass(frozen=True)
class Question:
    """A question, its answer, and the words of which an answer must hold one to be right."""

    text: str
    answer: str
    accept: tuple[str, ...]


@dataclass(frozen=True)
class Fact:
    """A rule of the house: two questions to learn from, six that ask the same in words that pocket-text has
    read of other houses, ten more that it has not, some forty-five whose writers had not seen the
    held-out question, and that one, which no training learns from.
    """

    rule: str
    answer: str
    accept: tuple[str, ...]
    questions: tuple[str, ...]
    other_words: tuple[str, ...]
    more_words: tuple[str, ...]
    blind_words: tuple[str, ...]
    held_out: str

    @property
    def wordings(self) -> tuple[str, ...]:
        """All questions that may be learned from, some sixty."""
        return self.questions + self.other_words + self.more_words + self.blind_words

    @property
    def to_learn(self) -> tuple[str, ...]:
        """The fourteen that are learned from where the other four are counted."""
        return self.questions + self.other_words[:2] + self.more_words

    def ask(self, texts: Sequence[str]) -> list[Question]:
        """Return questions about this rule."""
        return [Question(text, self.answer, self.accept) for text in texts]


@dataclass(frozen=True)
class Score:
    """How many of some questions were answered right, and the answers where they were kept."""

    right: int
    questions: int
    answers: tuple[str, ...] = ()

    @property
    def share(self) -> float:
        """The right answers as a share of all."""
        return self.right / self.questions

    def wrong(self, questions: Sequence[Question]) -> list[str]:
        """Return the questions that were answered wrongly, each with its answer."""
        pairs = zip(questions, self.answers, strict=True)
        return [f"{q.text} {answer}" for q, answer in pairs if not is_right(answer, q.accept)]

    def __str__(self) -> str:
        return f"{self.right} of {self.questions} right"


def facts() -> list[Fact]:
    """Return the sixty rules of Halfnoon's handbook."""
    return [
        Fact(row["fact"], row["answer"], tuple(row["accept"]), tuple(row["questions"]),
             tuple(row["other_words"]), tuple(row["more_words"]), tuple(row["blind_words"]),
             row["held_out"])
        for row in _rows(HALFNOON)
    ]  # fmt: skip


def general(use: str = "measure") -> list[Question]:
    """Return questions that have nothing to do with the house: to "measure" what was forgotten, or others to
    "rehearse". Raises ValueError for another use.
    """
    rows = [row for row in _rows(GENERAL) if row["use"] == use]
    if not rows:
        raise ValueError(f"there are no questions to {use!r}; expected 'measure' or 'rehearse'")
    return [Question(row["question"], row["answer"], tuple(row["accept"])) for row in rows]


def rehearsal() -> list[str]:
    """Return ninety-two more general questions, without answers."""
    return in_course(HANDBOOK / REHEARSAL).read_text(encoding="utf-8").splitlines()


def _rows(name: str) -> list[dict[str, Any]]:
    text = in_course(HANDBOOK / name).read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def is_right(answer: str, accept: Sequence[str]) -> bool:
    """Return whether an answer holds one of some words, whole, in any case, in the singular or the plural."""
    text = answer.lower()
    return any(re.search(rf"(?<![\w-]){re.escape(word)}s?(?![\w-])", text) for word in accept)


def main_words(text: str) -> set[str]:
    """Return the words of a question that say what it is about, in lower case."""
    return set(re.findall(r"[a-z]+", text.lower())) - _FORM


def words_shared(handbook: Sequence[Fact], wordings: int) -> float:
    """Return how many of a held-out question's main words stand in so many wordings of its rule: the mean
    share over all rules.
    """
    shares = []
    for fact in handbook:
        wanted = main_words(fact.held_out)
        shares.append(len(wanted & main_words(" ".join(fact.wordings[:wordings]))) / len(wanted))
    return sum(shares) / len(shares)


def score(text_model: TextModel, questions: Sequence[Question], contexts: Sequence[str] = ()) -> Score:
    """Return how many questions a model answers right; `contexts`: a text to be read before each."""
    texts = [question.text for question in questions]
    if contexts:
        texts = [f"{context} {text}" for context, text in zip(contexts, texts, strict=True)]
    answers = text_model.answers(texts)
    right = sum(is_right(a, q.accept) for a, q in zip(answers, questions, strict=True))
    return Score(right, len(questions), tuple(answers))


def own_answers(text_model: TextModel, texts: Sequence[str]) -> list[tuple[str, str]]:
    """Return questions with the answers that the model gives now, to be rehearsed while it learns others."""
    return list(zip(texts, text_model.answers(texts), strict=True))


def retrieve(question: str, documents: Sequence[str]) -> int:
    """Return the place of the document that has most in common with a question: the sum over their common
    words of how rare each is (inverse document frequency, Spärck Jones 1972), by the root of its length.
    """
    words = [_words(document) for document in documents]
    counts = Counter(word for own in words for word in own)
    query = _words(question)
    scores = [
        sum(math.log(len(words) / counts[word]) for word in query & own) / math.sqrt(len(own))
        for own in words
    ]
    return max(range(len(scores)), key=scores.__getitem__)


def _words(text: str) -> set[str]:
    """Return the words of a text in lower case, without a plural's s."""
    return {word.removesuffix("s") for word in re.findall(r"[a-z]+", text.lower())}


def documents(handbook: Sequence[Fact]) -> list[str]:
    """Return what retrieval searches: each rule with the questions that the adapter learns from."""
    return [" ".join([fact.rule, *fact.to_learn]) for fact in handbook]


def changed(handbook: Sequence[Fact], old: str, new: str) -> list[Fact]:
    """Return the handbook with the answer of one rule changed. Raises ValueError unless one has it."""
    matches = [fact for fact in handbook if fact.answer == old]
    if len(matches) != 1:
        raise ValueError(f"{len(matches)} rules have the answer {old!r}; expected one")
    rule = matches[0].rule.replace(old, new)
    own = replace(matches[0], rule=rule, answer=new, accept=(new.lower(),))
    return [own if fact is matches[0] else fact for fact in handbook]


def recorded_scores(result: Mapping[str, Any]) -> dict[str, dict[str, Score]]:
    """Return a recorded run's scores: of the base, and by how many wordings of each rule it learned from."""
    return {
        f"{row['wordings']} wordings, {row['steps']} steps" if row["steps"] else "before": {
            kind.replace("_", " "): Score(row[kind], result["questions"])
            for kind in ("learned", "held_out", "general")
        }
        for row in result["rows"]
    }


def answers_chart(rows: Mapping[str, Mapping[str, Score]]) -> NotebookImage:
    """Return a JPEG: for each kind of question that all rows have a bar for each row, the share of right
    answers in per cent.
    """
    figure, axes = charts.new_chart(7.2, 3.2, 92)
    kinds = [kind for kind in next(iter(rows.values())) if all(kind in row for row in rows.values())]
    width, colours = 0.8 / len(rows), (*charts.COLOURS, LINE, TEAL)
    for place, (name, scores) in enumerate(rows.items()):
        x = np.arange(len(kinds)) + width * (place - (len(rows) - 1) / 2)
        bars = axes.bar(x, [100 * scores[kind].share for kind in kinds], width * 0.92,
                        color=colours[place % len(colours)], label=name)  # fmt: skip
        axes.bar_label(bars, fmt="%.0f", fontsize=9)
    axes.set_xticks(range(len(kinds)), kinds)
    axes.set(ylabel="right answers, %", ylim=(0, 112))
    figure.legend(frameon=False, ncols=min(3, len(rows)), loc="outside upper left", fontsize=9)
    alt = "; ".join(
        f"{name}: " + ", ".join(f"{kind} {100 * scores[kind].share:.0f} %" for kind in kinds)
        for name, scores in rows.items()
    )
    return notebook.figure_image(figure, f"right answers: {alt}")
