"""The two reports in a browser: they fit a phone, can be read, and the slider says the strength."""

from pathlib import Path

import pytest
from PIL import Image

from lessons_lib.adapters.run import Run
from lessons_lib.adapters.settings import Settings
from lessons_lib.dataset.dataset import Dataset, scan
from lessons_lib.dataset.pictures import ImageFile, Picture
from lessons_lib.evaluation import html as comparison_html
from lessons_lib.evaluation.comparison import STRENGTHS, Comparison, Measure
from lessons_lib.inspection import html as inspection_html
from lessons_lib.inspection.report import inspect
from lessons_lib.models import bases
from lessons_lib.paths import SAMPLE

from .conftest import PHONE

PROMPTS, SEEDS = ["an elephant, mugh4l", "a castle by a river with a very long name, mugh4l"], [1, 2, 3]
LINES = ["style: 25 % of the gap", "seeds: differ", f"copies: none in {'a_long_name_' * 12}.jpg"]


def painted(grey):
    return Image.new("RGB", (128, 128), (grey, 180, 140))


def comparison():
    run = Run(Path("runs/gold"), Settings(trigger="mugh4l", name="gold").resolve(bases.find("pocket")))
    rights = {
        "maker": "A maker with a long name",
        "licence": "CC0-1.0",
        "source": "https://example.org/" + "a" * 90,
    }
    train = [Picture(Path(f"p{i}.jpg"), ImageFile.of(painted(40 * i)), rights, "a tiger") for i in range(5)]
    rows = [[painted(50 * seed) for seed in SEEDS] for _ in PROMPTS]
    measure = Measure(
        "style match, centre crops", 0.2, 0.3, 0.2, 0.6, 0.25, 0.4, "the base", "training pictures"
    )
    frames = [painted(40 * i) for i in range(len(STRENGTHS))]
    nearest = [(0, 0.1 * i) for i in range(6)]
    dataset = Dataset(train, train[:1])
    return Comparison(
        run, dataset, PROMPTS, SEEDS, rows, rows, frames, {"style match": measure}, nearest, True
    )


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """Both reports as files."""
    folder = tmp_path_factory.mktemp("reports")
    sheet = Image.new("RGB", (1200, 800), "beige")
    (folder / "comparison.html").write_text(
        comparison_html.render(comparison(), sheet, LINES), encoding="utf-8"
    )
    pictures = folder / "pictures"
    pictures.mkdir()
    for path in sorted((SAMPLE / "train").glob("*.jpg"))[:3]:
        (pictures / f"{'long_' * 20}{path.name}").write_bytes(path.read_bytes())
    Image.new("RGB", (900, 90), "teal").save(pictures / "flat.png")
    report = inspect(scan(pictures), bases.find("pocket"))
    (folder / "inspection.html").write_text(inspection_html.render(report), encoding="utf-8")
    return folder


@pytest.mark.parametrize("name", ["comparison", "inspection"])
@pytest.mark.parametrize("width", [PHONE["width"], 1280])
def test_a_report_fits_its_window_and_breaks_no_rule_of_wcag(pages, open_page, violations, name, width):
    page = open_page(width)
    page.goto(f"file://{pages / name}.html")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert violations(page, "html") == [] and page.errors == []


def test_the_range_of_the_report_announces_strengths(pages, open_page):
    page = open_page(PHONE["width"])
    page.goto(f"file://{pages / 'comparison.html'}")
    slider = page.get_by_role("slider", name="strength")
    slider.focus()
    page.keyboard.press("Home")
    assert slider.get_attribute("aria-valuetext") == "strength 0"
    page.keyboard.press("ArrowRight")
    assert slider.get_attribute("aria-valuetext") == "strength 0.25"
