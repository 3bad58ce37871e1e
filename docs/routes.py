"""What a workshop takes, from docs/routes.toml and the recorded seconds of the lessons: python -m docs.routes

Writes the tables of the instructors' pages, and the times of the README and the lessons. The seconds are
measured by `python -m lessons_lib.course.run_lessons`, `lessons bundle --try` and `lessons prove pocket`.
"""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

from lessons_lib.adapters.settings import PRESETS
from lessons_lib.commands.workshop import SET_UP
from lessons_lib.course import recorded, run_lessons
from lessons_lib.models.bases import BASES
from lessons_lib.paths import RECORDED, ROOT

PAGE = ROOT / "notebooks" / "INSTRUCTOR.md"
STUDIO = PAGE.with_name("INSTRUCTOR_STUDIO.md")
README = ROOT / "README.md"
NOT_TIMED = "not timed"
_CROWDED = 1.5  # times its computing: above it a lesson's clock tells of other programs
_PROOF = RECORDED / "proofs" / "pocket-pocket.json"
_FILE = Path(__file__).with_name("routes.toml")


def routes() -> list[dict[str, Any]]:
    """Return the routes: name and steps."""
    with open(_FILE, "rb") as file:
        return list(tomllib.load(file)["routes"])


def lessons_table() -> str:
    """Return a table of what each lesson computes as a whole, and of the section that computes longest."""
    rows = run_lessons.load()
    lines = ["| lesson | computing | clock | longest section | measured |", "|---|---|---|---|---|"]
    for path in run_lessons.lessons():
        seconds = whole_seconds(path, rows)
        if seconds is None:
            lines.append(f"| [{_short(path)}]({path.name}) | {NOT_TIMED} | | | |")
            continue
        row = rows[path.stem]
        title, longest = max(row["seconds"].items(), key=lambda item: item[1])
        section = f"*{title}* {longest:.0f} s" if title else f"loading {longest:.0f} s"
        times = f"{seconds:.0f} s | {row['clock']} s"
        is_older = row["base"] != recorded.base_fingerprint()
        measured = f"{row['date']}, on earlier weights" if is_older else row["date"]
        lines.append(f"| [{_short(path)}]({path.name}) | {times} | {section} | {measured} |")
    return "\n".join(lines) + "\n"


def whole_seconds(path: Path, rows: dict[str, Any]) -> float | None:
    """Return the processor seconds of a whole lesson; None where a section of it was not measured."""
    seconds = rows.get(path.stem, {}).get("seconds", {})
    return None if set(run_lessons.headings(path)) - set(seconds) else sum(seconds.values())


def clock_line(rows: dict[str, Any]) -> str:
    """Return how much longer than they compute lessons took by the clock, and for which of them it says
    nothing, for other programs ran beside them.
    """
    timed = {path: whole_seconds(path, rows) for path in run_lessons.lessons()}
    clocks = {path: (rows[path.stem]["clock"], seconds) for path, seconds in timed.items() if seconds}
    crowded = [_short(path) for path, (clock, seconds) in clocks.items() if clock > _CROWDED * seconds]
    more = [clock - seconds for path, (clock, seconds) in clocks.items() if _short(path) not in crowded]
    if not more:
        return "nothing is recorded that a plan can go by."
    line = f"{min(more):.0f} to {max(more):.0f} s more than the computing."
    if not crowded:
        return line
    names = " and ".join(", ".join(crowded).rsplit(", ", 1))
    return f"{line} Not so in {names}, recorded beside other work: plan with the computing."


def minutes(path: Path, rows: dict[str, Any]) -> str:
    """Return what a whole lesson computes, to the half minute: "1½"; empty where it was not timed."""
    seconds = whole_seconds(path, rows)
    if seconds is None:
        return ""
    halves = max(1, round(seconds / 30))
    return f"{halves // 2 or ''}{'½' if halves % 2 else ''}"


def readme_time(path: Path, rows: dict[str, Any]) -> str:
    """Return what the README says of a lesson's time: "1½ min", or nothing where it was not timed."""
    number = minutes(path, rows)
    return number and f"{number} min"


def measured() -> str:
    """Return when and on what the lessons were measured."""
    return recorded.provenance(recorded.load(run_lessons.NAME))


def set_up_line() -> str:
    """Return what a set-up from a bundle took where it was recorded, or that none was."""
    try:
        record = recorded.load(SET_UP)
    except ValueError:
        return "What it takes is not recorded yet: `lessons bundle --try` prints it for your machine."
    result = record["result"]
    steps = ", ".join(f"{step} {seconds} s" for step, seconds in result["seconds"].items())
    return (
        f"For {result['kind']}, {recorded.provenance(record)}: {steps}; an archive of "
        f"{result['archive_mb']} MB, and {result['disk_mb']} MB on the disk once it is set up."
    )


def lesson_pages() -> str:
    """Return links to the instructors' page of each lesson."""
    names = [path.name for path in sorted(PAGE.parent.glob("INSTRUCTOR_*.md"))]
    return " · ".join(f"[{name[11:-3]}]({name})" for name in names)


def instructors_page(text: str) -> str:
    """Return the instructors' page with its links and tables as they are now."""
    text = re.sub(
        r"(?<=measured by running the lessons, ).*?(?=\. \*not timed)", measured(), text, flags=re.DOTALL
    )
    text = re.sub(r"(?<=answers and questions: ).*?(?=\. The usual)", lesson_pages(), text, flags=re.DOTALL)
    text = re.sub(r"\| lesson \| computing \| clock.*?\n(?=\n)", lessons_table(), text, flags=re.DOTALL)
    text = re.sub(r"(?<=\*\*Size and time\*\*: ).*?(?=\n)", lambda _: set_up_line(), text)
    rows = run_lessons.load()
    text = re.sub(r"(?<=\*\*Clock\*\*: ).*?(?=\n)", clock_line(rows), text)
    for route in routes():
        table = _table(route, rows).replace("\\", "\\\\")
        text = re.sub(rf"### {re.escape(route['name'])}\n.*?(?=\n#)", table, text, flags=re.DOTALL)
    return text


def studio_page(text: str) -> str:
    """Return the studio's instructors' page with the seconds of step 8, by the proof of pocket."""
    stages = json.loads(_PROOF.read_text(encoding="utf-8"))["stages"]
    step, picture = stages["train"]["seconds_a_step"], stages["read_back"]["seconds_a_picture"]
    lines = ["| length | steps | two CPU cores | times what preflight prints |", "|---|---|---|---|"]
    for name, share in PRESETS.items():
        steps = BASES["pocket"].share_of_steps(share)
        lines.append(f"| {name} | {steps} | {steps * step:.0f} s | {share:g} |")
    text = re.sub(r"\| length \| steps \|.*?\n(?=\n)", "\n".join(lines) + "\n", text, flags=re.DOTALL)
    text = re.sub(r"(?<=calculated from )\S+(?= s a step)", f"{step:g}", text)
    return re.sub(r"(?<=the same record has )\S+(?= s a picture)", f"{picture:g}", text)


def readme(text: str) -> str:
    """Return the README with the lessons' times as they are recorded: the fourth column of their table."""
    rows = run_lessons.load()
    for path in run_lessons.lessons():
        row = rf"(?m)^(\|[^|\n]*\|[^|\n]*\(notebooks/{path.name}\) \|[^|\n]*\|)[^|\n]*\|"
        text = re.sub(row, rf"\g<1> {readme_time(path, rows)} |", text)
    return text


def lesson(text: str, path: Path) -> str:
    """Return a lesson's file with the time in its first cell as it is recorded, if it was timed."""
    number = minutes(path, run_lessons.load())
    if not number:
        return text
    noun = "minute" if number in ("½", "1") else "minutes"
    return re.sub(r"(?<=\*\*Time\*\*: about ).*?(?= of computing)", f"{number} {noun}", text, count=1)


def write() -> None:
    """Write the three pages, and the time in each lesson."""
    for path, page in ((PAGE, instructors_page), (STUDIO, studio_page), (README, readme)):
        path.write_text(page(path.read_text(encoding="utf-8")), encoding="utf-8")
    for path in run_lessons.lessons():
        path.write_text(lesson(path.read_text(encoding="utf-8"), path), encoding="utf-8")


def _short(path: Path) -> str:
    return path.stem[:2] if path.stem[:2].isdigit() else path.stem


def _table(route: dict[str, Any], rows: dict[str, Any]) -> str:
    """Return one route: a heading, a table, and what it computes in all."""
    lines = [
        f"### {route['name']}",
        "",
        "| minutes | lesson | what happens | computing |",
        "|---|---|---|---|",
    ]
    start, total, begun = 0, 0.0, set[str]()
    for step in route["steps"]:
        end = start + step["minutes"]
        costs = _seconds(step, rows, is_first=step["lesson"] not in begun)
        if step["sections"]:
            begun.add(step["lesson"])
        total += costs or 0.0
        lines.append(f"| {start}\u00a0-\u00a0{end} | {_lesson(step)} | {step['do']} | {_shown(costs)} |")
        start = end
    return "\n".join(
        [*lines, "", f"In all {start} minutes, of which the measured steps compute {total / 60:.1f}.", ""]
    )


def _shown(costs: float | None) -> str:
    if costs is None:
        return NOT_TIMED
    return "" if not costs else f"{costs:.0f} s" if costs >= 1 else "under 1 s"


def _lesson(step: dict[str, Any]) -> str:
    if not step["lesson"]:
        return ""
    titles = ", ".join(f"*{section}*" for section in step["sections"])
    (path,) = run_lessons.lessons(step["lesson"])
    return f"[{step['lesson']}]({path.name})" + (f" {titles}" if titles else "")


def _seconds(step: dict[str, Any], rows: dict[str, Any], is_first: bool) -> float | None:
    """Return what the step's sections compute, with the lesson's beginning where it `is_first`.

    None where one of them was not measured, or has another name since.
    """
    if not step["sections"]:
        return 0.0
    (path,) = run_lessons.lessons(step["lesson"])
    seconds = rows.get(path.stem, {}).get("seconds", {})
    titles = ([""] if is_first else []) + step["sections"]
    return None if set(titles) - set(seconds) else sum(seconds[title] for title in titles)


if __name__ == "__main__":
    write()
