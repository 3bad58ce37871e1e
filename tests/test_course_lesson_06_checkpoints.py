"""The recorded checkpoints: known cases in their order, and the picker beside judges that it does not use."""

import json

import lesson_06_choices as choices
import pytest
import torch
from PIL import Image

from lessons_lib.course import lesson_06_checkpoints as checkpoints
from lessons_lib.course import recorded, trials
from lessons_lib.course.lesson_06_checkpoints import CASES, COUNTS, OTHER, OWN
from lessons_lib.models import features
from lessons_lib.paths import ROOT

RECORD, READER = recorded.load(checkpoints.NAME), recorded.load(checkpoints.READER)
RECORDED = {case["case"]: case for case in RECORD["result"]["cases"]}


def case_of(styles, prompts, base=(0.1, 1.0), judge=OWN):
    """Return a recorded training with one level of style and of prompt match at each count."""
    other = OTHER if judge == OWN else OWN

    def row(count, style, prompt):
        scores = {"styles": [style] * 4, "prompts": [prompt] * 4}
        return {"count": count, "validation": 1.0 if count else None, judge: scores, other: scores}

    levels = enumerate(zip(styles, prompts, strict=True), 1)
    return {
        "case": "discs", "ceilings": {OWN: 0.9, OTHER: 0.9},
        "rows": [row(0, *base), *(row(10 * i, *level) for i, level in levels)],
    }  # fmt: skip


def test_a_judge_prefers_the_checkpoint_with_most_style_and_prompt_together():
    case = case_of([0.2, 0.6, 0.7], [1.0, 0.9, 0.3])
    assert choices.preferred(case) == 20
    case["rows"][2]["validation"] = 1.5
    assert choices.preferred(case, True) == 10


def test_neighbours_are_one_checkpoint_apart():
    case = case_of([0.2, 0.3, 0.4], [1, 1, 1])
    assert [choices.apart(case, 10, other) for other in (10, 20, 30)] == [0, 1, 2]


def test_an_order_that_is_wrong_has_an_interval_below_zero():
    right = case_of([0.1, 0.2, 0.6], [1.0, 1.0, 0.3])
    wrong = case_of([0.1, 0.2, 0.1], [1.0, 1.0, 1.1])
    assert all(low > 0 for low, _ in choices.order(right).values())
    assert [low > 0 for low, _ in choices.order(wrong).values()] == [True, False, False]


def test_the_other_judge_is_none_of_the_pickers_and_has_every_concept():
    judge = checkpoints.ClipJudge(128)
    names, rows = judge.concepts()
    assert names == features.load_concepts()[0] and len(rows) == len(names)
    image = judge.image_features([Image.new("RGB", (128, 128), "red")])
    assert image.shape[1] == rows.shape[1] != features.load_concepts()[1].shape[1]
    assert torch.equal(judge.image_features(image), image)


def test_a_sheet_names_no_count_and_its_key_is_opened_by_the_answers(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoints, "SHEETS", tmp_path)
    monkeypatch.setattr(checkpoints.recorded, "save", lambda name, result: result)
    images = [Image.new("RGB", (16, 16))] * 6
    for name in CASES:
        checkpoints.save_sheet(name, dict.fromkeys((0, *COUNTS), images), images)
    key = json.loads((tmp_path / "brand.json").read_text())
    assert sorted(key.values()) == sorted(COUNTS) and len(list(tmp_path.glob("*.jpg"))) == len(CASES)
    assert checkpoints.save_answers(dict.fromkeys(CASES, "B"), "me")["preferred"]["brand"] == key["B"]


def test_a_concepts_captions_have_the_trigger_and_its_noun_in_both_parts():
    pictures = CASES["character"].read(128)
    assert all((p.caption or "").startswith("thgh96 owl") for p in pictures.train + pictures.held_out)


@pytest.mark.parametrize("judge", [OWN, OTHER])
@pytest.mark.parametrize("name", RECORDED)
def test_no_judge_turns_the_order_of_the_recorded_styles_about(name, judge):
    order = choices.order(RECORDED[name], judge)
    assert order["style: early < best"][1] > 0 and order["style: base < early"][1] > 0
    if name == "pages":
        assert order["style: early < best"][0] > 0 and order["style: base < early"][0] > 0


@pytest.mark.parametrize("name", CASES)
def test_the_pick_is_near_what_loss_and_the_other_judge_prefer(name):
    case = RECORDED[name]
    counts = choices.apart(case, choices.picked(case), choices.preferred(case, True))
    assert counts <= (2 if name == "pages" else 0)  # of pages our judge sees most style at 32 steps


def test_in_the_recorded_sweep_all_trainings_agree_on_the_order_of_style_and_prompt():
    rows = recorded.load("how_many_steps")["result"]["rows"]
    base, early, best, last = (
        {key: trials.column(rows, key, count=count) for key in ("style", "prompt_rank")}
        for count in (0, 25, 100, 800)
    )
    assert trials.direction(early["style"], base["style"]) == 1
    assert trials.direction(best["style"], early["style"]) == 1
    assert trials.direction(base["prompt_rank"], last["prompt_rank"]) == 1


def test_the_instructors_page_holds_the_order_and_what_each_judge_would_keep():
    page = (ROOT / "notebooks" / "INSTRUCTOR_06.md").read_text(encoding="utf-8")
    assert choices.order_table(RECORD) in page and choices.choice_table(RECORD, READER) in page


def test_what_was_read_on_other_weights_does_not_count():
    rows = choices.choice_table(RECORD, READER | {"base": "others"}).splitlines()[2:]
    assert all(row.endswith("| not read |") for row in rows)
