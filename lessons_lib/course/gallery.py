"""A page of what the course itself made, with what went wrong: pictures and printed lines of the lessons as
they were last run.

`python -m lessons_lib.course.gallery` writes notebooks/GALLERY.md and its pictures anew.
"""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from PIL import Image

from lessons_lib.paths import NOTEBOOK_PICTURES, NOTEBOOKS

PAGE = NOTEBOOKS / "GALLERY.md"


@dataclass(frozen=True)
class Exhibit:
    """A picture of a lesson. `source`: a part of the code that draws it, or its file in notebooks/pictures.
    `printed`: parts of the lines that the lesson prints on it; each line with one of them is quoted.
    """

    lesson: str
    title: str
    source: str
    shows: str
    wrong: str
    printed: tuple[str, ...]


EXHIBITS = (
    Exhibit("00", "The first before and after", '["before", "after"], side=200',
            "Four things before the training and after it, with the same seeds.",
            "Border and paper came, and outlines went, the elephant's most of all. Cover the upper row and "
            "name the lower one.",
            ("whole: base", "centre: base")),
    Exhibit("02", "Four pictures, or sixteen", "list(samples), side=200, columns=SUBJECTS",
            "The same things by a training on four paintings and by one on sixteen, the base first.",
            "More pictures brought no more style that shows. To our eye the row of four is clearer; no "
            "figure says so.",
            ("style: 6 drawings", "prompt kept: 6 drawings",
             "style: 20 drawings show no difference between 4 ",
             "prompt kept: 20 drawings show no difference between 4 ")),
    Exhibit("03", "What a caption should say", '["base", *MODES]',
            "The same things after trainings with three kinds of captions.",
            "Captions that named the content brought more of the style, and took from the prompt. A "
            "caption of the word alone kept more of it and brought less style. No way of writing had both.",
            ("style by the trigger", "prompt kept: trigger only")),
    Exhibit("05", "How many steps", "names, side=200",
            "The same things after more and more steps.",
            "The prompt suffered early. In the lesson's recorded run eight times as many steps left a little "
            "less style.",
            ("style match: 16", "prompt kept: 48", "prompt kept: 100", "style match: 800")),
    Exhibit("06", "A judge's best and worst", "best, worst = lesson_06",
            "Six pictures of one and the same run: the three whose thing a judge names best, the three it "
            "names worst.",
            "Both halves are true and both mislead. That is why no other row of this page was chosen by"
            " how well its things can be named.",
            ("chosen to", "lowest by", "all: prompt kept")),
    Exhibit("06", "Memorised, on purpose", '["painting", "drawn"]',
            "A run that was shown two paintings two hundred times, beside those paintings.",
            "It repeats them. It was made to find out which measure notices; the one by features does "
            "not.",
            ("memorised ones above", "memorised:")),
    Exhibit("06", "Memorised, not on purpose", '"most repeated"',
            "The page of the ordinary run that comes nearest to a painting, with the painting's own "
            "caption at full strength.",
            "Nobody asked for it. The line says how many of the sixteen captions bring back a layout.",
            ("ours, own captions",)),
    Exhibit("07", "One castle, twelve faults", "07_museum.jpg",
            "The same castle after twelve trainings, each with another fault.",
            "Each of them, on purpose. Noise and black are named by anybody. The lesson's own list of "
            "questions errs over wrong captions, style words in captions and guidance left on.",
            ("recorded trainings are named", "was taken for")),
    Exhibit("08", "Everybody is the owl", "08_everyone.jpg",
            "A fox, a cat, a penguin and a boy by the base, and by adapters that were trained on an owl: "
            "without a remedy, with a class noun, with class pictures, with both.",
            "Nobody asked for the owl, and its colours came, and some of its shape. Class pictures keep the "
            "four apart; the grounds change with them, and the owl is less like itself.",
            ("turned, by features         ", "no remedy             ", "class pictures          0.",
             "as many turned as without a remedy, by pocket-clip", "turned, by pocket-clip  likeness",
             "class pictures          =")),
    Exhibit("09", "Two styles in one picture", "list(mixes)",
            "Paintings and blueprints, each alone and in three mixtures.",
            "By the measure no mixture has both styles. By eye the middle row has a little of each, the blue "
            "and the border.",
            ("a mix with both",)),
    Exhibit("10", "A house's answers", "house.answers_chart(",
            "A language model's right answers about a house and in general, before and after its adapter.",
            "It answers what it was trained on, and forgot a part of what it had known. Nothing in the "
            "training said that this should stay.",
            ()),
    Exhibit("10", "A brand's assets", "10_brand.jpg",
            "Five things by the base and with the brand's adapter, and five of the brand's own cards.",
            "The ground came first, then a mark, and the pale disc last. None of twelve could be used: "
            "colours off the palette, and ever fewer things recognised.",
            ("strength 0.5: palette", "strength 0.75: palette", "strength 1.0: palette", "base: ",
             "could be used")),
    Exhibit("10", "The same brand by rule", '"base, by rule"',
            "Eight things by the base; the same drawings cut out, recoloured and put on the brand's cards by "
            "thirty lines of code, without and with the brand's adapter below them.",
            "Nothing was learned for the middle row. The adapter's mark comes beside the one that is pasted, "
            "and of the brand's own cards the judge recognises nothing.",
            ("by rule: palette", "the cards themselves")),
    Exhibit("11", "A set of one's own", '["before", "after"], side=150',
            "Six things before and after a training on crayon drawings, none of which shows them.",
            "The goal was crayon. A warm ground came, and pieces of the ring that all of the set has.",
            ("style: wanted", "prompt match: wanted")),
)  # fmt: skip
_HEAD = """# The gallery

What the course itself made, with everything that went wrong. Pictures and lines are those of the lessons as
they were last run, on the small model `pocket`, which draws 128 px; no picture was chosen for its looks.
`python -m lessons_lib.course.gallery` writes it again. [Contents](../README.md#the-lessons)
"""


def write(page: Path = PAGE, pictures: Path = NOTEBOOK_PICTURES) -> None:
    """Write the page and its pictures. ValueError for an exhibit that its lesson does not draw any more."""
    parts = [_HEAD]
    for number, exhibit in enumerate(EXHIBITS, 1):
        lesson = next(iter(sorted(NOTEBOOKS.glob(f"{exhibit.lesson}_*.ipynb"))))
        cells = [cell for cell in nbformat.read(lesson, as_version=4).cells if cell.cell_type == "code"]
        name = _picture_name(exhibit, number)
        if name != exhibit.source:
            _picture(exhibit, cells).save(pictures / name, quality=70, method=6)
        lines = _lines(exhibit, cells)
        quoted = "\n```text\n" + "\n".join(lines) + "\n```\n" if lines else ""
        parts.append(
            f"\n## {exhibit.title}\n\n{exhibit.shows} [Lesson {exhibit.lesson}]({lesson.name})\n\n"
            f"![{exhibit.shows}](pictures/{name})\n{quoted}\n**What went wrong.** {exhibit.wrong}\n"
        )
    page.write_text("".join(parts), encoding="utf-8")


def _picture_name(exhibit: Exhibit, number: int) -> str:
    """Return the file of an exhibit's picture: its own, or that of its number."""
    return exhibit.source if exhibit.source.endswith(".jpg") else f"gallery_{number:02}.webp"


def _picture(exhibit: Exhibit, cells: list[NotebookNode]) -> Image.Image:
    """Return the picture that the exhibit's cell has drawn."""
    for cell in cells:
        images = [o.data["image/jpeg"] for o in cell.outputs if "image/jpeg" in o.get("data", {})]
        if exhibit.source in cell.source and images:
            return Image.open(io.BytesIO(base64.b64decode(images[0])))
    raise ValueError(
        f"lesson {exhibit.lesson} draws no {exhibit.source!r}; change {exhibit.title!r} in gallery.py"
    )


def _lines(exhibit: Exhibit, cells: list[NotebookNode]) -> list[str]:
    """Return the lines that the lesson prints on an exhibit, each once."""
    printed = [
        line for cell in cells for output in cell.outputs for line in output.get("text", "").splitlines()
    ]
    lines = dict.fromkeys(line.strip() for line in printed if any(part in line for part in exhibit.printed))
    missing = [part for part in exhibit.printed if not any(part in line for line in lines)]
    if missing:
        raise ValueError(
            f"lesson {exhibit.lesson} prints no {missing[0]!r}; change {exhibit.title!r} in gallery.py"
        )
    return list(lines)


if __name__ == "__main__":
    write()
