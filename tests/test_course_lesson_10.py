"""Lesson 10 measures colours, things and answers as it says, and looks up what shares the rarest words."""

import numpy as np
import pytest
from course_fakes import JUDGE
from PIL import Image, ImageColor, ImageDraw

from lessons_lib.course import lesson_10, lesson_10_handbook
from lessons_lib.course.trials import concept_of
from lessons_lib.dataset import dataset
from lessons_lib.paths import BRAND


@pytest.fixture
def card():
    """A navy ground, a cream disc, a coral square in its middle."""
    image = Image.new("RGB", (128, 128), "#2a3d6b")
    pen = ImageDraw.Draw(image)
    pen.ellipse((16, 16, 112, 112), fill="#fff6e4")
    pen.rectangle((50, 50, 77, 77), fill="#f26d5b")
    return image


def test_lab_has_white_and_grey_without_colour_and_red_to_the_right():
    pixels = Image.fromarray(np.array([[[255, 255, 255], [119, 119, 119], [255, 0, 0]]], np.uint8))
    white, grey, red = lesson_10.lab(pixels)[0]
    assert abs(white - (100, 0, 0)).max() < 1.5 and abs(grey - (50, 0, 0)).max() < 1.5
    assert abs(red - (54, 81, 70)).max() < 3  # CIE, illuminant D50


def test_ground_and_disc_are_no_part_of_the_thing(card):
    mask = lesson_10.thing_mask(card)
    assert mask.sum() == 28 * 28 and mask[50:78, 50:78].all()


def test_a_picture_without_a_disc_has_one_ground():
    image = Image.new("RGB", (128, 128), "white")
    ImageDraw.Draw(image).rectangle((40, 60, 99, 79), fill="green")
    assert lesson_10.thing_mask(image).sum() == 60 * 20


def test_a_thing_in_the_palette_is_inside_and_another_is_not(card):
    purple = Image.new("RGB", (128, 128), "#2a3d6b")
    ImageDraw.Draw(purple).rectangle((50, 50, 77, 77), fill="#b000ff")
    assert lesson_10.palette_shares([card, purple]) == [1.0, 0.0]


def test_the_palette_is_the_one_that_the_cards_are_painted_in():
    pytest.importorskip("skia")
    from data.brand.cards import PALETTE

    assert lesson_10.PALETTE == tuple(colour for pair in PALETTE.values() for colour in pair)


def test_the_lessons_things_are_concepts_that_no_card_shows():
    cards = dataset.read(BRAND, side=64)
    captions = " ".join(picture.caption for picture in (*cards.train, *cards.held_out)).split()
    assert all(concept_of(thing) for thing in lesson_10.THINGS)
    assert not {thing.split()[-1] for thing in lesson_10.THINGS} & set(captions)


def test_the_mark_is_seen_on_every_card_and_not_on_a_picture_without_one(card):
    cards = dataset.read(BRAND, side=128)
    assert all(lesson_10.has_mark(picture.image) for picture in (*cards.train, *cards.held_out))
    assert not lesson_10.has_mark(card)


def test_almost_all_of_the_cards_own_things_is_inside_the_palette():
    images = [picture.image for picture in dataset.read(BRAND, side=128).train]
    assert np.mean(lesson_10.palette_shares(images)) > 0.85


def test_by_rule_a_thing_is_cut_out_recoloured_lit_from_the_left_and_put_on_a_card():
    drawing = Image.new("RGB", (128, 128), "#808080")
    ImageDraw.Draw(drawing).rectangle((40, 40, 87, 87), fill="#ff0000")
    thing = lesson_10.asset(drawing)
    middle, size = thing.height // 2, thing.width
    assert [thing.getpixel((x, middle))[3] for x in (10, size // 2, size - 10)] == [0, 255, 0]
    sides = [thing.getpixel((x, middle))[:3] for x in (size // 2 - 20, size // 2 + 20)]
    assert sides == [ImageColor.getrgb(code) for code in lesson_10.PALETTE[:2]]
    cards = lesson_10.cards_by_rule([thing] * 6)
    assert all(map(lesson_10.has_mark, cards))
    assert min(lesson_10.palette_shares(cards[:2])) > 0.9
    assert [card.getpixel((5, 5)) for card in cards[:5]] == [ImageColor.getrgb(c) for c in lesson_10.GROUNDS]
    assert cards[5].tobytes() == cards[0].tobytes()


def test_of_the_cards_only_things_that_are_concepts_are_asked():
    cards = dataset.read(BRAND, side=64).train
    named = [card for card in cards if card.caption not in ("a flower", "a light bulb")]
    assert len(lesson_10.recognised_of_cards(JUDGE, cards)) == len(named)


def test_a_concepts_own_picture_is_recognised_and_another_is_not():
    names, rows = JUDGE.concepts()
    own = rows[names.index("teapot")][None]
    assert lesson_10.recognised(JUDGE, own, ["a teapot"]) == [True]
    assert lesson_10.recognised(JUDGE, own, ["a castle"], first=1) == [False]


def test_a_way_is_the_share_of_each_gap_and_says_where_there_is_none():
    base, cards = lesson_10.BrandScores(0.2, 0.5), lesson_10.BrandScores(0.8, 0.5)
    assert lesson_10.BrandScores(0.5, 0.6).way(base, cards) == "palette 0.5, style (no gap) of the way"


def test_retrieval_finds_the_document_with_the_rarest_common_words():
    texts = ["Soup is cooked on Wednesdays.", "Plants are watered on Thursdays.", "The lift is slow."]
    assert lesson_10_handbook.retrieve("When are the plants watered?", texts) == 1
    assert lesson_10_handbook.retrieve("On which day is there soup?", texts) == 0


def test_a_rule_can_be_changed_and_only_that_one():
    facts = lesson_10_handbook.facts()
    other = lesson_10_handbook.changed(facts, "Wednesday", "Monday")
    assert [fact.rule for fact in other if fact not in facts] == ["Soup is cooked on Mondays."]
    with pytest.raises(ValueError, match="0 rules have the answer 'Sunday'"):
        lesson_10_handbook.changed(facts, "Sunday", "Monday")


def test_a_score_counts_right_answers_and_puts_a_context_before_its_question():
    class Echo:
        def answers(self, texts):
            return list(texts)

    questions = lesson_10_handbook.facts()[52].ask(["When?", "On a Wednesday?"])
    score = lesson_10_handbook.score(Echo(), questions)
    assert str(score) == "1 of 2 right" and score.wrong(questions) == ["When? When?"]
    score = lesson_10_handbook.score(Echo(), questions, ["Wednesdays.", ""])
    assert score.right == 2 and score.share == 1.0 and score.answers[0] == "Wednesdays. When?"


def test_recorded_scores_come_by_the_number_of_wordings():
    row = {"learned": 60, "held_out": 30, "general": 33}
    base = row | {"wordings": 0, "steps": 0, "held_out": 1}
    result = {"questions": 60, "rows": [base, row | {"wordings": 18, "steps": 9}]}
    scores = lesson_10_handbook.recorded_scores(result)
    assert list(scores) == ["before", "18 wordings, 9 steps"]
    assert [parts["held out"].right for parts in scores.values()] == [1, 30]


def test_a_chart_of_answers_is_a_jpeg():
    half = lesson_10_handbook.Score(1, 2)
    rows = {"before": {"learned": half, "general": half}, "after": {"learned": half}}
    assert lesson_10_handbook.answers_chart(rows).data[:2] == b"\xff\xd8"
