"""Step 5: a style or one thing, and the word that will call it."""

from __future__ import annotations

import ipywidgets

from lessons_lib.adapters.settings import EXAMPLE_TRIGGER
from lessons_lib.dataset import captions
from lessons_lib.models import families
from lessons_lib.studio.steps.step import Step
from lessons_lib.studio.widgets import fill, on_value, radio, text_field

_MODES = (
    ("a style: the way all of them are made, for any subject", "style"),
    ("one thing: a person, an animal, an object, wherever it is", "concept"),
)


class IdeaStep(Step):
    """Style or concept, and the trigger word with the library's check of it."""

    title = "What shall it learn?"
    lead = (
        "Say what your pictures have in common, and make up a word for it. A word that means nothing yet is "
        "best: a real word brings its old meaning along."
    )

    def is_done(self) -> bool:
        return bool(self.project.choices.trigger)

    def needs(self) -> str:
        return "" if self.project.choices.trigger else "Needs a word to call it by."

    def summary(self) -> str:
        choices = self.project.choices
        return (
            f"{choices.trigger}, {'a style' if choices.mode == 'style' else 'one thing'}"
            if choices.trigger
            else ""
        )

    def code(self) -> str:
        choices = self.project.choices
        return f'studio.choose(mode="{choices.mode}", trigger="{choices.trigger or EXAMPLE_TRIGGER}")'

    def build(self) -> list[ipywidgets.Widget]:
        self.advice = ipywidgets.HTML()
        mode = radio("what they have in common", _MODES, self.project.choices.mode)
        trigger = text_field("your made-up word", self.project.choices.trigger, "such as v4se, or v4se cat")
        on_value(mode, lambda value: self._choose(mode=value), self.note)
        on_value(trigger, lambda value: self._choose(trigger=" ".join(value.split())), self.note)
        self._show()
        return [mode, trigger, self.advice]

    def _choose(self, **values: str) -> None:
        self.note.say("")
        self.project.choose(**values)
        self._show()
        self.page.refresh()

    def _show(self) -> None:
        trigger, base = self.project.choices.trigger, self.project.base
        if not trigger:
            self.advice.value = ""
            return
        tokenizer = families.find(base.family).load_tokenizer(base)
        train = self.project.pictures.dataset().train
        warnings = captions.caption_warnings(train, trigger, tokenizer, base.caption_tokens)
        lines = [("look", "worth a look", text) for text in warnings]
        if not captions.check_trigger(trigger, tokenizer):
            lines.insert(0, ("fine", trigger, "means nothing yet, so it is free to take a meaning"))
        if self.project.choices.mode == "concept" and len(trigger.split()) == 1:
            text = "a thing learns better with its kind behind the word, such as 'v4se cat'"
            lines.append(("look", "worth a look", text))
        lines.append(("", "the first caption will be", self.project.first_caption()))
        self.advice.value = fill("lines", lines=lines)
