"""Lesson 05 and its long run: one training kept at several counts, verdicts on the advice, memory counted, checkers."""

import json
import runpy
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from lessons_lib.course import lesson_05, long_run, recorded, trials
from lessons_lib.models import bases, families, features
from lessons_lib.training import train
from lessons_lib.training.data import encode

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
LESSON = "05_train"
BASE = bases.find("pocket")
SPREAD = (-0.03, -0.01, 0.0, 0.01, 0.03)


def result_of(style, prompt=None, nearest=None, validation=None, counts=(25, 50, 100, 200)):
    """Return a sweep as a long run keeps it, of two trainings; each argument holds one mean a count, the base's first."""
    counts = [0, *counts][: len(style)]
    means = {"style": style, "prompt": prompt or style, "nearest": nearest or style}
    rows = [
        {"count": count, "seed": seed, "validation": validation[i] if validation and i else None}
        | {key: [values[i] + shift for shift in SPREAD] for key, values in means.items()}
        for seed in (0, 1)
        for i, count in enumerate(counts)
    ]
    return {
        "rows": rows,
        "counts": counts,
        "batch": 4,
        "pictures": 16,
        "floor": 0.3,
        "ceiling": 0.7,
        "own": [0.6],
    }


class Painter:
    """Stands for a sampler: grey pictures, and a note of what was loaded."""

    base, family = BASE, families.find(BASE.family)
    pipe = SimpleNamespace(transformer=torch.nn.Linear(2, 2))

    def __init__(self):
        self.loaded = []

    def sample(self, prompts, seeds, steps=None):
        return [[Image.new("RGB", (128, 128), (40 * seed, 90, 120)) for seed in seeds] for _ in prompts]

    def load(self, folder):
        self.loaded.append(folder)


# One training, kept at several counts


def test_what_is_kept_on_the_way_is_what_shorter_trainings_give(paintings, tmp_path):
    kept = lesson_05.teach(paintings[:2], [1, 2], 3, tmp_path / "kept", paintings[2:3])
    assert [len(run.log) for run in kept.values()] == [1, 2]
    assert all("validation" in line for line in kept[2].log)
    alone = lesson_05.teach(paintings[:2], [1], 3, tmp_path / "alone", paintings[2:3])
    one, other = load_file(alone[1].adapter), load_file(kept[1].adapter)
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert not any((run.folder / "checkpoints").exists() for run in kept.values())
    assert kept[1].settings.seed == 3 and kept[1].settings.lr_scheduler == "constant"


def test_one_training_serves_all_counts_and_a_stop_between_them_is_passed_on(
    paintings, tmp_path, monkeypatch
):
    calls = []

    def stands_still(learn, told, settings, folder, on_step, validation):
        calls.append((settings.steps, folder))
        return SimpleNamespace(log=[{}], folder=folder)

    monkeypatch.setattr(train, "train", stands_still)
    with pytest.raises(KeyboardInterrupt):
        lesson_05.teach(paintings, [50, 25], 0, tmp_path)
    assert [steps for steps, _ in calls] == [50] and list(tmp_path.iterdir()) == []


def test_a_watcher_stops_at_its_step_alone():
    watch = lesson_05.stop_at(3)
    watch(SimpleNamespace(step=2))
    watch(SimpleNamespace(step=4))
    with pytest.raises(KeyboardInterrupt):
        watch(SimpleNamespace(step=3))


def test_the_loss_is_told_now_and_then(capsys):
    tell = lesson_05.tell_every(2)
    for step in (1, 2, 3, 4):
        tell(SimpleNamespace(step=step, steps=4, smooth_loss=1.26))
    assert capsys.readouterr().out == "step 2 of 4: loss 1.3\nstep 4 of 4: loss 1.3\n"


# What a sweep says


def test_enough_is_where_the_style_can_no_longer_be_told_from_the_best():
    assert lesson_05.enough(result_of([0.3, 0.4, 0.6, 0.6, 0.6])) == 50
    assert lesson_05.enough(result_of([0.3, 0.4, 0.5, 0.6, 0.5])) == 100
    assert lesson_05.enough(result_of([0.3, 0.3, 0.3])) is None


@pytest.mark.parametrize(
    ("counts", "style", "said"),
    [
        (
            (25, 50, 100),
            [0.3, 0.4, 0.6, 0.6],
            "50 steps, 12.5 looks at each painting; fewer than the 1000 to 1500",
        ),
        (
            (25, 50, 100),
            [0.3, 0.4, 0.5, 0.6],
            "100 steps, 25 looks at each painting, the most that was tried",
        ),
        ((25, 50, 100), [0.3, 0.3, 0.3, 0.3], "nothing follows for the advice"),
        ((500, 1200, 2000), [0.3, 0.4, 0.6, 0.6], "; as many as the 1000 to 1500"),
        ((500, 2000, 4000), [0.3, 0.4, 0.6, 0.6], "; more than the 1000 to 1500"),
    ],
)
def test_the_advice_is_answered_either_way(counts, style, said):
    assert said in lesson_05.advice(result_of(style, counts=counts))


def test_verdicts_name_style_cost_copies_and_the_held_out_loss():
    result = result_of([0.3, 0.5, 0.6, 0.6], [0.9, 0.9, 0.9, 0.4], [0.4, 0.4, 0.4, 0.8], [0, 1.2, 1.0, 1.1])
    told = lesson_05.verdicts(result)
    assert any(line.startswith("style: 25 steps is lower than 50 steps by 0.100") for line in told)
    assert any("prompt kept: 10 drawings show no difference between 50 steps and the base" in t for t in told)
    assert any(line.startswith("prompt kept: 100 steps is lower than the base by 0.5") for line in told)
    assert any(line.startswith("nearest learned painting: 100 steps is higher") for line in told)
    assert told[-2:] == [
        "nearer to a learned painting than any held-out one, at 100 steps: 10 of 10",
        "held-out loss lowest at: 50 steps, 50 steps",
    ]


def test_the_means_are_one_line_a_count():
    told = lesson_05.means(result_of([0.3, 0.5], [0.9, 0.8], [0.4, 0.6], [0, 1.25]))
    assert len(told) == 2 and "held-out loss" not in told[0]
    assert (
        told[1]
        == " 25 steps: style match 0.50, prompt kept 0.80, nearest learned painting 0.60, held-out loss 1.25"
    )


def test_without_a_held_out_loss_nothing_is_said_of_it():
    assert lesson_05.lowest(result_of([0.3, 0.4])) == []
    assert len(lesson_05.verdicts(result_of([0.3, 0.3]), figures=False)) == 5


def test_a_sweep_in_the_lesson_is_kept_as_the_long_run_keeps_it(monkeypatch):
    names, rows = features.concepts()
    horse = rows[[names.index("horse")] * 2]
    real = features.image_features
    monkeypatch.setattr(
        features, "image_features", lambda x: real(x) if isinstance(x, torch.Tensor) else horse
    )
    runs = {5: SimpleNamespace(log=[{"loss": 1.0}, {"loss": 1.0, "validation": 0.9}])}
    found = lesson_05.sweep({0: [None] * 2, 5: [None] * 2}, runs, ["a horse"], horse, horse, 4)
    assert set(found) <= set(result_of([0.3, 0.4])) and found["counts"] == [0, 5]
    assert [line["validation"] for line in found["rows"]] == [None, 0.9]
    assert found["rows"][1]["prompt"] == [1, 1] and found["own"] == pytest.approx([1, 1], abs=1e-3)


def test_the_pictures_of_a_sweep_and_of_a_loss_are_single_jpegs(short_run):
    for shown in (lesson_05.figure(result_of([0.3, 0.4])), lesson_05.losses(short_run)):
        assert shown.data[:2] == b"\xff\xd8" and len(shown.data) < 60_000


def test_steadier_values_wobble_less():
    assert lesson_05.wobble([1, 2, 1, 2]) == 1 > lesson_05.wobble([1, 1.1, 1.2])


# Memory


def test_the_bill_counts_each_part_and_leaves_no_adapter_behind(sampler, paintings):
    before = {name: value.clone() for name, value in sampler.pipe.transformer.state_dict().items()}
    lesson = encode(sampler.family, sampler.pipe, sampler.base, paintings, ["a"] * 5)
    parts = lesson_05.bill(sampler, lesson)
    *_, full, single, thrifty = parts.values()
    assert full == pytest.approx(BASE.batch * single, rel=0.1) and thrifty < full / 4
    assert parts["optimizer state"] == 2 * parts["adapter"] < parts["frozen model"]
    after = sampler.pipe.transformer.state_dict()
    assert set(after) == set(before) and all(torch.equal(after[name], before[name]) for name in before)
    assert not sampler.pipe.transformer.is_gradient_checkpointing
    assert lesson_05.bars(parts).data[:2] == b"\xff\xd8"


def test_the_work_of_a_step_grows_with_numbers_tokens_and_batch():
    net = torch.nn.Linear(9, 1)
    assert lesson_05.work(net, BASE) == 10 * (64 + 48) * 4


def test_the_opening_picture_can_be_drawn_again(tmp_path):
    lesson_05.opening(tmp_path / "05.jpg")
    made, kept = Image.open(tmp_path / "05.jpg"), Image.open(lesson_05.OPENING)
    assert made.size == kept.size and made.format == kept.format == "JPEG"
    assert lesson_05.OPENING.stat().st_size < 60_000


# The long run, in small


def test_the_long_run_is_recorded_and_its_sentences_can_be_read(monkeypatch, tmp_path, paintings):
    painter, kept, taught = Painter(), {}, []
    ones = torch.nn.functional.normalize(torch.ones(2, 1280), dim=1)
    monkeypatch.setattr(features, "image_features", lambda images: ones[:1].repeat(len(images), 1))
    monkeypatch.setattr(long_run, "bench", lambda: long_run.Bench(painter, paintings, ones, ones))
    monkeypatch.setattr(long_run, "WORK", tmp_path)
    monkeypatch.setattr(recorded, "keep", lambda name, result: kept.update({name: result}))
    monkeypatch.setattr(trials, "SUBJECTS", ("a horse",))

    def teach(learn, counts, seed, out, held_out):
        taught.append((tuple(counts), seed, len(held_out)))
        return {n: SimpleNamespace(folder=out / str(n), log=[{"validation": 1.0}]) for n in counts}

    monkeypatch.setattr(lesson_05, "teach", teach)
    lesson_05.main()
    result = json.loads(json.dumps(kept["how_many_steps"]))
    assert [seed for _, seed, _ in taught] == list(long_run.TRAINING_SEEDS) and taught[0][2] == 6
    assert result["counts"] == [0, *lesson_05.COUNTS] and result["steps"] == lesson_05.COUNTS[-1]
    assert len(result["rows"]) == 2 * len(result["counts"]) and len(painter.loaded) == 2 * len(
        lesson_05.COUNTS
    )
    assert all(isinstance(line, str) for line in lesson_05.verdicts(result))
    lesson_05.main()
    assert len(taught) == 2


# The exercises


@pytest.fixture(scope="module")
def solutions():
    return runpy.run_path(str(NOTEBOOKS / "solutions" / f"{LESSON}.py"))


def mixed(latents, noise, sigma):
    spread = sigma.view(-1, 1, 1, 1)
    return (1 - spread) * latents + spread * noise


def with_target(target, dims=(1, 2, 3)):
    return lambda model, x, n, s: (model(mixed(x, n, s), s) - target(x, n)).square().mean(dims)


WRONG_LOSSES = [
    with_target(lambda x, n: x - n),
    with_target(lambda x, n: n),
    with_target(lambda x, n: x),
    with_target(lambda x, n: n - x, (0, 1, 2, 3)),
    lambda model, x, n, s: (model(mixed(n, x, s), s) - (n - x)).square().mean((1, 2, 3)),
    lambda model, x, n, s: (model((1 - s) * x + s * n, s) - (n - x)).square().mean((1, 2, 3)),
    lambda model, x, n, s: (model(x, s) - (n - x)).square().mean((1, 2, 3)),
    lambda model, x, n, s: (n - x).square().mean((1, 2, 3)),
    lambda model, x, n, s: (model(mixed(x, n, s), s) - (n - x)).abs().mean((1, 2, 3)),
]
WRONG_STEPS = [
    lambda n, looks, batch, times: n * looks,
    lambda n, looks, batch, times: -(-n * looks // batch),
    lambda n, looks, batch, times: n * looks // (batch * times),
    lambda n, looks, batch, times: looks,
]


def test_the_solutions_pass(solutions):
    assert lesson_05.check_loss(solutions["flow_loss"]) == "right"
    assert lesson_05.check_steps(solutions["steps_needed"]) == "right"
    assert lesson_05.check_stop(solutions["my_stop"]) == "right"


def test_each_likely_mistake_gets_its_hint():
    for check, wrongs in (
        (lesson_05.check_loss, WRONG_LOSSES),
        (lesson_05.check_steps, WRONG_STEPS),
    ):
        hints = [check(wrong) for wrong in wrongs]
        assert all(hint.startswith("not yet: ") for hint in hints)
        assert len(set(hints)) == len(wrongs)


@pytest.mark.parametrize(
    ("step", "hint"), [(200, "still rises"), (800, "the prompt"), (300, "choose one of 100")]
)
def test_a_stop_that_is_too_early_too_late_or_not_there_is_told(step, hint):
    assert hint in lesson_05.check_stop(step)


def test_the_untouched_exercises_of_the_lesson_say_so(capsys):
    cells = nbformat.read(NOTEBOOKS / f"{LESSON}.ipynb", as_version=4).cells
    exercises = [cell.source for cell in cells if cell.source.startswith("# Exercise")]
    for source in exercises:
        exec(source, {"lesson_05": lesson_05, "torch": torch})
    assert len(exercises) == 3 and capsys.readouterr().out == "not attempted yet\n" * 3


def test_the_published_hours_and_the_turn_of_the_made_up_sweep_stand_as_the_lesson_tells_them():
    assert lesson_05.enough(lesson_05.MADE_UP) == 400
    assert max(lesson_05.PUBLISHED.values()) == 4
