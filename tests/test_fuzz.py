"""Tables, names and captions at random: what is read is what was meant, or a line says what was not.

FUZZ=2000 pytest tests/test_fuzz.py -s, or `make fuzz`, tries more of them.
"""

from __future__ import annotations

import csv
import io
import json
import os
import tempfile
from collections import Counter
from pathlib import Path, PureWindowsPath

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from lessons_lib.dataset import export
from lessons_lib.dataset.captions import has_trigger, with_trigger
from lessons_lib.dataset.dataset import scan
from lessons_lib.dataset.messages import PictureError
from lessons_lib.dataset.metadata import read_captions
from lessons_lib.dataset.pictures import ImageFile, Picture
from lessons_lib.dataset.tables import read_table
from lessons_lib.paths import safe_name

EXAMPLES = int(os.environ.get("FUZZ", "40"))
COUNTS: Counter[str] = Counter()
fuzz = settings(
    max_examples=EXAMPLES, deadline=None, database=None, derandomize="FUZZ" not in os.environ,
    suppress_health_check=list(HealthCheck),
)  # fmt: skip
fewer = settings(fuzz, max_examples=max(10, EXAMPLES // 10))
EMPTY = {"", "nan", "-nan", "null", "none", "n/a", "#n/a", "<na>"}
ENCODINGS = ("utf-8", "utf-8-sig", "utf-16")

# Letters of several scripts, and all that tables and trainers give a meaning to.
MARKS = st.sampled_from(
    list(",;|\t\"'[]{}()<>:=+-@#%&\\/.!? \u00a0\u200d~*_") + ["\r\n", "\n", "ß", "é", "𓀀", "मु", "ا"]
)
WORDS = st.text(
    st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp"), exclude_characters="\ufeff"), max_size=8
)
captions = st.lists(st.one_of(WORDS, MARKS, st.just("a red kite")), max_size=8).map("".join)
names = st.text(
    st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="/\\"), min_size=1, max_size=12
)


def meant(caption):
    """Return the caption that somebody meant who wrote this into a cell: its first line that is not blank."""
    lines = [" ".join(line.split()) for line in caption.replace("\r", "\n").split("\n")]
    lines = [line for line in lines if line.lower() not in EMPTY]
    return lines[0] if lines else ""


def is_list(caption):
    text = caption.strip()
    return text[:1] == "[" and text[-1:] == "]"


def check_rows(kind, rows, table, said):
    """Hold a table that was read to what was meant; what differs must be said, in a problem or a note."""
    read = {row.file_name: (row.captions or [""])[0] for row in table.rows}
    wrong = {
        name: (caption, read.get(name))
        for name, caption in rows.items()
        if read.get(name) != meant(caption) and not is_list(caption)
    }
    COUNTS[f"{kind}: rows"] += len(rows)
    COUNTS[f"{kind}: rows that a line speaks of"] += len(wrong)
    assert not wrong or said, wrong


@fuzz
@given(st.lists(captions, min_size=1, max_size=5), st.sampled_from(",;\t|"), st.sampled_from(ENCODINGS),
       st.booleans(), st.sampled_from(["\n", "\r\n"]), st.booleans())  # fmt: skip
def test_a_csv_table_is_read_as_it_was_meant(texts, delimiter, encoding, quotes_all, newline, caption_first):
    rows = {f"{i}.png": text for i, text in enumerate(texts)}
    out = io.StringIO(newline="")
    quoting = csv.QUOTE_ALL if quotes_all else csv.QUOTE_MINIMAL
    writer = csv.writer(out, delimiter=delimiter, quoting=quoting, lineterminator=newline)
    step = -1 if caption_first else 1
    writer.writerows(
        [["file_name", "caption"][::step], *([name, text][::step] for name, text in rows.items())]
    )
    data = out.getvalue().encode(encoding)
    table = read_table(Path("metadata.csv"), lambda: data)
    check_rows("csv", rows, table, table.problems or table.notes)


@fuzz
@given(st.lists(captions, min_size=1, max_size=5), st.sampled_from(ENCODINGS),
       st.sampled_from(["jsonl", "json"]), st.booleans())  # fmt: skip
def test_a_json_table_is_read_as_it_was_meant(texts, encoding, kind, is_ascii):
    rows = {f"{i}.png": text for i, text in enumerate(texts)}
    values = [{"file_name": name, "text": text} for name, text in rows.items()]
    lines = [json.dumps(value, ensure_ascii=is_ascii) for value in values]
    text = "\n".join(lines) if kind == "jsonl" else f"[{','.join(lines)}]"
    table = read_table(Path(f"metadata.{kind}"), lambda: text.encode(encoding))
    check_rows("json", rows, table, table.problems or table.notes)


@fuzz
@given(captions, st.sampled_from(ENCODINGS))
def test_a_caption_file_is_read_as_it_was_meant(caption, encoding):
    read = read_captions((Path("a.txt"), lambda: caption.encode(encoding)))
    COUNTS["caption files"] += 1
    assert is_list(caption) or (read or [""])[0] == meant(caption)


@fuzz
@given(st.dictionaries(names, captions, min_size=1, max_size=4))
def test_each_picture_of_an_upload_has_its_own_caption_or_a_line_says_why_not(texts):
    files = {}
    for name, caption in texts.items():
        files[f"{name}.png"], files[f"{name}.txt"] = b"", caption.encode()
    try:
        dataset = scan(files)
    except PictureError as problem:
        assert "hidden, as the name begins with a dot" in str(problem)
        return
    read = {picture.path.name: picture.caption or "" for picture in dataset.pictures}
    wrong = {
        name: (caption, read.get(f"{name}.png"))
        for name, caption in texts.items()
        if read.get(f"{name}.png") != meant(caption) and not is_list(caption)
    }
    COUNTS["uploads: pictures"] += len(texts)
    COUNTS["uploads: pictures that a line speaks of"] += len(wrong)
    assert not wrong or dataset.notes or dataset.problems, wrong


@fewer
@given(st.dictionaries(names, captions, min_size=1, max_size=4))
def test_an_exported_set_comes_back_with_every_caption(texts):
    image = Image.new("RGB", (70, 70))
    pictures = [
        Picture(Path("folder", f"{name}.png"), ImageFile.of(image), caption=meant(caption))
        for name, caption in texts.items()
        if not is_list(meant(caption))
    ]
    if not pictures:
        return
    with tempfile.TemporaryDirectory() as folder:
        out = export.write(pictures, Path(folder, "out"))
        again = scan(out).pictures
    COUNTS["exported pictures"] += len(pictures)
    assert [picture.caption or "" for picture in again] == [picture.caption for picture in pictures]


def is_name_everywhere(name):
    """Return whether Windows, macOS and Linux take a name for a file as it is."""
    path = PureWindowsPath(name)
    return (
        path.name == name
        and not path.is_reserved()
        and name == name.rstrip(". ")
        and not set('<>:"|?*') & set(name)
    )


RESERVED = ("con", "NUL", "aux.txt", "COM1", "lpt9.png", "prn.a.b", "CONIN$", "com¹")


@fuzz
@given(
    st.one_of(
        names, captions, st.sampled_from(RESERVED), st.sampled_from(["a.", "..", " ", "a:b", "x" * 400])
    )
)
def test_names_that_are_written_are_names_on_three_systems(text):
    COUNTS["names"] += 2
    for name in (safe_name(text), export.unused_stem(text, set())):
        assert is_name_everywhere(name) and is_name_everywhere(f"{name}.png"), name
        assert 0 < len(name.encode("utf-8", "surrogatepass")) <= 120 and name.isprintable() | (
            "\u200c" in name or "\u200d" in name
        )
    assert safe_name(safe_name(text)) == safe_name(text)


@fuzz
@given(captions, st.sampled_from(["zq7x", "th0r cat", "v4se"]), st.sampled_from(["style", "concept"]))
def test_a_caption_with_the_trigger_holds_it_and_is_not_changed_again(caption, trigger, mode):
    text = with_trigger(meant(caption), trigger, mode)
    COUNTS["captions with a trigger"] += 1
    assert has_trigger(text, trigger) and with_trigger(text, trigger, mode) == text


def test_the_counts_are_printed():
    print("\n" + "\n".join(f"{name}: {count}" for name, count in sorted(COUNTS.items())))
    assert COUNTS
