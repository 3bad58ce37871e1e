"""Step 6: the model to start from, with its licence, its gate, and whether it fits."""

from __future__ import annotations

import ipywidgets

from lessons_lib.session import current
from lessons_lib.studio import advice
from lessons_lib.studio.steps.step import Step
from lessons_lib.studio.widgets import fill, on_value, radio


class BaseStep(Step):
    """One of the bases that can be trained."""

    title = "Which model learns it?"
    lead = (
        "Larger models draw better and need a larger machine. Their licence is said before anything is "
        "downloaded."
    )

    def is_done(self) -> bool:
        return self.is_passed() and not self.needs()

    def needs(self) -> str:
        problem = advice.misfit(self.project.base, current())
        return f"{problem}." if problem else ""

    def summary(self) -> str:
        return f"{self.project.base.name}, {self.project.base.licence}"

    def code(self) -> str:
        return f'studio.choose(base="{self.project.base.name}")'

    def build(self) -> list[ipywidgets.Widget]:
        self.facts = ipywidgets.HTML()
        options = [(_label(base.name), base.name) for base in advice.choices(current())]
        base = radio("base model", options, self.project.base.name)
        on_value(base, self._choose, self.note)
        self._show()
        return [base, self.facts]

    def _choose(self, name: str) -> None:
        self.project.choose(base=name)
        self._show()
        self.page.refresh()

    def _show(self) -> None:
        self.facts.value = fill("facts", facts=advice.facts(self.project.base, current()))


def _label(name: str) -> str:
    return advice.misfit(advice.BASES[name], current()) or name
