"""Step 9: the same prompts and seeds before and after, and a slider for the strength."""

from __future__ import annotations

import ipywidgets
from PIL import Image

from lessons_lib.display.html import jpeg_uri
from lessons_lib.display.notebook import strength_slider
from lessons_lib.studio import results, work
from lessons_lib.studio.activity import Work
from lessons_lib.studio.results import Results
from lessons_lib.studio.steps.step import Step
from lessons_lib.studio.widgets import ActivityView, button, fill, row, text_area

_SIDE = 320


class ComparisonStep(Step):
    """The sheet of before and after, five lines about it, and one picture at rising strength."""

    title = "Before and after"
    lead = (
        "The same prompts and the same random seeds, without and with what it learned. Whatever differs is "
        "the training's doing."
    )
    work = Work.COMPARISON

    def is_done(self) -> bool:
        return self._results() is not None

    def needs(self) -> str:
        return "" if self._results() else "Needs the pictures before and after."

    def code(self) -> str:
        prompts = ", ".join(repr(prompt) for prompt in self.project.prompts)
        return f"studio.choose(prompts=({prompts},))\nwork.compare(studio).wait()"

    def build(self) -> list[ipywidgets.Widget]:
        self.sheet, self.lines, self.strength = ipywidgets.HTML(), ipywidgets.HTML(), ipywidgets.VBox([])
        prompts = text_area(
            "what to draw, one line each; your word is added", "\n".join(self.project.prompts), 4
        )
        style = () if self.is_done() else ("main",)
        draw = button("Draw before and after", lambda: self._draw(prompts.value), self.note, *style)
        self.view = ActivityView(self.note, self._ended, "Stop")
        if activity := self.own_activity():
            self.view.follow(activity)
        self._show()
        return [prompts, row(draw), self.view, self.sheet, self.strength, self.lines]

    def _results(self) -> Results | None:
        run = self.project.run()
        return results.load(run) if run else None

    def _draw(self, text: str) -> None:
        prompts = tuple(line.strip() for line in text.splitlines() if line.strip())
        self.project.choose(prompts=prompts)
        self.view.follow(work.compare(self.project))

    def _ended(self) -> None:
        self._show()
        self.page.refresh()

    def _show(self) -> None:
        run, shown = self.project.run(), self._results()
        if run is None or shown is None:
            self.sheet.value, self.lines.value, self.strength.children = "", "", ()
            return
        alt = f"Above, drawn before; below, drawn after, for {', '.join(self.project.prompts)}"
        data = (run.folder / "before_after.jpg").read_bytes()
        self.sheet.value = fill("sheet", uri=jpeg_uri(data), alt=alt)
        self.lines.value = fill("lines", lines=[_line(text) for text in shown.lines])
        labels = [f"{value:g}" for value in shown.strengths]
        start = shown.strengths.index(shown.strength) if shown.strength in shown.strengths else -1
        frames = [Image.open(path) for path in shown.frames]
        self.strength.children = (strength_slider(frames, labels, _SIDE, start, shown.prompt),)


def _line(text: str) -> tuple[str, str, str]:
    name, _, rest = text.partition(": ")
    return ("", name, rest)
