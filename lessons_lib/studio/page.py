"""The page: ten steps below one another, of which one is open; the next says what it needs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import ipywidgets

from lessons_lib.models.bases import Base
from lessons_lib.studio.project import Project
from lessons_lib.studio.steps import STEPS
from lessons_lib.studio.steps.step import Step
from lessons_lib.studio.widgets import Note, button, fill, focus, piece, row, styled


class Page:
    """The page on one studio's folder; `widget` is what a notebook shows."""

    def __init__(self, project: Project, steps: Sequence[type[Step]] = STEPS):
        self.project = project
        self.note = Note()
        self.steps: list[Step] = [step(self) for step in steps]
        self._rows = [_Row(self, index, step) for index, step in enumerate(self.steps)]
        style, head = piece("style"), piece("head", folder=_short(project.folder))
        self.widget = ipywidgets.VBox([style, head, self.note, *(row.box for row in self._rows)])
        self.widget.add_class("studio")
        self.open(self._start())

    def open(self, index: int) -> None:
        """Open a step and close the others. The step is remembered for the next time."""
        choices = self.project.choices
        if index != choices.step and self.project.folder.is_dir():
            self.project.choose(step=index, furthest=max(index, choices.furthest))
        for number, one in enumerate(self._rows):
            one.show(number == index)

    def go_on(self, index: int) -> None:
        """Open a step and put the keyboard's focus on its title."""
        self.open(index)
        focus(self._rows[index].title)

    def refresh(self) -> None:
        """Say anew what each step holds, and what the open one needs before the next."""
        for one in self._rows:
            one.refresh()

    def _start(self) -> int:
        """Return the step to begin with: what is going on in the background,
        or the one that was open last.
        """
        going_on = [index for index, step in enumerate(self.steps) if step.own_activity()]
        return going_on[0] if going_on else min(self.project.choices.step, len(self.steps) - 1)


class _Row:
    """One step on the page: its title, what it holds in a few words, and its body while it is open."""

    def __init__(self, page: Page, index: int, step: Step):
        self.page, self.index, self.step, self.is_open = page, index, step, False
        self.title = button("", lambda: page.open(-1 if self.is_open else index), page.note, "title")
        self.summary, self.needs = ipywidgets.HTML(), Note()
        last = index + 1 == len(page.steps)
        next_title = "" if last else page.steps[index + 1].title
        self.next = button(f"Next: {next_title}", lambda: page.go_on(index + 1), page.note, "main")
        self.bar = styled(ipywidgets.HBox([self.title, self.summary]), "bar")
        self.body = styled(ipywidgets.VBox([]), "body")
        self.box = styled(ipywidgets.VBox([self.bar]), "step")
        self.last = last

    def show(self, is_open: bool) -> None:
        """Open or close the step; an open one is built anew from the folder."""
        self.is_open = is_open
        if is_open:
            note = self.step.note
            note.say("")
            children: list[ipywidgets.Widget] = []
            note.guard(lambda: children.extend(self.step.build()))
            lead = piece("lead", title=f"{self.index + 1}. {self.step.title}", lead=self.step.lead)
            self.code = ipywidgets.HTML()
            ending = [] if self.last else [row(self.next, self.needs)]
            self.body.children = (lead, *children, note, *ending, self.code)
            self.box.children = (self.bar, self.body)
            self.box.add_class("studio-open")
        else:
            self.box.children, self.body.children = (self.bar,), ()
            self.box.remove_class("studio-open")
        self.refresh()

    def refresh(self) -> None:
        """Say anew what the step holds and what it needs."""
        needs = self.step.needs()
        mark = "\u2713" if self.step.is_done() else "\u2009"
        self.title.description = f"{mark} {self.index + 1}. {self.step.title}"
        self.summary.value = fill("summary", text=self.step.summary())
        if self.is_open:
            self.next.disabled = bool(needs)
            self.needs.say(needs, "look")
            self.code.value = fill("code", code=self.step.code())


def show(folder: str | Path, base: Base | None = None) -> ipywidgets.VBox:
    """Return the page on a studio's folder, which goes on where it was.

    `base`: the base model for a folder that is new. Everything that the page does can be done with
    `project.Project(folder)` and the calls that each step shows.
    """
    project = Project(folder)
    if base and not project.folder.is_dir():
        project.choose(base=base.name)
    return Page(project).widget


def _short(folder: Path) -> str:
    """Return the last two names of a folder."""
    return "/".join(folder.parts[-2:])
