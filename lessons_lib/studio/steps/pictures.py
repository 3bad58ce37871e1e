"""Step 1: pictures come in, as files, a zip, or the name of a folder."""

from __future__ import annotations

import ipywidgets

from lessons_lib.dataset.messages import count_of
from lessons_lib.dataset.sources import Source
from lessons_lib.inspection.split import FEWEST_TO_TRAIN
from lessons_lib.paths import SAMPLE
from lessons_lib.studio.pictures import Added, thumbnail
from lessons_lib.studio.steps.step import Step
from lessons_lib.studio.widgets import button, fill, piece, row, text_field

_SHOWN = 40
_ACCEPT = ".jpg,.jpeg,.png,.webp,.gif,.bmp,.tif,.tiff,.heic,.heif,.avif,.zip,.csv,.txt,.jsonl"


class PicturesStep(Step):
    """Files, a zip or a folder become clean copies in the studio."""

    title = "Your pictures"
    lead = (
        "Choose ten to twenty pictures that have one thing in common: your way of drawing, or one thing "
        "seen from many sides. They are copied; your own files stay as they are."
    )

    def is_done(self) -> bool:
        return not self.needs()

    def needs(self) -> str:
        count = len(self.project.pictures.dataset().pictures)
        if count >= FEWEST_TO_TRAIN:
            return ""
        return f"Needs {FEWEST_TO_TRAIN} pictures or more; here are {count}."

    def summary(self) -> str:
        pictures = self.project.pictures.dataset().pictures
        return count_of(pictures, "picture") if pictures else ""

    def code(self) -> str:
        return (
            "from lessons_lib.studio.project import Project\n\n"
            f'studio = Project("{self.project.folder}")\n'
            'studio.pictures.add("a_folder_or.zip")'
        )

    def build(self) -> list[ipywidgets.Widget]:
        self.gallery, self.problems = ipywidgets.HTML(), ipywidgets.HTML()
        self.upload_box = ipywidgets.VBox([])
        self._new_upload()
        path = text_field("or the name of a folder or a zip on this machine", placeholder="my_pictures.zip")
        take = button("Take it", lambda: self._add(path.value.strip()), self.note)
        practice = button("Try it with the practice paintings", lambda: self._add(SAMPLE), self.note)
        self._show()
        return [
            self.upload_box,
            piece("quiet", text="One picture a file, or one zip; captions beside them are read, too."),
            row(path, take),
            row(practice),
            self.problems,
            self.gallery,
        ]

    def _new_upload(self) -> None:
        """Put a fresh upload button in place: no call that empties one is shared by ipywidgets 7 and 8."""
        upload = ipywidgets.FileUpload(accept=_ACCEPT, multiple=True, description="Choose pictures or a zip")
        upload.add_class("studio-main")

        def on_upload(change: dict) -> None:
            if change["new"]:
                self.note.guard(lambda: self._add(change["new"]))
                self._new_upload()

        upload.observe(on_upload, names="value")
        self.upload_box.children = (upload,)

    def _add(self, source: Source) -> None:
        if source == "":
            raise ValueError("the name is empty; write where the folder or the zip is")
        added = self.project.pictures.add(source)
        lines = [("must", "not used", text) for _, text in added.problems]
        lines += [("look", "", text) for text in added.notes]
        self.problems.value = fill("lines", lines=lines) if lines else ""
        self._show()
        self.page.refresh()
        self.note.say(_line(added), "look" if added.problems else "good")

    def _show(self) -> None:
        pictures = self.project.pictures.dataset(128).pictures
        images = [(thumbnail(p, 240), p.caption or p.path.name) for p in pictures[:_SHOWN]]
        self.gallery.value = fill("gallery", images=images, more=max(0, len(pictures) - _SHOWN))


def _line(added: Added) -> str:
    """Return what became of an upload in a sentence or two."""
    parts = [f"{count_of(added.names, 'picture')} added"]
    parts += [f"{count_of(added.problems, 'file')} cannot be used"] if added.problems else []
    parts += [f"{added.repeated} were here already"] if added.repeated else []
    place = f" {added.with_place} said where they were taken: the copies do not." if added.with_place else ""
    return ", ".join(parts) + "." + place
