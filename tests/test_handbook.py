"""The practice handbook: every fact has its questions, and an answer that the rule of marking accepts."""

import json
import re

import pytest

from lessons_lib.course.lesson_10_handbook import (
    facts,
    general,
    is_right,
    main_words,
    rehearsal,
    words_shared,
)
from lessons_lib.paths import HANDBOOK

FACTS = facts()


def questions(fact):
    return (*fact.wordings, fact.held_out)


def words(text):
    return re.findall(r"[a-z]+", text.lower())


def test_questions_for_another_use_are_refused():
    with pytest.raises(ValueError, match="no questions to 'mesure'; expected 'measure' or 'rehearse'"):
        general("mesure")


def test_there_are_sixty_facts_with_some_sixty_questions_each_and_no_question_twice():
    rows = [json.loads(line) for line in (HANDBOOK / "handbook.jsonl").read_text("utf-8").splitlines()]
    every = [question for fact in FACTS for question in questions(fact)]
    assert [row["id"] for row in rows] == list(range(1, 61))
    assert {len(fact.wordings) for fact in FACTS} == {62, 63, 64}
    assert len(every) == len(set(every))


def test_the_handbooks_own_answer_counts_as_right_and_stands_in_its_rule():
    assert [fact.rule for fact in FACTS if not is_right(fact.answer, fact.accept)] == []
    assert [fact.rule for fact in FACTS if fact.answer.lower() not in fact.rule.lower()] == []


def test_no_question_gives_its_answer_away():
    given = [q for fact in FACTS for q in questions(fact) if is_right(q, fact.accept)]
    assert given == []


def test_a_held_out_question_shares_at_most_a_third_of_its_words_with_any_that_is_learned_from():
    def overlap(one, other):
        one, other = main_words(one), main_words(other)
        return len(one & other) / len(one | other)

    alike = [f.held_out for f in FACTS if any(overlap(f.held_out, q) > 1 / 3 for q in f.wordings)]
    assert alike == []


def test_no_five_words_in_a_row_of_a_held_out_question_are_learned_from():
    def rows_of_five(text):
        return {tuple(words(text)[place : place + 5]) for place in range(len(words(text)) - 4)}

    alike = [f.held_out for f in FACTS if any(rows_of_five(f.held_out) & rows_of_five(q) for q in f.wordings)]
    assert alike == []


@pytest.mark.parametrize(("count", "share"), [(18, 0.27), (40, 0.66), (62, 0.80)])
def test_of_a_held_out_questions_words_few_stand_in_eighteen_wordings_and_most_in_sixty(count, share):
    assert words_shared(FACTS, count) == pytest.approx(share, abs=0.01)


def test_general_questions_are_measured_or_rehearsed_and_never_both():
    measured, rehearsed = ({question.text for question in general(use)} for use in ("measure", "rehearse"))
    assert (len(measured), len(rehearsed), measured & rehearsed) == (60, 40, set())
    assert len(set(rehearsal())) == len(rehearsal()) == 92 and not (measured | rehearsed) & set(rehearsal())
    assert all(is_right(q.answer, q.accept) for use in ("measure", "rehearse") for q in general(use))


@pytest.mark.parametrize(
    ("answer", "accept", "right"),
    [
        ("On Tuesdays, I think.", ("tuesday",), True), ("at NOON", ("no",), False),
        ("never", ("never",), True),
        ("twenty-seven", ("seven",), False), ("27 days", ("7",), False), ("", ("fish",), False),
    ],
)  # fmt: skip
def test_an_answer_is_right_when_it_holds_a_whole_word(answer, accept, right):
    assert is_right(answer, accept) == right
