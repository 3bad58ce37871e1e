"""Scenes for the next weights of pocket-flux: equal from their seed, and true to their captions."""

import json
from dataclasses import replace
from functools import cache

import pytest
import torch
from pocket_miniature import bank, drawings

from pocket import captions, held_out, looks, pack, things, tokenizer
from pocket.batch_rng import BatchRng
from pocket.composer import Composer
from pocket.drawings import CLUTTER
from pocket.painting import SPRITES
from pocket.phrases import Phrases, meaningless, names_of_looks, several_of
from pocket.placing import BORDERED, FREE, STEADY
from pocket.wording import THINGS, Mix, says_no_look

FIRST = SPRITES - THINGS


@cache
def phrases() -> Phrases:
    return Phrases(pack.names_of(drawings()[1]), names_of_looks(5), meaningless(20))


@cache
def small() -> Composer:
    return Composer(bank(), phrases(), looks.sample(5, BatchRng(1)))


@cache
def tokenizers():
    lines = [text.strip(", ") for text in phrases().texts]
    return tokenizer.clip_tokenizer(lines), tokenizer.t5_tokenizer(lines)


def captions_of(scenes) -> list[str]:
    return [phrases().text(row) for row in scenes.rows.tolist()]


def test_a_seed_gives_the_same_scenes_and_pictures_again():
    one, again, other = (small().scenes(12, seed) for seed in (5, 5, 6))
    assert captions_of(one) == captions_of(again) != captions_of(other)
    assert torch.equal(small().paint(one), small().paint(again))
    assert not torch.equal(small().paint(one), small().paint(other))


def test_pictures_are_whole_and_within_range():
    pictures = small().paint(small().scenes(40, 3))
    assert pictures.shape == (40, 3, 128, 128)
    assert pictures.isfinite().all() and pictures.min() >= 0 and pictures.max() <= 1.001


def test_ids_put_together_from_phrases_are_the_tokenizers_own():
    clip, t5 = tokenizers()
    scenes = small().scenes(64, 9, Mix(empty=0.2))
    tokens = captions.tokenized(phrases(), clip, t5)
    rows = captions.shortened(scenes.rows, tokens)
    texts = [phrases().text(row) for row in rows.tolist()]
    t5_ids, clip_ids = captions.token_ids(rows, tokens)
    own = t5(texts, padding="max_length", max_length=48, truncation=True, return_tensors="pt").input_ids
    assert torch.equal(t5_ids, own)
    own = clip(texts, padding="max_length", max_length=64, truncation=True, return_tensors="pt").input_ids
    assert torch.equal(clip_ids, own)


def test_a_caption_that_is_too_long_keeps_its_things_and_its_last_word():
    tokens = captions.tokenized(phrases(), *tokenizers())
    rows = small().scenes(400, 1, Mix(strange=1, named=0, short=0, some=0, empty=0)).rows
    short = captions.shortened(rows, tokens)
    longest = (tokens.t5 >= 0).sum(1)[short].sum(1).max()
    assert longest <= tokenizer.LONGEST - tokenizer.REGISTERS - 1 and not torch.equal(short, rows)
    for slot in ("first", "second", "third", "fourth", "word"):
        assert torch.equal(short[:, captions.SLOT[slot]], rows[:, captions.SLOT[slot]])


@pytest.mark.parametrize(
    ("words", "axis", "sign"),
    [("left of", "x", -1), ("right of", "x", 1), ("above", "y", -1), ("below", "y", 1)],
)
def test_things_stand_where_their_caption_says(words, axis, sign):
    scenes = small().scenes(300, 2, Mix(empty=0))
    place = getattr(scenes, axis)
    rows = [k for k, text in enumerate(captions_of(scenes)) if f" {words} " in text and "on the" not in text]
    assert rows and all((place[k, FIRST] - place[k, FIRST + 1]) * sign > 0 for k in rows)


def test_a_thing_looks_the_way_its_caption_says():
    scenes = small().scenes(600, 4, Mix(empty=0))
    for k, text in enumerate(captions_of(scenes)):
        if "facing" in text:
            assert "elephant" in text or "tusker" in text
            assert bool(scenes.mirrored[k, FIRST]) == ("facing right" in text)


def test_a_small_thing_is_small_and_a_big_one_big():
    scenes = small().scenes(400, 6, Mix(empty=0))
    for k, text in enumerate(captions_of(scenes)):
        if scenes.things[k, 1] < 0 and (
            " small " in f" {text.split(',')[0]} " or " big " in f" {text.split(',')[0]} "
        ):
            assert (scenes.size[k, FIRST] < 0.6) == (" small " in f" {text.split(',')[0]} ")


def test_a_look_with_a_name_is_the_same_whenever_it_is_named():
    scenes = small().scenes(200, 7, Mix(named=1, empty=0))
    word = phrases().look[2]
    rows = (scenes.rows[:, captions.SLOT["word"]] == word).nonzero()[:, 0]
    assert len(rows) > 5
    assert (scenes.looks.matrix[rows] == small().named.matrix[2]).all()
    assert (scenes.looks.manner[rows] == small().named.manner[2]).all()


def test_no_trained_look_uses_the_means_of_the_held_out_ones():
    sampled = looks.sample(500, BatchRng(0))
    assert all((getattr(sampled, name) == 0).all() for name in looks.ONLY_HELD_OUT)
    for name in held_out.FAMILIES:
        family = held_out.family(name)
        assert any((getattr(family, means) > 0).all() for means in looks.ONLY_HELD_OUT)


def test_the_committed_list_names_the_held_out_families_with_their_seeds():
    written = json.loads(held_out.FILE.read_text())["families"]
    assert {name: row["seed"] for name, row in written.items()} == {
        n: held_out.seed_of(n) for n in held_out.FAMILIES
    }
    assert len(written) == 8 and all(row["nearest trained look"] > 0 for row in written.values())


def test_a_plain_look_leaves_a_drawing_as_it_is():
    composer = Composer(bank(), phrases(), compositions=[replace(FREE, plain_look=1)])
    scenes = composer.scenes(200, 8, Mix(named=0, empty=0))
    k = next(
        i
        for i in range(200)
        if scenes.things[i, 1] < 0
        and scenes.drawing[i, FIRST] >= 0
        and scenes.size[i, FIRST] > 0.6
        and scenes.looks.silhouette[i] == 0
    )
    picture = small().paint(scenes)[k]
    y, x = (int(128 * v[k, FIRST]) for v in (scenes.y, scenes.x))
    wanted = drawings()[0][scenes.drawing[k, FIRST], 64, 64, :3] / 255
    assert torch.allclose(picture[:, y, x].double(), torch.tensor(wanted), atol=0.03)


def test_several_of_a_thing_are_called_as_english_does():
    names = ("wolf", "man in a boat", "field mouse", "slice of pizza", "cherry blossom", "sheep")
    assert [several_of(n) for n in names] == [
        "wolves",
        "men in a boat",
        "field mice",
        "slices of pizza",
        "cherry blossoms",
        "sheep",
    ]


def test_every_thing_has_a_name_of_its_own_and_free_drawings():
    names = [thing.names[0] for thing in things.things()]
    assert 400 <= len(names) == len(set(names)) <= 500
    allowed = {"MIT", "Apache-2.0", "CC0-1.0", "CC-BY-4.0"}
    assert {source["licence"] for source in things.makers()} <= allowed


def test_a_drawing_that_looks_the_other_way_is_noticed():
    first = drawings()[0][0]
    assert things.is_mirrored(first[:, ::-1], first) and not things.is_mirrored(first, first)


def test_clutter_is_there_when_the_caption_says_so():
    scenes = small().scenes(200, 10, Mix(empty=0))
    said = scenes.rows[:, captions.SLOT["clutter"]] > 0
    assert said.any() and (scenes.drawing[said, :FIRST] >= 0).any(1).all()
    assert set(CLUTTER) <= {thing.names[0] for thing in things.things()}


def test_captions_that_say_no_look_are_of_drawings_as_they_are():
    scenes = small().scenes(300, 4, Mix(empty=0, bare=1))
    silent = says_no_look(scenes.rows)
    assert silent.any() and not silent.all()
    assert not scenes.looks[silent].blur.any() and (scenes.looks[silent].gamma == 1).all()
    assert (scenes.name[silent] < 0).all() and says_no_look(scenes.everything[silent]).all()
    assert not (scenes.looks[~silent].gamma == 1).all()


def test_seeds_take_compositions_in_turn():
    alone, both = (Composer(bank(), phrases(), compositions=c) for c in ([STEADY], [FREE, STEADY]))
    assert torch.equal(alone.scenes(40, 5).rows, both.scenes(40, 5).rows)
    assert not torch.equal(alone.scenes(40, 6).rows, both.scenes(40, 6).rows)


def test_bordered_scenes_have_more_borders_and_fewer_plain_grounds():
    steady, bordered = (
        Composer(bank(), phrases(), compositions=[c]).scenes(600, 5) for c in (STEADY, BORDERED)
    )
    borders = [(scenes.rows[:, captions.SLOT["border"]] > 0).float().mean() for scenes in (steady, bordered)]
    assert borders[1] > 1.5 * borders[0]
    alone = [scenes.size[scenes.things[:, 1] < 0][:, FIRST].median() for scenes in (steady, bordered)]
    assert alone[1] < alone[0]


def test_steady_scenes_show_things_large_and_the_way_they_were_drawn():
    scenes = Composer(bank(), phrases(), compositions=[STEADY]).scenes(400, 5)
    alone = scenes.things[:, 1] < 0
    assert not scenes.mirrored.any() and alone.float().mean() > 0.8
    assert scenes.size[alone][:, FIRST].median() > 0.7
    assert (scenes.x[alone][:, FIRST] - 0.5).abs().median() < 0.05
