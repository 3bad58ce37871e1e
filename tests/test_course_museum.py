"""The museum as it is recorded: all faults with all seeds, told apart by their measures."""

import json
from collections import Counter

import pytest

from lessons_lib.course import lesson_07_cards, lesson_07_measures, lesson_07_reader, recorded
from lessons_lib.course.lesson_07_faults import FAULTS
from lessons_lib.course.lesson_07_measures import HEALTHY, as_table, diagnose
from lessons_lib.course.lesson_07_record import SEEDS, STRIPS, letters_of, rows_of, strip_path
from lessons_lib.paths import ROOT

RECORD = recorded.load("museum")
TABLE = as_table(RECORD["result"]["rows"])
PAGE = (ROOT / "notebooks" / "INSTRUCTOR_07.md").read_text(encoding="utf-8")


def confusion_table(counts):
    """Return how often an answer was given for a fault, by (the fault, the answer), as the Markdown table of
    the instructor's page.
    """
    lines = ["| fault | trainings | named rightly | taken for |", "|---|---|---|---|"]
    for fault in dict.fromkeys(fault for fault, _ in counts):
        answers = {answer: count for (own, answer), count in counts.items() if own == fault}
        wrong = ", ".join(f"{answer} ({count})" for answer, count in answers.items() if answer != fault)
        lines.append(f"| {fault} | {sum(answers.values())} | {answers.get(fault, 0)} | {wrong or '-'} |")
    return "\n".join(lines)


def test_every_fault_is_recorded_with_every_seed_and_its_pictures_lie_there():
    assert set(TABLE) == {(fault, seed) for fault in (HEALTHY, *FAULTS) for seed in SEEDS}
    assert all(strip_path(fault, seed).is_file() for fault, seed in TABLE)


@pytest.mark.parametrize(
    "fault", ["rate", "many", "few", "repeat", "word", "distilled", "alpha", "half", "zero"]
)
def test_these_faults_are_told_apart_with_every_recorded_seed(fault):
    assert {diagnose(TABLE[fault, seed], TABLE[HEALTHY, seed]) for seed in SEEDS} == {fault}


def test_four_in_five_trainings_are_named_rightly_by_limits_that_were_set_on_other_seeds():
    counts = lesson_07_measures.confusion(RECORD["result"]["rows"])
    right = sum(count for (fault, answer), count in counts.items() if fault == answer)
    assert right >= 0.8 * len(FAULTS) * len(SEEDS)


def test_a_room_is_one_jpeg_whose_text_gives_no_fault_away():
    letters = letters_of(SEEDS[0])
    shown = lesson_07_cards.museum_room(RECORD, SEEDS[0], dict(list(letters.items())[:3]))
    assert shown.data[:2] == b"\xff\xd8" and "A, B, C" in shown.metadata["alt"]
    assert not [fault for fault in FAULTS if fault in shown.metadata["alt"]]


def test_rows_of_a_seed_hold_the_healthy_training_too():
    assert set(rows_of(RECORD, SEEDS[1])) == {HEALTHY, *FAULTS}


def test_the_confusion_table_counts_every_training_once():
    counts = lesson_07_measures.confusion(RECORD["result"]["rows"])
    assert sum(counts.values()) == len(FAULTS) * len(SEEDS)


def test_the_instructors_page_holds_the_confusion_table_of_the_recorded_trainings():
    counts = lesson_07_measures.confusion(RECORD["result"]["rows"])
    assert confusion_table(counts) in PAGE


def test_a_reader_of_cards_without_names_named_four_in_five_and_the_page_holds_the_table():
    cards, faults = recorded.load(lesson_07_reader.NAME)["result"]["cards"], list(FAULTS)
    pairs = Counter((fault, answer) for fault, _, answer in cards)
    counts = dict(sorted(pairs.items(), key=lambda item: (faults.index(item[0][0]), item[0][1])))
    right = sum(count for (fault, answer), count in counts.items() if fault == answer)
    assert right >= 0.8 * sum(counts.values())
    assert confusion_table(counts) in PAGE


def test_cards_for_a_reader_carry_numbers_and_their_key_is_opened_by_the_answers(tmp_path, monkeypatch):
    monkeypatch.setattr(lesson_07_reader.recorded, "save", lambda name, result: result)
    lesson_07_reader.save_sheets(tmp_path)
    key = json.loads((tmp_path / "key.json").read_text())
    assert len(list(tmp_path.glob("*.jpg"))) == 9 and len({tuple(case) for case in key}) == 24
    cards = lesson_07_reader.save_answers(tmp_path, ["rate"] * 24, "somebody")["cards"]
    assert cards[0] == [*key[0], "rate"]
    with pytest.raises(ValueError, match="23 answers for 24 cards"):
        lesson_07_reader.save_answers(tmp_path, ["rate"] * 23, "somebody")


def test_the_recorded_museum_is_small():
    assert sum(path.stat().st_size for path in STRIPS.iterdir()) < 700_000
