"""Lesson 02: its long run in small, the folder spoilt on purpose, and what its checkers say of right and wrong answers."""

import json
import runpy
from dataclasses import replace
from pathlib import Path

import nbformat
import numpy as np
import pytest
import torch
from PIL import Image

from lessons_lib.adapters.run import Run
from lessons_lib.course import choosing, long_run, recorded, trials
from lessons_lib.course import how_many_pictures as many
from lessons_lib.dataset import museum, pictures
from lessons_lib.inspection import duplicates
from lessons_lib.inspection import report as inspection
from lessons_lib.models import bases, families, features
from lessons_lib.paths import SAMPLE
from lessons_lib.training import train

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
LESSON = "02_prepare_pictures"
BASE = bases.find("pocket")


def features_of_noise(images):
    """Stand for the network: features that cost nothing, alike for the same picture."""
    if isinstance(images, torch.Tensor):
        return images
    rows = [np.random.default_rng([*image.tobytes()[:8]]).standard_normal(1280) for image in images]
    return torch.nn.functional.normalize(torch.from_numpy(np.array(rows)).float(), dim=1)


def noise(seed):
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (16, 16, 3)).astype("uint8"))


class Painter:
    """Stands for a sampler: noise that is the same for the same prompt and seed."""

    base, family = BASE, families.find(BASE.family)
    pipe = type("Pipe", (), {"transformer": torch.nn.Linear(2, 2)})

    def sample(self, prompts, seeds, steps=None):
        return [[noise([seed, *prompt.encode()]) for seed in seeds] for prompt in prompts]

    def load(self, folder):
        pass


@pytest.fixture(scope="module")
def learn():
    return pictures.for_training(pictures.load(SAMPLE))


@pytest.fixture(scope="module")
def seen(learn):
    return features.image_features([picture.image for picture in learn])


def result(style):
    """Return a long run's result with the given mean style for each number of pictures."""
    rows = [
        {"count": count, "seed": seed, "style": [mean, mean + 0.02], "prompt": [0.5, 0.6],
         "before": [0.4, 0.42], "nearest": [0.5, 0.53]}
        for seed in (0, 1) for count, mean in style.items()
    ]  # fmt: skip
    return {"rows": rows, "counts": list(style), "floor": 0.3, "ceiling": 0.9}


# How many pictures


def test_a_smaller_choice_is_part_of_every_larger_one_and_a_seed_gives_another(learn):
    choices = [[p.path for p in many.some(learn, count)] for count in many.COUNTS]
    assert [len(set(choice)) for choice in choices] == list(many.COUNTS)
    assert all(set(less) < set(more) for less, more in zip(choices, choices[1:], strict=False))
    assert [p.path for p in many.some(learn, 4, seed=1)] != choices[0]


@pytest.mark.parametrize("count", [0, 17])
def test_more_pictures_than_there_are_or_none_is_told(learn, count):
    with pytest.raises(ValueError, match=f"{count} of 16"):
        many.some(learn, count)


def test_the_pictures_are_the_only_difference_between_two_trainings(paintings, tmp_path, monkeypatch):
    given = []
    monkeypatch.setattr(train, "train", lambda *some: given.append(some))
    for count in (2, 4):
        many.teach(paintings[:count], 5, 0, tmp_path)
    (few, words, plan, _), (all_of_them, more_words, other, _) = given
    assert few == all_of_them[:2] and words == more_words[:2]
    assert replace(plan, name="of_4") == other and plan.steps == 5


def test_a_choice_is_taught_and_leaves_an_adapter(paintings, tmp_path):
    run = many.teach(paintings[:1], 1, 0, tmp_path / "run")
    assert run.adapter.exists() and run.settings.trigger == many.TRIGGER and run.settings.name == "of_1"


def test_a_drawing_that_is_a_painting_is_a_copy_and_the_asked_thing_is_found(monkeypatch):
    monkeypatch.setattr(
        features, "image_features", lambda rows: torch.stack(rows) if isinstance(rows, list) else rows
    )
    names, rows = features.concepts()
    horse, boat = (rows[names.index(name)] for name in ("horse", "boat"))
    found = many.measured([horse, horse, boat, boat], ["a horse", "a boat"], horse[None], boat[None])
    assert found.prompt == [1, 1, 1, 1]
    assert found.nearest[0] == pytest.approx(1, abs=1e-3) and found.nearest[2] < 1
    assert found.style[2] == pytest.approx(1, abs=1e-3) and found.style[0] < 1


def test_every_subject_is_asked_for_with_the_trigger():
    assert many.prompts(["a horse"]) == [f"a horse, {many.TRIGGER}"]


def test_each_smaller_number_is_held_against_the_largest_and_each_against_the_base():
    told = many.verdicts(result({4: 0.4, 8: 0.6, 16: 0.6}))
    assert len(told) == 2 * 2 + 3
    assert told[0].startswith("style: 4 is lower than 16 by 0.200")
    assert "4 drawings show no difference between 8 and 16" in told[1]
    assert told[-1].startswith("nearest learned painting: taught 16 is higher than the base")
    assert many.verdicts(result({4: 0.7, 16: 0.6}))[0].startswith("style: 4 is higher than 16")


def test_the_recorded_result_becomes_a_picture():
    shown = many.figure(result({4: 0.4, 16: 0.6}))
    assert shown.data[:2] == b"\xff\xd8" and len(shown.data) < 60_000


def test_a_long_run_is_recorded_and_its_sentences_can_be_read(monkeypatch, tmp_path, paintings):
    kept, taught = {}, []
    held_out = torch.nn.functional.normalize(torch.randn(3, 1280), dim=1)
    monkeypatch.setattr(features, "image_features", features_of_noise)
    monkeypatch.setattr(long_run, "bench", lambda: long_run.Bench(Painter(), paintings, held_out, held_out))
    monkeypatch.setattr(long_run, "WORK", tmp_path)
    monkeypatch.setattr(recorded, "keep", lambda name, found: kept.update({name: found}))
    monkeypatch.setattr(many, "COUNTS", (2, 4))
    monkeypatch.setattr(trials, "SUBJECTS", ("a horse",))
    monkeypatch.setattr(trials, "SEEDS", (1,))

    def teach(chosen, steps, seed, folder):
        taught.append((len(chosen), steps, seed))
        return Run(folder, None)

    monkeypatch.setattr(many, "teach", teach)
    many.main()
    many.main()  # goes on where it was: at the end
    assert taught == [(count, long_run.STEPS, seed) for seed in long_run.TRAINING_SEEDS for count in (2, 4)]
    found = json.loads(json.dumps(kept["how_many_pictures"]))
    assert found["counts"] == [2, 4] and len(many.verdicts(found)) == 4


# The spoilt folder, the ruler, the opening picture


def test_the_report_finds_every_planted_fault_and_spares_the_good_ones(tmp_path):
    report = inspection.inspect(choosing.bad_folder(tmp_path / "bad"), BASE)
    told = "\n".join(inspection.lines(report))
    for part in ("boat.jpg: is 48 x 67 px", "notes.jpg: is not a picture", "blurred: falcon.jpg",
                 "a copy of another: tiger_2.jpg (of tiger.jpg)"):  # fmt: skip
        assert part in told
    assert {one.name for one in report.seen if one.level != "fine"} == {"falcon.jpg", "tiger_2.jpg"}
    for seed in range(4):
        back = {path.stem for path in inspection.held_out(report, 0.4, seed)}
        assert back and len(back & {"tiger", "tiger_2"}) != 1


def test_the_folder_can_be_made_twice_and_leaves_other_files_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    for _ in range(2):
        choosing.bad_folder(tmp_path)
    assert len(list(tmp_path.iterdir())) == len(choosing.FILES) + 2


def test_lots_tear_books_apart_that_whole_groups_keep():
    rows = museum.read_csv(museum.LIST)
    books = [row["book"] for row in rows]
    back = set(duplicates.hold_out([row["id"] for row in rows], [books.index(book) for book in books]))
    assert back and not {books[i] for i in back} & {books[i] for i in range(len(rows)) if i not in back}


def test_a_detail_is_a_picture_of_its_own(learn):
    part = choosing.detail(learn[0], (10, 20, 110, 70))
    assert part.size == part.image.size == (100, 50) and learn[0].size == (592, 832)


def test_the_ruler_keeps_the_size_of_the_file(learn):
    assert choosing.ruled(replace(learn[8], image=learn[8].image.resize((148, 208)))).size == (592, 832)


def test_the_opening_picture_can_be_drawn_again(tmp_path):
    choosing.opening(tmp_path / "02.jpg")
    drawn, kept = Image.open(tmp_path / "02.jpg"), Image.open(choosing.OPENING)
    assert drawn.size == kept.size and drawn.format == kept.format == "JPEG"
    assert choosing.OPENING.stat().st_size < 60_000


# The exercises


def exercise(number, line, **known):
    """Run an exercise's cell with its `None` line replaced, and return the last line it prints."""
    book = nbformat.read(NOTEBOOKS / f"{LESSON}.ipynb", as_version=4)
    (source,) = [c.source for c in book.cells if c.source.startswith(f"# Exercise {number} ")]
    lines = source.splitlines()
    stub = next(i for i, text in enumerate(lines) if "| None = None" in text)
    if line is not None:
        lines[stub] = f"{lines[stub].split(':')[0]} = {line!r}"
    told = []
    exec("\n".join(lines), {"print": lambda *parts: told.append(" ".join(parts))} | known)
    return told[-1]


@pytest.fixture(scope="module")
def lesson(learn, seen):
    return {"choosing": choosing, "window": learn[8], "seen": seen}


def test_the_lesson_shows_the_painting_that_the_checker_knows(lesson):
    assert lesson["window"].path.name == choosing.WINDOW


@pytest.mark.parametrize("number", [1, 2, 3])
def test_an_untouched_exercise_says_so(number, lesson):
    assert exercise(number, None, **lesson) == choosing.UNTOUCHED


def test_the_solutions_pass(lesson):
    solutions = runpy.run_path(str(NOTEBOOKS / "solutions" / f"{LESSON}.py"))
    for number, name in enumerate(("my_box", "my_eight", "my_letters"), 1):
        assert exercise(number, solutions[name], **lesson).startswith(choosing.RIGHT)


@pytest.mark.parametrize(("box", "hint"), [
    ((0, 120, 592, 712), "cuts the feet in the front row"),
    ((60, 300, 535, 758), "cuts the plume"),
    ((120, 272, 500, 758), "the man on the left, the man on the right"),
    ((0, 200, 592, 800), "longer side is 600 px"),
    ((60, 535, 272, 758), "cuts"),
    ((535, 272, 60, 758), "left < right up to 592"),
    ((60, 272, 535, 900), "top < bottom up to 832"),
    ((60, 272, 475), "four numbers"),
    ("60 272 535 758", "four numbers"),
])  # fmt: skip
def test_a_box_is_told_what_it_loses(lesson, box, hint):
    told = exercise(1, box, **lesson)
    assert told.startswith("not yet: ") and hint in told


def test_a_box_is_shown_beside_the_middle_square_when_it_fits(lesson):
    window = lesson["window"]
    assert choosing.cropped((60, 272, 535, 758), window).data[:2] == b"\xff\xd8"
    assert choosing.cropped(None, window) is None is choosing.cropped((9, 9, 9, 9), window)


@pytest.mark.parametrize(("eight", "hint"), [
    ([0, 1, 3, 7, 8, 9, 11], "7 numbers"),
    ([0, 0, 3, 7, 8, 9, 11, 12], "0 stands there more than once"),
    ([1, 2, 4, 8, 9, 10, 12, 16], "from 0 to 15"),
    ([-1, 2, 4, 8, 9, 10, 12, 13], "from 0 to 15"),
    ([0, 1, 2, 3, 4, 5, 6, 7], "5 and 6 are your most alike two"),
])  # fmt: skip
def test_eight_that_break_a_rule_or_are_alike_are_told(lesson, eight, hint):
    told = exercise(2, eight, **lesson)
    assert told.startswith("not yet: ") and hint in told


def test_half_of_all_random_eights_pass(seen):
    values = choosing.random_eights(seen)
    assert len(values) == choosing.DRAWS and 0 < min(values) < np.median(values) < max(values) < 1


@pytest.mark.parametrize(("letters", "hint"), [
    ("C", "commercial"), ("B", "found is not given"), ("ABC", "A is free"), ("BCD", "yours to give"),
    ("BCE", "names the maker"), ("BCZ", "from A to E"), ("", "commercial"),
])  # fmt: skip
def test_a_choice_of_rights_gets_its_own_hint(lesson, letters, hint):
    told = exercise(3, letters, **lesson)
    assert told.startswith("not yet: ") and hint in told


@pytest.mark.parametrize("letters", ["CB", "b, c", "B C"])
def test_letters_may_be_written_in_any_way(letters):
    assert choosing.check_left_out(letters) == choosing.RIGHT
