"""Lesson 07: each fault changes one thing of the healthy training, and measures tell the faults apart."""

import dataclasses
import json

import pytest
import torch
from PIL import Image

from lessons_lib.course import lesson_07, lesson_07_cards, lesson_07_exercises, lesson_07_record
from lessons_lib.course.lesson_07_faults import FAULTS, recipe_of
from lessons_lib.course.lesson_07_measures import HEALTHY, as_table, diagnose
from lessons_lib.course.lesson_07_record import SEEDS, letters_of, row_of, strip_of, strip_path
from lessons_lib.models import bases, judges
from lessons_lib.models.families import flux

POCKET = bases.find("pocket")


def short(recipe):
    return dataclasses.replace(
        recipe, settings=dataclasses.replace(recipe.settings, steps=3, rank=2, alpha=2), steps=1
    )


CHANGES = {
    "rate": {"settings"}, "many": {"settings"}, "few": {"settings"}, "word": {"settings"},
    "repeat": {"dataset"}, "style": {"dataset"}, "shuffle": {"dataset"},
    "half": {"while_training"}, "zero": {"while_training"}, "guidance": {"while_training"},
    "distilled": {"base", "settings", "steps"}, "alpha": {"settings", "strength_elsewhere"},
}  # fmt: skip


def texts_of(recipe):
    """Return a recipe by field, its dataset as the captions of its training pictures."""
    values = {f.name: getattr(recipe, f.name) for f in dataclasses.fields(recipe)}
    return values | {"dataset": [picture.caption for picture in recipe.dataset.train]}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_changes_one_thing_of_the_healthy_training_and_keeps_the_seed(fault):
    healthy, changed = texts_of(lesson_07.healthy(POCKET, 5)), texts_of(recipe_of(fault, POCKET, 5))
    assert {name for name, value in healthy.items() if value != changed[name]} == CHANGES[fault]
    assert changed["settings"].seed == 5


def test_pictures_are_read_at_twice_the_side_of_the_base():
    recipe = lesson_07.healthy(dataclasses.replace(POCKET, side=192), 1)
    assert {picture.image.size for picture in recipe.dataset.pictures} == {(384, 384)}


def test_no_picture_keeps_its_caption_when_they_are_shuffled():
    healthy, changed = lesson_07.healthy(POCKET, 5), recipe_of("shuffle", POCKET, 5)
    pairs = zip(healthy.dataset.train, changed.dataset.train, strict=True)
    assert all(before.caption != after.caption for before, after in pairs)


def test_the_night_picture_is_there_ten_times():
    stems = [picture.path.stem for picture in recipe_of("repeat", POCKET, 1).dataset.train]
    assert stems.count("14_moon") == 10 and len(set(stems)) == 8


def test_a_healthy_training_gives_losses_and_pictures_and_leaves_the_base_as_it_was(sampler):
    exhibit = lesson_07.train_exhibit(sampler, short(lesson_07.healthy(POCKET, 1)))
    assert len(exhibit.losses) == 3 and exhibit.samples.with_trigger is exhibit.samples.in_other_program
    assert strip_of(exhibit).size == (5 * 84, 3 * 84)
    again = lesson_07.base_samples(sampler, exhibit.recipe)
    assert [a.tobytes() for a in again] == [b.tobytes() for b in exhibit.samples.base_images]


def test_where_b_stays_zero_nothing_moves(sampler):
    exhibit = lesson_07.train_exhibit(sampler, short(recipe_of("zero", POCKET, 1)))
    assert len(set(exhibit.validation.values())) == 1
    assert exhibit.samples.with_trigger[0].tobytes() == exhibit.samples.base_images[0].tobytes()


def test_float16_without_a_scaler_ends_in_nan(sampler):
    recipe = short(recipe_of("half", POCKET, 1))
    recipe = dataclasses.replace(
        recipe, settings=dataclasses.replace(recipe.settings, steps=30, learning_rate=0.01)
    )
    exhibit = lesson_07.train_exhibit(sampler, recipe)
    row = row_of(judges.find(POCKET), "half", 1, exhibit, exhibit.samples.base_images)
    assert not row["measures"]["finite"] and len(row["losses"]) < row["measures"]["steps"]


@pytest.mark.parametrize("losses", [[1.0, float("inf")], [float("nan")]])
def test_losses_that_are_no_numbers_are_left_out_of_the_json_and_counted(losses):
    images = [Image.effect_noise((128, 128), 60 + place).convert("RGB") for place in range(3)]
    samples = lesson_07.Samples(*[images] * len(dataclasses.fields(lesson_07.Samples)))
    exhibit = lesson_07.Exhibit(lesson_07.healthy(POCKET, 1), losses, {1: float("inf")}, samples)
    row = row_of(judges.find(POCKET), "rate", 1, exhibit, images)
    text = json.dumps(row, allow_nan=False)
    assert row["losses"] == losses[:-1] and row["validation"] == {} and '"finite": 0.0' in text
    assert row["measures"]["loss"] == (1.0 if losses[:-1] else None)
    measures = as_table([row])["rate", 1]
    assert diagnose(measures, measures) == "half"


def test_guidance_is_raised_while_training_and_not_while_drawing(sampler):
    recipe, family, denoiser = short(recipe_of("guidance", POCKET, 1)), sampler.family, sampler.denoiser
    latents, noise = torch.randn(2, 1, 16, 4, 4, generator=torch.Generator().manual_seed(0))
    sigma, embeddings = torch.tensor([0.5]), family.encode_captions(sampler.pipe, ["a cat"], POCKET)
    squares = (flux.predict_velocity(denoiser, (latents + noise) / 2, sigma, embeddings, 3.5)
               - flux.pack_latents(noise - latents)).square()  # fmt: skip
    healthy = family.loss(denoiser, latents, embeddings, noise, sigma)
    with recipe.while_training(denoiser):
        raised = family.loss(denoiser, latents, embeddings, noise, sigma)
    assert torch.allclose(raised, squares.mean((1, 2))) and not torch.allclose(raised, healthy)
    assert torch.equal(healthy, family.loss(denoiser, latents, embeddings, noise, sigma))


def test_letters_are_others_with_another_seed():
    assert letters_of(11) != letters_of(12) and set(letters_of(11).values()) == set(FAULTS)


def test_names_are_checked_and_a_wrong_one_gets_the_signs_of_what_was_answered():
    right = letters_of(SEEDS[0])
    assert lesson_07_exercises.check_names(None, SEEDS[0]) == "not attempted yet"
    assert lesson_07_exercises.check_names(right, SEEDS[0]) == "right"
    first, second = list(right)[:2]
    said = lesson_07_exercises.check_names(right | {first: right[second]}, SEEDS[0])
    assert said.startswith("not yet: 11 of 12") and FAULTS[right[second]].signs in said
    assert "is no fault" in lesson_07_exercises.check_names({"A": "ghost"}, SEEDS[0])


def measures_of(**values):
    usual = dict.fromkeys(("finite", "steps", "loss", "change", "contrast"), 1.0)
    return usual | dict.fromkeys(("flat", "elsewhere", "base_alike", "base_shift", "turn"), 0.0) | values


@pytest.mark.parametrize(
    ("fault", "values"),
    [
        ("half", {"finite": 0.0}), ("zero", {"flat": 1.0, "change": 0.0}),
        ("few", {"steps": 0.1, "change": 0.1}), ("rate", {"loss": 2.0}),
        ("alpha", {"elsewhere": 0.5}), ("word", {"base_alike": 0.4, "base_shift": 0.3}),
        ("distilled", {"base_shift": 0.1}), ("many", {"turn": 0.2, "loss": 0.7}), ("repeat", {"loss": 0.7}),
        ("guidance", {"contrast": 0.6}), ("style", {"change": 0.6}), ("shuffle", {}),
    ],
)  # fmt: skip
def test_the_questions_in_their_order_lead_to_the_fault(fault, values):
    assert diagnose(measures_of(**values), measures_of()) == fault


def test_a_card_shows_where_the_loss_became_no_number():
    row = {"losses": [1.2], "validation": {}, "measures": {"steps": 2.0}}
    healthy = {"losses": [1.2, 1.0], "validation": {"1": 1.1, "2": 1.0}, "measures": {"steps": 2.0}}
    strip = Image.new("RGB", (5 * 84, 3 * 84))
    shown = lesson_07_cards.live_card("went wrong", row, healthy, strip)
    assert shown.data[:2] == b"\xff\xd8" and "went wrong" in shown.metadata["alt"]


def test_a_legend_names_the_healthy_lines_beside_another_training_alone(figures):
    healthy = {"losses": [1.2, 1.0], "validation": {"1": 1.1, "2": 1.0}, "measures": {"steps": 2.0}}
    for row in (healthy, {**healthy, "losses": [1.2, 1.1]}):
        lesson_07_cards.live_card("a card", row, healthy, Image.new("RGB", (5 * 84, 3 * 84)))
    named = [[text.get_text() for text in shown.axes[0].get_legend().get_texts()] for shown in figures]
    own = ["training", "held out"]
    assert named == [own, ["healthy, training", "training", "healthy, held out", "held out"]]


def test_a_recording_that_was_stopped_goes_on_and_keeps_a_strip_a_training(tmp_path, monkeypatch, sampler):
    monkeypatch.setattr(lesson_07_record, "FAULTS", {"few": FAULTS["few"]})
    monkeypatch.setattr(
        lesson_07_record, "_recipe", lambda fault, base, seed: short(lesson_07.healthy(base, seed))
    )
    monkeypatch.setattr(lesson_07_record, "_sampler", lambda base: sampler)
    monkeypatch.setattr(lesson_07_record, "_WORK", tmp_path / "rows.json")
    monkeypatch.setattr(lesson_07_record.recorded, "save", lambda name, result: result)
    result = lesson_07_record.record([4], tmp_path)
    assert [(row["fault"], row["seed"]) for row in result["rows"]] == [(HEALTHY, 4), ("few", 4)]
    monkeypatch.setattr(lesson_07, "train_exhibit", None)  # it is not called again
    assert lesson_07_record.record([4], tmp_path) == result and strip_path("few", 4, tmp_path).is_file()
