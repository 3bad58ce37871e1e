"""The caption of each picture, from its table or the files beside it, and a line on each thing that was
decided there.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from lessons_lib.dataset.archives import Problem, Reader
from lessons_lib.dataset.messages import PictureError, count_of, name_list, printable
from lessons_lib.dataset.metadata import SHARED_CAPTION, read_captions
from lessons_lib.dataset.sources import ListedFile


@dataclass
class CaptionReader:
    """Reads captions and lists the names of pictures (or files) for each kind of note.

    A caption file that is not text becomes a problem.
    """

    problems: list[Problem]
    several: list[str] = field(default_factory=list)
    shared: list[str] = field(default_factory=list)
    mute: list[str] = field(default_factory=list)
    differing: list[str] = field(default_factory=list)
    differing_files: list[str] = field(default_factory=list)
    without: list[str] = field(default_factory=list)

    def read(self, listed: ListedFile) -> list[str]:
        """Return the captions of a picture: its row's, else those of the first file beside it that holds
        any.
        """
        name, own = listed.path.name, list[str]()
        for path, reader in listed.caption_files:
            is_shared, is_json = path.name == SHARED_CAPTION, path.suffix.lower() == ".json"
            if (own or listed.row.captions) and (is_shared or is_json):
                continue
            texts = self._read_file(path, reader, is_needed=not (own or listed.row.captions))
            if own and texts and texts[0] != own[0]:
                self.differing_files.append(name)
            if texts and is_shared:
                self.shared.append(name)
            own = own or texts
        captions = listed.row.captions or own
        if listed.row.captions and own and own[0] not in listed.row.captions:
            self.differing.append(name)
        if len(own) > 1 and not listed.row.captions:
            self.several.append(name)
        if not captions:
            self.without.append(name)
        return captions

    def _read_file(self, path: Path, reader: Reader, is_needed: bool) -> list[str]:
        """Return the captions in a file; one that is needed and cannot be read is a problem."""
        try:
            texts = read_captions((path, reader))
        except PictureError as problem:
            if is_needed:
                self.problems.append((path, str(problem)))
            return []
        if not texts and path.suffix.lower() == ".json":
            self.mute.append(path.name)
        return texts

    def notes(self, lookalikes: list[str]) -> list[str]:
        """Return a line on each kind.

        `lookalikes` are files that look like captions and belong to no picture.
        """
        texts = {
            "with several captions, a line each: one at random at each step": self.several,
            f"without a caption of their own: {SHARED_CAPTION} is used": self.shared,
            "with one caption in the table and another in a file: the table's is used": self.differing,
            "with two caption files that differ: .txt before .caption is used": self.differing_files,
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
