"""What the site adds to a lesson: a text to each picture, and a slider to each grid of before and after.

A Sphinx extension. The notebooks themselves are left as they are.
"""

from __future__ import annotations

import base64
import io
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemLoader
from PIL import Image

from lessons_lib.display.html import data_uri, render_template

if TYPE_CHECKING:
    from sphinx.application import Sphinx

Cell = dict[str, Any]
_TEMPLATES = Environment(loader=FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True)
_SLIDERS_OF = re.compile(r"^% sliders of (\S+)$", re.MULTILINE)
_GAP, _FOOT = 8, 44  # px around each tile of a grid, and of the labels below, as in display/notebook.py


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect the extension to Sphinx."""
    app.connect("source-read", _on_source)
    return {"parallel_read_safe": True}


def _on_source(app: Sphinx, name: str, source: list[str]) -> None:
    if str(app.env.doc2path(name, base=False)).endswith(".ipynb"):
        source[0] = lesson_page(source[0])
    elif line := _SLIDERS_OF.search(source[0]):
        book = json.loads((Path(app.srcdir) / line[1]).read_text(encoding="utf-8"))
        source[0] = source[0].replace(line[0], "\n\n".join(_sliders_in(book)))


def _sliders_in(book: dict[str, Any]) -> list[str]:
    """Return the first two sliders of a notebook."""
    outputs = [(cell, output) for cell in book["cells"] if (output := picture_output(cell))]
    return [html for cell, output in outputs for html in sliders(cell, output)][:2]


def lesson_page(text: str) -> str:
    """Return a notebook, as JSON, with the texts of its pictures where MyST looks for them, and sliders."""
    book = json.loads(text)
    cells: list[Cell] = []
    for cell in book["cells"]:
        cells.append(cell)
        output = picture_output(cell)
        if output:
            cell["metadata"]["mystnb"] = {"image": {"alt": alt_text(cell, output)}}
            cells += [_html_cell(html, len(cells)) for html in sliders(cell, output)]
    return json.dumps(book | {"cells": cells})


def picture_output(cell: Cell) -> dict[str, Any] | None:
    """Return the output of a cell that is a JPEG, or None."""
    return next((o for o in cell.get("outputs", []) if "image/jpeg" in o.get("data", {})), None)


def picture(output: dict[str, Any]) -> Image.Image:
    """Return the picture of an output."""
    return Image.open(io.BytesIO(base64.b64decode("".join(output["data"]["image/jpeg"]))))


def alt_text(cell: Cell, output: dict[str, Any]) -> str:
    """Return the text of a picture: its own, or else the call that made it."""
    own = output.get("metadata", {}).get("image/jpeg", {}).get("alt", "")
    calls = [line for line in "".join(cell["source"]).splitlines() if line[:1].isalpha()]
    return own or f"Output of {calls[-1] if calls else 'the cell above'}"


def sliders(cell: Cell, output: dict[str, Any]) -> list[str]:
    """Return the sliders that a grid stands for: before and after in two rows, or rising strengths."""
    grid, (number, _, labels) = picture(output), alt_text(cell, output).partition(" pictures: ")
    if labels == "before, after":
        before, after = rows(grid, 2, int(number) // 2)
        return [before_after(before, after, "the same prompts and seeds")]
    values = labels.split(", ")
    is_rising = values[0] == "0" and all(value.replace(".", "").isdigit() for value in values)
    if len(values) > 3 and is_rising and "strength" in "".join(cell["source"]).lower():
        return [strength(tiles(grid, len(values)), values)]
    return []


def rows(grid: Image.Image, count: int, columns: int) -> list[Image.Image]:
    """Return the rows of a grid of square tiles, without the labels at their left."""
    height = (grid.height - _GAP) // count
    left = grid.width - columns * height
    return [grid.crop((left, _GAP + i * height, grid.width - _GAP, (i + 1) * height)) for i in range(count)]


def tiles(grid: Image.Image, count: int) -> list[Image.Image]:
    """Return the tiles of a grid: a row with labels below, or rows with labels at their left."""
    pitch, columns, left = (grid.width - _GAP) // count, count, _GAP
    if grid.height != pitch + _FOOT + _GAP:
        for lines in range(1, count + 1):
            pitch, columns = (grid.height - _GAP) // lines, -(-count // lines)
            left = grid.width - columns * pitch
            if left >= _GAP:
                break
    places = [(left + i % columns * pitch, _GAP + i // columns * pitch) for i in range(count)]
    return [grid.crop((x, y, x + pitch - _GAP, y + pitch - _GAP)) for x, y in places]


def before_after(before: Image.Image, after: Image.Image, text: str) -> str:
    """Return two pictures of one size with a range that moves the edge between them, as HTML."""
    template = _TEMPLATES.get_template("before_after.html.j2")
    return template.render(before=data_uri(before), after=data_uri(after), text=text)


def strength(frames: list[Image.Image], values: list[str]) -> str:
    """Return a range through pictures of rising strength, as HTML."""
    shown = [(data_uri(frame), value) for frame, value in zip(frames, values, strict=True)]
    return render_template(
        "strength.html.j2", frames=shown, name="strength", text="", side=320, start=len(shown) // 2, slider=""
    )


def _html_cell(html: str, number: int) -> Cell:
    """Return a Markdown cell of HTML in one block, which a blank line would end."""
    block = "\n".join(line for line in html.splitlines() if line.strip())
    return {"cell_type": "markdown", "id": f"slider-{number}", "metadata": {}, "source": block}
