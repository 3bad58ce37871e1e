"""Captions carry the trigger word once, and words that already mean something cause a warning."""

import unicodedata
from pathlib import Path

import pytest
from PIL import Image
from transformers import AutoTokenizer

from lessons_lib.dataset import captions
from lessons_lib.dataset.pictures import ImageFile, Picture
from lessons_lib.paths import POCKET


@pytest.fixture(scope="module", params=["tokenizer", "tokenizer_2"])
def tokenizer(request):
    return AutoTokenizer.from_pretrained(POCKET / request.param)


def picture(caption, name="a.png"):
    return Picture(Path(name), ImageFile.of(Image.new("RGB", (64, 64))), caption=caption)


@pytest.mark.parametrize("word", ["tom", "Tom", "elephant", "painted", "colours", "Picasso", "Mughal"])
def test_a_real_word_warns(word, tokenizer):
    (warning,) = captions.check_trigger(word, tokenizer)
    assert "word with a meaning" in warning and "Try " in warning


@pytest.mark.parametrize("word", ["mugh4l", "thgh96", "TOK", "th0r cat", "zwxq"])
def test_a_made_up_word_does_not_warn(word, tokenizer):
    assert captions.check_trigger(word, tokenizer) == []


@pytest.mark.parametrize("word", ["tom", "elephant", "sky"])
def test_the_suggested_word_is_itself_free(word):
    suggested = captions.suggest_trigger(word).removeprefix("Try ")
    assert suggested != word and captions.check_trigger(suggested, None) == []


def test_a_word_that_is_one_token_is_known_to_the_model():
    class Clip:
        unk_token_id = None

        def tokenize(self, text):
            return [text + "</w>"]

    (warning,) = captions.check_trigger("sks7", Clip())
    assert "one token" in warning


def test_letters_the_tokenizer_lacks_cause_a_warning():
    t5 = AutoTokenizer.from_pretrained(POCKET / "tokenizer_2")
    assert "letters this tokenizer does not know" in captions.check_trigger("मुग़ल", t5)[0]


def test_an_empty_trigger_is_refused():
    with pytest.raises(ValueError, match="trigger word is empty"):
        captions.check_trigger("  ", None)


def test_punctuation_in_a_trigger_warns():
    assert "punctuation" in captions.check_trigger("mu,gh4l", None)[0]


@pytest.mark.parametrize(
    "text, mode, whole",
    [
        ("a tiger", "style", "a tiger, mugh4l"),
        ("a tiger.", "style", "a tiger, mugh4l"),
        ("asleep on a chair", "concept", "mugh4l, asleep on a chair"),
        ("", "style", "mugh4l"),
        ("a Mugh4l, tiger", "style", "a Mugh4l, tiger"),
        ("a mugh4ls tiger", "style", "a mugh4ls tiger, mugh4l"),
    ],
)
def test_the_trigger_is_in_a_caption_once(text, mode, whole):
    assert captions.with_trigger(text, "mugh4l", mode) == whole


def test_a_mode_that_does_not_exist_is_refused():
    with pytest.raises(ValueError, match="'style' or 'concept'"):
        captions.with_trigger("a tiger", "mugh4l", "mood")


def test_a_missing_caption_is_the_trigger_alone_and_is_named():
    pictures = [picture("a tiger"), picture(None, "bare.png")]
    assert captions.training_captions(pictures, "mugh4l", "style") == ["a tiger, mugh4l", "mugh4l"]
    assert captions.caption_warnings(pictures, "mugh4l") == [
        "no caption: bare.png. Trained on with the trigger word alone"
    ]


def test_a_trigger_inside_other_words_causes_one_warning_for_all_of_them():
    pictures = [picture(f"a mugh4ls tiger {i}", f"{i}.png") for i in range(3)]
    (line,) = captions.caption_warnings(pictures, "mugh4l")
    assert line.startswith("'mugh4l' is part of other words in the caption of 0.png")
    assert line.count("mugh4l") == 1


def test_a_trigger_that_stands_in_a_caption_on_purpose_causes_no_warning():
    assert captions.caption_warnings([picture("a tiger, Mugh4l"), picture("mugh4l, a boat")], "mugh4l") == []
    assert captions.caption_warnings([picture("a th0r-cat asleep")], "th0r cat") == []


@pytest.mark.parametrize(
    "text, trigger, whole",
    [
        ("a lamp, zq-7", "zq-7", "a lamp, zq-7"),
        ("a lamp, zq_7", "zq_7", "a lamp, zq_7"),
        ("a lamp, zq-7", "zq_7", "a lamp, zq-7"),
        ("a lamp, zqe\u03017", "zq\u00e97", "a lamp, zq\u00e97"),
        ("a lamp, zq\u00e97", "zqe\u03017", "a lamp, zq\u00e97"),
        ("a lamp, zq-77", "zq-7", "a lamp, zq-77, zq-7"),
        (
            "\u092c\u093e\u0918 \u092e\u0941\u0917\u093c\u0932",
            "\u092e\u0941\u0917\u093c\u0932",
            "\u092c\u093e\u0918 \u092e\u0941\u0917\u093c\u0932",
        ),
    ],
)
def test_a_trigger_spelt_otherwise_is_not_added_twice(text, trigger, whole):
    assert captions.with_trigger(text, trigger) == unicodedata.normalize("NFC", whole)


@pytest.mark.parametrize(
    "text, whole",
    [
        ("a drawing of [trigger] at night", "a drawing of zq7x at night"),
        ("[TRIGGER], a goat", "zq7x, a goat"),
        ("a barn by {trigger}.", "a barn by zq7x"),
        ("[name] with two ladders", "zq7x with two ladders"),
        ("{{ trigger_word }} asleep", "zq7x asleep"),
        ("[trigger]", "zq7x"),
        ("[trigger], a goat, zq7x", "a goat, zq7x"),
        ("[a sign] that says {hello}", "[a sign] that says {hello}, zq7x"),
    ],
)
def test_a_place_for_the_trigger_is_filled_once(text, whole):
    assert captions.with_trigger(text, "zq7x") == whole


def test_a_place_before_the_class_is_filled_with_both_words_once():
    assert captions.with_trigger("a photo of [trigger] cat", "th0r cat", "concept") == "a photo of th0r cat"
    assert captions.fill_placeholders("a photo of [trigger], a cat", "") == "a photo of, a cat"


def test_a_long_caption_is_cut_before_the_trigger_is(tokenizer):
    long = "a tiger walking between trees and rocks by a stream " * 4
    ((text,),) = captions.all_training_captions([picture(long)], "mugh4l", "style", tokenizer, 32)
    assert text.startswith("a tiger walking") and text.endswith(", mugh4l")
    assert len(tokenizer(text)["input_ids"]) <= 32 < len(tokenizer(long)["input_ids"])


def test_the_words_that_are_cut_are_named(tokenizer):
    long = "a tiger walking between trees and rocks by a stream " * 4
    (warning,) = captions.caption_warnings([picture(long, "long.png")], "mugh4l", tokenizer, 32)
    assert warning.startswith("long.png: caption longer than 32 tokens") and "by a stream" in warning


def test_of_several_captions_each_one_is_measured(tokenizer):
    long = "a tiger walking between trees and rocks by a stream " * 4
    several = picture("a tiger", "long.png").with_captions(["a tiger", long])
    for warnings in (captions.overlong_warnings, captions.caption_warnings):
        (warning,) = warnings([several], "mugh4l", tokenizer, 32)
        assert warning.startswith("long.png: caption longer than 32 tokens") and "by a stream" in warning


def test_too_long_splits_a_text_where_the_tokenizer_stops(tokenizer):
    short, long = "a tiger", "a tiger and an elephant " * 12
    ((index, kept_words, cut_words),) = captions.find_overlong([short, long], tokenizer, 32)
    assert index == 1 and f"{kept_words} {cut_words}" == long.strip()
    assert len(tokenizer(kept_words)["input_ids"]) <= 32 and cut_words


def test_captions_in_another_script_are_kept():
    assert captions.training_captions([picture("एक बाघ")], "mugh4l", "style") == ["एक बाघ, mugh4l"]


def test_the_word_list_is_small_and_says_whose_it_is():
    text = captions.WORD_LIST.read_text(encoding="utf-8")
    assert len(text) < 200_000 and "Copyright 2000-2011 by Kevin Atkinson" in text
    assert {"tom", "tiger", "colour"} <= captions.known_words()


def test_a_word_is_replaced_everywhere_and_nothing_that_holds_it():
    texts, count = captions.replace_phrase(["a Cat and cattle", "a dog", "cat's cat"], "cat", "tiger")
    assert texts == ["a tiger and cattle", "a dog", "tiger's tiger"] and count == 2
    assert captions.replace_phrase(["a (b) c"], "(b)", r"\1")[0] == [r"a \1 c"]
    with pytest.raises(ValueError, match="text to replace is empty"):
        captions.replace_phrase(["a"], " ", "b")


def test_the_same_words_around_every_caption():
    assert captions.surround(["a boat", ""], "at night", "seen from above") == [
        "at night, a boat, seen from above",
        "",
    ]


def test_marks_of_other_programs_are_named():
    texts = ["a [filewords]", "(a cat:1.2)", "{red|blue} <lora:x:1>", "a cat (asleep)", "[trigger] 3:1"]
    pictures = [picture(text, f"{i}.png") for i, text in enumerate(texts)]
    (line,) = captions.caption_warnings(pictures, "mugh4l")
    assert line.startswith("3 with brackets of another program in the caption (0.png, 1.png, 2.png)")


def test_captions_that_hold_the_trigger_are_named():
    assert captions.find_collisions("tom", ["a tomato", "a dog", "Tom walks"]) == [0, 2]
    assert captions.find_collisions("th0r cat", ["a cat"]) == []
