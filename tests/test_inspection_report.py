"""The report says what to fix, what to look at and what is fine; cached pictures are not measured again."""

import shutil
from pathlib import Path

import pytest
from PIL import Image, ImageFilter, ImageOps

from lessons_lib.dataset.dataset import scan
from lessons_lib.inspection import before_training, findings, image_stats, split
from lessons_lib.inspection.findings import Finding
from lessons_lib.inspection.report import inspect
from lessons_lib.models import bases

POCKET = bases.BASES["pocket"]
PAINTINGS = sorted((Path(__file__).parents[1] / "data" / "sample_mughal" / "train").glob("*.jpg"))
TABLE = "file_name,split,caption,licence,book,sha256\n"


def painting(index):
    return Image.open(PAINTINGS[index]).convert("RGB").resize((296, 416))


@pytest.fixture(scope="module")
def mixed(tmp_path_factory):
    """A folder in which every finding on a picture can be made, but those that need a table."""
    folder = tmp_path_factory.mktemp("mixed")
    one, two, three, four, five, six, seven = (painting(i) for i in range(7))
    changed = {
        "good.png": one, "mirrored.jpg": ImageOps.mirror(one),
        "tilted.png": six.rotate(2, Image.Resampling.BICUBIC), "straight.png": six,
        "blurred.png": two.filter(ImageFilter.GaussianBlur(6)), "small.png": three.resize((100, 140)),
        "tiny.png": four.resize((64, 63 * 2)).crop((0, 0, 64, 64)).resize((64, 64)),
        "dark.png": five.point(lambda v: v // 9), "pale.png": seven.point(lambda v: 180 + v // 6),
        "flat.png": Image.new("RGB", (200, 200), "teal"), "strip.png": two.crop((0, 0, 296, 130)),
    }  # fmt: skip
    for name, image in changed.items():
        image.save(folder / name)
    page = Image.new("RGB", (300, 300), "white")
    page.paste(four.resize((60, 84)), (200, 200))
    page.save(folder / "<img src=x onerror=alert(1)>.png")
    (folder / "broken.jpg").write_bytes(PAINTINGS[7].read_bytes()[:9000])
    (folder / "good.txt").write_text("a prince on an elephant")
    return folder


@pytest.fixture(scope="module")
def report(mixed):
    return inspect(scan(mixed), POCKET)


def findings_of(report, name):
    (one,) = (one for one in report.pictures if one.name == name)
    return {f.what: f.level for f in one.findings}


@pytest.mark.parametrize("name, what, level", [
    ("mirrored.jpg", "a copy of another", "worth a look"),
    ("tilted.png", "very like another", "worth a look"),
    ("blurred.png", "blurred", "worth a look"), ("small.png", "small", "worth a look"),
    ("dark.png", "very dark", "worth a look"), ("pale.png", "pale", "worth a look"),
    ("flat.png", "one flat colour", "must fix"), ("strip.png", "cut by the middle square", "worth a look"),
    ("<img src=x onerror=alert(1)>.png", "mostly white", "worth a look"),
])  # fmt: skip
def test_each_fault_is_found_and_named(report, name, what, level):
    if name == "tilted.png":
        assert what in findings_of(report, "tilted.png") or "a copy of another" in findings_of(
            report, "tilted.png"
        )
    else:
        assert findings_of(report, name)[what] == level


def test_a_good_picture_has_no_finding(report):
    assert findings_of(report, "good.png") == {} and report.pictures[0].level in findings.LEVELS


def test_the_set_is_summed_up_gravest_first(report):
    lines = report.lines()
    levels = [line.split(":")[0] for line in lines]
    assert levels == sorted(levels, key=findings.LEVELS.index)
    text = "\n".join(lines)
    assert "broken.jpg: is cut short" in lines[0] and "12 pictures to train on, 0 held out" in text
    assert "no caption: <img" in text and "no licence known for" in text and "nothing is held out" in text
    assert report.count("must fix") == 2 and all(len(line) < 500 and line.isprintable() for line in lines)


def test_every_kind_that_is_said_has_its_advice():
    assert set(findings.What) == set(findings.ADVICE)


def test_what_must_be_fixed_comes_without_its_level(report):
    texts = report.by_level("must fix")
    assert texts == [line.removeprefix("must fix: ") for line in report.lines()[:2]]
    assert before_training.must_fix(report) == texts


def test_a_second_run_measures_only_what_changed(mixed, tmp_path, monkeypatch):
    shutil.copytree(mixed, tmp_path / "in")
    first = inspect(scan(tmp_path / "in"), POCKET, tmp_path / "cache")
    measured, real = [], image_stats.image_features
    monkeypatch.setattr(image_stats, "image_features", lambda image: measured.append(image) or real(image))
    second = inspect(scan(tmp_path / "in"), POCKET, tmp_path / "cache")
    assert measured == [] and first.lines() == second.lines()
    painting(9).save(tmp_path / "in" / "good.png")
    inspect(scan(tmp_path / "in"), POCKET, tmp_path / "cache")
    assert len(measured) == 1
    cached = sorted((tmp_path / "cache").iterdir())[0]
    cached.write_bytes(cached.read_bytes()[:-9])
    inspect(scan(tmp_path / "in"), POCKET, tmp_path / "cache")
    third = inspect(scan(tmp_path / "in"), POCKET, tmp_path / "cache")
    assert len(measured) <= 2 and len(third.pictures) == len(first.pictures)


def test_a_folder_that_cannot_be_written_costs_only_the_keeping(mixed, tmp_path):
    (tmp_path / "cache").write_text("a file where a folder should be")
    report = inspect(scan(mixed), POCKET, tmp_path / "cache")
    assert len(report.pictures) == 12 and report.findings[-1].what.startswith("The statistics are not cached")


def test_a_table_adds_splits_books_hashes_and_rights(tmp_path):
    rows = [
        "a.png,train,x,CC0-1.0,Album,",
        "b.png,train,x,CC0-1.0,,",
        "c.png,train,x,CC0-1.0,,0123",
        "d.png,held_out,x,CC0-1.0,Album,",
        "e.png,held_out,x,CC0-1.0,,",
        "f.png,,x,CC0-1.0,,",
    ]
    for i, row in enumerate(rows):
        painting(1 if row[0] == "e" else i).save(tmp_path / row.split(",")[0])
    (tmp_path / "metadata.csv").write_text(TABLE + "\n".join(rows))
    report = inspect(scan(tmp_path), POCKET)
    assert findings_of(report, "e.png") == {"a copy across the split": "must fix"}
    assert findings_of(report, "c.png") == {"changed since its table was written": "worth a look"}
    assert findings_of(report, "f.png") == {"in no split": "worth a look"}
    text = "\n".join(report.lines())
    assert "3 pictures to train on, 2 held out" in text and "leaves of Album" in text
    assert Finding("fine", "every picture has a licence") in report.findings


def test_each_file_is_read_once_and_its_pixels_are_kept_for_training(tmp_path):
    for i in range(3):
        painting(i).save(tmp_path / f"{i}.png")
    dataset, reads = scan(tmp_path, side=128), []
    for picture in dataset.pictures:
        read = picture.file.read
        picture.file.read = lambda read=read: reads.append(read) or read()
    report = inspect(dataset, POCKET, tmp_path / "cache")
    assert len(reads) == 3 and report.dataset.train[0].image.size == (256, 360)
    assert len(reads) == 3 and report.dataset.train[0].image is dataset.train[0].image
    assert {p.file.sha256 for p in dataset.train} == {one.stats.sha256 for one in report.pictures}
    assert len(reads) == 3


def test_without_memory_for_pixels_a_second_run_only_hashes_the_files(mixed, tmp_path, monkeypatch):
    first = inspect(scan(mixed, pixel_bytes=0), POCKET, tmp_path)
    monkeypatch.setattr("lessons_lib.dataset.pictures.decode_bytes", lambda *_: pytest.fail("it was decoded"))
    good = [path for path in sorted(mixed.glob("*.*g")) if path.name != "broken.jpg"]
    second = inspect(scan(good, pixel_bytes=0), POCKET, tmp_path)
    assert [one.stats.sha256 for one in second.pictures] == [one.stats.sha256 for one in first.pictures]
    assert [p.size for p in second.dataset.pictures] == [one.stats.size for one in first.pictures]
    assert [p.file.notes for p in second.dataset.pictures] == [one.stats.notes for one in first.pictures]


@pytest.mark.parametrize("count, level", [(2, "must fix"), (3, "worth a look")])
def test_too_few_pictures_are_said_so(tmp_path, count, level):
    for i in range(count):
        painting(i).save(tmp_path / f"{i}.png")
    report = inspect(scan(tmp_path), POCKET)
    assert any(f.level == level and f.what.startswith(f"only {count} to train on") for f in report.findings)


def test_a_folder_with_nothing_but_bad_files_has_a_report_too(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"no picture")
    report = inspect(scan(tmp_path), POCKET)
    assert report.pictures == [] and report.count("must fix") == 2
    assert "a.jpg: is not a picture" in "".join(report.lines()) and split.propose(report.pictures) == []


def test_the_proposed_split_keeps_books_together(tmp_path):
    rows = [f"{i}.png,x,Album {i // 2}" for i in range(8)]
    for i in range(8):
        painting(i).save(tmp_path / f"{i}.png")
    (tmp_path / "metadata.csv").write_text("file_name,caption,book\n" + "\n".join(rows))
    held_out = split.propose(inspect(scan(tmp_path), POCKET).pictures, count=2)
    assert len(held_out) == 2 and len({int(one.picture.path.stem) // 2 for one in held_out}) == 1


def test_a_crop_chosen_by_hand_ends_the_talk_of_crops(tmp_path):
    for i in range(2):
        painting(1).crop((0, 0, 296, 130)).save(tmp_path / f"{i}.png")
    (tmp_path / "metadata.csv").write_text("file_name,crop\n0.png,\n1.png,0 0 130 130\n")
    report = inspect(scan(tmp_path), POCKET)
    assert ["cut by the middle square" in findings_of(report, f"{i}.png") for i in range(2)] == [True, False]


def test_pictures_of_one_name_are_told_apart_by_their_folders(tmp_path):
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        painting(0).save(tmp_path / folder / "a.png")
    report = inspect(scan(tmp_path), POCKET)
    assert [one.name for one in report.pictures] == ["one/a.png", "two/a.png"]


def test_the_practice_paintings_have_nothing_to_fix():
    report = inspect(scan(PAINTINGS[0].parents[1]), POCKET)
    assert [line for line in report.lines() if not line.startswith("fine")] == []
