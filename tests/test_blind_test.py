import ipywidgets
import pytest
from PIL import Image

from lessons_lib.evaluation import blind_test
from lessons_lib.evaluation.blind_test import BlindTest

PAIRS = [(Image.new("RGB", (8, 8), (i, 0, 0)), Image.new("RGB", (8, 8), (0, i, 0))) for i in range(10, 18)]


def test_sides_are_random_and_the_same_for_the_same_seed():
    one, again, other = (BlindTest(PAIRS, ("a", "b"), seed=seed) for seed in (0, 0, 1))
    lefts = [[test.left_and_right(i)[0] is PAIRS[i][0] for i in range(8)] for test in (one, again, other)]
    assert lefts[0] == lefts[1] != lefts[2] and len(set(lefts[0])) == 2
    assert {id(p) for p in one.left_and_right(3)} == {id(p) for p in PAIRS[3]}


def test_answers_are_counted_for_what_was_shown_and_not_for_the_side():
    test = BlindTest(PAIRS, ("red", "green"))
    for i in range(8):
        test.choose(i, "left" if test.left_and_right(i)[0] is PAIRS[i][0] else "right")
    assert test.count_first() == 8 and str(test).endswith("red was preferred to green")
    test.choose(0, "right" if test.answers[0] == "left" else "left")
    assert (
        test.count_first() == 7
        and "7 of 8 answers for red" in str(test)
        and str(test).endswith("nothing is proved")
    )


def test_what_was_not_answered_says_so_and_a_wrong_answer_is_refused():
    test = BlindTest(PAIRS, ("a", "b"))
    assert str(test) == "no pair was answered yet"
    for number, side in ((8, "left"), (-1, "left"), (0, "both")):
        with pytest.raises(ValueError, match="expected a number below 8"):
            test.choose(number, side)
    with pytest.raises(ValueError, match="no pairs"):
        BlindTest([], ("a", "b"))
    with pytest.raises(ValueError, match="3 prompts for 8 pairs"):
        BlindTest(PAIRS, ("a", "b"), ["a cat"] * 3)


def test_the_panel_writes_into_the_answers_and_takes_them_back():
    test = BlindTest(PAIRS[:2], ("a", "b"), ["a cat", "a dog"])
    panel = test.panel()
    assert [pair.children[0].value for pair in panel.children] == ["a cat", "a dog"]
    first = next(w for w in panel.children[0].children if isinstance(w, ipywidgets.ToggleButtons))
    first.value = "left"
    assert test.answers == {0: "left"}
    first.value = "?"
    assert test.answers == {}


@pytest.mark.parametrize(
    ("most", "answers", "p_value"), [(8, 8, 2 / 256), (7, 8, 18 / 256), (2, 4, 1.0), (6, 6, 2 / 64)]
)
def test_the_sign_test_is_the_binomials(most, answers, p_value):
    assert blind_test.sign_test(most, answers) == pytest.approx(p_value)


def test_the_answers_needed_grow_with_the_pairs():
    assert [blind_test.answers_needed(n) for n in (5, 6, 8, 12, 20)] == [None, 6, 8, 10, 15]
