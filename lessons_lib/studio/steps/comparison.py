"""Step 9: the same prompts and seeds before and after, and a slider for the strength."""

from __future__ import annotations

import ipywidgets

from lessons_lib.display.html import jpeg_uri
from lessons_lib.studio import activity as activities
from lessons_lib.studio import results, work
from lessons_lib.studio.results import Results
from lessons_lib.studio.steps.step import Step
from lessons_lib.studio.widgets import ActivityView, button, fill, on_value, row, text_area

_SIDE = 320


class ComparisonStep(Step):
    """The sheet of before and after, five lines about it, and one picture at rising strength."""

    title = "Before and after"
    lead = (
        "The same prompts and the same random seeds, without and with what it learned. Whatever differs is "
        "the training's doing."
    )
    activities = ("Drawing before and after",)

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
        draw = button("Draw before and after", lambda: self._draw(prompts.value), self.note, "main")
        self.view = ActivityView(self.note, self._ended, "Stop")
        activity = activities.current(self.project.folder)
        if activity and activity.title in self.activities:
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
        self.strength.children = _strength(shown, self)


def _line(text: str) -> tuple[str, str, str]:
    name, _, rest = text.partition(": ")
    return ("", name, rest)


def _strength(shown: Results, step: ComparisonStep) -> tuple[ipywidgets.Widget, ...]:
    """Return a picture and the slider of its strength, which announces the strength itself."""
    values, view = shown.strengths, ipywidgets.HTML()
    frames = [jpeg_uri(path.read_bytes()) for path in shown.frames]
    slider = ipywidgets.FloatSlider(
        value=shown.strength, min=values[0], max=values[-1], step=values[1] - values[0],
        description="strength", readout_format=".2f", style={"description_width": "initial"},
    )  # fmt: skip

    def show(value: float) -> None:
        index = min(range(len(values)), key=lambda i: abs(values[i] - value))
        text = f"{shown.prompt}, strength {values[index]:g}" + (
            ": the model as it was" if not values[index] else ""
        )
        view.value = fill("frame", uri=frames[index], alt=text, text=text, side=_SIDE)

    on_value(slider, show, step.note)
    show(shown.strength)
    return view, slider
