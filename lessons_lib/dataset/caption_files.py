"""The caption of each picture, from its table or the files beside it, and a line on each thing that was
decided there.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import PurePosixPath

from lessons_lib.dataset.archives import Problem
from lessons_lib.dataset.messages import PictureError, count_of, name_list, printable
from lessons_lib.dataset.metadata import SHARED_CAPTION, read_captions
from lessons_lib.dataset.sources import ListedFile


@dataclass
class CaptionReader:
    """Reads captions and remembers the names of pictures by what became of them.

    A file that is no text is a problem.
    """

    problems: list[Problem]
    several: list[str] = field(default_factory=list)
    shared: list[str] = field(default_factory=list)
    mute: list[str] = field(default_factory=list)
    differing: list[str] = field(default_factory=list)
    without: list[str] = field(default_factory=list)

    def read(self, listed: ListedFile) -> str | None:
        """Return the caption of a picture: its row's, else that of the first file beside it that holds
        one.
        """
        name, own = listed.path.name, list[str]()
        for path, reader in listed.caption_files:
            if own or (path.name == SHARED_CAPTION and listed.row.captions):
                break
            try:
                own = read_captions((path, reader))
            except PictureError as problem:
                if not listed.row.captions:
                    self.problems.append((path, str(problem)))
                continue
            if own and path.name == SHARED_CAPTION:
                self.shared.append(name)
            if not own and path.suffix.lower() == ".json" and not listed.row.captions:
                self.mute.append(path.name)
        captions = listed.row.captions or own
        if listed.row.captions and own and own[0] not in listed.row.captions:
            self.differing.append(name)
        if len(own) > 1 and not listed.row.captions:
            self.several.append(name)
        if not captions:
            self.without.append(name)
        return captions[0] if captions else None

    def notes(self, lookalikes: list[str]) -> list[str]:
        """Return a line on each kind.

        `lookalikes` are files that look like captions and belong to no picture.
        """
        texts = {
            "with several captions, a line each: the first is used": self.several,
            f"without a caption of their own: {SHARED_CAPTION} is used": self.shared,
            "with one caption in the table and another in a file: the table's is used": self.differing,
        }
        notes = [
            f"{count_of(names, 'picture')} ({name_list(names)}) {text}"
            for text, names in texts.items()
            if names
        ]
        if self.mute:
            notes.append(
                f"{count_of(self.mute, 'file')} ({name_list(self.mute)}) without a caption; expected "
                '{"caption": "..."}'
            )
        if lookalikes and self.without:
            first = self.without[0]
            notes.append(
                f"{count_of(lookalikes, 'file')} like captions not read ({name_list(lookalikes)}): the "
                "caption of "
                f"{printable(first)} is expected in {printable(PurePosixPath(first).stem)}.txt, or all in "
                "metadata.csv"
            )
        return notes
