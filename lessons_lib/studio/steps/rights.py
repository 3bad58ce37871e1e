"""Step 3: whose pictures they are."""

from __future__ import annotations

from collections import Counter

import ipywidgets

from lessons_lib.dataset.messages import count_of, name_list
from lessons_lib.studio.pictures import PLACE
from lessons_lib.studio.steps.step import Step
from lessons_lib.studio.widgets import button, drop_down, fill, row, text_field

_OWN = "all rights with the maker"
_LICENCES = (
    ("choose one", ""),
    ("I made them myself and keep all rights", _OWN),
    ("CC0 or public domain", "CC0-1.0"),
    ("CC BY 4.0: the maker must be named", "CC-BY-4.0"),
    ("CC BY-SA 4.0: named, and shared alike", "CC-BY-SA-4.0"),
    ("the maker gave me leave, in writing", "used with the maker's leave"),
    ("another: I write it below", "other"),
)


class RightsStep(Step):
    """Maker, licence and source of all pictures, or of those that have none yet."""

    title = "Whose are they?"
    lead = (
        "Your file will carry a card that names the maker and the licence of every picture it learned from. "
        "To try it for yourself you may leave this open; to publish, every picture needs a licence."
    )

    def is_done(self) -> bool:
        pictures = self.project.pictures.dataset().pictures
        return bool(pictures) and all(p.rights.get("licence") for p in pictures)

    def summary(self) -> str:
        pictures = self.project.pictures.dataset().pictures
        unknown = [p for p in pictures if not p.rights.get("licence")]
        return f"{count_of(unknown, 'picture')} without a licence" if unknown else ""

    def code(self) -> str:
        return 'studio.pictures.rights(maker="Your Name", licence="CC-BY-4.0", source="drawn in 2026")'

    def build(self) -> list[ipywidgets.Widget]:
        self.overview = ipywidgets.HTML()
        self.maker, self.source = text_field("maker"), text_field("where from, such as an address or a book")
        self.licence = drop_down("licence", _LICENCES, "")
        self.other = text_field("another licence", placeholder="only where none of the list fits")
        everyone = button("Write it on all pictures", lambda: self._write(everyone=True), self.note)
        missing = button("Only on those without a licence", lambda: self._write(everyone=False), self.note)
        self._show()
        fields = [self.maker, self.licence, self.other, self.source]
        return [self.overview, *fields, row(everyone, missing)]

    def _write(self, everyone: bool) -> None:
        licence = self.other.value.strip() if self.licence.value in ("", "other") else self.licence.value
        if not licence:
            raise ValueError("no licence is chosen; choose one of the list, or write one")
        pictures = self.project.pictures.dataset().pictures
        names = [p.path.name for p in pictures if everyone or not p.rights.get("licence")]
        self.project.pictures.rights(names, maker=self.maker.value, licence=licence, source=self.source.value)
        self._show()
        self.page.refresh()
        self.note.say(f"Written on {count_of(names, 'picture')}.")

    def _show(self) -> None:
        pictures = self.project.pictures.dataset().pictures
        kinds = Counter((p.rights.get("maker", ""), p.rights.get("licence", "")) for p in pictures)
        lines = []
        for (maker, licence), count in kinds.most_common():
            who = f"{maker or 'maker not named'}, {licence or 'licence not known'}"
            lines.append(("fine" if licence else "look", f"{count_of(range(count), 'picture')}", who))
        places = [p.path.name for p in pictures if p.more.get(PLACE)]
        if places:
            text = (
                f"{name_list(places)} said where it was taken. The copies here do not, nor does any file "
                "made of them"
            )
            lines.append(("fine", "places", text))
        self.overview.value = fill("lines", lines=lines)
