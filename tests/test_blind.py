import ipywidgets
import pytest
from PIL import Image

from lessons_lib.evaluation import blind_test
from lessons_lib.evaluation.blind_test import Blind

PAIRS = [(Image.new("RGB", (8, 8), (i, 0, 0)), Image.new("RGB", (8, 8), (0, i, 0))) for i in range(10, 18)]


def test_sides_are_drawn_by_lot_and_repeat():
    one, again, other = (Blind(PAIRS, ("a", "b"), seed=seed) for seed in (0, 0, 1))
    lefts = [[test.shown(i)[0] is PAIRS[i][0] for i in range(8)] for test in (one, again, other)]
    assert lefts[0] == lefts[1] != lefts[2] and len(set(lefts[0])) == 2
    assert {id(p) for p in one.shown(3)} == {id(p) for p in PAIRS[3]}


def test_answers_are_counted_for_what_was_shown_and_not_for_the_side():
    test = Blind(PAIRS, ("red", "green"))
    for i in range(8):
        test.choose(i, "left" if test.shown(i)[0] is PAIRS[i][0] else "right")
    assert test.firsts() == 8 and str(test).endswith("red was preferred to green")
    test.choose(0, "right" if test.answers[0] == "left" else "left")
    assert (
        test.firsts() == 7
        and "7 of 8 answers for red" in str(test)
        and str(test).endswith("nothing is proved")
    )


def test_what_was_not_answered_says_so_and_a_wrong_answer_is_refused():
    test = Blind(PAIRS, ("a", "b"))
    assert str(test) == "no pair was answered yet"
    for number, side in ((8, "left"), (-1, "left"), (0, "both")):
        with pytest.raises(ValueError, match="expected a number below 8"):
            test.choose(number, side)
    with pytest.raises(ValueError, match="no pairs"):
        Blind([], ("a", "b"))
    with pytest.raises(ValueError, match="3 texts for 8 pairs"):
        Blind(PAIRS, ("a", "b"), ["a cat"] * 3)


def test_the_panel_writes_into_the_answers_and_takes_them_back():
    test = Blind(PAIRS[:2], ("a", "b"), ["a cat", "a dog"])
    panel = test.panel()
    assert [pair.children[0].value for pair in panel.children] == ["a cat", "a dog"]
    first = next(w for w in panel.children[0].children if isinstance(w, ipywidgets.ToggleButtons))
    first.value = "left"
    assert test.answers == {0: "left"}
    first.value = "?"
    assert test.answers == {}


@pytest.mark.parametrize(
    ("most", "answers", "luck"), [(8, 8, 2 / 256), (7, 8, 18 / 256), (2, 4, 1.0), (6, 6, 2 / 64)]
)
def test_the_sign_test_is_the_binomials(most, answers, luck):
    assert blind_test.two_sided(most, answers) == pytest.approx(luck)


def test_so_many_answers_are_needed():
    assert [blind_test.needed(n) for n in (5, 6, 8, 12, 20)] == [None, 6, 8, 10, 15]
