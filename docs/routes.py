"""The routes of a workshop as tables, with computing as it was measured: python -m docs.routes [LESSON ...]

The lessons that are named are measured anew, as far as a route goes; then the tables are written.
"""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path
from typing import Any

from docs import timing
from lessons_lib.course import recorded

PAGE = timing.NOTEBOOKS / "INSTRUCTOR.md"
_FILE = Path(__file__).with_name("routes.toml")


def routes() -> list[dict[str, Any]]:
    """Return the routes: name and steps."""
    with open(_FILE, "rb") as file:
        return list(tomllib.load(file)["routes"])


def tables() -> str:
    """Return all routes as Markdown, a heading and a table each."""
    seconds = recorded.load(timing.NAME)["result"]
    return "\n".join(_table(route, seconds) for route in routes())


def measured() -> str:
    """Return when and on what the lessons were measured."""
    return recorded.provenance(recorded.load(timing.NAME))


def lesson_pages() -> str:
    """Return links to the instructors' page of each lesson."""
    names = [path.name for path in sorted(timing.NOTEBOOKS.glob("INSTRUCTOR_*.md"))]
    return " · ".join(f"[{name[11:-3]}]({name})" for name in names)


def write() -> None:
    """Put the tables and the links into the instructors' page."""
    text = PAGE.read_text(encoding="utf-8")
    text = re.sub(
        r"(?<=measured by running the lessons, ).*?(?=\. To compare)", measured(), text, flags=re.DOTALL
    )
    text = re.sub(r"\[00\]\(INSTRUCTOR_00.*?(?=\. The usual)", lesson_pages(), text, flags=re.DOTALL)
    start, end = text.index("### 60 minutes"), text.index("## A room with a network")
    PAGE.write_text(text[:start] + tables() + "\n" + text[end:], encoding="utf-8")


def _table(route: dict[str, Any], seconds: dict[str, dict[str, float]]) -> str:
    """Return one route; the computing of a step is that of all sections since the lesson's last step."""
    lines = [
        f"### {route['name']}",
        "",
        "| minutes | lesson | what happens | computing |",
        "|---|---|---|---|",
    ]
    start, total, last = 0, 0.0, dict[str, str]()
    for step in route["steps"]:
        end = start + step["minutes"]
        costs = _seconds(step, seconds, last)
        total += costs or 0.0
        lines.append(f"| {start} - {end} | {_lesson(step)} | {step['do']} | {_shown(costs)} |")
        start = end
    return "\n".join(
        [*lines, "", f"In all {start} minutes, of which the measured lessons compute {total / 60:.1f}.", ""]
    )


def _shown(costs: float | None) -> str:
    return "not measured" if costs is None else f"{costs:.0f} s" if costs else ""


def _lesson(step: dict[str, Any]) -> str:
    if not step["lesson"]:
        return ""
    titles = ", ".join(f"*{section}*" for section in step["sections"])
    (path,) = timing.NOTEBOOKS.glob(f"{step['lesson']}_*.ipynb")
    return f"[{step['lesson']}]({path.name})" + (f" {titles}" if titles else "")


def _seconds(
    step: dict[str, Any], seconds: dict[str, dict[str, float]], last: dict[str, str]
) -> float | None:
    """Return what is computed from where the lesson stood to the step's last section; note where it stands.

    None for a lesson that was not measured.
    """
    if not step["sections"]:
        return 0.0
    of_lesson = next((values for name, values in seconds.items() if name.startswith(step["lesson"])), None)
    if of_lesson is None:
        return None
    headings = timing.headings(step["lesson"])
    first = headings.index(last[step["lesson"]]) + 1 if step["lesson"] in last else 0
    last[step["lesson"]] = step["sections"][-1]
    here = headings[first : headings.index(step["sections"][-1]) + 1]
    return sum(of_lesson.get(heading, 0.0) for heading in here)


def last_section(lesson: str) -> str:
    """Return the section at which the longest route leaves a lesson."""
    steps = [step for route in routes() for step in route["steps"] if step["lesson"] == lesson]
    return max(
        (step["sections"][-1] for step in steps if step["sections"]), key=timing.headings(lesson).index
    )


if __name__ == "__main__":
    for name in sys.argv[1:]:
        print(f"{name}: {timing.record(name, last_section(name)):.0f} s", flush=True)
    write()
