"""Step 7: how long to train, and what it will cost."""

from __future__ import annotations

from functools import partial

import ipywidgets

from lessons_lib.adapters.settings import PRESETS
from lessons_lib.studio import work
from lessons_lib.studio.activity import Work
from lessons_lib.studio.steps.step import Step
from lessons_lib.studio.widgets import ActivityView, button, fill, on_value, radio, row, text_field

_TEXTS = {"quick": "quick, to see whether it goes anywhere", "standard": "standard", "thorough": "thorough"}
_NUMBERS = {"steps": "steps", "rank": "rank, how much it can hold", "learning_rate": "learning rate"}


class LengthStep(Step):
    """Three lengths, the numbers behind them open to change, and a measured forecast."""

    title = "How long?"
    lead = (
        "Begin with quick; take standard where the held-out loss still falls at its end. Measure first if "
        "you like: ten steps are made and undone again. A long training on a GPU makes ten more, compiled, "
        "which takes minutes."
    )
    work = Work.FORECAST

    def is_done(self) -> bool:
        return not self.needs() and (self.is_passed() or bool(self.project.choices.forecast))

    def needs(self) -> str:
        return "" if self.project.choices.trigger else "Needs the word of step 5."

    def summary(self) -> str:
        choices = self.project.choices
        return choices.forecast or (f"{choices.steps} steps" if choices.steps else choices.preset)

    def code(self) -> str:
        choices = self.project.choices
        given = {name: getattr(choices, name) for name in _NUMBERS}
        values = "".join(f", {name}={value:g}" for name, value in given.items() if value)
        return (
            f'studio.choose(preset="{choices.preset}"{values})\n'
            "work.forecast(studio).wait()\nprint(studio.choices.forecast)"
        )

    def build(self) -> list[ipywidgets.Widget]:
        self.facts = ipywidgets.HTML()
        base, choices = self.project.base, self.project.choices
        options = [
            (f"{text}: {round(base.steps * PRESETS[name])} steps", name) for name, text in _TEXTS.items()
        ]
        preset = radio("length", options, choices.preset)
        on_value(preset, lambda value: self._choose(preset=value), self.note)
        fields = []
        for name, label in _NUMBERS.items():
            value = getattr(choices, name)
            field = text_field(label, f"{value:g}" if value else "", "the model's own")
            on_value(field, partial(self._choose_number, name), self.note)
            fields.append(field)
        numbers = ipywidgets.VBox([])
        is_own = any(getattr(choices, name) for name in _NUMBERS)
        more = ipywidgets.ToggleButton(value=is_own, description="Numbers of my own")

        def show_numbers(value: bool) -> None:
            numbers.children = fields if value else ()

        on_value(more, show_numbers, self.note)
        show_numbers(is_own)
        measure = button("Measure what it will take", self._measure, self.note)
        self.view = ActivityView(self.note, self._measured)
        if activity := self.own_activity():
            self.view.follow(activity)
        self._show()
        return [preset, row(more), numbers, row(measure), self.view, self.facts]

    def _choose(self, **values: str | float | None) -> None:
        self.note.say("")
        before = self.project.choices
        self.project.choose(**values)
        try:
            self.project.settings()
        except ValueError:
            self.project.choose(**{name: getattr(before, name) for name in values})
            raise
        self._show()
        self.page.refresh()

    def _choose_number(self, name: str, text: str) -> None:
        self._choose(**{name: _number(name, text)})

    def _measure(self) -> None:
        self.view.follow(work.forecast(self.project))

    def _measured(self) -> None:
        self._show()
        self.page.refresh()

    def _show(self) -> None:
        if not self.project.choices.trigger:
            self.facts.value = ""
            return
        settings = self.project.settings().resolve(self.project.base)
        pictures = len(self.project.pictures.dataset().train)
        epochs = settings.steps * settings.batch / max(1, pictures)
        facts = [
            (
                "steps",
                f"{settings.steps}, {settings.batch} pictures each: every picture about {epochs:.0f} times",
            ),
            ("forecast", self.project.choices.forecast or "not measured yet"),
        ]
        self.facts.value = fill("facts", facts=facts)


def _number(name: str, text: str) -> float | None:
    """Return the number that was typed, None where the field is empty. ValueError for anything else."""
    if not text.strip():
        return None
    try:
        return float(text.replace(",", ".")) if name == "learning_rate" else int(text)
    except ValueError as problem:
        raise ValueError(f"{name.replace('_', ' ')} is {text!r}; expected a number, or nothing") from problem
