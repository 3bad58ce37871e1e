"""What every step of the page is."""

from __future__ import annotations

from typing import Protocol

import ipywidgets

from lessons_lib.studio import activity as activities
from lessons_lib.studio.activity import Activity, Work
from lessons_lib.studio.project import Project
from lessons_lib.studio.widgets import Note


class PageLike(Protocol):
    """What a step uses of the page."""

    project: Project
    steps: list[Step]

    def refresh(self) -> None:
        """Say anew what each step holds and needs."""


class Step:
    """One step: `title` and `lead` stand above it.

    `work` is what it does in the background, and shows.
    What it says of a project needs no widgets, and `build` makes these when the step is opened.
    """

    title = ""
    lead = ""
    work: Work | None = None

    def __init__(self, page: PageLike):
        self.page, self.note = page, Note()

    @property
    def project(self) -> Project:
        """The studio's folder."""
        return self.page.project

    def is_passed(self) -> bool:
        """Return whether a step after this one was opened, or a training made that needed them all."""
        return self.project.choices.furthest > self.page.steps.index(self) or self.project.run() is not None

    def own_activity(self) -> Activity | None:
        """Return the step's own work where it is going on; that of other steps is theirs to show."""
        activity = activities.current(self.project.folder)
        return activity if activity and activity.title == self.work else None

    def needs(self) -> str:
        """Return what is missing before the next step, or an empty text."""
        return ""

    def is_done(self) -> bool:
        """Return whether the step holds something already."""
        return False

    def summary(self) -> str:
        """Return what the step holds, in a few words."""
        return ""

    def code(self) -> str:
        """Return the calls that do the same without clicking."""
        return ""

    def build(self) -> list[ipywidgets.Widget]:
        """Return the step's widgets."""
        return []
