"""Pages from templates: texts are escaped, a missing value is an error, colours can be read."""

import base64
import io
import re
import tomllib
from pathlib import Path

import jinja2
import pytest
from PIL import Image

from lessons_lib.display import html, theme

ROOT = Path(__file__).resolve().parents[1]
TEMPLATES = ROOT / "lessons_lib" / "display" / "templates"


def opened(uri):
    assert uri.startswith("data:image/jpeg;base64,")
    return Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2])))


def luminance(colour):
    """Return the relative luminance of "#rrggbb", 0 ... 1, as WCAG 2 defines it."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_a_value_is_escaped_wherever_it_stands():
    page = html.render_template(
        "inspection.html.j2", title="<script>alert(1)</script>", overall=[], sections=[], classes={}
    )
    assert page.startswith("<!doctype html>") and "<script" not in page
    assert page.count("&lt;script&gt;alert(1)&lt;/script&gt;") == 2


def test_a_value_that_a_page_lacks_is_an_error():
    with pytest.raises(jinja2.UndefinedError, match="title"):
        html.render_template("inspection.html.j2", overall=[], sections=[], classes={})


def test_a_picture_becomes_a_jpeg_of_at_most_so_many_px():
    image = Image.new("RGBA", (300, 100), "red")
    assert opened(html.data_uri(image)).size == (300, 100)
    assert opened(html.data_uri(image, 60)).size == (60, 20) and image.size == (300, 100)


def test_the_templates_are_installed_with_the_package():
    table = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]
    installed = {path for glob in table["lessons_lib.display"] for path in TEMPLATES.parent.glob(glob)}
    assert installed == {path for path in TEMPLATES.rglob("*") if path.is_file()} != set()


def test_small_text_stands_out_from_the_paper():
    marks = re.findall(r"--mark: (#\w{6})", (TEMPLATES / "inspection.html.j2").read_text())
    assert marks
    for colour in [*marks, theme.MUTED, theme.ACCENT, theme.INK]:
        assert (luminance(theme.PAPER) + 0.05) / (luminance(colour) + 0.05) >= 4.5, colour
