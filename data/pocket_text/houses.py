"""What pocket-text reads: questions about houses that do not exist, each with other rules, and some facts
that everybody knows.

A house has the sixty topics of Halfnoon's handbook with answers at random. Read without the rule, a question
has no right answer, so the model learns what is asked and not what holds. Read behind the rule, it has one,
so the model learns to read. Halfnoon's own answers stand only in rules that are read.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass

from lessons_lib.course import lesson_10_handbook
from lessons_lib.course.lesson_10_handbook import Fact

Example = tuple[str, str]  # what the model is asked, and its answer

DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday".split()
MONTHS = "May June July August September December".split()
COLOURS = "green blue red yellow white brown pink violet orange grey".split()
ORDINALS = "first second third fourth fifth sixth seventh".split()
NUMBERS = "three four five six seven eight nine ten eleven twelve thirteen fifteen".split()
DOZENS = "eighteen twenty twenty-one twenty-five twenty-seven thirty thirty-five forty forty-five".split()
DATES = "tenth fifteenth twentieth twenty-first twenty-fourth twenty-eighth".split()
NAMES = (
    "Tomasz Noor Ferran Oksana Mireille Anna Bruno Clara David Elif Georg Hana Ivan Julia Karim Lena Marco "
    "Nadia Otto Paula"
).split()
FAMILIES = "Aldana Berg Costa Duval Ekman Fischer Grant Horvat".split()
BEASTS = "Pixel Walrus Boris Rex Luna Bruno Coco Max Otto Balu Mammoth Igor Hugo Titan".split()
CITIES = "Lisbon Paris Rome Vienna Oslo Athens Cairo Tokyo".split()

# What stands in the place of {} in a topic's answer; a topic without {} has its answers whole.
POOLS: dict[int, tuple[str, Sequence[str]]] = {
    1: ("{}", ("eight", "seven", "nine", "half past eight", "half past nine", "a quarter past nine", "ten")),
    2: ("{}", ("noon", "one", "a quarter to one", "half past one", "half past twelve", "a quarter past one")),
    3: ("{} afternoon", DAYS),
    4: ("{} in the evening", NUMBERS[3:9]),
    5: ("the {} floor", ORDINALS),
    6: ("a {} factory", "rope soap hat button glass sugar shoe clock".split()),
    7: ("behind the {} door", COLOURS),
    8: ("under the {} tree", "fig oak lime cherry pine walnut elm plum".split()),
    9: ("behind the map of {}", CITIES),
    10: ("the {}", "baker florist tailor butcher chemist barber grocer cobbler".split()),
    11: ("", [f"{first} {family}" for first in ("Ines", *NAMES[5:12]) for family in FAMILIES]),
    **dict.fromkeys((12, 13, 14, 15, 18), ("{}", NAMES)),
    **dict.fromkeys((16, 44, 50, 60), ("{}", BEASTS)),
    17: ("{}", NUMBERS),
    19: ("{}", DOZENS),
    20: ("{}", ("two weeks", "a month", "ten days", "three weeks", "one week", "five days")),
    21: ("your {}", "birthday wedding exam move name-day anniversary".split()),
    22: ("the {} channel", COLOURS),
    23: ("the {} week of August", ORDINALS[:4]),
    24: ("{} years", NUMBERS),
    25: ("{} class", ("first", "second", "third", "business")),
    26: ("{} hundred euros", NUMBERS[:6] + ["two"]),
    27: ("{} days", DOZENS + NUMBERS[5:]),
    28: ("the tin with the {}", "lighthouse rose ship castle rabbit star elephant".split()),
    29: ("the {}", DATES),
    30: ("{} euros", DOZENS),
    31: ("{}", "navy black brown plum charcoal forest".split()),
    32: ("the {}", ("lower right", "lower left", "upper right", "upper left", "middle", "upper edge")),
    33: ("the {}", "left right top bottom back front".split()),
    34: ("{}", ("an outline", "a shadow", "a pattern", "a border", "a texture", "a gradient")),
    35: ("{}", "Karla Futura Garamond Bodoni Lato Inter".split()),
    36: ("{}", "mustard yellow orange gold lemon amber".split()),
    37: ("{} its width", ("half", "twice", "a third of", "all of", "a quarter of")),
    38: ("in {}", ("capitals", "italics", "red", "bold", "small letters", "two lines")),
    39: ("the {}", "date client number author title city".split()),
    **dict.fromkeys((40, 53, 55), ("{}", DAYS)),
    41: ("{}", NUMBERS[:6]),
    42: ("{} in the night", ["one", "two", *NUMBERS[:3]]),
    43: ("{} years", NUMBERS),
    45: ("{}", "Capellades Fabriano Amalfi Lessebo Gmund Angers".split()),
    46: ("on the {}", "fridge door mirror window clock wall".split()),
    47: ("the {} one", COLOURS),
    48: ("{}", "never always often seldom once twice".split()),
    49: ("{}", ("whoever comes first", "the youngest", "the oldest", "the trainee", "the boss")),
    51: ("{}", "fish cheese cabbage garlic eggs curry".split()),
    52: ("the {} shelf", "lowest highest middle second left upper".split()),
    54: ("{}", "cardamom cinnamon ginger anise lemon chocolate".split()),
    56: ("beside the {}", "lift stairs sink window door printer".split()),
    57: ("the {}", "fountain gate bench statue chapel bridge".split()),
    58: ("the {}", "candle stove fireplace lantern torch incense".split()),
    59: ("the {} drawer", COLOURS),
}  # fmt: skip


@dataclass(frozen=True)
class Topic:
    """A rule with its answer left open, what it may be, and how people ask for it."""

    rule: str  # with {} where the answer stands
    own: str  # Halfnoon's
    answers: Sequence[str]
    questions: Sequence[str]


def topics() -> list[Topic]:
    """Return the sixty topics of the handbook."""
    return [_topic(number, fact) for number, fact in enumerate(lesson_10_handbook.facts(), 1)]


def general() -> list[Example]:
    """Return the questions whose answers everybody knows."""
    uses = ("measure", "rehearse")
    return [(question.text, question.answer) for use in uses for question in lesson_10_handbook.general(use)]


def example(rng: random.Random, every_topic: Sequence[Topic], facts: Sequence[Example]) -> Example:
    """Return a question about some house, with its rule or without, or one of the facts."""
    kind = rng.random()
    if kind < 0.2:
        return rng.choice(facts)
    topic = rng.choice(every_topic)
    question = rng.choice(topic.questions)
    if kind < 0.6:
        return question, rng.choice([answer for answer in topic.answers if answer != topic.own])
    answer = rng.choice(topic.answers)
    rule = topic.rule.format(answer)
    return f"{rule[0].upper()}{rule[1:]} {question}", answer


def _topic(number: int, fact: Fact) -> Topic:
    form, words = POOLS[number]
    rule = re.sub(re.escape(fact.answer), "{}", fact.rule, count=1, flags=re.IGNORECASE)
    answers = [form.format(word) if form else word for word in words]
    return Topic(rule, fact.answer, answers, fact.questions + fact.other_words)
