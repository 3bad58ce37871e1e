"""Step 4: what is in each picture, by a model first and by hand then."""

from __future__ import annotations

from itertools import islice

import ipywidgets

from lessons_lib.dataset import captioners, captions
from lessons_lib.dataset.messages import count_of
from lessons_lib.dataset.pictures import Picture
from lessons_lib.session import current
from lessons_lib.studio import work
from lessons_lib.studio.activity import Work
from lessons_lib.studio.pictures import thumbnail
from lessons_lib.studio.steps.step import Step
from lessons_lib.studio.widgets import (
    ActivityView,
    button,
    cards,
    drop_down,
    on_value,
    piece,
    row,
    styled,
    text_area,
    text_field,
)

_AT_ONCE = 60


class CaptionsStep(Step):
    """A caption beside each picture."""

    title = "What is in each picture?"
    lead = (
        "A caption says who and what can be seen, and leaves out how it is drawn: what the captions do not "
        "say is what your word will come to mean."
    )
    work = Work.CAPTIONS

    def is_done(self) -> bool:
        return self._pictures() != [] and not self._without()

    def summary(self) -> str:
        without = self._without()
        return f"{count_of(without, 'picture')} without a caption" if without else ""

    def code(self) -> str:
        name = next((p.path.name for p in self._pictures()), "a.jpg")
        return (
            "from lessons_lib.studio import work\n\n"
            "work.write_captions(studio).wait()\n"
            f'studio.pictures.caption("{name}", "a boat on a lake at night")'
        )

    def build(self) -> list[ipywidgets.Widget]:
        self.table = cards([])
        self.view = ActivityView(self.note, self._written)
        options = [
            ("tags: only the nearest words that pocket knows; nothing is downloaded", captioners.OFFLINE)
        ]
        options += [
            (f"{name}: {c.note}; {c.memory_gb:g} GB, {c.licence}", name)
            for name, c in captioners.CAPTIONERS.items()
        ]
        default = captioners.OFFLINE if current().gpu_gb == 0 else "florence-2"
        self.by = drop_down("who writes the first captions", options, default)
        write = button("Write captions where there are none", self._write, self.note)
        old, new = text_field("replace this word everywhere"), text_field("by this")
        replace = button("Replace", lambda: self._replace(old.value, new.value), self.note)
        self._show()
        if activity := self.own_activity():
            self.view.follow(activity)
        return [self.by, row(write), self.view, self.table, row(old, new, replace)]

    def _pictures(self) -> list[Picture]:
        return self.project.pictures.dataset().pictures

    def _without(self) -> list[Picture]:
        return [p for p in self._pictures() if not p.caption]

    def _write(self) -> None:
        if not self._without():
            return self.note.say("Every picture has a caption.")
        self.view.follow(work.write_captions(self.project, self.by.value))

    def _written(self) -> None:
        self._show()
        self.page.refresh()
        self.note.say("Written. Read each one: the model does not know your subject.", "look")

    def _replace(self, old: str, new: str) -> None:
        pictures = self._pictures()
        texts, count = captions.replace_phrase([text for p in pictures for text in p.captions], old, new)
        rest = iter(texts)
        self.project.pictures.caption_all([list(islice(rest, len(p.captions))) for p in pictures])
        self.note.say(f"Replaced in {count_of(range(count), 'caption')}.")
        self._show()

    def _show(self) -> None:
        pictures = self.project.pictures.dataset(256).pictures
        self.table.children = [self._card(p) for p in pictures[:_AT_ONCE]]
        if len(pictures) > _AT_ONCE:
            text = f"and {len(pictures) - _AT_ONCE} more: their captions are in pictures/metadata.csv"
            self.table.children = (*self.table.children, piece("quiet", text=text))

    def _card(self, picture: Picture) -> ipywidgets.Widget:
        name = picture.path.name
        several = f"{count_of(picture.captions, 'caption')}, one a line" if picture.other_captions else ""
        image = {
            "image": thumbnail(picture, 300),
            "alt": f"picture {name}",
            "name": "",
            "texts": [several] if several else [],
            "box": None,
        }
        field = text_area(name, "\n".join(picture.captions))

        def on_text(text: str) -> None:
            self.project.pictures.caption(name, *(text.splitlines() if several else [text]))
            self.page.refresh()

        on_value(field, on_text, self.note)
        return styled(ipywidgets.VBox([piece("picture", **image), field]), "card")
