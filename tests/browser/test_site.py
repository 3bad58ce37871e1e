"""The built site in a browser: it fits a phone, contrast holds, sliders answer. `make site` first."""

import pytest

from lessons_lib.paths import ROOT

from .conftest import PHONE

SITE = ROOT / "build" / "site"
REFERENCE = SITE / "docs" / "reference" / "lessons_lib"
PAGES = sorted(path for folder in ("docs", "notebooks") for path in (SITE / folder).glob("*.html"))
PAGES += [SITE / "README.html", REFERENCE / "training" / "train" / "index.html"]
CONTRAST = ["docs/index", *(f"notebooks/{name}" for name in ("00_start_here", "07_museum_of_failures",
            "10_brand_and_words", "11_your_own_set", "INSTRUCTOR", "GALLERY"))]  # fmt: skip

pytestmark = pytest.mark.skipif(not (SITE / "index.html").is_file(), reason="`make site` builds the pages")


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_a_page_fits_a_phone(open_page, path):
    page = open_page(PHONE["width"])
    page.goto(path.as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


@pytest.mark.parametrize("name", CONTRAST)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_words_of_a_page_stand_out_from_their_ground(open_page, violations, name, scheme):
    page = open_page()
    page.emulate_media(color_scheme=scheme)
    page.goto((SITE / f"{name}.html").as_uri())
    assert [line for line in violations(page, "main") if line.startswith("color-contrast")] == []


def test_the_edge_between_before_and_after_follows_the_keyboard(open_page):
    page = open_page(PHONE["width"])
    page.goto((SITE / "docs" / "index.html").as_uri())
    slider = page.get_by_role("slider", name="edge between before and after")
    slider.focus()
    page.keyboard.press("Home")
    assert slider.get_attribute("aria-valuetext") == "100 % before"
    edge = page.locator(".before-after .over").first.evaluate("box => box.style.getPropertyValue('--edge')")
    assert edge == "100%"
