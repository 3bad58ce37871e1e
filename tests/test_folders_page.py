"""Every example of notebooks/FOLDERS.md, made as a folder and read as the page says."""

from __future__ import annotations

import io
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lessons_lib import cli
from lessons_lib.dataset import sources

PAGE = (Path(__file__).parents[1] / "notebooks" / "FOLDERS.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```files\n(.*?)```\n\n```captions\n(.*?)```", PAGE, re.DOTALL)


def picture(suffix):
    out = io.BytesIO()
    pixels = np.random.default_rng(0).integers(0, 255, (80, 80, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(out, "PNG" if suffix == ".png" else "JPEG")
    return out.getvalue()


def make(folder, lines):
    for line in lines.splitlines():
        name, _, content = line.partition(" = ")
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        text = content.replace("\\n", "\n")
        path.write_bytes(text.encode() if text else picture(path.suffix.lower()))


def test_the_page_has_an_example_for_each_layout():
    assert len(EXAMPLES) == PAGE.count("```files") == PAGE.count("```captions") >= 15


@pytest.mark.parametrize("files, captions", EXAMPLES)
def test_each_example_is_read_as_the_page_says(tmp_path, monkeypatch, capsys, files, captions):
    make(tmp_path, files)
    monkeypatch.setattr(sources, "reads_heif", lambda: False)
    monkeypatch.chdir(tmp_path)
    code = cli.main(["check", ".", "--trigger", "zq7x", "--captions"])
    out, err = capsys.readouterr()
    lines = captions.splitlines()
    notes = [line.removeprefix("! ") for line in lines if line.startswith("! ")]
    assert out.splitlines() == [line for line in lines if not line.startswith("! ")]
    assert [note for note in notes if note not in err] == [] and err.count("\n") == len(notes)
    assert code == int("not closed" in err)
