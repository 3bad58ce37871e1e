"""The site, the slides and the routes are made from the lessons as they are."""

import base64
import json
import re
import tomllib
from pathlib import Path

import pytest
import yaml
from exercise_cells import exercise_cells
from PIL import Image
from test_exercises import MISTAKES

from docs import lesson_pages, routes, slides
from lessons_lib.course import run_lessons
from lessons_lib.display import notebook
from lessons_lib.paths import ROOT

LESSONS = sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))
FIRST = LESSONS[0]
README = (ROOT / "README.md").read_text(encoding="utf-8")
INSTRUCTOR = (ROOT / "notebooks" / "INSTRUCTOR.md").read_text(encoding="utf-8")
every_lesson = pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)


def grid_cell(rows, labels, source="notebook.image_grid(rows)"):
    """Return a cell as a notebook keeps it that shows a grid."""
    shown = notebook.image_grid(rows, labels, side=64)
    data = {"image/jpeg": base64.b64encode(shown.data).decode()}
    output = {"data": data, "metadata": {"image/jpeg": shown.metadata}}
    return {"cell_type": "code", "metadata": {}, "source": source, "outputs": [output]}


def plain(*colours):
    return [Image.new("RGB", (64, 64), colour) for colour in colours]


@every_lesson
def test_every_picture_of_a_lesson_has_a_text_on_the_site(path):
    cells = json.loads(lesson_pages.lesson_page(path.read_text(encoding="utf-8")))["cells"]
    pictures = [cell for cell in cells if lesson_pages.picture_output(cell)]
    assert pictures and all(len(cell["metadata"]["mystnb"]["image"]["alt"]) > 4 for cell in pictures)


def test_a_grid_of_before_and_after_gets_an_edge_between_its_rows():
    cell = grid_cell([plain("red", "red"), plain("blue", "blue")], ["before", "after"])
    before, after = lesson_pages.rows(lesson_pages.picture(cell["outputs"][0]), 4)
    assert before.getpixel((30, 30))[0] > 200 and after.getpixel((30, 30))[2] > 200
    page = json.loads(lesson_pages.lesson_page(json.dumps({"cells": [cell]})))
    assert page["cells"][1]["source"].count("<img") == 2 and "before-after" in page["cells"][1]["source"]


@pytest.mark.parametrize(
    "labels", [["0", "0.5", "1", "1.5"], ["0, 0.5", "1, 1.5"], [["strength 0", "0.5"], ["1", "1.5"]]]
)
def test_pictures_of_rising_strength_become_a_dial(labels):
    pictures = plain("red", "green", "blue", "white")
    rows = pictures if len(labels) == 4 else [pictures[:2], pictures[2:]]
    cell = grid_cell(rows, labels, "strength_images()")
    (html,) = lesson_pages.sliders(cell, cell["outputs"][0])
    assert html.count("<img") == 4 and 'max="3"' in html
    third = lesson_pages.tiles(lesson_pages.picture(cell["outputs"][0]), 4)[2]
    assert third.size == (64, 64) and third.getpixel((4, 32))[2] > 200 > third.getpixel((4, 32))[0]


def test_the_first_page_has_an_edge_and_a_dial():
    edge, dial = lesson_pages._sliders_in(json.loads(FIRST.read_text(encoding="utf-8")))
    assert "before-after" in edge and 'aria-label="strength"' in dial


def test_other_pictures_get_no_slider():
    for labels in (["0", "0.3", "0.6", "1"], ["a", "b", "c", "d"]):
        cell = grid_cell(plain("red", "green", "blue", "white"), labels)
        assert lesson_pages.sliders(cell, cell["outputs"][0]) == []


@every_lesson
def test_a_lesson_has_slides_from_its_question_to_what_one_can_say(path):
    made = slides.lesson_slides(path)
    assert [slide.kind for slide in made[:2]] == ["opening", "question"] and made[-1].kind == "closing"
    assert made[0].text and made[1].text and len(made) > 8
    assert all(slide.alt for slide in made if slide.uri)


def test_slides_load_nothing_and_lead_nowhere():
    page = slides.page([FIRST])
    assert "http" not in re.sub(r"data:[^\"]*", "", page) and "<a " not in page


def test_without_a_browser_the_pdf_says_what_to_do(monkeypatch, tmp_path):
    monkeypatch.setattr(slides.shutil, "which", lambda name: None)
    with pytest.raises(OSError, match="name one in CHROMIUM"):
        slides.write_pdf(tmp_path / "a.html", tmp_path / "a.pdf")


def test_the_site_check_finds_what_leads_nowhere(tmp_path):
    check = pytest.importorskip("docs.check", reason="needs beautifulsoup4")
    (tmp_path / "b.html").write_text('<p id="here">')
    links = '<a href="b.html#here"></a><a href="b.html#there"></a><a href="c.html"></a>'
    (tmp_path / "a.html").write_text(f'{links}<img src="data:," alt=""><a href="https://example.org"></a>')
    assert [line.split(" (")[0] for line in check.faults(tmp_path)] == [
        "a.html: names no place on that page", "a.html: leads nowhere", "a.html: a picture without a text"
    ]  # fmt: skip


@pytest.mark.parametrize("route", routes.routes(), ids=lambda route: route["name"].split(":")[0])
def test_a_route_takes_its_minutes_and_names_sections_in_their_order(route):
    assert sum(step["minutes"] for step in route["steps"]) == int(route["name"].split()[0])
    for lesson in {step["lesson"] for step in route["steps"]} - {""}:
        steps = [step for step in route["steps"] if step["lesson"] == lesson]
        titles = run_lessons.headings(*run_lessons.lessons(lesson))
        places = [titles.index(section) for step in steps for section in step["sections"]]
        assert places == sorted(set(places))


def test_the_pages_hold_the_times_that_are_recorded():
    assert routes.instructors_page(INSTRUCTOR) == INSTRUCTOR
    assert routes.readme(README) == README
    studio = routes.STUDIO.read_text(encoding="utf-8")
    assert routes.studio_page(studio) == studio
    assert all(f"({path.name})" in routes.lessons_table() for path in run_lessons.lessons())
    assert all(f"### {route['name']}\n" in INSTRUCTOR for route in routes.routes())


@pytest.mark.parametrize(
    "path", [*LESSONS, LESSONS[0].with_name("appendix_knobs.ipynb")], ids=lambda p: p.stem
)
def test_a_lesson_says_the_time_that_the_readme_says(path):
    text = path.read_text(encoding="utf-8")
    assert "**Time**: about " in text and " of computing on one core" in text
    assert routes.lesson(text, path) == text


@pytest.mark.parametrize(("seconds", "said"), [(3, "½"), (50, "1"), (80, "1½"), (300, "5")])
def test_a_time_is_said_to_the_half_minute(seconds, said):
    rows = {FIRST.stem: {"seconds": dict.fromkeys(run_lessons.headings(FIRST), 0) | {"": seconds}}}
    assert routes.minutes(FIRST, rows) == said


def test_a_clock_that_tells_of_other_programs_is_named_and_not_counted():
    first, second = run_lessons.lessons("00")[0], run_lessons.lessons("01")[0]
    rows = {
        path.stem: {"seconds": dict.fromkeys(run_lessons.headings(path), 0) | {"": 100}, "clock": clock}
        for path, clock in ((first, 300), (second, 104))
    }
    assert routes.clock_line(rows).startswith("4 to 4 s more than the computing. Not so in 00,")
    del rows[first.stem]
    assert routes.clock_line(rows) == "4 to 4 s more than the computing."
    assert routes.clock_line({}).startswith("nothing is recorded")


def test_a_section_with_another_name_than_the_measured_one_is_not_timed():
    rows = run_lessons.load()
    (first, *_), path = rows["00_start_here"]["seconds"], run_lessons.lessons("00")[0]
    renamed = {"00_start_here": {"seconds": {f"no {first}": 1.0}}}
    step = {"lesson": "00", "sections": ["The paintings"]}
    assert routes._seconds(step, rows, True) > routes._seconds(step, rows, False) > 0
    assert routes._seconds(step, renamed, False) is None
    assert routes.whole_seconds(path, renamed) is None


@every_lesson
def test_the_timing_of_a_lesson_names_its_sections(path):
    text = (ROOT / "notebooks" / f"INSTRUCTOR_{path.name[:2]}.md").read_text(encoding="utf-8")
    table = text[text.index("| minutes |") :].partition("\n\n")[0]
    names = re.findall(r"(?<!\*)\*([A-Z][^*\n]+)\*(?!\*)", table)
    assert [name for name in names if name not in run_lessons.headings(path)] == []


def test_links_of_the_instructors_pages_lead_somewhere():
    for page in (ROOT / "notebooks").glob("[A-Z]*.md"):
        links = re.findall(r"\]\((?!https?:|#)([^)#\s]+)", page.read_text(encoding="utf-8"))
        assert [link for link in links if not (page.parent / link).exists()] == [], page.name


def test_the_workflows_build_what_the_makefile_builds():
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for path in (ROOT / ".github" / "workflows").glob("*.yml"):
        text = path.read_text(encoding="utf-8")
        assert yaml.safe_load(text)["jobs"] and set(re.findall(r"\bmake ([a-z]+)", text)) <= targets


def test_the_site_extra_is_pinned():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    pinned = (Path(ROOT) / "constraints.txt").read_text(encoding="utf-8")
    names = [line.split(">=")[0] for line in extras["optional-dependencies"]["site"]]
    assert [name for name in names if f"\n{name}==" not in pinned] == []


def test_the_usual_mistakes_get_the_hints_that_the_answers_quote():
    text = (ROOT / "notebooks" / "ANSWERS.md").read_text(encoding="utf-8")
    for section in re.split(r"^## (?:Lesson|The) (?=\d\d|appendix)", text, flags=re.MULTILINE)[1:]:
        name = re.split(r"\W", section, maxsplit=1)[0]
        for number, row in re.findall(r"^\| (\d),[^|]*\|[^|]*\|(.*)\|$", section, re.MULTILINE):
            hints = [hint for _, hint in MISTAKES.get((name, int(number)), [])]
            quotes = re.findall(r"`([^`]+)`", row) if hints else []
            assert [quote for quote in quotes if not any(quote in hint for hint in hints)] == []
            assert quotes or not hints


@every_lesson
def test_every_exercise_has_its_answer_and_two_usual_mistakes(path):
    text = (ROOT / "notebooks" / "ANSWERS.md").read_text(encoding="utf-8")
    assert re.search(rf"^\| {path.name[:2]} \| [^|]+ \| [^|]+ \|$", text, re.MULTILINE)
    section = re.search(rf"^## Lesson {path.name[:2]}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)[1]
    rows = [[cell.strip() for cell in row.split("|")[1:-1]] for row in re.findall(r"^\| \d.*", section, re.M)]
    numbers = [str(i) for i in range(1, len(exercise_cells(path.name[:2])) + 1)]
    assert [row[0].split(",")[0] for row in rows] == numbers
    assert all(len(row) == 4 and all(row) and row[2] != row[3] for row in rows)
    assert f"({path.name})" in section and f"(solutions/{path.stem}.py)" in section


def test_no_heading_of_a_page_is_a_link_at_which_sphinx_stops():
    for page in (ROOT / "notebooks").glob("*.md"):
        assert not re.search(r"^#+ .*\]\(", page.read_text(encoding="utf-8"), re.MULTILINE), page.name
