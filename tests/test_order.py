"""The order of pictures: each comes once before any comes twice, in every way that a training is run."""

import os
from collections import Counter
from dataclasses import replace
from fractions import Fraction

import pytest
import torch
from safetensors.torch import load_file

from lessons_lib.adapters.settings import Settings, earlier_values
from lessons_lib.training import train
from lessons_lib.training.data import TrainingData
from lessons_lib.training.order import ShuffledRounds, WithReplacement

SETTINGS = Settings(trigger="mugh4l", steps=6, rank=1, batch=1, checkpoint_every=1)


def seeded():
    return torch.Generator().manual_seed(0)


def equal_weights(count):
    return ShuffledRounds([Fraction(1)] * count)


def is_balanced(indices, count):
    """Whether no picture was drawn twice more often than another at any time."""
    numbers = Counter(dict.fromkeys(range(count), 0))
    for index in indices:
        numbers[index] += 1
        if max(numbers.values()) - min(numbers.values()) > 1:
            return False
    return True


@pytest.mark.parametrize(("count", "size"), [(24, 1), (10, 4), (3, 4), (7, 20), (1, 2)])
def test_every_picture_comes_once_before_any_comes_twice(count, size):
    order, generator = equal_weights(count), seeded()
    indices = torch.cat([order.next_batch(size, generator) for _ in range(30)]).tolist()
    assert is_balanced(indices, count) and len(indices) == 30 * size
    assert order.drawn == set(range(count))


def test_every_round_has_an_order_of_its_own():
    order, generator = equal_weights(8), seeded()
    rounds = [tuple(order.next_batch(8, generator).tolist()) for _ in range(20)]
    assert len(set(rounds)) == 20


def test_with_replacement_a_fifth_of_sixty_pictures_is_unseen_after_a_hundred_draws():
    missing = 0
    for seed in range(50):
        order, generator = WithReplacement(60), torch.Generator().manual_seed(seed)
        order.next_batch(100, generator)
        missing += 60 - len(order.drawn)
    assert missing / 50 / 60 == pytest.approx(0.19, abs=0.02)


def test_pictures_come_as_often_as_their_weights_say_and_all_are_in_the_first_round():
    weights = [Fraction(10)] * 5 + [Fraction(1)] * 20 + [Fraction(5)] * 2
    order, generator = ShuffledRounds(weights), seeded()
    assert set(order.next_batch(27, generator).tolist()) == set(range(27))
    numbers = Counter(order.next_batch(80_000, generator).tolist())
    shares = [numbers[index] / 80_000 * sum(weights) for index in range(27)]
    assert shares == pytest.approx([float(weight) for weight in weights], rel=0.01)


def test_rounds_are_of_about_one_length_whatever_the_weights():
    order = ShuffledRounds([Fraction(10)] * 5 + [Fraction(1)] * 100)
    lengths = []
    for _ in range(40):
        order._start_round(seeded())
        lengths.append(len(order._left))
    assert lengths[0] == 105 and min(lengths[1:]) >= 13 and max(lengths[1:]) <= 17


@pytest.mark.parametrize("make", [equal_weights, WithReplacement])
@pytest.mark.parametrize("stop", range(8))
def test_an_order_goes_on_from_its_state_to_the_bit(make, stop):
    order, generator = make(5), seeded()
    for _ in range(stop):
        order.next_batch(3, generator)
    resumed = make(5)
    resumed.load_state_dict(order.state_dict())
    again = torch.Generator().set_state(generator.get_state())
    for _ in range(6):
        assert torch.equal(order.next_batch(3, generator), resumed.next_batch(3, again))
    assert resumed.drawn == order.drawn


@pytest.fixture
def picks(monkeypatch):
    """The pictures of each batch of the trainings in a test, in order."""
    batches, real = [], TrainingData.rows
    monkeypatch.setattr(TrainingData, "rows", lambda *a: batches.append(a[1].tolist()) or real(*a))
    return batches


@pytest.mark.parametrize("change", [{}, {"batch": 3}, {"batch": 2, "gradient_accumulation_steps": 3}])
def test_a_training_sees_every_picture_once_before_any_twice(practice, tmp_path, picks, change):
    train.train(practice, replace(SETTINGS, **change), tmp_path / "run")
    assert is_balanced([index for batch in picks for index in batch], len(practice.train))


def test_class_pictures_come_in_rounds_too(practice, paintings, tmp_path, picks):
    prior = [picture.with_caption("a page") for picture in paintings[:3]]
    train.train(replace(practice, prior=prior), SETTINGS, tmp_path / "run")
    assert is_balanced([index for batch in picks[1::2] for index in batch], 3)


@pytest.mark.parametrize("step", [1, 4])
def test_a_training_that_was_stopped_in_a_round_ends_the_same(practice, tmp_path, step):
    def stop(state):
        if state.step == step:
            raise KeyboardInterrupt

    whole = train.train(practice, SETTINGS, tmp_path / "whole")
    train.train(practice, SETTINGS, tmp_path / "run", stop)
    run = train.train(practice, SETTINGS, tmp_path / "run")
    assert run.resumed_from == step and run.adapter.read_bytes() == whole.adapter.read_bytes()


def test_a_stopped_run_of_an_earlier_version_goes_on_with_replacement(practice, tmp_path):
    earlier = replace(SETTINGS, **earlier_values("pocket"))

    def stop(state):
        if state.step == 3:
            raise KeyboardInterrupt

    whole = train.train(practice, earlier, tmp_path / "whole")
    train.train(practice, earlier, tmp_path / "run", stop)
    run = train.train(practice, SETTINGS, tmp_path / "run")
    assert run.resumed_from == 3 and run.settings.picture_order == "replacement"
    assert all(
        (load_file(whole.adapter)[name] == value).all() for name, value in load_file(run.adapter).items()
    )


def test_another_order_is_another_training(practice, tmp_path):
    train.train(practice, replace(SETTINGS, picture_order="replacement", steps=1), tmp_path / "run")
    with pytest.raises(ValueError, match="picture order replacement, now shuffle"):
        train.train(practice, replace(SETTINGS, steps=1), tmp_path / "run")
    assert os.listdir(tmp_path) == ["run"]
