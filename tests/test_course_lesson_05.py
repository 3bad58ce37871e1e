"""Lesson 05: one training kept at several counts of steps, verdicts on the advice, memory part by part,
the long run.
"""

import json
from types import SimpleNamespace

import nbformat
import numpy as np
import pytest
import torch
from course_fakes import BASE, JUDGE, marked
from peft.utils import get_peft_model_state_dict
from PIL import Image
from safetensors.torch import load_file

from lessons_lib import session
from lessons_lib.adapters.settings import Settings
from lessons_lib.course import (
    lesson_05,
    lesson_05_exercises,
    lesson_05_figures,
    lesson_05_memory,
    long_run,
    trials,
)
from lessons_lib.dataset import dataset as datasets
from lessons_lib.dataset.dataset import Dataset
from lessons_lib.models import bases, features
from lessons_lib.paths import ROOT, SAMPLE
from lessons_lib.training import train
from lessons_lib.training.data import encode

SPREAD = (-0.03, -0.01, 0.0, 0.01, 0.03)


def result_of(style, prompt_rank=None, nearest=None, validation=None, counts=(25, 50, 100, 200)):
    """Return a sweep of two trainings as a long run records it.

    Each argument holds one mean a count, the base's first.
    """
    counts = [0, *counts][: len(style)]
    means = {"style": style, "prompt_rank": prompt_rank or style, "nearest": nearest or style}
    rows = [
        {"count": count, "seed": seed, "validation": validation[i] if validation and i else None}
        | {key: [values[i] + shift for shift in SPREAD] for key, values in means.items()}
        for seed in (0, 1)
        for i, count in enumerate(counts)
    ]
    return {"rows": rows, "counts": counts, "batch": 4, "pictures": 16, "floor": 0.3, "ceiling": 0.7,
            "held_out_nearest": [0.6]}  # fmt: skip


# One training, kept at several counts


def test_an_adapter_kept_on_the_way_is_that_of_a_shorter_training(paintings, tmp_path):
    dataset = Dataset(paintings[:2], paintings[2:3])
    runs = lesson_05.train_sweep(BASE, dataset, [1, 2], 3, tmp_path / "both")
    assert [len(run.log) for run in runs.values()] == [1, 2]
    assert all("validation" in row for row in runs[2].log)
    alone = lesson_05.train_sweep(BASE, dataset, [1], 3, tmp_path / "alone")
    one, other = load_file(alone[1].adapter), load_file(runs[1].adapter)
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert not any((run.folder / "checkpoints").exists() for run in runs.values())
    assert runs[1].settings.seed == 3 and runs[1].settings.lr_scheduler == "constant"


def test_one_training_serves_all_counts_and_a_stop_between_them_is_passed_on(
    paintings, tmp_path, monkeypatch
):
    calls = []

    def stopped_early(dataset, settings, run_dir, on_step):
        calls.append((settings.steps, run_dir))
        return SimpleNamespace(log=[{}], folder=run_dir)

    monkeypatch.setattr(train, "train", stopped_early)
    with pytest.raises(KeyboardInterrupt):
        lesson_05.train_sweep(BASE, Dataset(paintings), [50, 25], 0, tmp_path)
    assert [steps for steps, _ in calls] == [50] and list(tmp_path.iterdir()) == []


def test_a_training_is_stopped_at_its_step_alone():
    on_step = lesson_05.stop_at(3)
    on_step(SimpleNamespace(step=2))
    on_step(SimpleNamespace(step=4))
    with pytest.raises(KeyboardInterrupt):
        on_step(SimpleNamespace(step=3))


def test_the_loss_is_printed_every_so_many_steps(capsys):
    on_step = lesson_05.print_loss_every(2)
    for step in (1, 2, 3, 4):
        on_step(SimpleNamespace(step=step, steps=4, smooth_loss=1.26))
    assert capsys.readouterr().out == "step 2 of 4: loss 1.3\nstep 4 of 4: loss 1.3\n"


# What a sweep says


def test_enough_is_where_the_style_can_no_longer_be_told_from_the_best():
    assert lesson_05.enough_steps(result_of([0.3, 0.4, 0.6, 0.6, 0.6])) == 50
    assert lesson_05.enough_steps(result_of([0.3, 0.4, 0.5, 0.6, 0.5])) == 100
    assert lesson_05.enough_steps(result_of([0.3, 0.3, 0.3])) is None


@pytest.mark.parametrize(("counts", "style", "sentence"), [
    ((25, 50, 100), [0.3, 0.4, 0.6, 0.6], "50 steps, 200 pictures seen; fewer than the 1000 to 1500"),
    ((25, 50, 100), [0.3, 0.4, 0.5, 0.6], "100 steps, 400 pictures seen, the most that was tried"),
    ((25, 50, 100), [0.3, 0.3, 0.3, 0.3], "nothing follows for the advice"),
    ((100, 300, 500), [0.3, 0.4, 0.6, 0.6], "300 steps, 1200 pictures seen; as many as the 1000 to 1500"),
    ((100, 500, 900), [0.3, 0.4, 0.6, 0.6], "500 steps, 2000 pictures seen; more than the 1000 to 1500"),
])  # fmt: skip
def test_the_advice_is_answered_either_way(counts, style, sentence):
    assert sentence in lesson_05.advice_verdict(result_of(style, counts=counts))


def test_verdicts_name_style_cost_copies_and_the_held_out_loss():
    result = result_of([0.3, 0.5, 0.6, 0.6], [0.9, 0.9, 0.9, 0.4], [0.4, 0.4, 0.4, 0.8], [0, 1.2, 1.0, 1.1])
    sentences = lesson_05.verdicts(result)
    starts = (
        "style match: 25 steps is lower than 50 steps by 0.100",
        "prompt kept: 10 drawings show no difference between 50 steps and the base",
        "prompt kept: 100 steps is lower than the base by 0.5",
        "nearest training painting: 100 steps is higher",
    )
    assert all(any(sentence.startswith(start) for sentence in sentences) for start in starts)
    assert sentences[-2:] == [
        "nearer to a training painting than any held-out one, at 100 steps: 10 of 10",
        "held-out loss lowest at: 50 steps, 50 steps",
    ]


def test_the_prompt_kept_after_more_steps_is_held_against_those_that_are_enough():
    sweep = result_of([0.3, 0.4, 0.6, 0.6, 0.6], [0.9, 0.8, 0.5, 0.5, 0.7])
    alike, higher = lesson_05.kept_verdicts(sweep)
    assert "10 drawings show no difference between 100 steps and 50 steps" in alike
    assert higher.startswith("prompt kept: 200 steps is higher than 50 steps by 0.2")
    assert lesson_05.kept_verdicts(result_of([0.3, 0.3])) == []


def test_the_means_are_one_line_a_count():
    _, base, tuned = lesson_05.mean_lines(result_of([0.3, 0.5], [0.9, 0.8], [0.4, 0.6], [0, 1.25]))
    means = "style match 0.50, prompt kept 0.80, nearest training painting 0.60, held-out loss 1.25"
    assert "held-out loss" not in base and tuned == f" 25 steps: {means}"


def test_without_a_held_out_loss_no_sentence_is_about_it():
    assert lesson_05.validation_verdict(result_of([0.3, 0.4])) == []
    assert len(lesson_05.verdicts(result_of([0.3, 0.3]), figures=False)) == 5


def test_a_sweep_in_the_lesson_has_the_form_of_the_recorded_one(monkeypatch):
    names, rows = features.load_concepts()
    horse = rows[[names.index("horse")] * 2]
    monkeypatch.setattr(features, "image_features", lambda images, side=128: horse)
    runs = {5: SimpleNamespace(log=[{"loss": 1.0}, {"loss": 1.0, "validation": 0.9}])}
    samples = {0: [None] * 2, 5: [None] * 2}
    result = lesson_05.sweep_result(JUDGE, samples, runs, ["a horse"], horse, horse, 4)
    assert set(result) <= set(result_of([0.3, 0.4])) and result["counts"] == [0, 5]
    assert [row["validation"] for row in result["rows"]] == [None, 0.9]
    assert result["rows"][1]["prompt_rank"] == [1, 1]
    assert result["held_out_nearest"] == pytest.approx([1, 1], abs=1e-3)


def test_the_chart_of_a_sweep_has_the_mean_of_every_count_in_every_panel(figures):
    result = result_of([0.3, 0.4])
    chart = lesson_05_figures.sweep_chart(result)
    for axes, key in zip(figures[0].axes, lesson_05_figures.MEASURES, strict=True):
        means = [np.mean(trials.values(result["rows"], key, count=count)) for count in result["counts"]]
        assert [y for _, y in marked(axes)] == pytest.approx(means)
    (legend,) = figures[0].legends
    kinds = [text.get_text() for text in legend.get_texts()]
    assert kinds == ["one drawing", "mean of the drawings", "where the mean may lie"]
    assert len(chart.data) < 60_000


def test_the_chart_of_a_loss_has_every_step(short_run, figures):
    lesson_05_figures.loss_chart(short_run)
    first = figures[0].axes[0].lines[0]
    assert list(first.get_ydata()) == [row["loss"] for row in short_run.log]


def test_steadier_values_change_less():
    assert lesson_05.mean_absolute_change([1, 2, 1, 2]) == 1 > lesson_05.mean_absolute_change([1, 1.1, 1.2])


def test_the_published_hours_are_as_the_lesson_says():
    assert max(lesson_05.PUBLISHED_HOURS.values()) == 4


def test_the_count_to_stop_at_has_as_much_style_as_any_and_keeps_as_much_of_the_prompt():
    sweep = result_of([0.3, 0.5, 0.6, 0.6, 0.4], [0.9, 0.9, 0.6, 0.8, 0.85])
    assert lesson_05_exercises.best_stops(sweep) == [100]
    assert "keeps more of the prompt" in lesson_05_exercises.check_stop(50, sweep)
    assert lesson_05_exercises.check_stop(25, sweep).endswith("not by chance; train longer")
    assert lesson_05_exercises.check_stop(200, sweep).endswith("not by chance; and it costs more time")
    assert lesson_05_exercises.check_stop(100, sweep) == "right"


def test_of_counts_that_cannot_be_told_apart_any_is_right_and_the_earliest_is_named():
    sweep = result_of([0.3, 0.5, 0.6, 0.6, 0.4], [0.9, 0.9, 0.8, 0.8, 0.85])
    assert lesson_05_exercises.best_stops(sweep) == [50, 100]
    assert lesson_05_exercises.check_stop(50, sweep) == "right"
    later = lesson_05_exercises.check_stop(100, sweep)
    assert later == "right; but the drawings cannot tell it from 50, which costs less"


# The whole loop in plain diffusers and PEFT


def test_the_loop_of_the_lesson_is_the_library_to_the_bit(monkeypatch, tmp_path):
    """Run the lesson's own cells for two steps and the library's training with the same seed."""
    (path,) = (ROOT / "notebooks").glob("05_*.ipynb")
    code = [cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    cells = [next(c for c in code if part in c) for part in ("import csv", "def predict", "STEPS, net =")]
    monkeypatch.chdir(path.parent)
    names = {"torch": torch, "TRIGGER": "thgh96", "session": session, "bases": bases}
    names["loss_of"] = lesson_05_exercises.loss_to_use(lambda *_: None)
    exec("\n".join(cells).replace("STEPS, net = 8", "STEPS, net = 2"), names)
    plain = get_peft_model_state_dict(names["net"])
    settings = Settings(base="pocket", trigger="thgh96", steps=2)
    run = train.train(Dataset(datasets.read(SAMPLE).train), settings, tmp_path / "run")
    library = load_file(run.adapter)
    assert set(library) == {f"transformer.{name}" for name in plain}
    assert all(torch.equal(plain[name], library[f"transformer.{name}"]) for name in plain)


# Memory


def test_memory_is_counted_part_by_part_and_no_adapter_stays(sampler, paintings, figures):
    model = sampler.pipe.transformer
    before = {name: value.clone() for name, value in model.state_dict().items()}
    data = encode(sampler.family, sampler.pipe, sampler.base, paintings, ["a"] * 5)
    parts = lesson_05_memory.memory_by_part(sampler, data)
    *_, full, single, checkpointed = parts.values()
    assert full == pytest.approx(BASE.batch * single, rel=0.1) and checkpointed < full / 4
    assert parts["optimizer state"] == 2 * parts["adapter"] < parts["frozen model"]
    after = model.state_dict()
    assert set(after) == set(before) and all(torch.equal(after[name], before[name]) for name in before)
    assert not model.is_gradient_checkpointing
    lesson_05_memory.memory_chart(parts)
    assert [bar.get_width() for bar in figures[0].axes[0].patches] == list(parts.values())


def test_the_cost_of_a_step_grows_with_parameters_tokens_and_batch():
    assert lesson_05_memory.relative_step_cost(torch.nn.Linear(9, 1), BASE) == 10 * (64 + 48) * 4


def test_the_opening_picture_can_be_drawn_again(tmp_path):
    lesson_05_figures.save_opening_picture(tmp_path / "05.jpg")
    drawn, committed = Image.open(tmp_path / "05.jpg"), Image.open(lesson_05_figures.OPENING_PICTURE)
    assert drawn.size == committed.size and drawn.format == committed.format == "JPEG"
    assert lesson_05_figures.OPENING_PICTURE.stat().st_size < 60_000


# The long run, in small


def test_the_long_run_is_recorded_and_its_sentences_can_be_read(monkeypatch, small_long_run):
    trainings, counts = [], lesson_05.COUNTS

    def train_sweep(base, dataset, counts, seed, out):
        trainings.append((tuple(counts), seed, len(dataset.held_out)))
        return {n: SimpleNamespace(folder=out / str(n), log=[{"validation": 1.0}]) for n in counts}

    monkeypatch.setattr(lesson_05, "train_sweep", train_sweep)
    lesson_05.record()
    result = json.loads(json.dumps(small_long_run["how_many_steps"]))
    assert trainings == [(counts, seed, 2) for seed in lesson_05.TRAINING_SEEDS]
    assert result["counts"] == [0, *counts] and result["steps"] == counts[-1]
    loaded = long_run.prepare().sampler.loaded
    assert len(result["rows"]) == len(trainings) * len(result["counts"])
    assert len(loaded) == len(trainings) * len(counts)
    assert all(isinstance(line, str) for line in lesson_05.verdicts(result))
    lesson_05.record()
    assert len(trainings) == len(lesson_05.TRAINING_SEEDS)
