"""What the site adds to a lesson: a text to each picture, and a slider to each grid of before and after.

A Sphinx extension. The notebooks themselves are left as they are.
"""

from __future__ import annotations

import base64
import io
import itertools
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from jinja2 import Environment, FileSystemLoader
from PIL import Image

from lessons_lib.display.html import data_uri, render_template

if TYPE_CHECKING:
    from sphinx.application import Sphinx

Cell = dict[str, Any]
_TEMPLATES = Environment(loader=FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True)
_SLIDERS_OF = re.compile(r"^% sliders of (\S+)$", re.MULTILINE)
# As in display/notebook.py, in px: around a tile; a line of headings or labels; where tiles begin at most.
_GAP, _TEXT, _MOST_LEFT = 8, 44, 158


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
    if labels.endswith("before, after"):
        before, after = rows(grid, int(number))
        return [before_after(before, after, "the same prompts and seeds")]
    values = [label.removeprefix("strength ") for label in labels.split(", ")]
    is_rising = values[0] == "0" and all(value.replace(".", "").isdigit() for value in values)
    if len(values) > 3 and is_rising and "strength" in "".join(cell["source"]).lower():
        return [strength(tiles(grid, len(values)), values)]
    return []


class _Layout(NamedTuple):
    """Where the tiles of a grid lie, in px: the first one, the way to the next tile and to the next line."""

    left: int
    top: int
    pitch: int
    line: int
    columns: int


def _layout(grid: Image.Image, count: int, lines: int) -> _Layout | None:
    """Return where the tiles lie if the grid has so many lines, however its labels lie; else None."""
    columns = -(-count // lines)
    for head, foot in itertools.product((0, _TEXT), (_TEXT, 0)):
        line, rest = divmod(grid.height - _GAP - head, lines)
        left = grid.width - columns * (line - foot)
        if not rest and _GAP <= left <= (_GAP if foot else _MOST_LEFT):
            return _Layout(left, head + _GAP, line - foot, line, columns)
    return None


def rows(grid: Image.Image, count: int) -> list[Image.Image]:
    """Return both rows of a grid of tiles, without labels. ValueError for a grid that has not two rows."""
    place = _layout(grid, count, 2)
    if not place:
        raise ValueError(f"expected two rows of {count // 2} square tiles in a grid of {grid.size}")
    tops = (place.top, place.top + place.line)
    return [grid.crop((place.left, top, grid.width - _GAP, top + place.pitch - _GAP)) for top in tops]


def tiles(grid: Image.Image, count: int) -> list[Image.Image]:
    """Return the tiles of a grid in their order. ValueError where they cannot be found."""
    place = next(filter(None, (_layout(grid, count, lines) for lines in range(1, count + 1))), None)
    if not place:
        raise ValueError(f"expected {count} square tiles in a grid of {grid.size}")
    side = place.pitch - _GAP
    lefts = [place.left + i % place.columns * place.pitch for i in range(count)]
    tops = [place.top + i // place.columns * place.line for i in range(count)]
    return [grid.crop((x, y, x + side, y + side)) for x, y in zip(lefts, tops, strict=True)]


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
