"""The page of the report before training: every text escaped, nothing loaded from anywhere."""

import re
from pathlib import Path

import pytest
from PIL import Image

from lessons_lib.dataset.dataset import scan
from lessons_lib.inspection import html
from lessons_lib.inspection.report import inspect
from lessons_lib.models import bases

PAINTINGS = sorted((Path(__file__).parents[1] / "data" / "sample_mughal" / "train").glob("*.jpg"))


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """Two good pictures, one that is flat, one whose name is HTML, one that is no picture."""
    folder = tmp_path_factory.mktemp("pictures")
    one, two, three = (Image.open(path).convert("RGB").resize((296, 416)) for path in PAINTINGS[:3])
    one.save(folder / "good.png")
    two.resize((300, 300)).save(folder / "square.png")
    three.resize((100, 140)).save(folder / "<img src=x onerror=alert(1)>.png")
    Image.new("RGB", (200, 200), "teal").save(folder / "flat.png")
    (folder / "broken.jpg").write_bytes(b"<script>alert(1)</script>")
    (folder / "good.txt").write_text("a prince on an elephant")
    return inspect(scan(folder), bases.find("pocket"))


def test_the_page_loads_nothing_and_escapes_every_name(report):
    page = html.render(report)
    assert "<img src=x" not in page and "&lt;img src=x onerror=alert(1)&gt;.png" in page
    text = page.replace("&lt;img src=x onerror", "")
    links = re.findall(r'(?:src|href|url)\s*[=(]\s*["\']?([^"\')\s>]+)', text)
    assert len(links) == len(report.pictures) == 4 and "<script" not in page
    assert all(link.startswith("data:image/jpeg;base64,") for link in links)


def test_the_gravest_level_comes_first_with_its_advice(report):
    page = html.render(report)
    levels = re.findall(r"<h2><b>([\w ]+)</b>: (\d) of the pictures", page)
    assert levels == [("must fix", "1"), ("worth a look", "1"), ("fine", "2")]
    assert "one flat colour: There is nothing to learn from them" in page


def test_a_dashed_square_lies_in_pictures_that_are_not_square(report):
    page = html.render(report)
    assert page.count('<i style="') == 2
    assert '<i style="left:0.0%;top:14.4%;width:100.0%;height:71.2%"></i>' in page


def test_a_page_of_thousands_shows_some_of_the_fine_ones(report, monkeypatch):
    monkeypatch.setattr(html, "MOST_FINE", 1)
    fine = sum(picture.level == "fine" for picture in report.pictures)
    assert fine == 2 and f"and {fine - 1} more" in html.render(report)
