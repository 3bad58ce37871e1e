"""Step 2: the report on the pictures, and what can be done about it: turn, crop, hold out, leave out."""

from __future__ import annotations

from functools import partial

import ipywidgets

from lessons_lib.dataset import crops
from lessons_lib.dataset.messages import count_of
from lessons_lib.inspection.findings import ADVICE, CSS_CLASSES, InspectedPicture, gravest_first
from lessons_lib.inspection.report import Report
from lessons_lib.studio.pictures import box_place, thumbnail
from lessons_lib.studio.steps.step import PageLike, Step
from lessons_lib.studio.widgets import button, cards, drop_down, fill, on_value, piece, row, styled

_AT_ONCE = 24  # pictures with their buttons; more make a page slow


class ReportStep(Step):
    """Every picture with what was found on it."""

    title = "Look at them"
    lead = (
        "What the course thinks of your pictures, gravest first. The dashed square is the part that is "
        "learned from. Leave out what does not belong."
    )

    def __init__(self, page: PageLike):
        super().__init__(page)
        self.report: Report | None = None
        self.shown = _AT_ONCE

    def is_done(self) -> bool:
        return self.is_passed() and not self.needs() and bool(self.project.pictures.dataset().pictures)

    def needs(self) -> str:
        if self.report is None or not self.report.count("must fix"):
            return ""
        names = [one.name for one in self.report.pictures if one.level == "must fix"]
        set_lines = [finding.what for finding in self.report.findings if finding.level == "must fix"]
        return set_lines[0] if set_lines else f"Turn to or leave out: {', '.join(names)}."

    def summary(self) -> str:
        held_out = len(self.project.pictures.dataset().held_out)
        return f"{held_out} held out for judging" if held_out else ""

    def code(self) -> str:
        name = next((p.path.name for p in self.project.pictures.dataset().pictures), "a.jpg")
        return (
            'print(*studio.report().lines(), sep="\\n")\n'
            "studio.hold_out()\n"
            f'studio.pictures.turn("{name}")\n'
            f'studio.pictures.crop("{name}", (0, 0, 256, 256))\n'
            f'studio.pictures.leave_out("{name}")'
        )

    def build(self) -> list[ipywidgets.Widget]:
        self.overview, self.grid, self.more = ipywidgets.HTML(), cards([]), ipywidgets.VBox([])
        self.left_out = ipywidgets.VBox([])
        hold_out = button("Hold some out for me", self._hold_out, self.note)
        held_out_text = (
            "Pictures that are held out are not learned from. They are how we can tell later whether it "
            "worked: one in five is a good share."
        )
        self._show()
        return [
            self.overview,
            piece("quiet", text=held_out_text),
            row(hold_out),
            self.grid,
            self.more,
            self.left_out,
        ]

    def _hold_out(self) -> None:
        names = self.project.hold_out()
        text = "none: fewer than ten pictures, or they are too much alike" if not names else ", ".join(names)
        self._changed(f"Held out: {text}.")

    def _changed(self, text: str) -> None:
        self._show()
        self.page.refresh()
        self.note.say(text)  # last: what is on the page then can be clicked

    def _show(self) -> None:
        """Fill the step anew from the folder."""
        if not self.project.pictures.dataset().pictures:
            self.report = None
            self.overview.value = fill(
                "note", text="There are no pictures yet: step 1 takes them.", kind="look"
            )
            self.grid.children = ()
            return
        self.report = self.project.report()
        lines = [(CSS_CLASSES[f.level], f.level, f.what) for f in gravest_first(self.report.findings)]
        self.overview.value = fill("lines", lines=lines)
        pictures = gravest_first(self.report.pictures)
        self.grid.children = [self._card(one) for one in pictures[: self.shown]]
        rest = len(pictures) - self.shown
        more = button(f"Show {min(rest, _AT_ONCE)} more", self._show_more, self.note)
        self.more.children = (more,) if rest > 0 else ()
        self._show_left_out()

    def _show_more(self) -> None:
        self.shown += _AT_ONCE
        self._show()

    def _card(self, one: InspectedPicture) -> ipywidgets.Widget:
        """Return a picture with its findings and what can be done."""
        name, view = one.picture.path.name, ipywidgets.HTML()
        place = _place(one)
        view.value = self._figure(one, place)
        held_out = ipywidgets.Checkbox(
            value=one.part == "held_out", description=f"hold out {_stem(name)}", indent=False
        )
        on_value(held_out, lambda value: self._hold(name, value), self.note)
        turn = button("Turn", lambda: self._turn(name), self.note, "small")
        drop = button("Leave out", lambda: self._leave_out(name), self.note, "small")
        for widget, text in ((turn, f"turn {name}"), (drop, f"leave out {name}")):
            widget.tooltip = text
        return styled(
            ipywidgets.VBox([view, *self._crop(one, place, view), held_out, row(turn, drop)]), "card"
        )

    def _crop(self, one: InspectedPicture, place: float, view: ipywidgets.HTML) -> list[ipywidgets.Widget]:
        """Return a list of the parts that can be learned from; none for a square."""
        size, name = one.stats.size, one.picture.path.name
        if abs(size[0] - size[1]) <= 0.02 * max(size):
            return []
        ends = ("left", "right") if size[0] > size[1] else ("upper", "lower")
        names = [
            f"{ends[0]} end",
            f"nearer the {ends[0]} end",
            "middle",
            f"nearer the {ends[1]} end",
            f"{ends[1]} end",
        ]
        options = [(text, number / 4) for number, text in enumerate(names)]
        part = drop_down(f"part of {_stem(name)} to learn from", options, round(4 * place) / 4)

        def on_crop(value: float) -> None:
            self.project.pictures.crop(name, crops.square_box(size, value))
            view.value = self._figure(one, value)

        on_value(part, on_crop, self.note)
        return [part]

    def _figure(self, one: InspectedPicture, place: float) -> str:
        size = one.stats.size
        square = crops.in_per_cent(crops.square_box(size, place), size)
        findings = [str(finding) for finding in one.findings if finding.level != "fine"]
        advice = [ADVICE[f.what] for f in one.findings if f.level == "must fix" and f.what in ADVICE]
        texts = [f"{size[0]} x {size[1]} px", *findings, *advice]
        alt = one.picture.caption or one.name
        return fill(
            "picture", image=thumbnail(one.picture, 460), alt=alt, name=one.name, texts=texts, box=square
        )

    def _hold(self, name: str, value: bool) -> None:
        self.project.pictures.hold_out(name, value)
        self.page.refresh()

    def _turn(self, name: str) -> None:
        self._changed(f"{self.project.pictures.turn(name)} was turned by a quarter.")

    def _leave_out(self, name: str) -> None:
        self.project.pictures.leave_out(name)
        self._changed(f"{name} is left out; it stands at the end of this step.")

    def _show_left_out(self) -> None:
        pictures = self.project.pictures.left_out_pictures()
        if not pictures:
            self.left_out.children = ()
            return
        title = piece("lines", lines=[("", f"{count_of(pictures, 'picture')} left out", "")])
        buttons = [
            button(f"Bring back {name}", partial(self._bring_back, name), self.note, "small")
            for name in (picture.path.name for picture in pictures)
        ]
        self.left_out.children = (title, row(*buttons))

    def _bring_back(self, name: str) -> None:
        self.project.pictures.bring_back(name)
        self._changed(f"{name} is back.")


def _place(one: InspectedPicture) -> float:
    """Return where the square that is learned from lies, 0 ... 1."""
    try:
        box = crops.table_box(one.picture)
    except ValueError:
        return 0.5
    return min(1.0, max(0.0, box_place(one.stats.size, box))) if box else 0.5


def _stem(name: str) -> str:
    return name.rsplit(".", 1)[0]
