"""What the steps of the page share: pieces of HTML, buttons, fields, and a view of what is going on.

Only what ipywidgets 7.7 and 8 share is used.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import ipywidgets
from ipywidgets import Widget

from lessons_lib.dataset.messages import one_line
from lessons_lib.display.html import render_template
from lessons_lib.studio.activity import EXPECTED, Activity, unexpected

_WHOLE_LABEL = {"description_width": "initial"}
_PAUSE = 0.3  # seconds from a click to its action, in which the page sends a value that it kept back


def piece(template: str, /, **values: object) -> ipywidgets.HTML:
    """Return a piece of the page from `templates/studio/`; every text is escaped."""
    return ipywidgets.HTML(fill(template, **values))


def fill(template: str, /, **values: object) -> str:
    """Return the HTML of a piece, to put into a widget that exists."""
    return render_template(f"studio/{template}.html.j2", **values)


def styled(widget: Widget, *names: str) -> Widget:
    """Return a widget with classes of the style sheet."""
    for name in names:
        widget.add_class(f"studio-{name}")
    return widget


def row(*children: Widget) -> ipywidgets.Box:
    """Return widgets side by side, on several lines where there is no room."""
    return styled(ipywidgets.HBox(children), "row")


def cards(children: Sequence[Widget]) -> ipywidgets.Box:
    """Return widgets in as many columns as there is room for."""
    return styled(ipywidgets.VBox(children), "cards")


def text_field(label: str, value: str = "", placeholder: str = "") -> ipywidgets.Text:
    """Return a field for a line of text, which reports when it is left and not at every key."""
    return ipywidgets.Text(
        value=value, description=label, placeholder=placeholder, style=_WHOLE_LABEL, continuous_update=False
    )


def text_area(label: str, value: str = "", rows: int = 3) -> ipywidgets.Textarea:
    """Return a field for some lines of text, which reports when it is left."""
    return ipywidgets.Textarea(
        value=value, description=label, rows=rows, style=_WHOLE_LABEL, continuous_update=False
    )


def drop_down(label: str, options: Sequence[tuple[str, Any]], value: Any) -> ipywidgets.Dropdown:
    """Return a list of (text, value) of which one is chosen."""
    return ipywidgets.Dropdown(options=options, value=value, description=label, style=_WHOLE_LABEL)


def radio(label: str, options: Sequence[tuple[str, Any]], value: Any) -> ipywidgets.RadioButtons:
    """Return (text, value) one below the other, of which one is chosen."""
    return ipywidgets.RadioButtons(options=options, value=value, description=label, style=_WHOLE_LABEL)


class Note(ipywidgets.HTML):
    """A line that says what happened: "good", "look" or "bad"; empty at first."""

    def say(self, text: str, kind: str = "good") -> None:
        """Show a text, or nothing where it is empty."""
        self.value = fill("note", text=text, kind=kind)

    def guard(self, action: Callable[[], None]) -> bool:
        """Return whether an action went well; if not, its error is shown in one line."""
        try:
            action()
        except EXPECTED as problem:
            self.say(one_line(problem, most=None), "bad")
        except Exception as problem:
            self.say(unexpected(problem), "bad")
        else:
            return True
        return False


def button(text: str, action: Callable[[], None], note: Note, *styles: str) -> ipywidgets.Button:
    """Return a button. What goes wrong in its action is shown in `note`.

    The action begins after a pause: ipywidgets keeps back a field's second change until the kernel has taken
    in the first, but sends a click at once, which would act on a value that the page no longer shows.
    """
    widget = styled(ipywidgets.Button(description=text), *styles)
    widget.on_click(lambda _: _after_pause(lambda: note.guard(action)))
    return widget


def _after_pause(action: Callable[[], object]) -> None:
    """Call an action after the pause, or at once where no event loop runs, as in a script."""
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        action()
    else:
        loop.call_later(_PAUSE, action)


def on_value(widget: Widget, action: Callable[[Any], None], note: Note) -> None:
    """Call `action` with each new value of a field. What goes wrong in it is shown in `note`."""
    widget.observe(lambda change: note.guard(lambda: action(change["new"])), names="value")


class ActivityView(ipywidgets.VBox):
    """What is going on in the background: a bar, a line, and a button that stops it.

    `on_tick` is called at each report, `on_end` when the work has ended well.
    """

    def __init__(self, note: Note, on_end: Callable[[], None], stop_text: str = "") -> None:
        self.note, self.on_end, self.stop_text = note, on_end, stop_text
        self.on_tick: Callable[[Activity], None] = lambda activity: None
        self._bar = ipywidgets.HTML()
        super().__init__([])

    def follow(self, activity: Activity) -> None:
        """Show an activity until it ends."""
        self.note.say("")
        stop = (
            [row(button(self.stop_text, lambda: self._stop(activity), self.note))] if self.stop_text else []
        )
        self.children = (self._bar, *stop)
        activity.on_change = self._show
        self._show(activity)

    def _stop(self, activity: Activity) -> None:
        activity.stop()
        self._show(activity)

    def _show(self, activity: Activity) -> None:
        if activity.state == "running":
            text = "stopping after this step" if activity.is_stopping else activity.message
            values = {"title": activity.title, "message": text}
            self._bar.value = fill("progress", **values, done=activity.done, total=activity.total)
            self.on_tick(activity)
            return
        self.children = ()
        if activity.state == "failed":
            self.note.say(activity.message, "bad")
        else:
            self.note.say(activity.message, "look")
            self.on_end()


def focus(widget: Widget) -> None:
    """Put the keyboard's focus on a widget; ipywidgets 7 cannot, and leaves it where it is."""
    move = getattr(widget, "focus", None)
    if move:
        move()
