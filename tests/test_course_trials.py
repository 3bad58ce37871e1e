"""One trial: samples with and without the trigger, their scores, and verdicts that claim no more than was
measured.
"""

import numpy as np
import pytest
import torch
from course_fakes import BASE, JUDGE, FakeSampler, concept_features

from lessons_lib.course import trials
from lessons_lib.evaluation import metrics

HIGH = [[0.6, 0.7, 0.65], [0.6, 0.66, 0.7]]
LOW = [[0.1, 0.2, 0.1], [0.1, 0.1, 0.2]]
ROWS = [
    {"trigger": word, "seed": seed, "prompt_rank": [0.8] * 4} for word in ("lion", "tom") for seed in (0, 1)
]


def test_samples_without_a_trigger_are_drawn_once_and_shared(quick_features):
    sampler = FakeSampler()
    lion = trials.trigger_samples(sampler, ["a horse", "a boat"], "lion", [1, 2])
    tom = trials.trigger_samples(sampler, ["a horse", "a boat"], "tom", [1, 2], shared=lion)
    assert [prompt for prompt, _, _ in sampler.requests].count("a horse") == 2
    assert lion.without_trigger == tom.without_trigger and lion.with_trigger != tom.with_trigger
    assert {steps for _, _, steps in sampler.requests} == {BASE.num_inference_steps // 2}


def test_samples_of_an_unchanged_model_have_distance_zero(held_out_features, quick_features):
    subjects = ["a horse", "a boat"]
    samples = trials.trigger_samples(FakeSampler(), subjects, "tom", [1])
    scores = trials.trigger_scores(JUDGE, samples, samples, subjects, held_out_features)
    assert scores.distance_with == pytest.approx([0, 0], abs=1e-4) == scores.distance_without
    assert len(scores.prompt_rank) == len(scores.style_with) == 2
    style = metrics.style_match(samples.features_with, held_out_features)
    assert np.mean(scores.style_with) == pytest.approx(style, abs=1e-4)


def test_a_subject_is_looked_for_in_its_own_samples(held_out_features):
    features = concept_features("horse", "horse", "boat", "boat")
    samples = trials.TriggerSamples([None] * 4, [None] * 4, features, features)
    right = trials.trigger_scores(JUDGE, samples, samples, ["a horse", "a boat"], held_out_features)
    swapped = trials.trigger_scores(JUDGE, samples, samples, ["a boat", "a horse"], held_out_features)
    assert right.prompt_rank == [1, 1, 1, 1] and max(swapped.prompt_rank) < 1


def test_a_sample_that_is_a_painting_has_nearest_1():
    horse, boat = concept_features("horse", "boat")
    images = torch.stack([horse, horse, boat, boat])
    scores = trials.sample_scores(JUDGE, images, ["a horse", "a boat"], horse[None], boat[None])
    assert scores.prompt_rank == [1, 1, 1, 1]
    assert scores.nearest[0] == pytest.approx(1, abs=1e-3) and scores.nearest[2] < 1
    assert scores.style[2] == pytest.approx(1, abs=1e-3) and scores.style[0] < 1


def test_every_subject_is_prompted_with_the_trigger():
    assert trials.trigger_prompts(["a horse"]) == [f"a horse, {trials.TRIGGER}"]


def test_a_subject_without_a_concept_is_named():
    with pytest.raises(ValueError, match="'a zeppelin'"):
        trials.concept_of("a zeppelin")


def test_higher_is_said_only_when_the_interval_and_every_run_agree():
    assert trials.verdict("style", "lion", "tom", HIGH, LOW).startswith(
        "style: lion is higher than tom by 0.5"
    )
    assert "is lower than" in trials.verdict("style", "tom", "lion", LOW, HIGH)
    assert "6 drawings show no difference" in trials.verdict("style", "lion", "tom", LOW, LOW)


def test_runs_that_disagree_give_no_verdict_however_large_the_sum():
    a, b = [[0.9, 0.9, 0.9, 0.9], [0.1, 0.1]], [[0.1, 0.1, 0.1, 0.1], [0.2, 0.2]]
    assert metrics.bootstrap_interval([0.8] * 4 + [-0.1] * 2)[0] > 0
    assert "no difference" in trials.verdict("style", "lion", "tom", a, b)


def test_a_verdict_without_figures_has_none():
    sentence = trials.verdict("style", "lion", "tom", [[1.0, 1.0]], [[0.0, 0.0]], figures=False)
    assert not any(letter.isdigit() for letter in sentence)


def test_a_column_has_one_list_a_training_run_or_says_what_is_missing():
    assert trials.column(ROWS, "prompt_rank", trigger="lion") == [[0.8] * 4] * 2
    with pytest.raises(ValueError, match="'trigger': 'dog'"):
        trials.column(ROWS, "prompt_rank", trigger="dog")


def test_the_ends_and_the_means_of_a_recorded_run_are_lines_to_print():
    rows = [{"rank": rank, "style": [0.4, 0.5]} for rank in (1, 1, 4)]
    result = {"rows": rows, "floor": 0.2, "ceiling": 0.7, "steps": 9}
    assert trials.ends_line(result).startswith("9 steps; style: floor 0.20, the base; ceiling 0.70")
    assert trials.mean_lines(result, "rank", {"style": "style"}) == [
        "rank 1: style 0.45",
        "rank 4: style 0.45",
    ]
