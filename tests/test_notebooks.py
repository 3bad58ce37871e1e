"""Every lesson keeps the rules that a machine can hold it to; nbval, in another lane, runs them."""

import json
import re
import tomllib
from pathlib import Path

import nbformat
import pytest
from nbval.plugin import get_sanitize_patterns

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "notebooks"
LESSONS = sorted(FOLDER.glob("[0-9][0-9]_*.ipynb"))
APPENDIX = FOLDER / "appendix_knobs.ipynb"
REPOSITORY = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["urls"]["Repository"]
BANNED = ("simply", "just", "obviously", "magic", "powerful", "awesome")
BREAKS_NBVAL = ("clear_output", "interact(", "%timeit", "display_id", "tqdm")
CLOSING = ("## What you can now say", "## Where this is in the libraries", "## Next")
EMOJI = re.compile("[\U0001f000-\U0001faff\u2600-\u27bf]")

every_lesson = pytest.mark.parametrize("path", [*LESSONS, APPENDIX], ids=lambda path: path.stem)


def cells(path, kind):
    return [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == kind]


def prose(path):
    return "\n\n".join(cell.source for cell in cells(path, "markdown"))


def words(text):
    """Return the words of Markdown as a reader counts them: no code, no addresses, no tables' rules."""
    text = re.sub(r"```.*?```", " ", text, flags=re.DOTALL)
    text = re.sub(r"\]\([^)]*\)", "]", text)
    return re.findall(r"[^\W\d_][\w'’-]*", text)


def outputs(path):
    return [output for cell in cells(path, "code") for output in cell.outputs]


def printed(cell):
    return "".join(
        o.get("text", "") or o.get("data", {}).get("text/plain", "") for o in cell.get("outputs", [])
    )


def navigation(path):
    """Return the first lines of a lesson, derived from the list of files; the appendix stands apart."""
    place = LESSONS.index(path) if path in LESSONS else 0
    links = ["[contents](../README.md#the-lessons)"]
    if place:
        links.insert(0, f"[previous]({LESSONS[place - 1].name})")
    if path in LESSONS and place + 1 < len(LESSONS):
        links.append(f"[next]({LESSONS[place + 1].name})")
    colab = REPOSITORY.replace("https://github.com", "https://colab.research.google.com/github")
    badge = "[![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)]"
    return f"{' · '.join(links)}\n\n{badge}({colab}/blob/main/notebooks/{path.name})\n"


def test_lessons_are_numbered_as_in_the_readme():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    ready = re.findall(r"^\| (\d\d) \| \[.+?\]\(notebooks/(.+?)\) \|", text, re.MULTILINE)
    assert [(path.name[:2], path.name) for path in LESSONS] == ready


@every_lesson
def test_a_lesson_is_a_valid_notebook_of_a_readable_size(path):
    book = nbformat.read(path, as_version=4)
    nbformat.validate(book)
    assert 25 <= len(book.cells) <= 52
    assert 1200 <= len(words(prose(path))) <= 2600
    assert path.stat().st_size <= 600_000


@every_lesson
def test_a_lesson_opens_with_navigation_promise_and_question(path):
    first = cells(path, "markdown")[0].source
    assert first.startswith(navigation(path)), f"expected these lines first:\n{navigation(path)}"
    for part in ("\n# ", "**You will**", "**You need**", "**Time**", "![", "**Before you run"):
        assert part in first, f"the first cell lacks {part!r}"


@every_lesson
def test_a_lesson_closes_with_what_was_learned_and_where_it_lives(path):
    places = [prose(path).find(title) for title in CLOSING]
    assert -1 not in places and places == sorted(places)


@pytest.mark.parametrize("path", [*LESSONS, APPENDIX, FOLDER / "studio.ipynb"], ids=lambda path: path.stem)
def test_the_second_cell_is_the_same_in_every_lesson_and_the_studio(path):
    second = nbformat.read(path, as_version=4).cells[1]
    assert second.cell_type == "code"
    assert second.source == nbformat.read(LESSONS[0], as_version=4).cells[1].source
    assert f'"{REPOSITORY}"' in second.source and "bootstrap.prepare()" in second.source


@every_lesson
def test_code_cells_are_small(path):
    code = [cell.source.splitlines() for cell in cells(path, "code")]
    assert max(len(lines) for lines in code) <= 30
    assert max(len(line) for lines in code for line in lines) <= 110  # the line length of pyproject
    assert sum(len(lines) for lines in code[1:]) / len(code[1:]) <= 12


@every_lesson
def test_no_more_than_four_code_cells_stand_without_words(path):
    kinds = "".join(cell.cell_type[0] for cell in nbformat.read(path, as_version=4).cells)
    assert "ccccc" not in kinds


@every_lesson
def test_the_prose_has_no_banned_words_and_plain_headings(path):
    found = {word.lower() for word in words(prose(path))} & set(BANNED)
    assert not found
    assert not [line for line in prose(path).splitlines() if line.startswith("#") and EMOJI.search(line)]


@every_lesson
def test_code_cells_do_nothing_that_nbval_cannot_hold(path):
    for cell in cells(path, "code"):
        assert not [part for part in BREAKS_NBVAL if part in cell.source]
        assert not cell.source.rstrip().endswith(";")


@every_lesson
def test_links_in_a_lesson_lead_somewhere(path):
    links = re.findall(r"\]\((?!https?:|#)([^)#\s]+)", prose(path))
    assert [link for link in links if not (path.parent / link).exists()] == []


@every_lesson
def test_a_figure_in_the_prose_was_printed_above_it(path):
    seen = ""
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "code":
            seen += printed(cell)
            continue
        if "template" in cell.metadata.get(
            "bound", {}
        ):  # filled from a recorded run, and held by another test
            continue
        text = re.sub(r"`[^`]*`|\]\([^)]*\)|Stable Diffusion [\d.]+|SD [\d.]+", " ", cell.source)
        figures = re.findall(r"\d+\.\d+|\d+(?= ?%)|\d{3,}(?= (?:steps|px))", text)
        assert [figure for figure in figures if figure not in seen] == []


@every_lesson
def test_a_lesson_was_run_from_top_to_bottom_and_kept_its_outputs(path):
    counts = [cell.execution_count for cell in cells(path, "code")]
    assert counts == list(range(1, len(counts) + 1)), "run `make notebooks`"
    assert outputs(path)


@every_lesson
def test_outputs_hold_no_errors_and_nothing_on_stderr(path):
    assert not [o for o in outputs(path) if o.output_type == "error" or o.get("name") == "stderr"]


@every_lesson
def test_pictures_are_single_jpegs(path):
    kinds = [set(o.get("data", {})) for o in outputs(path)]
    assert not [kind for kind in kinds if kind & {"image/png", "image/svg+xml", "text/html"}]
    per_cell = [sum("image/jpeg" in o.get("data", {}) for o in c.outputs) for c in cells(path, "code")]
    assert max(per_cell) == 1 and 3 <= sum(per_cell) <= 12


@every_lesson
def test_no_widget_state_and_no_timing_is_saved(path):
    book = json.loads(path.read_text(encoding="utf-8"))
    assert "widgets" not in book["metadata"]
    assert not [cell for cell in book["cells"] if "execution" in cell["metadata"]]


@every_lesson
def test_an_untouched_exercise_says_so(path):
    exercises = [cell for cell in cells(path, "code") if cell.source.startswith("# Exercise")]
    assert 2 <= len(exercises) <= 4
    assert all("not attempted yet" in printed(cell) for cell in exercises)


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("trained in 61.4 s on the CPU", "trained in N.N s on the CPU"),
        ("memory: 23.5 GB", "memory: N.N GB"),
        ("1000 steps at this speed: in about 12 weeks", "1000 steps at this speed: in about N weeks"),
        ("loss 0.5 after 300 steps", "loss 0.5 after 300 steps"),
    ],
)
def test_the_sanitiser_bites_on_time_memory_and_weeks_and_nothing_else(text, clean):
    patterns = get_sanitize_patterns((ROOT / "tests" / "sanitize.cfg").read_text())
    for pattern, replacement in patterns:
        text = re.sub(pattern, replacement, text)
    assert len(patterns) == 3 and text == clean


def test_every_line_of_the_sanitiser_file_is_read():
    text = (ROOT / "tests" / "sanitize.cfg").read_text()
    assert text.count("\nregex:") == text.count("\nreplace:") == len(get_sanitize_patterns(text))


@every_lesson
def test_every_lesson_has_a_page_for_instructors_and_answers(path):
    name = "KNOBS" if path == APPENDIX else path.name[:2]
    assert (FOLDER / f"INSTRUCTOR_{name}.md").exists()
    exercises = {
        name for cell in cells(path, "code") for name in re.findall(r"^(my_\w+):", cell.source, re.M)
    }
    answers = (FOLDER / "solutions" / f"{path.stem}.py").read_text()
    assert all(re.search(rf"^{name} = |def {name}", answers, re.M) for name in exercises)


def test_the_answer_to_lesson_01_is_accepted_by_its_own_cell(monkeypatch, capsys):
    """Run the cells that the exercise needs, with the answer in the place of None."""
    monkeypatch.chdir(FOLDER)
    code = [cell.source for cell in cells(LESSONS[1], "code")]
    needed = [next(c for c in code if start in c) for start in ("BASE = ", "PROMPT = ", "def add_noise")]
    other = next(line for c in code for line in c.splitlines() if line.startswith("OTHER = "))
    answer = re.search(r"^my_sigma = .*", (FOLDER / "solutions" / f"{LESSONS[1].stem}.py").read_text(), re.M)
    exercise = next(c for c in code if "my_sigma: float" in c)
    exercise = exercise.replace("my_sigma: float | None = None", answer[0])
    exec("\n".join([*needed, other, exercise]), {})
    assert capsys.readouterr().out.rstrip().endswith("close!")
