"""Tables as spreadsheets, scripts and other trainers write them give the captions that were meant, or
say why not.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from lessons_lib.dataset.tables import decode_text, read_table, split_captions, table_kind

ROWS = {"a.jpg": "a kettle, steam", "b.jpg": "a goat"}
QUOTED = 'file_name,caption\na.jpg,"a kettle, steam"\nb.jpg,a goat\n'


def read(text, name="metadata.csv"):
    """Return the first caption of each row, the problems and the notes."""
    data = text if isinstance(text, bytes) else text.encode()
    table = read_table(Path(name), lambda: data)
    rows = {row.file_name: row.captions[0] if row.captions else "" for row in table.rows}
    return rows, [message for _, message in table.problems], table.notes


@pytest.mark.parametrize(
    "text",
    [
        QUOTED,
        QUOTED.replace("\n", "\r\n"),
        QUOTED.replace("\n", "\r"),
        b"\xef\xbb\xbf" + QUOTED.encode(),
        QUOTED.encode("utf-16"),
        QUOTED.encode("utf-16-le"),
        QUOTED.replace("file_name,caption", "File Name , Caption"),
        QUOTED.replace("file_name,caption", "image,text"),
        QUOTED.replace("file_name,caption", "filename,prompt"),
        QUOTED.replace(",", ", "),
        "file_name;caption\na.jpg;a kettle, steam\nb.jpg;a goat\n",
        "file_name\tcaption\na.jpg\ta kettle, steam\nb.jpg\ta goat\n",
        "sep=;\nfile_name;caption\na.jpg;a kettle, steam\nb.jpg;a goat\n",
        "file_name|caption\na.jpg|a kettle, steam\nb.jpg|a goat\n",
    ],
)
def test_every_spelling_of_a_table_gives_the_same_rows(text):
    rows, problems, notes = read(text)
    assert {name: " ".join(c.split()) for name, c in rows.items()} == ROWS
    assert problems == [] and notes == []


@pytest.mark.parametrize(
    "text",
    [
        "file_name,caption\na.jpg,a kettle, steam\nb.jpg,a goat\n",
        "file_name,caption,split\na.jpg,a kettle, steam,train\nb.jpg,a goat,train\n",
        "caption,file_name\na kettle, steam,a.jpg\na goat,b.jpg\n",
    ],
)
def test_commas_without_quotation_marks_are_read_whole_where_that_is_certain(text):
    rows, problems, notes = read(text)
    assert rows == ROWS and problems == [] and "1 row (a.jpg) with ','" in notes[0]


@pytest.mark.parametrize(
    "row", ["a.jpg,a kettle, steam,CC0", 'a.jpg,"a kettle", steam, more', "a.jpg,a kettle, steam"]
)
def test_commas_that_could_mean_two_things_are_a_problem(row):
    rows, problems, _ = read(f"file_name,caption,licence\nb.jpg,a goat,CC0\n{row}\n")
    assert "1 row (a.jpg) with more cells than the 3 columns" in problems[0]
    assert "steam" not in rows["a.jpg"]


@pytest.mark.parametrize("open_row", [1, 2, 3, 4])
def test_a_quotation_mark_that_is_not_closed_costs_its_own_row_only(open_row):
    rows = [f"{i}.jpg,{'' if i != open_row else chr(34)}thing {i}" for i in range(1, 5)]
    rows[2] = rows[2] if open_row == 3 else '3.jpg,"thing, 3"'
    captions, problems, _ = read("file_name,caption\n" + "\n".join(rows))
    expected = {f"{i}.jpg": "thing, 3" if i == 3 else f"thing {i}" for i in range(1, 5)}
    assert captions == expected | {f"{open_row}.jpg": ""}
    assert [f"row {open_row} ({open_row}.jpg): a quotation mark is not closed" in p for p in problems] == [
        True
    ]


def test_a_row_with_too_few_cells_is_named():
    assert "1 row (a.jpg) with fewer cells" in read("file_name,caption,split\na.jpg,train\n")[2][0]


def test_cells_that_programs_write_for_nothing_are_empty():
    for word in ("nan", "NaN", "NULL", "null", "None", "N/A", "<NA>"):
        assert read(f"file_name,caption\na.jpg,{word}\n")[0] == {"a.jpg": ""}
    assert read('{"file_name": "a.jpg", "caption": NaN}', "metadata.jsonl")[0] == {"a.jpg": ""}
    assert read("file_name,caption\na.jpg,NA\n")[0] == {"a.jpg": "NA"}


@pytest.mark.parametrize(
    "value", [["one", "two"], "['one', 'two']", '["one", "two"]', "one\ntwo", [{"text": "one"}, "two"]]
)
def test_a_list_and_lines_are_several_captions(value):
    assert split_captions(value) == ["one", "two"]


def test_kohyas_table_and_a_list_of_objects_are_read():
    kohya = '{"/x/a": {"caption": "one", "tags": "t"}, "b": {"tags": "two"}, "c": "three"}'
    assert read(kohya, "meta_cap.json")[0] == {"/x/a": "one", "b": "two", "c": "three"}
    assert read('[{"image": "a.jpg", "prompt": "one"}]', "metadata.json")[0] == {"a.jpg": "one"}


def test_a_bad_line_of_json_is_named_by_its_number():
    _, (problem,), _ = read('{"file_name": "a.jpg"}\n{"file_name": \n', "metadata.jsonl")
    assert "line 2" in problem


def test_columns_are_named_where_none_holds_captions():
    assert "it has file, description" in read("file,description\na.jpg,one\n")[2][0]
    assert "it has a.jpg, one" in read("a.jpg,one\nb.jpg,two\n")[1][0]


def test_splits_in_other_spellings_are_the_usual_ones_and_others_are_named():
    text = b"file_name,split\na.jpg,Train\nb.jpg,TRAINING\nc.jpg,Val\nd.jpg,spare\n"
    table = read_table(Path("metadata.csv"), lambda: text)
    assert [row.more["split"] for row in table.rows] == ["train", "train", "validation", "spare"]
    assert "d.jpg" in table.notes[0] and "'spare'" in table.notes[0]


def test_which_files_are_tables():
    assert [table_kind(n) for n in ("x/Metadata.CSV", "metadata.jsonl", "metadata.tsv")] == ["list"] * 3
    assert [table_kind(n) for n in ("captions.csv", "meta_lat.json", "prompts.jsonl")] == ["captions"] * 3
    assert [table_kind(n) for n in ("a.json", "museum.csv", "metadata.txt", "meta_a.csv")] == [""] * 4


@pytest.mark.parametrize(
    "data, says",
    [(b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"), (b"{\\rtf1 a kettle}", "rich text")],
)
def test_texts_that_are_something_else_are_refused(data, says):
    with pytest.raises(ValueError, match=says):
        decode_text(data, Path("a.txt"))
