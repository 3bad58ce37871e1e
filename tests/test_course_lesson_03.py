"""Lesson 03: three triggers and three kinds of caption compared, in small; what is said of a caption."""

import json
from dataclasses import replace

import numpy as np
import pytest
from course_fakes import BASE, JUDGE, FakeSampler, concept_features, marked

from lessons_lib.adapters.run import Run
from lessons_lib.course import lesson_03_captions, lesson_03_trigger, long_run, trials
from lessons_lib.dataset import captions, dataset
from lessons_lib.dataset.dataset import Dataset
from lessons_lib.models import families, features
from lessons_lib.paths import SAMPLE
from lessons_lib.training import train

MODES, TRIGGERS = lesson_03_captions.MODES, lesson_03_trigger.TRIGGERS
TRIGGER_KEYS = ("style_with", "style_without", "distance_with", "distance_without", "prompt_rank",
                "unprompted_ranks", "prompted_ranks")  # fmt: skip
MODE_KEYS = ("style_with", "style_without", "style_by_words", "prompt_rank")


@pytest.fixture(scope="module")
def t5():
    return families.find(BASE.family).load_tokenizer(BASE)


def rows_of(name, values, keys):
    """Return one row a variant and training seed, every key with the variant's value four times."""
    return [
        {name: variant, "seed": seed} | {key: [value] * 4 for key in keys}
        for seed in (0, 1)
        for variant, value in values.items()
    ]


def trigger_result(of_lion=0.8, of_made_up=0.2):
    values = {"lion": of_lion, "tom": of_made_up, "thgh96": of_made_up}
    base = {"prompted_ranks": [0.5] * 4, "unprompted_ranks": {word: [0.1] * 4 for word in TRIGGERS}}
    rows = rows_of("trigger", values, TRIGGER_KEYS)
    return {"rows": rows, "triggers": list(TRIGGERS), "base": base, "floor": 0.3, "ceiling": 0.9}


def modes_result():
    values = {"trigger only": 0.2, "content": 0.5, "styled content": 0.5}
    return {"rows": rows_of("mode", values, MODE_KEYS), "floor": 0.3, "ceiling": 0.9}


# The trigger


def test_the_trigger_is_the_only_difference_between_two_trainings(paintings, tmp_path, monkeypatch):
    calls = []
    monkeypatch.setattr(train, "train", lambda *arguments, **_: calls.append(arguments))
    for trigger in ("tom", "thgh96"):
        lesson_03_trigger.train_trigger(BASE, Dataset(paintings), trigger, 1, 0, tmp_path)
    (tom_set, settings, _), (other_set, other, _) = calls
    assert tom_set == other_set
    assert replace(settings, trigger="thgh96", name="trigger_thgh96") == other


def test_every_trigger_fits_behind_every_caption(t5):
    pictures = dataset.read(SAMPLE, side=BASE.side).train
    sets = [captions.training_captions(pictures, trigger, "style") for trigger in TRIGGERS]
    sets += [lesson_03_captions.mode_captions(pictures, mode) for mode in MODES]
    assert [captions.find_overlong(texts, t5, BASE.caption_tokens) for texts in sets] == [[]] * 6


def test_the_watched_concept_is_one_of_the_base_and_the_made_up_word_is_no_word():
    names, _ = features.load_concepts()
    assert lesson_03_trigger.WATCHED_CONCEPT in names
    assert not captions.is_known_word(TRIGGERS[2])


def test_samples_without_a_trigger_are_shared_by_all_triggers(quick_features):
    sampler = FakeSampler()
    samples = lesson_03_trigger.samples_by_trigger(sampler, ["a horse", "a boat"], ["lion", "tom"], [1, 2])
    assert [prompt for prompt, _, _ in sampler.requests].count("a horse") == 2
    assert samples["lion"].without_trigger is samples["tom"].without_trigger


def test_lions_that_nobody_asked_for_rank_first_where_they_are():
    rows = concept_features("lion", "boat")
    samples = trials.TriggerSamples([None] * 2, [None] * 2, rows, rows)
    ranks = lesson_03_trigger.unprompted_ranks(JUDGE, samples)
    assert ranks[0] == 1 > ranks[1]


def test_a_lion_is_prompted_once_a_seed(quick_features):
    sampler = FakeSampler()
    assert len(lesson_03_trigger.prompted_ranks(sampler, range(3))) == 3
    assert {prompt for prompt, _, _ in sampler.requests} == {"a lion"}


def test_the_sentence_about_a_leak_has_a_side_and_no_figures():
    scores = trials.TriggerScores([], [], [0.5, 0.6, 0.55], [0.1, 0.2, 0.1], [])
    sentence = lesson_03_trigger.leak_verdict(scores)
    assert sentence == "distance from the base: leaving the word out is lower than saying it"


def test_each_trigger_is_judged_as_a_switch():
    result = trigger_result()
    for row in result["rows"]:
        row["style_without"] = [0.0] * 4 if row["trigger"] == "tom" else row["style_with"]
    lion, tom, made_up = lesson_03_trigger.verdicts(result)[:3]
    assert "no difference between saying lion and leaving it out" in lion
    assert tom.startswith("style: saying tom is higher than leaving it out by 0.200")
    assert "no difference between saying thgh96" in made_up


@pytest.mark.parametrize("sentence", [
    "leak, distance without the trigger: lion is higher than thgh96",
    "lions nobody asked for, before training: 4 drawings show no difference between lion and thgh96",
    "lions asked for: the model trained with thgh96 is lower than the base",
])  # fmt: skip
def test_each_claim_about_triggers_is_answered(sentence):
    sentences = lesson_03_trigger.verdicts(trigger_result())
    assert len(sentences) == 12
    assert any(line.startswith(sentence) for line in sentences)


def test_a_real_word_that_leaks_less_is_said_to_be_lower():
    sentences = lesson_03_trigger.verdicts(trigger_result(of_lion=0.1))
    assert any("leak, distance without the trigger: lion is lower" in line for line in sentences)


# The captions


def test_each_mode_makes_the_captions_of_its_name(paintings):
    trigger_only, content, styled = (lesson_03_captions.mode_captions(paintings, mode) for mode in MODES)
    assert set(trigger_only) == {"thgh96"}
    assert content == captions.training_captions(paintings, "thgh96", "style")
    assert styled[0] == f"{paintings[0].caption}, flat outline drawing, thgh96"


def test_a_training_on_a_mode_leaves_an_adapter(paintings, tmp_path):
    run = lesson_03_captions.train_mode(BASE, Dataset(paintings[:1]), "trigger only", 1, 0, tmp_path / "run")
    assert run.adapter.exists() and len(run.log) == 1
    assert run.settings.trigger == "thgh96" and run.settings.name == "trigger_only"


def test_a_mode_that_does_not_exist_names_those_that_do(paintings):
    with pytest.raises(ValueError, match="trigger only, content, styled content"):
        lesson_03_captions.mode_captions(paintings, "poem")


def test_the_style_words_are_words_of_the_base(t5):
    words = lesson_03_captions.STYLE_WORDS
    assert len(t5.tokenize(words)) == len(words.split())


def test_the_suffix_stands_at_the_end_of_every_prompt():
    sampler = FakeSampler()
    images = lesson_03_captions.samples_with_suffix("flat", sampler, ["a horse", "a boat"], [1, 2])
    assert len(images) == 4 and sampler.requests[0][0] == "a horse, flat"


def test_the_modes_are_compared_with_plain_content():
    sentences = lesson_03_captions.verdicts(modes_result())
    assert len(sentences) == 8
    assert sentences[0].startswith("style by the trigger: trigger only is lower than content by 0.300")
    assert sentences[-1].startswith("style after styled content: 8 drawings show no difference")


def test_no_extra_word_is_held_against_the_trigger_in_every_mode():
    result = modes_result()
    for row in result["rows"]:
        row["style_without"] = [0.3] * 4 if row["mode"] == "trigger only" else row["style_with"]
    first, second, third = lesson_03_captions.verdicts(result)[4:7]
    assert first.startswith("style after trigger only: no extra word is higher than the trigger by 0.100")
    assert (
        "style after content: 8 drawings show no difference between no extra word and the trigger" in second
    )
    assert third.startswith("style after styled content: 8 drawings show no difference")


def test_leaving_the_word_out_has_the_same_colour_in_both_charts(figures):
    lesson_03_trigger.style_chart(trigger_result())
    lesson_03_captions.style_chart(modes_result())
    colours = [{line.get_label(): line.get_color() for line in figure.axes[0].lines} for figure in figures]
    assert colours[0]["the word left out"] == colours[1]["no extra word"] != colours[1]["style words said"]


@pytest.mark.parametrize(("caption", "problems"), [
    ("a tiger jumping after a deer among rocks", []),
    ("a tiger", ["too short"]),
    ("a detailed painting of a tiger among rocks", ["detailed, painting"]),
    ("a thgh96 tiger jumping after a deer", ["holds 'thgh96'"]),
    ("a tiger jumping after a deer among rocks and trees " * 4, ["longer than 48 tokens"]),
    ("", ["too short"]),
])  # fmt: skip
def test_each_problem_of_a_caption_is_named(t5, caption, problems):
    sentences = lesson_03_captions.caption_problems(caption, "thgh96", t5, BASE.caption_tokens)
    assert len(sentences) == len(problems)
    assert all(part in line for part, line in zip(problems, sentences, strict=True))


# Both long runs


@pytest.mark.parametrize(
    ("module", "result"), [(lesson_03_trigger, trigger_result), (lesson_03_captions, modes_result)]
)
def test_the_recorded_results_become_charts(module, result, figures):
    module.style_chart(result())
    (axes,) = figures[0].axes
    names = [label.get_text() for label in axes.get_xticklabels()]
    heights = [y for _, y in marked(axes)]
    assert len(heights) % len(names) == 0 and len(heights) >= 2 * len(names) and np.isfinite(heights).all()


@pytest.mark.parametrize(
    ("module", "name"), [(lesson_03_trigger, "train_trigger"), (lesson_03_captions, "train_mode")]
)
def test_a_long_run_is_recorded_and_its_sentences_can_be_read(module, name, monkeypatch, small_long_run):
    trainings = []

    def fake_train(base, _, variant, steps, seed, run_dir, replace):
        trainings.append((variant, steps, seed))
        return Run(run_dir, None)

    monkeypatch.setattr(module, name, fake_train)
    module.record()
    (result,) = small_long_run.values()
    assert len(trainings) == len(result["rows"]) == 6
    assert {steps for _, steps, _ in trainings} == {long_run.STEPS}
    assert all(isinstance(line, str) for line in module.verdicts(json.loads(json.dumps(result))))
    module.record()
    assert len(trainings) == 6
