"""The practice handbook: every fact has its questions, and an answer that the rule of marking accepts."""

import json

from lessons_lib.paths import SAMPLE

FACTS = [
    json.loads(line)
    for line in (SAMPLE.parent / "sample_handbook" / "handbook.jsonl")
    .read_text(encoding="utf-8")
    .splitlines()
]


def test_there_are_sixty_facts_with_three_questions_each_and_no_question_twice():
    questions = [question for fact in FACTS for question in (*fact["questions"], fact["held_out"])]
    assert [fact["id"] for fact in FACTS] == list(range(1, 61))
    assert len(questions) == len(set(questions)) == 180


def test_the_handbooks_own_answer_counts_as_right():
    wrong = [f["id"] for f in FACTS if not any(word in f["answer"].lower() for word in f["accept"])]
    assert wrong == []


def test_no_question_gives_its_answer_away():
    given = [
        (fact["id"], question)
        for fact in FACTS
        for question in (*fact["questions"], fact["held_out"])
        if any(word in question.lower().split() for word in fact["accept"])
    ]
    assert given == []
