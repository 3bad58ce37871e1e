"""Lesson 08 counts who turned into the owl, and its sentences say what a recorded run holds and no more."""

import pytest
import torch
from course_fakes import marked
from PIL import Image

from lessons_lib.course import lesson_08, lesson_08_results, recorded
from lessons_lib.course.lesson_08 import PLAIN, REMEDIES
from lessons_lib.course.lesson_08_measures import References, halves, margins, turned
from lessons_lib.dataset import dataset
from lessons_lib.training import train

NETWORKS = ("features", "pocket-clip")
EYE = torch.eye(4)


@pytest.fixture(scope="module")
def owl():
    return dataset.scan(lesson_08.OWL)


def row(remedy, seed, pull, subject=0.5):
    names = (*NETWORKS, *(f"pairs, {name}" for name in NETWORKS))
    return {"remedy": remedy, "seed": seed, "subject": [subject] * 8} | {name: [pull] * 12 for name in names}


def result(**pulls):
    """Return a recorded run in which a remedy has a pull that is given, the plain one +0.1, others 0."""
    known = {name: [0.2] * 4 for name in NETWORKS}
    base = {
        "drawn alone": [1.0] * 12, "drawn in pairs": [0.0] * 12, "pulls": {n: [-0.3] * 12 for n in NETWORKS},
        "of held-out owls": known, "of held-out foxes": {n: [-0.2] * 2 for n in NETWORKS},
        "subject": [0.2] * 8, "training pictures": 0.8,
    }  # fmt: skip
    rows = [row(r, s, pulls.get(r.replace(" ", "_"), 0.1)) for s in (0, 1) for r in REMEDIES]
    words = {
        "words": [0.3, 0.6], "words, to training pictures": [0.9, 0.1], "adapter": [0.5, 0.7],
        "adapter, to training pictures": [0.5, 0.7],
    }  # fmt: skip
    counts = {"one file": [[7, 1, 0], [0, 8, 0]], "two files added": [[4, 3, 1], [2, 5, 1]]}
    tables = {kind: dict.fromkeys(NETWORKS, table) for kind, table in counts.items()}
    return {"base": base, "rows": rows, "words": words, "characters": [tables, tables]}


def test_a_picture_belongs_to_the_group_that_it_is_nearest_to():
    pictures = torch.nn.functional.normalize(torch.tensor([[1.0, 0.2, 0, 0], [0.2, 1, 0, 0], [0, 0.5, 1, 0]]))
    groups = [EYE[:1], EYE[1:2], EYE[2:3]]
    assert turned(margins(pictures, groups, 1)) == [0, 1, 0]


def test_bystanders_are_compared_with_their_own_drawings_and_known_pictures_with_all():
    references = References(lambda images: torch.stack(list(images)), EYE[2:3], EYE[3:], (EYE[:1], EYE[1:2]))
    assert references.pulls([EYE[0], EYE[1]]) == [-1.0, -1.0]  # each is its own bystander
    assert references.pulls([EYE[1], EYE[2]]) == [0.0, 1.0]  # a stranger to all, and one that turned
    assert references.known_pulls([EYE[2]]) == [1.0] and references.shown([EYE[2], EYE[3]]) == [0, 1]


def test_each_half_of_a_pair_becomes_a_square_of_the_ground_around_it():
    page = Image.new("RGB", (8, 8), "blue")
    page.paste(Image.new("RGB", (4, 8), "red"), (4, 0))
    left, right = halves(page)
    assert left.size == right.size == (8, 8) and right.getpixel((4, 4)) == (255, 0, 0)
    assert left.convert("RGB").getcolors() == [(64, (0, 0, 255))]


def test_captions_call_the_owl_what_the_remedy_says(owl):
    for remedy in REMEDIES.values():
        captions = [picture.caption for picture in lesson_08.renamed(owl, "owl", remedy.subject).train]
        assert all(text.startswith(remedy.subject) and "an owl" not in text for text in captions)
    assert (
        lesson_08.renamed(owl, "owl", "zq7").train[11].caption == "zq7 and a red bird, on a green background"
    )


def test_no_class_picture_shows_a_bystander():
    named = " ".join((*lesson_08.BYSTANDERS, *lesson_08.PAIRS))
    assert not [thing for thing in lesson_08.CLASS_SUBJECTS if thing in named]


def test_a_remedy_differs_from_the_plain_training_in_what_it_names(owl, monkeypatch, tmp_path, sampler):
    trained = {}

    def note(pictures, settings, *_, **__):
        trained[settings.name] = pictures, settings

    monkeypatch.setattr(train, "train", note)
    for name, remedy in REMEDIES.items():
        lesson_08.train_remedy(sampler.base, owl, remedy, owl.train[:2], 0, tmp_path / name.replace(" ", "_"))
    assert {name for name, (pictures, _) in trained.items() if pictures.prior} == {
        "class_pictures", "noun_and_class_pictures"
    }  # fmt: skip
    assert [s.rank for _, s in trained.values()].count(4) == 1 and trained["the_name_Tom"][1].trigger == "tom"
    assert [s.unmasked_weight for _, s in trained.values()].count(1.0) == len(REMEDIES) - 1


def test_each_remedy_stands_beside_the_plain_training_in_one_row():
    first, *rows = lesson_08_results.beside_plain(result(class_pictures=-0.1))
    assert first.split()[-1] == "likeness" and len(rows) == len(REMEDIES) - 1
    row = next(row for row in rows if row.startswith("class pictures"))
    assert row.split()[2:] == ["lower", "lower", "="]


def test_a_remedy_that_halves_the_share_is_named_with_what_became_of_the_owl():
    lines = lesson_08_results.halved(result(class_pictures=-0.1))
    assert len(lines) == 2 and all(
        "class pictures, with no clear change of the owl itself" in x for x in lines
    )
    assert all(line.endswith("none that is clear") for line in lesson_08_results.halved(result()))


def weaker(strength, subject, pull):
    return [row(PLAIN, seed, pull, subject) | {"strength": strength} for seed in (0, 1)]


def test_a_remedy_is_compared_with_the_plain_training_that_is_no_more_like_the_owl():
    other = result(class_pictures=-0.1, rank_4=0.1)
    for one in other["rows"]:
        one["subject"] = [0.4 if one["remedy"] == "class pictures" else 0.5] * 8
    lines = lesson_08_results.at_equal_likeness(
        other | {"weaker": weaker(0.5, 0.3, 0.1) + weaker(0.75, 0.45, 0.1)}
    )
    rows = [line.split() for line in lines]
    assert rows[1][:6] == ["no", "remedy,", "strength", "0.5", "0.300", "1.00"]
    half = ["0.00,", "at", "most", "half"]
    assert ["class", "pictures", "0.400", "strength", "0.5", *half, *half] in rows
    assert ["rank", "4", "0.500", "strength", "1", "1.00", "1.00"] in rows
    assert lines[-2].endswith("class pictures, by features; class pictures, by pocket-clip")


def test_only_training_seeds_that_were_drawn_at_every_strength_are_compared():
    part = [row for row in weaker(0.5, 0.3, 0.1) if row["seed"] == 0]
    lines = lesson_08_results.at_equal_likeness(result() | {"weaker": part})
    assert lines[-1] == "trainings of each that were compared: 1"


def test_the_table_has_a_row_for_each_remedy_between_floor_and_ceiling():
    lines = lesson_08_results.table(result())
    assert (
        len(lines) == len(REMEDIES) + 3 and lines[1].startswith(PLAIN) and "1.00 (1.00 to 1.00)" in lines[1]
    )
    assert "the base 0.200, training pictures 0.800" in lines[-1]


def test_the_base_is_described_before_any_training():
    first, *known = lesson_08_results.base_lines(result())
    assert "draws 100 % of single bystanders" in first and "one bystander alone" in first
    assert all("0 % of the base's drawings, 100 % of held-out owls, 0 % of" in line for line in known)


def test_confusion_tables_of_two_trainings_are_added():
    lines = lesson_08_results.character_lines(result())
    assert lines[0] == "one file, by features: the owl was asked for: owl 14, fox 2, neither 0"
    assert lines[-1] == "two files added, by pocket-clip: the fox was asked for: owl 4, fox 10, neither 2"


def test_the_best_by_words_is_chosen_by_training_pictures_and_judged_by_held_out_ones():
    lines = lesson_08_results.word_lines(result())
    assert "0.300" in lines[0] and "0.600 (0.500 to 0.700)" in lines[1] and lines[2].endswith("yes")


def test_a_chart_of_remedies_has_the_share_that_turned_of_each(figures):
    lesson_08_results.chart(result(class_noun=-0.1))
    shares = dict(zip(REMEDIES, (x for x, _ in marked(figures[0].axes[0])), strict=True))
    assert shares == {remedy: float(remedy != "class noun") for remedy in REMEDIES}


def test_what_was_not_run_is_said():
    part = result() | {"rows": [row(PLAIN, 0, 0.1), row("rank 4", 0, -0.1)], "characters": []}
    del part["words"]
    assert "not run yet: class noun, class pictures" in "\n".join(lesson_08_results.table(part))
    assert len(lesson_08_results.beside_plain(part)) == 2 and "rank 4" in lesson_08_results.halved(part)[0]
    assert lesson_08_results.character_lines(part) == ["two characters: not run yet"]
    assert lesson_08_results.at_equal_likeness(part)[0].endswith("drawn weaker: not run yet")
    assert lesson_08_results.word_lines(part) == ["words alone: not run yet"]


def test_class_pictures_halve_the_share_that_turned_at_equal_likeness_in_the_recorded_run():
    lines = lesson_08_results.at_equal_likeness(recorded.load("everyone_looks_like_it")["result"])
    assert "class pictures, by pocket-clip" in lines[-2]
