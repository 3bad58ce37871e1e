"""Step 10: the files to take along, and a dry run of publishing them."""

from __future__ import annotations

import ipywidgets

from lessons_lib.studio import takeaway
from lessons_lib.studio.steps.step import Step
from lessons_lib.studio.widgets import piece


class SharingStep(Step):
    """Downloads, one by one and as one zip."""

    title = "Take it with you"
    lead = (
        "The files work in other programs, with nothing of this course installed. Keep the card beside them."
    )

    def is_done(self) -> bool:
        return bool(self.project.run())

    def summary(self) -> str:
        return ""

    def code(self) -> str:
        return "from lessons_lib.studio import takeaway\n\nprint(takeaway.bundle(studio.run()))"

    def build(self) -> list[ipywidgets.Widget]:
        run = self.project.run()
        if run is None:
            return [piece("note", text="There is nothing to take along yet: train first.", kind="look")]
        files = [takeaway.File(takeaway.bundle(run), "all of them in one zip"), *takeaway.files(run)]
        links = [(file, takeaway.address(file.path)) for file in files]
        where = f"They lie in {run.folder}"
        return [piece("files", files=links), piece("quiet", text=where)]
