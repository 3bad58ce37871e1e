"""Every exercise with a checker: what it prints for the untouched stub,
the right answer and likely mistakes.
"""

import math
import random
import re
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from course_fakes import BASE, JUDGE
from exercise_cells import NOTEBOOKS, exercise_cells, run_exercise, solution
from PIL import Image, ImageDraw

from lessons_lib.adapters import lora
from lessons_lib.course import (
    appendix_knobs_exercises,
    lesson_02_exercises,
    lesson_03_captions,
    lesson_04,
    lesson_05_exercises,
    lesson_06_exercises,
    lesson_07_exercises,
    lesson_07_record,
    lesson_08_exercises,
    lesson_09,
    lesson_09_exercises,
    lesson_10,
    lesson_10_exercises,
    lesson_11,
    lesson_11_exercises,
    recorded,
)
from lessons_lib.course.trials import flatten
from lessons_lib.dataset import captions, dataset
from lessons_lib.evaluation import metrics
from lessons_lib.models import families, features, pixels
from lessons_lib.paths import SAMPLE
from lessons_lib.training import text as text_training

WITHOUT_CHECKER = {("00", 3), ("01", 1)}  # they only draw what the learner asks for


def noisy(latents, noise, sigma):
    share = sigma.view(-1, 1, 1, 1)
    return (1 - share) * latents + share * noise


def loss_against(target, dims=(1, 2, 3)):
    """Return a loss that compares the velocity with a target(latents, noise)."""
    return lambda model, x, n, s: (model(noisy(x, n, s), s) - target(x, n)).square().mean(dims)


# Lesson and exercise: what is printed for the right answer, or a part of it.
RIGHT = {
    ("00", 1): "right", ("00", 2): "0.10; close!", ("01", 2): "right", ("01", 3): "moved by 0.17; close!",
    ("02", 1): "right", ("02", 2): "right; in the column crop", ("02", 3): "right",
    ("02", 4): "right: they differ more than", ("03", 1): "right", ("03", 2): "good", ("03", 3): "good",
    ("03", 4): "right", ("04", 1): "right", ("04", 2): "right", ("04", 3): "right", ("04", 4): "right",
    ("05", 1): "right", ("05", 2): "right", ("05", 3): "right", ("06", 1): "right",
    ("06", 2): "of the gap, and nothing was learned: deceived", ("06", 3): "right", ("06", 4): "right",
    ("09", 1): "right", ("09", 2): "right", ("09", 3): "right",
    ("10", 1): "right", ("10", 2): "right", ("10", 3): "right",
    ("11", 1): "right", ("11", 2): "right", ("appendix", 1): "right", ("appendix", 2): "right",
    ("08", 1): "right", ("08", 2): "right", ("08", 3): "right",
    ("07", 1): "right",
    ("07", 2): "right",
    ("07", 3): "right",
}  # fmt: skip
# Likely mistakes, and a part of the hint that each gets.
MISTAKES = {
    ("00", 2): [(0.5, "far"), (1.0, "far")],
    ("00", 1): [
        (lambda x, y: x @ y.T, "take the mean, one number"), (lambda x, y: (x @ y.T).max(), "nearest pair"),
        (lambda x, y: (x @ y.T).sum(), "the sum"), (lambda x, y: (x @ y).mean(), "needs a .T"),
        (lambda x, y: 0.5, "the mean of features"),
    ],
    ("01", 2): [
        (lambda z, x, s, n: x, "jumps to the end"),
        (lambda z, x, s, n: z + (s - n) * (z - x) / s, "leads to the noise"),
        (lambda z, x, s, n: z + (n - s) * (z - x), "divided by sigma"), (lambda z, x, s, n: z, "along it"),
    ],
    ("01", 3): [(0.2, "try another"), (1.0, "try another")],
    ("02", 1): [
        ("C", "commercial"), ("B", "to find is not to be given"), ("ABC", "free for any use"),
        ("BCD", "yours to give"), ("BCE", "names the maker"), ("BCZ", "no such record"), ("", "commercial"),
    ],
    ("02", 2): [
        ((0, 120, 592, 712), "cuts the feet in the front row"), ((60, 300, 535, 758), "cuts the plume"),
        ((120, 272, 500, 758), "the man on the left, the man on the right"),
        ((0, 200, 592, 800), "longer side is 600 px"), ((60, 535, 272, 758), "cuts"),
        ((535, 272, 60, 758), "left < right up to 592"), ((60, 272, 535, 900), "top < bottom up to 832"),
        ((60, 272, 475), "four numbers"), ("60 272 535 758", "four numbers"),
    ],
    ("02", 3): [
        (lambda p, n, seed: p[:n], "another seed gives the same choice"),
        (lambda p, n, seed: random.sample(p, n), "the same seed gives another choice"),
        (lambda p, n, seed: random.Random(seed + n).sample(p, n), "the four are no part of the eight"),
        (lambda p, n, seed: random.Random(seed).choices(p, k=n), "there twice"),
        (lambda p, n, seed: p, "12 pictures where 4"), (lambda p, n, seed: p["x"], "it stops with TypeError"),
    ],
    ("02", 4): [
        ([0, 1, 3, 7, 8, 9, 11], "7 numbers"), ([0, 0, 3, 7, 8, 9, 11, 12], "0 stands there more than once"),
        ([1, 2, 4, 8, 9, 10, 12, 16], "from 0 to 15"), ([-1, 2, 4, 8, 9, 10, 12, 13], "from 0 to 15"),
        ([0, 1, 2, 3, 4, 5, 6, 7], "5 and 6 are your most alike two"),
    ],
    ("03", 1): [
        (lambda texts, old, new: [t.replace(old, new) for t in texts], "walqueening"),
        (lambda texts, old, new: texts, "expected 'two kings, one queen'"),
        (lambda texts, old, new: texts[:1], "one text for each"),
    ],
    ("03", 2): [
        ("a beautiful miniature of a tiger and a deer", "beautiful, miniature"),
        ("tiger, deer", "too short"),
    ],
    ("03", 3): [("tom", "meaning"), ("ki", "in a caption already")],
    ("03", 4): [("words", "the last line"), ("style", "one of 'trigger'")],
    ("04", 1): [
        (lambda layer, x: layer.base(x), "add the change"),
        (lambda layer, x: x @ layer.up.weight, "x goes through down first"),
        (lambda layer, x: layer.scaling * layer.up(layer.down(x)), "what the frozen layer says"),
        (lambda layer, x: layer.base(x) + layer.up(layer.down(x)), "multiplied by layer.scaling"),
        (lambda layer, x: 0 * layer.base(x), "layer.base(x) + layer.scaling"),
    ],
    ("04", 2): [
        (lambda i, o, r: i * o, "neither factor is in x out"),
        (lambda i, o, r: r * i * o, "neither factor is in x out"), (lambda i, o, r: i + o, "two factors"),
        (lambda i, o, r: r * i, "two factors"), (lambda i, o, r: 0, "0 for in 30"),
    ],
    ("04", 4): [
        (lambda w, down, up, alpha: w + up @ down, "alpha / rank is missing"),
        (lambda w, down, up, alpha: w + alpha * up @ down, "divided by the rank"),
        (lambda w, down, up, alpha: w + down @ up, "the order"),
        (lambda w, down, up, alpha: lora.lora_delta(down, up, alpha), "add it to the weight"),
        (lambda w, down, up, alpha: w, "weight + scale"),
    ],
    ("04", 3): [
        (lambda sizes, share: int((sizes.cumsum(0) < share * sizes.sum()).sum()) + 1, "square the sizes"),
        (
            lambda sizes, share: int((sizes.square().cumsum(0) < share * sizes.square().sum()).sum()),
            "one too few",
        ),
        (lambda sizes, share: len(sizes), "for sizes 3, 2, 1, 1"),
    ],
    ("05", 1): [
        (loss_against(lambda x, n: x - n), "change its sign"),
        (loss_against(lambda x, n: n), "asks for the noise"),
        (loss_against(lambda x, n: x), "asks for the painting"),
        (loss_against(lambda x, n: n - x, (0, 1, 2, 3)), "one number an example"),
        (
            lambda model, x, n, s: (model(noisy(n, x, s), s) - (n - x)).square().mean((1, 2, 3)),
            "other way round",
        ),
        (lambda model, x, n, s: (model((1 - s) * x + s * n, s) - (n - x)).square().mean(), "sigma.view"),
        (lambda model, x, n, s: (model(x, s) - (n - x)).square().mean((1, 2, 3)), "the model should see"),
        (lambda model, x, n, s: (n - x).square().mean((1, 2, 3)), "was not called"),
        (
            lambda model, x, n, s: (model(noisy(x, n, s), s) - (n - x)).abs().mean((1, 2, 3)),
            "mean of the squared",
        ),
    ],
    ("05", 2): [
        (lambda n, epochs, batch, accumulation: n * epochs, "`batch` pictures at once"),
        (lambda n, epochs, batch, accumulation: -(-n * epochs // batch), "several batches"),
        (lambda n, epochs, batch, accumulation: n * epochs // (batch * accumulation), "round up"),
        (lambda n, epochs, batch, accumulation: epochs, "100 for 16 pictures"),
    ],
    ("05", 3): [(300, "choose one of 25"), (25, "train longer"), (400, "lower than that of the best")],
    ("06", 1): [
        (lambda most, n: math.comb(n, most) / 2**n * 2, "the ways to get more"),
        (lambda most, n: sum(math.comb(n, k) for k in range(most, n + 1)) / 2**n, "to either side"),
        (lambda most, n: most / n, "1.0 for 3 of 3"),
    ],
    ("06", 2): [
        (lambda sample, painting: sample, "not deceived yet"),
        (lambda sample, painting: "a fraud", "expected a picture, found str"),
    ],
    ("06", 3): [(9, "15%"), (2, "other side"), (11, "so would fewer")],
    ("06", 4): [("ab", "who chose"), ("a", "missing"), ("adz", "no such claim"), ("ade", "the coin")],
    ("07", 1): [
        ({"A": "ghost"}, "'ghost' is no fault"), ({"M": "rate"}, "no letter of this museum"),
        (dict.fromkeys("ABCDEFGHIJKL", "few"), "1 of 12"),
    ],
    ("07", 2): [
        (lambda m, h: "many" if m["loss"] < 0.9 * h["loss"] else None, "your rule says 'many'"),
        (lambda m, h: "repeat", "your rule says 'repeat'"),
        (lambda m, h: "many" if m["steps"] > h["steps"] else None, "your rule says None"),
    ],
    ("07", 3): [("abdf", "a: what does the next step do"), ("bd", "f: one that helps"), ("bdfz", "no such")],
    ("08", 1): [
        (lambda p, t, cp, ct, w: (p - t).square().mean(), "class pictures are missing"),
        (lambda p, t, cp, ct, w: (p - t).square().mean() + (cp - ct).square().mean(), "weight is missing"),
        (lambda p, t, cp, ct, w: w * (p - t).square().mean() + (cp - ct).square().mean(), "weight belongs"),
        (lambda p, t, cp, ct, w: (1 - w) * (p - t).square().mean() + w * (cp - ct).square().mean(), "share"),
        (lambda p, t, cp, ct, w: (p - t).square(), "one number"),
        (lambda p, t, cp, ct, w: (p - t).abs().mean() + w * (cp - ct).abs().mean(), "mean squared error"),
    ],
    ("08", 2): [
        ("an owl and a red bird, on a green background", "the word thgh96 is missing"),
        ("thgh96 with a red bird on its wing", "what is it"),
        ("thgh96 owl waving, on a green background", "somebody else"),
        ("thgh96 owl with a yellow scarf and a red bird", "it always has"),
        ("thgh96 owl, red bird", "where are they"),
    ],
    ("08", 3): [("abcf", "show a sample"), ("bcdf", "photographer"), ("bce", "face"), ("cf", "yourself")],
    ("09", 1): [
        (lambda a, b, x, y: (torch.cat([a.down, b.down]), torch.cat([a.up, b.up], 1)), "compare up @ down"),
        (lambda a, b, x, y: (torch.cat([a.down, b.down]), torch.cat([x * a.up, y * b.up], 1)), "each"),
        (lambda a, b, x, y: (a.down + b.down, a.up + b.up), "which dimension"),
        (lambda a, b, x, y: (a.down, a.up), "the ranks add up"),
        (lambda a, b, x, y: a.delta, "two tensors"),
        (
            lambda a, b, x, y: (
                torch.cat([a.down, b.down]),
                torch.cat([a.up * a.scaling, b.up * b.scaling], 1),
            ),
            "weights are missing",
        ),
    ],
    ("09", 2): [(32, "smaller one"), (8, "loses more"), (7, "choose one of")],
    ("10", 1): [
        (lambda p, a, e: (torch.tensor(p + a), torch.tensor(p + a)), "never ends"),
        (lambda p, a, e: (torch.tensor([*p, *a, e]), torch.tensor([*p, *a, e])), "the question is learned"),
        (
            lambda p, a, e: (torch.tensor([*p, *a, e]), torch.tensor([-100, -100, -100, 9, 2, -100])),
            "the end is learned",
        ),
        (
            lambda p, a, e: (torch.tensor([*p, *a, e]), torch.tensor([-100, -100, *a, e])),
            "each token has one",
        ),
        (lambda p, a, e: torch.tensor([*p, *a, e]), "return two tensors"),
        (lambda p, a, e: (torch.ones(2),) * 3, "return two tensors"),
        (lambda p, a, e: p + a + torch.tensor([e]), "lists are joined"),
    ],
    ("10", 2): [
        ("ac", "whom does a weight ask"), ("abce", "which page"), ("acde", "a habit"), ("", "next week")
    ],
    ("10", 3): [
        (lambda c, p, near: (np.linalg.norm(c[:, None] - p, axis=-1) < near).mean(), "smallest distance"),
        (lambda c, p, near: (np.linalg.norm(c[:, None] - p, axis=-1).min(-1) < near).sum(), "divide"),
        (lambda c, p, near: (np.abs(c[:, None] - p).sum(-1).min(-1) < near).mean(), "root of the sum"),
        (lambda c, p, near: np.linalg.norm(c - p, axis=-1).mean(), "colours[:, None]"),
    ],
    ("09", 3): [("abde", "yours to show"), ("acde", "paths tell"), ("ad", "gallery"), ("adez", "no such")],
    ("11", 1): [
        (replace(lesson_11.GOAL, change=" "), "change is empty"),
        (replace(lesson_11.GOAL, keep=lesson_11.GOAL.change), "are the same"),
        (replace(lesson_11.GOAL, prompts=("a cat", "a dog")), "2 prompts; take 4 or more"),
        (replace(lesson_11.GOAL, prompts=("a house", *lesson_11.GOAL.prompts)), "'a house' is in the set"),
        (replace(lesson_11.GOAL, style=30), "style is 30; expected more than 0"),
        ("crayon", "write lesson_11.Goal("),
    ],
    ("appendix", 1): [
        (lambda r, a, rate, new_r, new_rate: rate * a / new_rate, "the rank divides alpha"),
        (lambda r, a, rate, new_r, new_rate: a / r * new_r, "the rate is a third"),
        (lambda r, a, rate, new_r, new_rate: a / r * new_r * new_rate / rate, "a smaller rate needs"),
        (lambda r, a, rate, new_r, new_rate: a * r / new_r * rate / new_rate, "a smaller rank needs"),
        (lambda r, a, rate, new_r, new_rate: a, "32 for rank 32"),
        (lambda r, a, rate, new_r, new_rate: "a", "expected a number"),
    ],
    ("appendix", 2): [
        ("abe", "who chose"), ("e", "one size"), ("bce", "their seed alone"), ("bde", "Which of them"),
        ("befz", "what did it cost"), ("", "one size"), ("bez", "no such post"),
    ],
    ("11", 2): [("abce", "how many"), ("acde", "were looked at"), ("ac", "helps"), ("acez", "no such")],
}  # fmt: skip


@pytest.fixture(scope="module")
def names(paintings):
    """Return, by lesson, the names that its exercises take from the cells above them."""
    sample = dataset.read(SAMPLE)
    tokenizer = families.find(BASE.family).load_tokenizer(BASE)
    samples = [Image.new("RGB", (128, 128), (200, 200 - 30 * i, 255)) for i in range(4)]
    for i, image in enumerate(samples):
        ImageDraw.Draw(image).ellipse((30, 30 + 5 * i, 90, 100), fill="red")
    squares = [pixels.to_square(painting.image, 128) for painting in paintings]
    return {
        "00": {
            "BASE": BASE, "prompts": [], "held_out": {"whole": None},
            "scores": {"whole": {"base": 0.2, "tuned": 0.4}}, "style_match": lambda *_: 0.22,
            "judge": SimpleNamespace(image_features=lambda images: None), "metrics": metrics,
            "flatten": flatten, "sampler": SimpleNamespace(sample=lambda *_, **__: []),
        },
        "01": {
            "torch": torch,
            "PROMPT": "an elephant",
            "OTHER": "a carrot",
            "add_noise": lambda sigma: sigma,
            "sampler": SimpleNamespace(
                predict_original=lambda z, sigma, prompt: torch.tensor([sigma**2 * (prompt == "a carrot")])
            ),
        },
        "02": {
            "lesson_02_exercises": lesson_02_exercises,
            "window": sample.train[8],
            "train_features": features.image_features([picture.image for picture in sample.train]),
        },
        "03": {
            "lesson_03_captions": lesson_03_captions, "captions": captions, "tokenizer": tokenizer,
            "limit": BASE.caption_tokens, "texts": [picture.caption for picture in sample.train],
            "captions_record": recorded.load("caption_modes"),
        },
        "04": {"lesson_04": lesson_04, "torch": torch},
        "05": {
            "lesson_05_exercises": lesson_05_exercises,
            "record": recorded.load("how_many_steps"),
            "torch": torch,
        },
        "06": {
            "judge": JUDGE, "lesson_06_exercises": lesson_06_exercises, "base_images": samples,
            "train_images": squares[:3], "held_out_images": [squares[3]],
        },
        "10": {"torch": torch, "np": np, "lesson_10_exercises": lesson_10_exercises},
        "11": {
            "lesson_11": lesson_11, "lesson_11_exercises": lesson_11_exercises,
            "set_captions": ["A house", "a car"],
        },
        "07": {
            "lesson_07_exercises": lesson_07_exercises, "SEED": lesson_07_record.SEEDS[0],
            "record": recorded.load(lesson_07_record.NAME),
        },
        "08": {"lesson_08_exercises": lesson_08_exercises},
        "appendix": {"appendix_knobs_exercises": appendix_knobs_exercises},
        "09": {
            "lesson_09_exercises": lesson_09_exercises,
            "losses": {32: 0.03, 16: 0.08, 8: 0.16, 4: 0.3, 1: 0.6},
        },
    }  # fmt: skip


def test_every_exercise_with_a_checker_is_tried():
    lessons = sorted(path.name.split("_")[0] for path in NOTEBOOKS.glob("[0-9a]*_*.ipynb"))
    exercises = {(lesson, i) for lesson in lessons for i in range(1, len(exercise_cells(lesson)) + 1)}
    assert set(RIGHT) == set(MISTAKES) == exercises - WITHOUT_CHECKER
    assert all(len(mistakes) >= 2 for mistakes in MISTAKES.values())


@pytest.mark.parametrize(("lesson", "number"), RIGHT)
def test_an_untouched_exercise_says_so(names, lesson, number):
    assert run_exercise(lesson, number, names[lesson]).splitlines()[-1] == "not attempted yet"


@pytest.mark.parametrize(("lesson", "number"), RIGHT)
def test_the_solution_is_right(names, lesson, number):
    printed = run_exercise(lesson, number, names[lesson], solution(lesson, number))
    assert RIGHT[lesson, number] in printed


@pytest.mark.parametrize(
    ("lesson", "number", "answer", "hint"),
    [(*exercise, *mistake) for exercise, mistakes in MISTAKES.items() for mistake in mistakes],
)
def test_a_likely_mistake_gets_its_hint(names, lesson, number, answer, hint):
    printed = run_exercise(lesson, number, names[lesson], answer)
    assert hint in printed and RIGHT[lesson, number] not in printed


@pytest.mark.parametrize("letters", ["CB", "b, c", "B C", ["b", "C"]])
def test_letters_may_be_written_in_any_way(letters):
    assert lesson_02_exercises.check_left_out(letters) == "right"


@pytest.mark.parametrize("letters", ["cbf", "b, c, f", "BCF", ["b", "c", "F"], {"b, c", "f"}])
def test_letters_of_other_lessons_may_be_so_as_well(letters):
    assert lesson_08_exercises.check_consent(letters) == "right"


def stops(*_):
    raise ZeroDivisionError("in the\nanswer")


CHECKER = re.compile(r"(lesson|appendix)_\w+\.check_")
CHECKED = [one for one in RIGHT if CHECKER.search(exercise_cells(one[0])[one[1] - 1])]


@pytest.mark.parametrize("answer", [stops, "words", 3.5, (torch.ones(2),) * 3, [None]])
@pytest.mark.parametrize(("lesson", "number"), CHECKED)
def test_no_answer_stops_a_notebook(names, lesson, number, answer):
    assert run_exercise(lesson, number, names[lesson], answer).splitlines()[-1].startswith("not yet: ")


def test_an_error_of_any_kind_in_an_answer_is_one_line():
    printed = lesson_04.check_parameters(stops)
    assert printed == "not yet: it stops with ZeroDivisionError: in the answer"


def test_a_painting_itself_deceives_the_measure_of_centres(names):
    assert run_exercise("06", 2, names["06"], lambda sample, painting: painting).endswith("deceived")


@pytest.mark.parametrize(
    ("check", "fallback"),
    [
        (lesson_09_exercises.check_merge, lesson_09.merge_factors),
        (lesson_10_exercises.check_example, text_training.labelled),
        (lesson_10_exercises.check_share, lesson_10.palette_share),
    ],
)
def test_what_a_lesson_goes_on_with_where_a_blank_is_empty_passes_its_checker(check, fallback):
    assert check(fallback) == "right"
