"""Repeats are weights and several captions are several captions, from a folder to a training and back."""

import json
from collections import Counter
from dataclasses import replace
from fractions import Fraction

import pytest
import torch
from drawings import copied_paintings

from lessons_lib.adapters.run import Run
from lessons_lib.adapters.settings import Settings
from lessons_lib.dataset import export, records
from lessons_lib.dataset.dataset import Dataset, read, scan
from lessons_lib.models import bases
from lessons_lib.training import train
from lessons_lib.training.data import TrainingData
from lessons_lib.training.train import Trainer

SETTINGS = Settings(trigger="zq7x", steps=2, rank=1, batch=2)


@pytest.fixture
def folder(tmp_path):
    """Three pictures: a with two captions, and names for a table."""
    return copied_paintings(tmp_path / "set", "abc")


def table(folder, *rows):
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "metadata.jsonl").write_text(lines, encoding="utf-8")
    return scan(folder)


def test_kohyas_folders_are_weights_and_the_innermost_counts(folder):
    for name, target in (("a", "10_cat"), ("b", "img/3_toy/2_toy"), ("c", "0_x")):
        (folder / target).mkdir(parents=True)
        (folder / f"{name}.jpg").rename(folder / target / f"{name}.jpg")
    dataset = scan(folder)
    assert {p.path.stem: p.weight for p in dataset.train} == {"a": 10, "b": 2, "c": 1}
    assert any("repeats are weights (1 with 10, 1 with 2, 1 with 1)" in note for note in dataset.notes)


@pytest.mark.parametrize("column", ["repeats", "num_repeats", "Repeat"])
def test_a_column_is_a_weight_and_wins_over_the_folder(folder, column):
    (folder / "5_cat").mkdir()
    (folder / "a.jpg").rename(folder / "5_cat" / "a.jpg")
    rows = [
        {"file_name": "5_cat/a.jpg", column: 2},
        {"file_name": "b.jpg", column: "0.5"},
        {"file_name": "c.jpg"},
    ]
    assert [p.weight for p in table(folder, *rows).train] == [2, Fraction(1, 2), 1]


@pytest.mark.parametrize("value", ["0", "-2", "many", "nan5", "1e9"])
def test_repeats_that_are_no_number_are_named(folder, value):
    ((_, text),) = table(folder, {"file_name": "a.jpg", "repeats": value}).problems
    assert f"1 row with repeats that are no number above 0 (a.jpg: {value})" in text


def test_equal_repeats_change_nothing_and_are_said_so(folder):
    dataset = table(folder, *({"file_name": f"{name}.jpg", "repeats": 4} for name in "abc"))
    assert [note for note in dataset.notes if "repeats are 4, the same for all pictures" in note]
    without = replace(dataset, train=[replace(p, more={}) for p in dataset.train])
    pocket = bases.find("pocket")
    assert Trainer(pocket, dataset, SETTINGS).fingerprint == Trainer(pocket, without, SETTINGS).fingerprint


def fingerprints(dataset, *changes):
    return [Trainer(bases.find("pocket"), dataset, replace(SETTINGS, **c)).fingerprint for c in changes]


def test_weights_and_further_captions_are_part_of_the_fingerprint(folder):
    rows = [{"file_name": f"{name}.jpg", "caption": "a page"} for name in "abc"]
    weighted = [rows[0] | {"repeats": 2}, *rows[1:]]
    several = [rows[0] | {"caption": ["a page", "a leaf"]}, *rows[1:]]
    of_each = [fingerprints(table(folder, *these), {})[0] for these in (rows, weighted, several)]
    assert len(set(of_each)) == 3
    plain, first = (fingerprints(table(folder, *t), {"caption_choice": "first"}) for t in (rows, several))
    assert plain == first
    plain, old = (fingerprints(table(folder, *t), {"picture_order": "replacement"}) for t in (rows, weighted))
    assert plain == old


def test_one_of_several_captions_is_taken_at_random():
    counts, trigger = (3, 1, 2), 6
    data = TrainingData(torch.arange(3), {"caption": torch.arange(7)}, caption_counts=counts)
    pictures, embeddings = data.batch(6000, 0.25, torch.Generator().manual_seed(0))
    numbers = Counter(zip(pictures.tolist(), embeddings["caption"].tolist(), strict=True))
    shares = [numbers[0, 0], numbers[0, 1], numbers[0, 2], 0.5 * numbers[2, 4], 0.5 * numbers[2, 5]]
    assert numbers[1, 3] == pytest.approx(1500, rel=0.05) and numbers[0, trigger] == pytest.approx(
        500, rel=0.1
    )
    assert shares == pytest.approx([500, 500, 500, 375, 375], rel=0.1) and len(numbers) == 9


def test_a_training_takes_each_caption_and_ends_the_same_after_a_stop(folder, tmp_path, monkeypatch):
    def stop(step):
        raise KeyboardInterrupt

    rows, real = [], TrainingData.rows
    monkeypatch.setattr(TrainingData, "rows", lambda *a: rows.extend(a[2].tolist()) or real(*a))
    captions = {"a": ["a page", "a leaf", "paper"], "b": "a tree", "c": "a king"}
    dataset = table(folder, *({"file_name": f"{n}.jpg", "caption": c} for n, c in captions.items()))
    settings = replace(SETTINGS, steps=8, batch=3, caption_dropout=0.0)
    whole = train.train(dataset, settings, tmp_path / "whole")
    assert set(rows) == {0, 1, 2, 3, 4}
    train.train(dataset, settings, tmp_path / "run", stop)
    assert train.train(dataset, settings, tmp_path / "run").adapter.read_bytes() == whole.adapter.read_bytes()


def test_a_run_records_captions_and_repeats_so_that_it_can_be_repeated(folder, tmp_path):
    rows = [{"file_name": "a.jpg", "caption": ["a page", "a leaf"], "repeats": 3}, {"file_name": "b.jpg"}]
    dataset = table(folder, *rows)
    run = train.train(dataset, replace(SETTINGS, steps=1), tmp_path / "run")
    again = records.recorded_dataset(Run.load(run.folder).dataset, run.folder)
    assert [(p.captions, p.weight) for p in again.train] == [(["a page", "a leaf"], 3), ([""], 1)]
    assert fingerprints(again, {}) == fingerprints(dataset, {})


def test_several_captions_survive_the_way_out_and_back(folder, tmp_path):
    rows = [
        {"file_name": "a.jpg", "caption": ["a page, old", "a leaf"]},
        {"file_name": "b.jpg", "caption": "a tree"},
    ]
    export.write(table(folder, *rows).train, tmp_path / "out")
    assert [p.captions for p in read(tmp_path / "out").train] == [["a page, old", "a leaf"], ["a tree"]]
    (tmp_path / "out" / "train" / "metadata.csv").unlink()
    assert [p.captions for p in read(tmp_path / "out").train] == [["a page, old", "a leaf"], ["a tree"]]


def test_the_same_caption_leaves_a_picture_as_it_is_and_another_takes_the_place_of_all(paintings):
    picture = replace(paintings[0], caption="a page", other_captions=("a leaf",))
    (same,), (other,) = (Dataset([picture]).with_captions([text]).train for text in ("a page", "a tree"))
    assert same.captions == ["a page", "a leaf"] and other.captions == ["a tree"]
