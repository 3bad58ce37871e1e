"""Brothers of the cases in tests/cases: the same kinds in other spellings, tables and places.

Each folder is made here and read by `lessons check --captions`, which prints what is taught and decided.
"""

from __future__ import annotations

import csv
import io
import json

import numpy as np
import pytest
from PIL import Image

from lessons_lib import cli
from lessons_lib.adapters.settings import Settings
from lessons_lib.dataset.prompts import shorten_overlong
from lessons_lib.models import bases, families
from lessons_lib.models.families import shared
from lessons_lib.training import samples

BASE = bases.find("pocket")


def picture():
    out = io.BytesIO()
    pixels = np.random.default_rng(0).integers(0, 255, (80, 80, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


def table(*rows, delimiter=",", **more):
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=delimiter, **more).writerows(rows)
    return out.getvalue()


HEAD = ["file_name", "caption"]
TWO = (["a.png", "a kettle, steam"], ["b.png", "a goat"])
KETTLE = {"a.png": "a kettle, steam, zq7x", "b.png": "a goat, zq7x"}
# name -> (files, what each picture is taught with, a line that must be said or None)
CASES = {
    "single quotes": (
        {"metadata.csv": "file_name,caption\na.png,'a kettle, steam'\nb.png,'a goat'\n"},
        KETTLE, "in single quotation marks, which were taken off"),
    "an apostrophe": (
        {"metadata.csv": "file_name,caption\na.png,a kettle's lid\nb.png,'tis a goat\n"},
        {"a.png": "a kettle's lid, zq7x", "b.png": "'tis a goat, zq7x"}, None),
    "a backslash at the end": (
        {"metadata.csv": table(HEAD, ["a.png", "C:\\"], ["b.png", "a goat"], quoting=csv.QUOTE_ALL)},
        {"a.png": "C:\\, zq7x", "b.png": "a goat, zq7x"}, None),
    "quotes as in C": (
        {"metadata.csv": 'file_name,caption\na.png,"a \\"red\\" kettle"\nb.png,a goat\n'},
        {"a.png": 'a "red" kettle, zq7x', "b.png": "a goat, zq7x"}, None),
    "UTF-16 with tabs": (
        {"metadata.tsv": table(["file_name", "text"], *TWO, delimiter="\t").encode("utf-16")}, KETTLE, None),
    "Excel's first line": (
        {"metadata.csv": "sep=;\n" + table(HEAD, *TWO, delimiter=";")}, KETTLE, None),
    "columns of datasets": (
        {"metadata.csv": table(["image", "text"], *TWO)}, KETTLE, None),
    "capital letters and a mark": (
        {"metadata.csv": ("\ufeff" + table(["File Name", " Prompt "], *TWO)).encode()}, KETTLE, None),
    "an index column of pandas": (
        {"metadata.csv": table(["", "file_name", "caption"], ["0", *TWO[0]], ["1", *TWO[1]])}, KETTLE, None),
    "a caption before the name": (
        {"metadata.csv": "caption,file_name\na kettle, steam,a.png\na goat,b.png\n"}, KETTLE,
        "the caption is read whole"),
    "paths of Windows": (
        {"metadata.csv": table(HEAD, [".\\a.png", TWO[0][1]], [".\\b.png", "a goat"])},
        KETTLE, None),
    "kohya's JSON with whole paths": (
        {"meta_lat.json": json.dumps({"C:\\set\\a.png": {"caption": TWO[0][1]}, "/x/b": {"tags": "a goat"}})},
        KETTLE, None),
    "JSON lines with blank ones": (
        {"metadata.jsonl": "\n\n".join(json.dumps({"file": name, "text": text}) for name, text in TWO)},
        KETTLE, None),
    "captions with returns of old Macs": (
        {"metadata.csv": table(HEAD, *TWO, lineterminator="\r")}, KETTLE, None),
    "caption files in capitals": ({"a.TXT": "a kettle, steam", "B.Caption": "a goat"}, KETTLE, None),
    "a caption file in UTF-16": (
        {"a.txt": "a kettle, steam".encode("utf-16"), "b.txt": "a goat".encode("utf-8-sig")}, KETTLE, None),
    "a caption file with a blank first line": (
        {"a.txt": "\n\r\n a kettle,  steam\n", "b.txt": "a goat"}, KETTLE, None),
    "a caption file called as the picture was": (
        {"a.txt": "a kettle, steam", "b_final.txt": "a goat"},
        {"a.png": "a kettle, steam, zq7x", "b.png": "zq7x"}, "like captions not read (b_final.txt)"),
    "the word null": (
        {"a.txt": TWO[0][1], "metadata.csv": table(HEAD, ["a.png", "NULL"], TWO[1])}, KETTLE, None),
    "a picture that the table forgot": (
        {"metadata.csv": table(HEAD, TWO[0])}, {"a.png": KETTLE["a.png"]},
        "1 picture left out (b.png): not in the table"),
    "a name twice with two captions": (
        {"metadata.csv": table(HEAD, *TWO, ["c.png", "a pot"], ["c.png", "a pan"]), "c.png": picture()},
        KETTLE | {"c.png": "a pan, zq7x"}, "on a picture that has another row"),
    "other brackets for the trigger": (
        {"a.txt": "a kettle of {trigger_word}, steam", "b.txt": "[[trigger]] goat"},
        {"a.png": "a kettle of zq7x, steam", "b.png": "zq7x goat"}, None),
    "the trigger in another case": (
        {"a.txt": "ZQ7X, a kettle", "b.txt": "a goat, Zq7x"},
        {"a.png": "ZQ7X, a kettle", "b.png": "a goat, Zq7x"}, None),
    "a hidden picture": (
        {"a.txt": "a kettle, steam", "b.txt": "a goat", ".c.png": picture()}, KETTLE, "hidden"),
    "regularisation by another name": (
        {"a.txt": "a kettle, steam", "b.txt": "a goat", "regularization_images/r.png": picture()}, KETTLE,
        "--prior regularization_images"),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_a_brother_of_a_case_is_read_as_it_was_meant(name, tmp_path, monkeypatch, capsys):
    files, expected, line = CASES[name]
    for path, content in ({"a.png": picture(), "b.png": picture()} | files).items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_bytes(content if isinstance(content, bytes) else content.encode())
    monkeypatch.chdir(tmp_path)
    assert cli.main(["check", ".", "--trigger", "zq7x", "--captions"]) == 0
    out, err = capsys.readouterr()
    assert dict(row.split(" | ") for row in out.splitlines()) == expected
    assert (line in err and err.count("\n") <= 2) if line else err == ""


TOKENIZER = families.find(BASE.family).load_tokenizer(BASE)
LONG = " ".join(f"kettle {i}" for i in range(60))


@pytest.mark.parametrize("mode, text", [("style", f"{LONG}, zq7x"), ("concept", f"zq7x, {LONG}")])
def test_a_sample_prompt_of_python_is_shortened_and_keeps_the_trigger(mode, text):
    settings = Settings(trigger="zq7x", mode=mode, sample_prompts=(text, "a boat"))
    long, short = samples.fit_prompts(families.find(BASE.family), BASE, settings)
    assert short == "a boat" and "zq7x" in long and len(long) < len(text)
    assert len(TOKENIZER.tokenize(long)) <= BASE.caption_tokens


def test_a_prompt_without_the_trigger_is_left_as_it_is():
    assert shorten_overlong([LONG], "zq7x", "style", TOKENIZER, 20) == (LONG,)


@pytest.mark.parametrize("text", [f"{LONG}, zq7x", f"zq7x, {LONG}", "a boat, zq7x", "zq7x", "kettle" * 99])
def test_the_shorter_of_two_encoders_is_given_both_ends(text):
    short = shared.keep_ends(text, TOKENIZER, 30)
    assert ("zq7x" in short) == ("zq7x" in text) and (short == text) == (len(text.split()) < 9)
    assert len(TOKENIZER.tokenize(short)) <= 30 or len(text.split()) == 1


def test_flux_reads_the_trigger_with_both_encoders(monkeypatch):
    from lessons_lib.models.families import flux

    given = []

    class Pipe:
        tokenizer, tokenizer_max_length = TOKENIZER, 30

        def encode_prompt(self, **texts):
            given.append(texts)
            return None, None, None

    flux.encode_captions(Pipe(), [f"{LONG}, zq7x", "a boat"], BASE)
    assert given[0]["prompt"][0].endswith("zq7x") and given[0]["prompt"][1] == "a boat"
    assert given[0]["prompt_2"][0] == f"{LONG}, zq7x" and given[0]["prompt"][0].startswith("kettle")
