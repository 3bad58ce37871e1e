"""What the library writes is read back without loss: by itself, by imagefolder, by kohya and ai-toolkit."""

import csv
import io
import unicodedata
from pathlib import Path, PurePosixPath

import pytest
from PIL import Image

from lessons_lib.dataset import export
from lessons_lib.dataset.dataset import read, scan
from lessons_lib.dataset.pictures import ImageFile, Picture
from lessons_lib.paths import SAMPLE

CAPTIONS = ('a "red" kite, high', "एक मोर", "ایک مور", "naïve; a\tcat", "", "NA", "=1+1", "🪁 over a lake")
IMAGEFOLDER_SPLITS = {"train", "validation", "test"}


def coloured(number, **more):
    image = Image.new("RGB", (70, 80), (10 * number, 200 - 10 * number, 99))
    return Picture(Path(f"{number}.png"), ImageFile.of(image), **more)


def read_back(folder):
    return scan(folder).pictures


def facts(picture):
    return picture.caption, picture.split, picture.rights, picture.more, picture.size, picture.image.tobytes()


def test_the_practice_paintings_come_back_as_they_were(tmp_path):
    before = read(SAMPLE).pictures
    after = read(export.write(before, tmp_path / "out")).pictures
    assert sorted(map(facts, before), key=str) == sorted(map(facts, after), key=str)
    assert {p.path.name: p.file.read() for p in before} == {p.path.name: p.file.read() for p in after}


@pytest.mark.parametrize("split", [None, "train", "held_out", "validation"])
def test_captions_of_every_kind_come_back(tmp_path, split):
    pictures = [
        coloured(i, caption=" ".join(c.split()) or None, split=split, rights={"maker": c.strip() or "?"})
        for i, c in enumerate(CAPTIONS)
    ]
    for picture in pictures:
        picture.rights = {"maker": " ".join(picture.rights["maker"].split())}
    after = read_back(export.write(pictures, tmp_path / "out"))
    assert list(map(facts, after)) == list(map(facts, pictures))
    again = read_back(export.write(after, tmp_path / "again"))
    assert list(map(facts, again)) == list(map(facts, after))


def test_masks_come_back_with_their_pictures(tmp_path):
    mask = ImageFile.of(Image.linear_gradient("L").resize((70, 80)))
    before = [coloured(1, mask=mask, split="train"), coloured(2, split="held_out")]
    masks = {p.path.stem: p.mask for p in read_back(export.write(before, tmp_path / "out"))}
    assert masks["2"] is None and masks["1"].decode().image.convert("L").tobytes() == mask.image.tobytes()


def test_kohya_and_ai_toolkit_find_each_caption_in_the_first_line_of_a_text_file(tmp_path):
    out = export.write([coloured(1, caption="a kite\nover a lake")], tmp_path / "out", ["a kite\nin mugh4l"])
    assert {p.name for p in (out / "train").iterdir()} == {"1.png", "1.txt", "metadata.csv"}
    assert (out / "train" / "1.txt").read_text(encoding="utf-8").splitlines() == ["a kite in mugh4l"]


def test_the_caption_files_alone_are_enough(tmp_path):
    out = export.write([coloured(i, caption=c) for i, c in enumerate(CAPTIONS[:3])], tmp_path / "out")
    (out / "train" / "metadata.csv").unlink()
    assert [p.caption for p in read(out / "train").pictures] == list(CAPTIONS[:3])


def test_the_folder_keeps_imagefolders_rules(tmp_path):
    """Split folders by its keywords, each with a metadata.csv whose file_name is a file beside it,
    none left over.
    """
    before = read(SAMPLE).pictures
    out = export.write(before, tmp_path / "out")
    assert {p.name for p in out.iterdir()} <= IMAGEFOLDER_SPLITS
    for folder in out.iterdir():
        rows = list(csv.DictReader(io.StringIO((folder / "metadata.csv").read_text(encoding="utf-8"))))
        named = [row["file_name"] for row in rows]
        files = {p.name for p in folder.iterdir() if p.suffix not in (".txt", ".csv")}
        assert len(set(named)) == len(named) and set(named) == files
        assert all(PurePosixPath(name).name == name and not name.startswith((".", "__")) for name in named)
    assert sum(len(list(f.glob("*.jpg"))) for f in out.iterdir()) == len(before)


def test_load_dataset_reads_it(tmp_path):
    import datasets  # takes seconds to load

    before = read(SAMPLE).pictures
    out = export.write(before, tmp_path / "out")
    splits = datasets.load_dataset("imagefolder", data_dir=str(out), cache_dir=str(tmp_path / "cache"))
    assert {name: len(part) for name, part in splits.items()} == {"train": 16, "test": 6}
    rows = [row for part in splits.values() for row in part]
    from_datasets = {row["caption"]: (row["split"], row["licence"], row["image"].size) for row in rows}
    assert from_datasets == {p.caption: (p.split, p.rights["licence"], p.size) for p in before}


def test_a_file_that_others_would_read_wrongly_becomes_a_png(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (90, 80), "red").save(tmp_path / "turned.jpg", exif=exif)
    Image.new("RGB", (90, 80), "red").save(tmp_path / "old.bmp")
    Image.new("RGB", (90, 80), "red").save(tmp_path / "plain.jpg")
    (tmp_path / "metadata.csv").write_text("file_name,sha256\nturned.jpg,12\nold.bmp,34\nplain.jpg,56\n")
    out = export.write(read(tmp_path, side=10).pictures, tmp_path / "out") / "train"
    assert sorted(p.name for p in out.glob("*.[jp]*g")) == ["old.png", "plain.jpg", "turned.png"]
    assert Image.open(out / "turned.png").size == (80, 90)
    assert [p.more.get("sha256") for p in read(out).pictures] == [None, None, "56"]


def test_names_that_would_collide_elsewhere_are_numbered(tmp_path):
    names = (
        "a/x.png", "b/X.png", "c/x.jpg", "é.png",
        unicodedata.normalize("NFD", "é.png"),
        "con?.png",
        "ک" * 150 + ".png",
    )  # fmt: skip
    pictures = [coloured(i) for i in range(len(names))]
    for picture, name in zip(pictures, names, strict=True):
        picture.path = Path(name)
    out = export.write(pictures, tmp_path / "out") / "train"
    stems = [unicodedata.normalize("NFC", p.stem).casefold() for p in out.glob("*.png")]
    assert len(stems) == len(set(stems)) == len(names)
    assert {"x", "x_2", "x_3", "con_"} <= set(stems) and max(
        len(p.name.encode()) for p in out.iterdir()
    ) < 200


def test_nothing_is_overwritten_and_nothing_is_left_half(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("keep")
    with pytest.raises(ValueError, match="is not empty"):
        export.write([coloured(1)], tmp_path / "out")
    broken = coloured(2)
    broken.file.read = lambda: 1 / 0
    with pytest.raises(ZeroDivisionError):
        export.write([coloured(1), broken], tmp_path / "new")
    with pytest.raises(ValueError, match="1 pictures and 2 captions"):
        export.write([coloured(1)], tmp_path / "new", ["a", "b"])
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_pictures_that_no_split_takes_lie_apart_and_are_no_training_pictures(tmp_path):
    pictures = [coloured(1, split="train"), coloured(2, split="test"), coloured(3)]
    out = export.write(pictures, tmp_path / "out")
    assert [p.name for p in (out / "unused").glob("*.png")] == ["3.png"]
    after = scan(out)
    assert [len(part) for part in (after.train, after.held_out, after.unused)] == [1, 1, 1]
