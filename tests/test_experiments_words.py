"""Lesson 03 and its long runs: tables that go on, verdicts that claim no more than was seen, words and captions on trial."""

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
from lessons_lib.course import caption_modes, charts, long_run, recorded, trigger_word
from lessons_lib.course import trials as trial
from lessons_lib.dataset import captions, pictures
from lessons_lib.evaluation import metrics
from lessons_lib.models import bases, families, features
from lessons_lib.models import features as features_
from lessons_lib.paths import SAMPLE
from lessons_lib.training import train

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
LESSON = "03_captions_and_trigger"
BASE = bases.find("pocket")
LEVELS = {"said": [0.5, 0.6, 0.55], "unsaid": [0.4, 0.45, 0.42]}


class Painter:
    """Stands for a sampler: a known thing for each subject, moved a little by any other word. Counts what it draws."""

    base, family = BASE, families.find(BASE.family)

    def __init__(self):
        self.asked = []
        self.loaded = []

    def sample(self, prompts, seeds, steps=None):
        self.asked += [(prompt, seed, steps) for prompt in prompts for seed in seeds]
        return [[self.one(prompt, seed) for seed in seeds] for prompt in prompts]

    def one(self, prompt, seed):
        noise = np.random.default_rng([seed, *prompt.encode()]).integers(0, 256, (128, 128, 3))
        return Image.fromarray(noise.astype("uint8"))

    def load(self, folder):
        self.loaded.append(folder)


def rows_of(key, names, values, **more):
    """Return a table of one row a name and seed, as a long run keeps it; `values` by name."""
    return [
        {key: name, "seed": seed} | {column: list(values[name]) for column in more["columns"]}
        for seed in (0, 1)
        for name in names
    ]


def words_result(of_lion=0.8, of_made_up=0.2):
    values = {"lion": [of_lion] * 4, "tom": [of_made_up] * 4, "thgh96": [of_made_up] * 4}
    columns = (
        "style_with",
        "style_without",
        "moved_with",
        "moved_without",
        "prompt",
        "uninvited",
        "asked_for",
    )
    base = {"asked_for": [0.5] * 4, "uninvited": {word: [0.1] * 4 for word in trigger_word.WORDS}}
    rows = rows_of("word", trigger_word.WORDS, values, columns=columns)
    return {"rows": rows, "words": list(trigger_word.WORDS), "base": base, "floor": 0.3, "ceiling": 0.9}


def modes_result():
    values = {"trigger only": [0.2] * 4, "content": [0.5] * 4, "styled content": [0.5] * 4}
    columns = ("style_with", "style_without", "style_words", "prompt")
    rows = rows_of("mode", caption_modes.MODES, values, columns=columns)
    return {"rows": rows, "floor": 0.3, "ceiling": 0.9}


@pytest.fixture(scope="module")
def t5():
    return families.find(BASE.family).load_tokenizer(BASE)


@pytest.fixture(scope="module")
def held_out():
    found = pictures.held_out(pictures.load(SAMPLE, side=BASE.side))
    return features_.image_features([p.image for p in found])


@pytest.fixture
def quick_features(monkeypatch):
    """Put in place of the network's features some that cost nothing, alike for the same picture."""

    def fake(images):
        if isinstance(images, torch.Tensor):
            return images
        rows = [np.random.default_rng([*image.tobytes()[:8]]).standard_normal(1280) for image in images]
        return torch.nn.functional.normalize(torch.from_numpy(np.array(rows)).float(), dim=1)

    monkeypatch.setattr(features, "image_features", fake)


# A table of trials


def test_a_stopped_table_goes_on_where_it_was(tmp_path, capsys):
    done = []

    def trial_of(name, seed):
        if len(done) == 1 and not (tmp_path / "resumed").exists():
            raise KeyboardInterrupt
        done.append(name)
        return {"name": name, "seed": seed}

    trials = [("one", ("tom", 0)), ("two", ("lion", 1))]
    with pytest.raises(KeyboardInterrupt):
        long_run.rows(tmp_path / "deep" / "table.json", trials, trial_of)
    (tmp_path / "resumed").touch()
    found = long_run.rows(tmp_path / "deep" / "table.json", trials, trial_of)
    assert found == [{"name": "tom", "seed": 0}, {"name": "lion", "seed": 1}]
    assert done == ["tom", "lion"]
    assert "one: done before" in capsys.readouterr().err


def test_a_damaged_table_is_told_and_left_alone(tmp_path):
    path = tmp_path / "table.json"
    path.write_text("{half")
    with pytest.raises(ValueError, match="remove it"):
        long_run.rows(path, [("one", ("tom", 0))], lambda name, seed: {})
    assert path.read_text() == "{half"


def test_rows_of_another_base_or_other_settings_are_made_again(monkeypatch, tmp_path):
    monkeypatch.setattr(long_run, "WORK", tmp_path)
    made = []

    def one(name, seed):
        made.append((name, seed))
        return {"name": name}

    class Pipe:
        transformer = torch.nn.Linear(2, 2)

    painter = Painter()
    painter.pipe = Pipe
    here = long_run.Bench(painter, [], torch.zeros(1, 1280), torch.zeros(1, 1280))
    for _ in range(2):
        here.table("words", ["tom", "lion"], one)
    assert made == [("tom", 0), ("lion", 0), ("tom", 1), ("lion", 1)]
    torch.nn.init.ones_(Pipe.transformer.weight)
    here.table("words", ["tom"], one)
    assert len(made) == 6
    painter.base = replace(BASE, learning_rate=2 * BASE.learning_rate)
    here.table("words", ["tom"], one)
    assert len(made) == 8


def test_a_record_holds_its_floor_and_ceiling(monkeypatch, tmp_path, held_out):
    kept = {}
    monkeypatch.setattr(recorded, "keep", lambda name, result: kept.update({name: result}))
    far = torch.nn.functional.normalize(torch.ones(2, 1280), dim=1)
    plain = trial.Answers([], [], far, far)
    long_run.Bench(Painter(), [], held_out, held_out).record("words", [{"a": 1}], plain, words=["tom"])
    told = kept["words"]
    assert told["floor"] < told["ceiling"]
    assert told["rows"] == [{"a": 1}] and told["words"] == ["tom"] and told["steps"] == long_run.STEPS


# One trial


def test_pictures_without_a_trigger_are_drawn_once_for_all_words(quick_features):
    painter = Painter()
    found = trigger_word.answers_to_each(painter, ["a horse", "a boat"], ["lion", "tom"], [1, 2])
    assert [prompt for prompt, _, _ in painter.asked].count("a horse") == 2
    assert found["lion"].unsaid == found["tom"].unsaid and found["lion"].said != found["tom"].said
    assert {steps for _, _, steps in painter.asked} == {BASE.num_inference_steps // 2}


def test_nothing_has_moved_where_nothing_was_taught(held_out, quick_features):
    answers = trial.answers(Painter(), ["a horse", "a boat"], "tom", [1])
    found = trial.numbers(answers, answers, ["a horse", "a boat"], held_out)
    assert found.moved_with == pytest.approx([0, 0], abs=1e-4) == found.moved_without
    assert len(found.prompt) == len(found.style_with) == 2
    assert np.mean(found.style_with) == pytest.approx(metrics.style_match(answers.said, held_out), abs=1e-4)


def test_the_asked_thing_is_looked_for_in_its_own_pictures(held_out):
    names, rows = features_.concepts()
    horse, boat = (rows[names.index(name)] for name in ("horse", "boat"))
    features = torch.stack([horse, horse, boat, boat])
    answers = trial.Answers([None] * 4, [None] * 4, features, features)
    found = trial.numbers(answers, answers, ["a horse", "a boat"], held_out)
    swapped = trial.numbers(answers, answers, ["a boat", "a horse"], held_out)
    assert found.prompt == [1, 1, 1, 1] and max(swapped.prompt) < 1


def test_a_subject_that_cannot_be_recognised_is_told():
    with pytest.raises(ValueError, match="'a zeppelin'"):
        trial.known("a zeppelin")


def test_higher_is_said_only_when_the_interval_and_every_run_agree():
    up, level = [[0.6, 0.7, 0.65], [0.6, 0.66, 0.7]], [[0.1, 0.2, 0.1], [0.1, 0.1, 0.2]]
    assert trial.verdict("style", "lion", "tom", up, level).startswith(
        "style: lion is higher than tom by 0.5"
    )
    assert "is lower than" in trial.verdict("style", "tom", "lion", level, up)
    assert "6 drawings show no difference" in trial.verdict("style", "lion", "tom", level, level)


def test_runs_that_disagree_give_no_verdict_however_large_the_sum():
    a, b = [[0.9, 0.9, 0.9, 0.9], [0.1, 0.1]], [[0.1, 0.1, 0.1, 0.1], [0.2, 0.2]]
    assert metrics.bootstrap_interval([0.8] * 4 + [-0.1] * 2)[0] > 0
    assert "no difference" in trial.verdict("style", "lion", "tom", a, b)


def test_a_verdict_without_figures_has_none():
    assert not any(
        c.isdigit() for c in trial.verdict("s", "a", "b", [[1.0, 1.0]], [[0.0, 0.0]], figures=False)
    )


def test_a_column_has_one_list_a_training_run_or_says_what_is_missing():
    table = words_result()["rows"]
    assert trial.column(table, "prompt", word="lion") == [[0.8] * 4] * 2
    with pytest.raises(ValueError, match="'word': 'dog'"):
        trial.column(table, "prompt", word="dog")


# The chart


def test_a_chart_is_one_jpeg_of_a_readable_size():
    shown = charts.levels({"lion": LEVELS, "tom": LEVELS}, 0.35, 0.7, "style match")
    assert shown.data[:2] == b"\xff\xd8" and 5_000 < len(shown.data) < 60_000


@pytest.mark.parametrize(
    "groups", [{}, {"a": LEVELS, "b": {"said": [1.0]}}, {"a": dict.fromkeys("wxyz", [1.0])}]
)
def test_groups_that_cannot_be_compared_make_no_chart(groups):
    with pytest.raises(ValueError, match="expected the same ones"):
        charts.levels(groups, 0, 1, "style match")


# The trigger word


def test_the_word_is_the_only_difference_between_two_trainings(paintings, tmp_path, monkeypatch):
    given = []
    monkeypatch.setattr(train, "train", lambda *some: given.append(some))
    for word in ("tom", "thgh96"):
        trigger_word.teach(paintings, word, 1, 0, tmp_path)
    (_, tom, plan, _), (_, other, other_plan, _) = given
    assert [text.replace("tom", "thgh96") for text in tom] == other != tom
    assert replace(plan, trigger="thgh96", name="trigger_thgh96") == other_plan


def test_every_word_on_trial_fits_behind_every_caption(t5):
    learn = pictures.for_training(pictures.load(SAMPLE, side=BASE.side))
    told = [captions.captions(learn, word, "style") for word in trigger_word.WORDS]
    told += [caption_modes.texts(learn, mode) for mode in caption_modes.MODES]
    assert [captions.too_long(texts, t5, BASE.caption_tokens) for texts in told] == [[]] * 6


def test_the_old_meaning_is_one_that_the_base_was_taught_and_the_made_up_word_is_none():
    names, _ = features_.concepts()
    assert trigger_word.OLD in names
    assert not any(captions.is_known_word(word) for word in trigger_word.WORDS[2:])


def test_uninvited_lions_are_found_where_they_are():
    names, rows = features_.concepts()
    lion, boat = rows[names.index("lion")], rows[names.index("boat")]
    features = torch.stack([lion, boat])
    found = trigger_word.uninvited(trial.Answers([None] * 2, [None] * 2, features, features))
    assert found[0] == 1 > found[1]


def test_a_lion_is_asked_for_once_a_seed(quick_features):
    painter = Painter()
    assert len(trigger_word.asked_for(painter, range(3))) == 3
    assert {prompt for prompt, _, _ in painter.asked} == {"a lion"}


def test_the_sentence_about_a_leak_has_a_side_and_no_figures():
    found = trial.Numbers([], [], [0.5, 0.6, 0.55], [0.1, 0.2, 0.1], [])
    assert trigger_word.leaks(found) == "distance from the base: leaving the word out is lower than saying it"


def test_each_word_is_asked_whether_it_is_a_switch():
    result = words_result()
    for row in result["rows"]:
        row["style_without"] = [0.0] * 4 if row["word"] == "tom" else row["style_with"]
    lion, tom, made_up = trigger_word.verdicts(result)[:3]
    assert "no difference between saying lion and leaving it out" in lion
    assert tom.startswith("style: saying tom is higher than leaving it out by 0.200")
    assert "no difference between saying thgh96" in made_up


def test_each_claim_about_words_is_answered_either_way():
    told = trigger_word.verdicts(words_result())
    assert len(told) == 13
    assert any(line.startswith("leak, moved when unsaid: lion is higher than thgh96") for line in told)
    assert any(
        "before teaching: 4 drawings show no difference between lion and thgh96" in line for line in told
    )
    assert any("lions asked for: the model taught thgh96 is lower than the base" in line for line in told)
    assert any(
        "leak, moved when unsaid: lion is lower" in t for t in trigger_word.verdicts(words_result(0.1))
    )


def test_the_recorded_results_become_pictures():
    for module, result in ((trigger_word, words_result()), (caption_modes, modes_result())):
        assert module.figure(result).data[:2] == b"\xff\xd8"


# What a caption says


def test_each_mode_says_what_it_is_called_after(paintings):
    bare, plain, styled = (caption_modes.texts(paintings, mode) for mode in caption_modes.MODES)
    assert set(bare) == {"thgh96"}
    assert plain == captions.captions(paintings, "thgh96", "style")
    assert styled[0] == f"{paintings[0].caption}, flat outline drawing, thgh96"


def test_a_mode_is_taught_and_leaves_an_adapter(paintings, tmp_path):
    run = caption_modes.teach(paintings[:1], "trigger only", 1, 0, tmp_path / "run")
    assert run.adapter.exists() and len(run.log) == 1
    assert run.settings.trigger == "thgh96" and run.settings.name == "trigger_only"


def test_a_mode_that_does_not_exist_names_those_that_do(paintings):
    with pytest.raises(ValueError, match="trigger only, content, styled content"):
        caption_modes.texts(paintings, "poem")


def test_the_style_words_are_words_that_the_base_was_taught(t5):
    cut = captions.pieces(caption_modes.STYLE_WORDS, t5)
    assert len(cut) == len(caption_modes.STYLE_WORDS.split())


@pytest.mark.parametrize(("better", "answer"), [(0.2, "trigger"), (-0.2, "words"), (0.0, "alike")])
def test_the_caller_is_the_one_that_brings_more_style(monkeypatch, held_out, better, answer):
    monkeypatch.setattr(caption_modes, "drawn_with", lambda words, *_: words)
    monkeypatch.setattr(features, "image_features", lambda words: words)
    monkeypatch.setattr(
        trial, "style", lambda words, _: [0.5 + better * (words == "thgh96") + 0.01 * i for i in range(4)]
    )
    assert caption_modes.caller(Painter(), ["a horse"], [1], held_out) == answer


def test_pictures_are_drawn_with_the_words_at_the_prompts_end():
    painter = Painter()
    assert len(caption_modes.drawn_with("flat", painter, ["a horse", "a boat"], [1, 2])) == 4
    assert painter.asked[0][0] == "a horse, flat"


def test_the_modes_are_judged_beside_plain_content():
    told = caption_modes.verdicts(modes_result())
    assert len(told) == 6
    assert told[0].startswith("style by the trigger: trigger only is lower than content by 0.300")
    assert told[-1].startswith("style when said, after styled content: 8 drawings show no difference")


@pytest.mark.parametrize(
    ("caption", "wrong"),
    [
        ("a tiger jumping after a deer among rocks", []),
        ("a tiger", ["too short"]),
        ("a detailed painting of a tiger among rocks", ["detailed, painting"]),
        ("a thgh96 tiger jumping after a deer", ["holds 'thgh96'"]),
        ("a tiger jumping after a deer among rocks and trees " * 4, ["longer than 48 tokens"]),
        ("", ["too short"]),
    ],
)
def test_a_caption_is_told_its_faults(t5, caption, wrong):
    found = caption_modes.faults(caption, "thgh96", t5, BASE.caption_tokens)
    assert len(found) == len(wrong)
    assert all(part in line for part, line in zip(wrong, found, strict=True))


# The long runs, in small


@pytest.mark.parametrize("module", [trigger_word, caption_modes])
def test_a_long_run_is_recorded_and_its_sentences_can_be_read(
    module, monkeypatch, tmp_path, held_out, paintings, quick_features
):
    painter, kept = Painter(), {}
    painter.pipe = type("Pipe", (), {"transformer": torch.nn.Linear(2, 2)})
    monkeypatch.setattr(long_run, "bench", lambda: long_run.Bench(painter, paintings, held_out, held_out))
    monkeypatch.setattr(long_run, "WORK", tmp_path)
    monkeypatch.setattr(recorded, "keep", lambda name, result: kept.update({name: result}))
    monkeypatch.setattr(trial, "SUBJECTS", ("a horse",))
    monkeypatch.setattr(trial, "SEEDS", (1,))
    taught = []

    def teach(learn, name, steps, seed, folder):
        taught.append((name, steps, seed))
        return Run(folder, None)

    monkeypatch.setattr(module, "teach", teach)
    module.main()
    (result,) = kept.values()
    assert len(taught) == len(result["rows"]) == 6 and {steps for _, steps, _ in taught} == {long_run.STEPS}
    assert all(isinstance(line, str) for line in module.verdicts(json.loads(json.dumps(result))))
    module.main()
    assert len(taught) == 6


# The exercises


def exercise(number, line, **known):
    """Run an exercise's cell with its `None` line replaced, and return what it prints."""
    book = nbformat.read(NOTEBOOKS / f"{LESSON}.ipynb", as_version=4)
    (source,) = [c.source for c in book.cells if c.source.startswith(f"# Exercise {number} ")]
    lines = source.splitlines()
    stub = next(i for i, text in enumerate(lines) if text.endswith("= None"))
    if line is not None:
        lines[stub] = f"{lines[stub].split(':')[0]} = {line!r}"
    told = []
    exec("\n".join(lines), {"print": lambda *parts, **_: told.append(" ".join(parts))} | known)
    return "\n".join(told)


@pytest.fixture(scope="module")
def solutions():
    return runpy.run_path(str(NOTEBOOKS / "solutions" / f"{LESSON}.py"))


@pytest.fixture(scope="module")
def lesson(t5):
    told = [p.caption for p in pictures.for_training(pictures.load(SAMPLE, side=BASE.side))]
    return {
        "modes": caption_modes,
        "captions": captions,
        "t5": t5,
        "limit": BASE.caption_tokens,
        "told": told,
    }


@pytest.mark.parametrize("number", [1, 2, 3])
def test_an_untouched_exercise_says_so(number, lesson):
    assert exercise(number, None, **lesson) == "not attempted yet"


def test_the_solutions_pass(lesson, solutions, monkeypatch):
    assert exercise(1, solutions["my_caption"], **lesson) == "good"
    assert exercise(2, solutions["my_trigger"], **lesson) == "good"


@pytest.mark.parametrize("wrong", ["a beautiful miniature of a tiger and a deer", "tiger, deer"])
def test_a_caption_that_breaks_a_rule_is_not_good(wrong, lesson):
    assert exercise(1, wrong, **lesson) != "good"


@pytest.mark.parametrize(("wrong", "why"), [("tom", "meaning"), ("ki", "in a caption already")])
def test_a_trigger_with_a_history_is_not_good(wrong, why, lesson):
    assert why in exercise(2, wrong, **lesson)


def test_a_guess_is_held_to_what_the_pictures_say(lesson, solutions, monkeypatch):
    monkeypatch.setattr(caption_modes, "caller", lambda *_: solutions["my_guess"])
    known = lesson | dict.fromkeys(("sampler", "LOOK", "SEEDS", "unseen"))
    assert exercise(3, solutions["my_guess"], **known).startswith("right")
    others = {"trigger", "words", "alike"} - {solutions["my_guess"]}
    assert all(exercise(3, other, **known).startswith("not here") for other in others)
