"""Pictures are held out by the table's splits, or else by whole groups; enough are left to learn from."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lessons_lib.dataset.dataset import Dataset, scan
from lessons_lib.dataset.pictures import ImageFile, Picture
from lessons_lib.inspection import rules, split
from lessons_lib.inspection.findings import InspectedPicture
from lessons_lib.inspection.image_stats import ImageStats
from lessons_lib.inspection.report import inspect
from lessons_lib.models.bases import BASES
from lessons_lib.paths import SAMPLE
from lessons_lib.training.data import validated


def some_pictures(count):
    image = Image.new("RGB", (128, 128))
    return [Picture(Path(f"{i:02}.jpg"), ImageFile.of(image), index=i) for i in range(count)]


def inspected(pictures):
    """Return pictures that are all unlike one another."""
    rows = np.eye(len(pictures), 1280, dtype=np.float16)
    every = zip(pictures, rows, strict=True)
    stats = [ImageStats((9, 9), [], "d", 1, 1, 1, 0, 0, 1, 1, 0.5, 0, 0, b"", row) for _, row in every]
    return [InspectedPicture(p.path.name, p, s, "train") for p, s in zip(pictures, stats, strict=True)]


@pytest.mark.parametrize(
    ("count", "wanted", "expected"), [(16, None, 3), (9, None, 0), (16, 0, 0), (6, 2, 2)]
)
def test_pictures_without_splits_are_partly_held_out(count, wanted, expected):
    pictures = some_pictures(count)
    dataset = split.hold_out(Dataset(pictures), inspected(pictures), wanted)
    assert len(dataset.held_out) == expected
    assert sorted([*dataset.train, *dataset.held_out], key=lambda p: p.index) == pictures


def test_splits_of_the_table_win():
    dataset = Dataset(some_pictures(10), held_out=some_pictures(1))
    assert split.hold_out(dataset, [], count=3) is dataset


@pytest.mark.parametrize("count", [-1, 4, 99])
def test_holding_out_too_many_is_refused(count):
    pictures = some_pictures(6)
    with pytest.raises(ValueError, match=f"found 6 pictures and --hold-out {count}"):
        split.hold_out(Dataset(pictures), inspected(pictures), count)


def test_leaves_of_one_book_are_held_out_together_or_not_at_all(tmp_path):
    rows = ["file_name,book"]
    for i, path in enumerate(sorted((SAMPLE / "train").glob("*.jpg"))[:10]):
        shutil.copy(path, tmp_path / f"{i}.jpg")
        rows.append(f"{i}.jpg,book {i // 2}")
    (tmp_path / "metadata.csv").write_text("\n".join(rows))
    dataset = inspect(scan(tmp_path), BASES["pocket"]).hold_out()
    assert len(dataset.held_out) == 2 and len({p.more["book"] for p in dataset.held_out}) == 1
    assert not {p.more["book"] for p in dataset.train} & {p.more["book"] for p in dataset.held_out}


@pytest.mark.parametrize("seed", range(5))
def test_whole_groups_are_held_out_and_enough_is_left(seed):
    numbers = [0, 0, 0, 3, 3, 5, 6, 7, 8, 9]
    names = [f"{i}.png" for i in range(10)]
    held_out = split.choose_groups(names, numbers, share=0.3, seed=seed)
    groups = {numbers[i] for i in held_out}
    assert len(held_out) == 3 and all((numbers[i] in groups) == (i in held_out) for i in range(10))
    assert held_out == split.choose_groups(names, numbers, share=0.3, seed=seed)


def test_seeds_differ_and_small_sets_keep_three():
    names = [f"{i}.png" for i in range(40)]
    assert split.choose_groups(names, range(40), seed=1) != split.choose_groups(names, range(40), seed=2)
    assert split.choose_groups(names[:3], range(3), share=0.5) == []
    assert split.choose_groups(names[:10], [0] * 10) == []


def test_one_more_picture_changes_the_choice_little():
    names = [f"{i}.png" for i in range(40)]
    before, after = split.choose_groups(names, range(40)), split.choose_groups([*names, "new.png"], range(41))
    assert len(set(before) & set(after)) >= 7


@pytest.mark.parametrize("count", [9, 12, 20, 700])
def test_the_report_proposes_what_a_training_holds_out(count):
    pictures = inspected(some_pictures(count))
    proposed = [one.picture for one in split.propose(pictures)]
    dataset = Dataset([one.picture for one in pictures])
    held_out = split.hold_out(dataset, pictures, None if count >= 10 else len(proposed)).held_out
    assert held_out == proposed and len(proposed) == min(count // 5, 100)
    (finding,) = rules._propose_split(pictures)
    assert finding.what.endswith("(lessons train does)" if count >= 10 else "(--hold-out 1)")


def test_the_loss_is_measured_on_64_held_out_pictures_at_most():
    assert validated(list(range(64))) == list(range(64))
    assert len(validated(range(65))) == 33 and len(validated(range(1000))) == 63
    assert validated([]) == []
