"""Folders, files, zips and uploads all end in the same pictures with the same captions, splits and rights."""

import io
import json
import unicodedata
import zipfile

import pytest
from PIL import Image

from lessons_lib.dataset import sources
from lessons_lib.dataset.dataset import read
from lessons_lib.dataset.messages import PictureError


def png(colour="red"):
    out = io.BytesIO()
    Image.new("RGB", (70, 80), colour).save(out, "PNG")
    return out.getvalue()


TABLE = """file_name,split,caption,licence,book
a.png,train,a kite,CC0-1.0,Album 1
sub/मोर.png,held_out,,,
"""
FILES = {
    "metadata.csv": TABLE.encode(),
    "a.png": png(),
    "sub/मोर.png": png("blue"),
    "sub/मोर.txt": "एक मोर".encode(),
}


def in_folder(tmp_path, files):
    for name, data in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(data)
    return tmp_path


def in_zip(tmp_path, files):
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return tmp_path / "all.zip"


def upload_7(tmp_path, files):
    name = in_zip(tmp_path, files)
    return {"all.zip": {"metadata": {"name": "all.zip"}, "content": name.read_bytes()}}


def upload_8(tmp_path, files):
    return ({"name": "all.zip", "content": memoryview(in_zip(tmp_path, files).read_bytes()), "size": 1},)


def upload_colab(tmp_path, files):
    return {"all.zip": in_zip(tmp_path, files).read_bytes()}


@pytest.mark.parametrize("source", [in_folder, in_zip, upload_7, upload_8, upload_colab])
def test_every_source_gives_the_same_pictures(tmp_path, source):
    a, b = read(source(tmp_path, FILES)).pictures
    assert (a.path.name, a.caption, a.split, a.rights) == ("a.png", "a kite", "train", {"licence": "CC0-1.0"})
    assert (b.path.name, b.caption, b.split, b.more) == ("मोर.png", "एक मोर", "held_out", {})
    assert a.more == {"book": "Album 1"} and a.file.read() == FILES["a.png"]
    assert b.image.getpixel((0, 0)) == (0, 0, 255)


def test_single_uploads_are_read_with_their_captions():
    a, b = read({"a (1).png": png(), "b.png": {"content": png("blue")}, "b.txt": b"a boat"}).pictures
    assert (a.path.as_posix(), b.caption) == ("upload/a (1).png", "a boat")
    assert read([{"name": "..\\..\\a.png", "content": png()}]).train[0].path.as_posix() == "upload/a.png"


def test_an_uploaded_zip_that_is_broken_leaves_the_rest():
    dataset = read({"b.zip": b"PK\3\4 and no more", "a.png": png()}, strict=False)
    assert [p.path.name for p in dataset.pictures] == ["a.png"]
    assert dataset.problems[0][1].startswith("b.zip: is no whole zip")


@pytest.mark.parametrize("source", [[], {}, ()])
def test_nothing_is_no_source(source):
    with pytest.raises(PictureError, match="expected"):
        read(source)


def test_a_zip_made_on_a_mac_and_a_table_made_elsewhere_agree(tmp_path):
    """Names come decomposed, and without the flag that says UTF-8."""
    name = unicodedata.normalize("NFD", "été.png")
    stand_in = "x" * len(name.encode())
    path = in_zip(
        tmp_path, {stand_in: png(), "metadata.csv": "file_name,caption\nété.png,a summer\n".encode()}
    )
    path.write_bytes(path.read_bytes().replace(stand_in.encode(), name.encode()))
    assert read(path).train[0].caption == "a summer"


@pytest.mark.parametrize("table", ["metadata.csv", "metadata.jsonl"])
def test_an_imagefolder_with_a_table_in_each_split_is_read(tmp_path, table):
    for split in ("train", "test"):
        row = {"file_name": "x/0.png", "text": f"a {split} kite"}
        lines = (
            "\n".join([",".join(row), ",".join(row.values())]) if table.endswith("csv") else json.dumps(row)
        )
        in_folder(tmp_path / split, {"x/0.png": png(), table: lines.encode()})
    test, train = read(tmp_path).pictures
    assert (train.split, train.caption, test.split, test.caption) == (
        "train",
        "a train kite",
        "test",
        "a test kite",
    )


def test_folders_called_train_and_test_are_splits_and_others_are_not(tmp_path):
    in_folder(tmp_path, {"train/a.png": png(), "Validation/b.png": png(), "more/c.png": png()})
    assert {p.path.name: p.split for p in read(tmp_path).pictures} == {
        "a.png": "train",
        "b.png": "validation",
        "c.png": None,
    }
    assert [p.split for p in read(tmp_path / "train").pictures] == [None]


def test_a_kohya_folder_with_caption_files_is_read(tmp_path):
    in_folder(tmp_path, {"10_kite/a.png": png(), "10_kite/a.caption": b"a kite\n"})
    assert read(tmp_path).train[0].caption == "a kite"


def test_what_is_passed_over_is_noted(tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "reads_heif", lambda: False)
    in_folder(tmp_path, FILES | {"new.png": png(), "phone.HEIC": b"x", ".hidden.png": png(), "a.md": b""})
    dataset = read(tmp_path, strict=False)
    assert len(dataset.pictures) == 2 and dataset.problems == []
    assert [note.split(":")[0] for note in dataset.notes] == [
        "1 picture left out (.hidden.png)",
        "1 picture left out (new.png)",
        "1 file left out (phone.HEIC)",
    ]


def test_a_table_with_wrong_rows_keeps_the_right_ones(tmp_path):
    table = b"file_name,caption\na.png,one\ngone.png,two\n../x.png,three\n,four\n"
    dataset = read(in_folder(tmp_path, {"a.png": png(), "metadata.csv": table}), strict=False)
    assert [p.caption for p in dataset.pictures] == ["one"]
    messages = " | ".join(text for _, text in dataset.problems)
    assert (
        all(word in messages for word in ("1 of 4 rows without", "gone.png", "outside"))
        and len(dataset.problems) == 3
    )


def test_two_spaces_and_a_line_separator_are_kept_where_they_count(tmp_path):
    row = {"file_name": "two  spaces.png", "caption": "a kite\u2028over  a lake"}
    table = json.dumps(row, ensure_ascii=False).encode()
    (picture,) = read(in_folder(tmp_path, {"two  spaces.png": png(), "metadata.jsonl": table})).pictures
    assert picture.caption == "a kite over a lake"


def test_a_missing_file_in_a_list_leaves_the_others(tmp_path):
    in_folder(tmp_path, {"a.png": png()})
    dataset = read([tmp_path / "a.png", tmp_path / "b.png"], strict=False)
    assert len(dataset.pictures) == 1 and "b.png: no such file" in dataset.problems[0][1]


def test_names_are_printed_harmlessly(tmp_path):
    (tmp_path / "a\x1b[31m\n\u202egnp.png").write_bytes(b"x")
    ((_, text),) = read(tmp_path, strict=False).problems
    assert text.isprintable() and r"a\x1b[31m\n\u202egnp.png" in text
