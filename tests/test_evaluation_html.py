"""The report on a comparison: every text escaped, every picture in the page, nothing loaded from anywhere."""

import re
from pathlib import Path

import pytest
from PIL import Image

from lessons_lib.adapters.run import Run
from lessons_lib.adapters.settings import Settings
from lessons_lib.dataset.dataset import Dataset
from lessons_lib.dataset.pictures import ImageFile, Picture
from lessons_lib.evaluation import html
from lessons_lib.evaluation.comparison import STRENGTHS, Comparison, Measure
from lessons_lib.models import bases

PROMPTS, SEEDS = ["a ball", "a <fence> & a gate"], [1, 2, 3]
SHEET = Image.new("RGB", (9, 9))


def plain(grey):
    return Image.new("RGB", (16, 16), (grey, grey, grey))


def picture(name, caption, **rights):
    return Picture(Path(name), ImageFile.of(plain(200)), rights, caption)


@pytest.fixture
def comparison():
    run = Run(Path("runs/gold"), Settings(trigger="g0ld", name="gold").resolve(bases.find("pocket")))
    train = [
        picture("p1.png", "<script>alert(1)</script>", maker="A & B", licence="CC0-1.0"),
        picture("p2.png", ""),
    ]
    rows = [[plain(seed) for seed in SEEDS] for _ in PROMPTS]
    style = Measure("style match", 0.2, 0.3, 0.2, 0.6, 0.25, 0.7, "the base", "paintings")
    nearest = [(0, 0.1), (1, 0.9), (0, 0.3), (0, 0.2), (1, 0.4), (0, 0.05)]
    frames = [plain(i) for i in range(len(STRENGTHS))]
    dataset = Dataset(train, [picture("h.png", "a lake")])
    return Comparison(run, dataset, PROMPTS, SEEDS, rows, rows, frames, {style.name: style}, nearest, True)


def test_texts_are_escaped_and_unknown_rights_are_said_to_be_unknown(comparison):
    page = html.render(comparison, SHEET, ["style: 25 % of <b>"])
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page and page.count("<script>") == 1
    assert "a &lt;fence&gt; &amp; a gate" in page and "<fence>" not in page and "25 % of &lt;b&gt;" in page
    assert "A &amp; B" in page and "CC0-1.0" in page and "unknown" in page


def test_every_picture_is_in_the_page_and_says_what_it_is(comparison):
    page = html.render(comparison, SHEET, [])
    images = re.findall(r'<img src="data:image/jpeg;base64,[^"]+" alt="([^"]+)"', page)
    assert len(images) == page.count("<img") == 1 + len(STRENGTHS) + 2 * 6 + 2 * html.MOST_SIMILAR + 3
    assert "a ball, after, seed 3" in images and "no caption" in page
    assert not re.search(r'(?:src|href)="(?!data:)|url\(', page)


def test_of_a_large_set_the_first_pictures_are_shown_and_the_others_counted(comparison, monkeypatch):
    monkeypatch.setattr(html, "MOST_SHOWN", 1)
    page = html.render(comparison, SHEET, [])
    assert 'alt="p2.png"' not in page and "and 1 more" in page and "<td>p2.png</td>" in page


def test_the_slider_starts_where_the_base_samples_and_speaks_its_strength(comparison):
    page = html.render(comparison, SHEET, [])
    start = STRENGTHS.index(bases.find("pocket").strength)
    assert f'max="{len(STRENGTHS) - 1}" value="{start}" aria-label="strength"' in page
    assert page.count(" hidden>") == len(STRENGTHS) - 1 and "'aria-valuetext'" in page


def test_values_beyond_floor_and_ceiling_sit_on_the_ends(comparison):
    page = html.render(comparison, SHEET, [])
    assert '<span style="left:12.5%;width:87.5%">' in page
    assert 'class="base" style="left:0.0%"' in page and 'class="tuned" style="left:25.0%"' in page


def test_samples_most_similar_to_a_training_picture_come_first(comparison):
    captions = re.findall(r"<figcaption>(\d\.\d\d), (\S+)</figcaption>", html.render(comparison, SHEET, []))
    assert captions == [("0.90", "p2.png"), ("0.40", "p2.png"), ("0.30", "p1.png"), ("0.20", "p1.png")]


def test_without_held_out_pictures_their_section_is_left_out(comparison):
    assert "Held-out pictures" in html.render(comparison, SHEET, [])
    comparison.dataset = Dataset(comparison.dataset.train)
    assert "Held-out pictures" not in html.render(comparison, SHEET, [])
