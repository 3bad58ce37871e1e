"""Step 10: the files to take along, and publishing, which lists first what would go."""

from __future__ import annotations

import ipywidgets

from lessons_lib.adapters import hub
from lessons_lib.adapters.hub import Publication
from lessons_lib.adapters.run import Run
from lessons_lib.studio import takeaway
from lessons_lib.studio.steps.step import Step
from lessons_lib.studio.widgets import button, fill, piece, row, text_field


class SharingStep(Step):
    """Downloads, one by one and as one zip, and the way to the Hugging Face Hub."""

    title = "Take it with you"
    lead = (
        "The files work in other programs, with nothing of this course installed. Keep the card beside them."
    )

    def is_done(self) -> bool:
        return bool(self.project.run())

    def code(self) -> str:
        return (
            "from lessons_lib.adapters import hub\nfrom lessons_lib.studio import takeaway\n\n"
            "print(takeaway.bundle(studio.run()))\n"
            'print(*hub.publish(studio.run().folder, "me/my-style", dry_run=True).lines(), sep="\\n")'
        )

    def build(self) -> list[ipywidgets.Widget]:
        run = self.project.run()
        if run is None:
            return [piece("note", text="There is nothing to take along yet: train first.", kind="look")]
        self.note.say(takeaway.renew_card(run), "look")
        files = [takeaway.File(takeaway.bundle(run), "all of them in one zip"), *takeaway.files(run)]
        links = [(file, takeaway.address(file.path)) for file in files]
        repository = text_field(
            "to publish: your name on the Hugging Face Hub and a new name", "", "me/my-style"
        )
        self.list, self.send = ipywidgets.HTML(), row()
        show = button("Show what would go there", lambda: self._show(run, repository.value), self.note)
        return [
            piece("files", files=links),
            piece("quiet", text=f"They lie in {run.folder}"),
            row(repository, show),
            self.list,
            self.send,
        ]

    def _show(self, run: Run, repository: str) -> None:
        """List what would go to a repository; nothing is sent."""
        self.list.value, self.send.children = "", ()
        publication = hub.publish(run.folder, repository.strip(), dry_run=True)
        self.list.value = fill("lines", lines=_lines(publication))
        if not publication.problems:
            send = button(
                "Publish it, for my eyes only at first", lambda: self._send(run, repository), self.note
            )
            self.send.children = (send,)
        self.note.say("Nothing was sent.", "good")

    def _send(self, run: Run, repository: str) -> None:
        publication = hub.publish(run.folder, repository.strip(), dry_run=False)
        self.list.value = fill("lines", lines=_lines(publication))
        self.send.children = ()
        self.note.say(f"It is at {publication.url}")


def _lines(publication: Publication) -> list[tuple[str, str, str]]:
    """Return what goes, what stays, what keeps it back, and how other programs load it."""
    sizes = {name: f"{len(data) / 1e3:,.0f} kB" for name, data in publication.files.items()}
    lines = [("must", "keeps it back", problem) for problem in publication.problems]
    lines += [("fine", "goes", f"{name}, {size}") for name, size in sizes.items()]
    lines += [("look", "stays here", ", ".join(publication.left_out))] if publication.left_out else []
    return lines + [("", "", address) for address in publication.addresses if not publication.problems]
