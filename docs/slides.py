"""Slides of the lessons' own words and pictures, as one HTML file and a PDF: python -m docs.slides

Each lesson gives its opening question, and for each section what is to be predicted and what came out.
The PDF is printed by a Chromium or Chrome, named in CHROMIUM or found by its name.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader
from markdown_it import MarkdownIt

from docs import lesson_pages
from lessons_lib.display.html import jpeg_uri
from lessons_lib.paths import ROOT

OUT = ROOT / "build" / "slides"
_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome", "msedge")
_TEMPLATES = Environment(loader=FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True)
_WITHOUT_SLIDES = ("Your turn", "Where this is in the libraries", "Next")
_MOST_LINES, _MOST_LETTERS = 3, 90  # of what a cell prints


@dataclass
class Slide:
    """A heading, a text in HTML, and a picture with its text or none."""

    title: str
    text: str
    uri: str = ""
    alt: str = ""
    kind: str = ""


def lesson_slides(path: Path) -> list[Slide]:
    """Return the slides of one lesson, in the order of its cells."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    opening = _source(cells[0])
    title = _match(r"^# ([^\n]+)", opening)
    alt, picture = _match(r"!\[([^]]+)\]\(pictures/", opening), _match(r"\((pictures/[^)]+)\)", opening)
    uri = jpeg_uri((path.parent / picture).read_bytes())
    question = _match(r"\*\*Before you run.*?\*\*(.*?)(?:\n\n|\Z)", opening)
    return [
        Slide(title, _html(_match(r"(\*\*You will\*\*.*?)\n\n", opening)), uri, alt, "opening"),
        Slide("Before we run anything", _html(question), uri, alt, "question"),
        *_section_slides(cells[2:]),
    ]


def _section_slides(cells: list[dict[str, Any]]) -> Iterator[Slide]:
    """Yield what is to be predicted in a section, then each of its pictures with what follows it."""
    title = ""
    for index, cell in enumerate(cells):
        text = _source(cell)
        if cell["cell_type"] == "markdown":
            title = _match(r"^## ([^\n]+)", text) or title
            if predict := _match(r"(\*\*Predict.*?)(?:\n\n|\Z)", text):
                yield Slide(title, _html(predict), kind="question")
            if title == "What you can now say" and f"## {title}" in text:
                yield Slide(
                    title, _html(text.partition(f"## {title}")[2].partition("\n## ")[0]), kind="closing"
                )
        elif (output := lesson_pages.picture_output(cell)) and title not in _WITHOUT_SLIDES:
            data = "data:image/jpeg;base64," + "".join(output["data"]["image/jpeg"]).replace("\n", "")
            yield Slide(title, _after(cells[index:]), data, lesson_pages.alt_text(cell, output))


def _after(cells: list[dict[str, Any]]) -> str:
    """Return what the cells at a picture print, and the first sentences of the words below, as HTML."""
    code = itertools.takewhile(lambda cell: cell["cell_type"] == "code", cells)
    printed = [line for cell in code for line in _printed(cell)][:_MOST_LINES]
    words = next((_source(cell) for cell in cells if cell["cell_type"] == "markdown"), "")
    first = words.partition("\n\n")[0]
    sentences = (
        "" if first.startswith("#") else " ".join(re.split(r"(?<=[.?!]) ", " ".join(first.split()))[:2])
    )
    block = "".join(f"\n{line[:_MOST_LETTERS]}" for line in printed)
    return _html(f"```text{block}\n```\n\n{sentences}" if printed else sentences)


def _printed(cell: dict[str, Any]) -> list[str]:
    texts = ["".join(o.get("text", "")) for o in cell.get("outputs", []) if o.get("name") == "stdout"]
    return "".join(texts).splitlines()


def _source(cell: dict[str, Any]) -> str:
    return "".join(cell["source"])


def _match(pattern: str, text: str) -> str:
    match = re.search(pattern, text, re.MULTILINE | re.DOTALL)
    return match[1].strip() if match else ""


def _html(text: str) -> str:
    """Return Markdown as HTML, its links as words: a slide leads nowhere."""
    return MarkdownIt().render(re.sub(r"\[([^\]]+)\]\([^)]+\)", r"\1", text))


def page(paths: list[Path]) -> str:
    """Return the slides of some lessons as one HTML text that loads nothing."""
    return _TEMPLATES.get_template("slides.html.j2").render(
        lessons=[(path.stem[:2], lesson_slides(path)) for path in paths]
    )


def write_pdf(html: Path, pdf: Path) -> None:
    """Print the slides, one a page. Raises OSError that says what to do where there is no browser."""
    names = [os.environ.get("CHROMIUM", ""), *_BROWSERS]
    browser = next((path for name in names if name and (path := shutil.which(name))), None)
    if not browser:
        raise OSError(f"no Chromium found for the PDF; name one in CHROMIUM, or print {html} from a browser")
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--no-pdf-header-footer"]
    command = [browser, *options, f"--print-to-pdf={pdf}", html.as_uri()]
    subprocess.run(command, check=True, capture_output=True, timeout=200)


def main() -> None:
    """Write both files and print where they are."""
    OUT.mkdir(parents=True, exist_ok=True)
    html, pdf = OUT / "slides.html", OUT / "slides.pdf"
    paths = sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))
    html.write_text(page(paths), encoding="utf-8")
    print(f"slides   {html.relative_to(ROOT)}, {html.stat().st_size / 1e6:.1f} MB")
    first = 1
    for path in paths:
        count = len(lesson_slides(path))
        print(f"         lesson {path.stem[:2]}: {first} to {first + count - 1}")
        first += count
    try:
        write_pdf(html, pdf)
    except OSError as problem:
        raise SystemExit(str(problem)) from None
    print(f"PDF      {pdf.relative_to(ROOT)}, {pdf.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
