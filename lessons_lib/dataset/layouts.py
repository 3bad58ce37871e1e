"""Which files of a folder are not training pictures: masks, regularisation (class) pictures, and files that
the course wrote.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path, PurePosixPath

from lessons_lib.dataset import repeats
from lessons_lib.dataset.messages import count_of, left_out, name_list, printable
from lessons_lib.dataset.tables import SPLITS

_RUN_FILES = ("pytorch_lora_weights.safetensors", "log.jsonl")  # beside settings.json, in the folder of a run
_COURSE_SAMPLE = re.compile(r"(^|/)(before_after\.jpg|samples/\d{5}_\d+\.jpg)$")
_REGULARISATION = re.compile(
    r"(reg|regs|reg[-_ ]?(images?|data|imgs?|pictures?)"
    r"|regulari[sz]ations?([-_ ]?(images?|data|imgs?|pictures?))?"
    r"|class[-_ ](images?|data|imgs?|pictures?)|prior)"
)
_MASK_FOLDER = re.compile(r"(alpha[-_ ]?|loss[-_ ]?)?masks?([-_ ]?labels?)?")
_MASK_NAME = re.compile(r"(?P<stem>.+?)[-_. ](?P<kind>mask|masks|masklabel|condlabel)|mask[-_](?P<rest>.+)")


def course_files(names: Iterable[str]) -> set[str]:
    """Return what the course wrote: all that lies in the folder of a run, samples, and pictures of before and
    after.
    """
    every = list(names)
    present = set(every)
    folders = [PurePosixPath(name).parent for name in every if PurePosixPath(name).name == "settings.json"]
    runs = {folder for folder in folders if any(str(folder / file) in present for file in _RUN_FILES)}
    inside = {name for name in every if runs and runs & set(PurePosixPath(name).parents)}
    return inside | {name for name in every if _COURSE_SAMPLE.search(name)}


def masks(pictures: Collection[str]) -> list[str]:
    """Return the masks among some pictures: a_mask.png or a-masklabel.png beside a.jpg, or masks/a.png."""
    in_mask_folder = {name: folder for name in pictures if (folder := _folder_like(name, _MASK_FOLDER))}
    others = [PurePosixPath(name) for name in pictures if name not in in_mask_folder]
    stems = {path.stem.casefold() for path in others} | {path.name.casefold() for path in others}
    folders = {
        folder
        for name, folder in in_mask_folder.items()
        if PurePosixPath(name).stem.casefold() in stems or _masked_stem(name) in stems
    }
    beside = {str(path.with_suffix("")).casefold() for path in others}
    beside |= {str(path).casefold() for path in others}
    of_pictures = {name for name in pictures if _masked_path(name) in beside}
    endings = {_mask_ending(name) for name in of_pictures}
    return [
        name
        for name in pictures
        if name in of_pictures
        or in_mask_folder.get(name, "") in folders
        or (_masked_stem(name) and _mask_ending(name) in endings)
        or re.search(r"-(mask|cond)label$", PurePosixPath(name).stem, re.IGNORECASE)
    ]


def pair_masks(mask_names: Iterable[str], pictures: Collection[str]) -> dict[str, str]:
    """Return the mask of each picture that has one: beside it by its name, or in a folder of masks, where its
    picture has the same name in the folder that holds the masks', or is the only one of that name.

    OneTrainer's -condlabel pictures are no loss masks.
    """
    beside = {str(PurePosixPath(name).with_suffix("")).casefold(): name for name in pictures}
    beside |= {name.casefold(): name for name in pictures}
    pairs: dict[str, str] = {}
    for mask in mask_names:
        path = PurePosixPath(mask.casefold())
        stems = [path.stem, _masked_stem(mask), path.stem.removesuffix("-masklabel")]
        folder = PurePosixPath(_folder_like(mask, _MASK_FOLDER).casefold()).parent
        near = [beside.get(_masked_path(mask)), *(beside.get(str(folder / stem)) for stem in stems if stem)]
        same = [
            p
            for p in pictures
            if {PurePosixPath(p).stem.casefold(), PurePosixPath(p).name.casefold()} & set(stems)
        ]
        picture = next((name for name in near if name), same[0] if len(same) == 1 else None)
        if picture and not path.stem.endswith("condlabel"):
            pairs.setdefault(picture, mask)
    return pairs


def _masked_path(name: str) -> str:
    """Return the path that a mask's picture has beside it, without its suffix and in lowercase letters."""
    return str(PurePosixPath(name).with_name(_masked_stem(name) or "\0")).casefold()


def _mask_ending(name: str) -> str:
    """Return how a mask's name ends behind its picture's: _mask.png."""
    return PurePosixPath(name).name.casefold().removeprefix(_masked_stem(name))


def _masked_stem(name: str) -> str:
    """Return the stem of the picture that a mask belongs to by its own name, in lowercase, or an empty
    text.
    """
    match = _MASK_NAME.fullmatch(PurePosixPath(name).stem.casefold())
    return (match["stem"] or match["rest"]) if match else ""


def regularisation(names: Iterable[str]) -> list[str]:
    """Return the files below a folder called reg or the like, as kohya's trainer has beside img."""
    return [name for name in names if _folder_like(name, _REGULARISATION)]


def trainer_output(names: Collection[str]) -> list[str]:
    """Return the files below model/ and log/ where kohya's folder holds img/10_name as well."""
    roots = {
        PurePosixPath(*parts[:i])
        for name in names
        for parts in [PurePosixPath(name).parts]
        for i in range(len(parts) - 2)
        if parts[i].casefold() in ("img", "image", "images") and repeats.in_folder_name(parts[i + 1])
    }
    outputs = {root / folder for root in roots for folder in ("model", "models", "log", "logs", "sample")}
    return [name for name in names if outputs & set(PurePosixPath(name).parents)]


def _folder_like(name: str, pattern: re.Pattern[str]) -> str:
    """Return the folder of a file's path whose own name fits a pattern, or an empty text."""
    parts = PurePosixPath(name).parts
    fitting = (i for i, part in enumerate(parts[:-1], 1) if pattern.fullmatch(part.casefold()))
    return "/".join(parts[: next(fitting, 0)])


def layout_notes(mask_names: list[str], pairs: Mapping[str, str], prior: list[str], root: Path) -> list[str]:
    """Return a note for each part of another trainer's layout: masks, those of a picture in `pairs`, and
    class pictures.
    """
    notes = []
    if prior:
        folder = root / _folder_like(prior[0], _REGULARISATION)
        reason = (
            "regularisation (class) pictures are never taught with the trigger word. Use them with "
            f"--prior {printable(folder)}"
        )
        notes.append(left_out([PurePosixPath(name).name for name in prior], "picture", reason))
    used = [PurePosixPath(name).name for name in mask_names if name in pairs.values()]
    if used:
        notes.append(
            f"{count_of(used, 'mask')} used ({name_list(used)}): what is black in a mask counts less in the "
            "loss of its picture, by --unmasked-weight"
        )
    rest = [PurePosixPath(name).name for name in mask_names if name not in pairs.values()]
    if rest:
        notes.append(left_out(rest, "mask", "masks of no picture here, or a second one of a picture"))
    return notes


def _split_of(name: str, prefix: str = "") -> str:
    """Return the split that the first folder below `prefix` is named after, or an empty text."""
    parts = PurePosixPath(name.removeprefix(prefix)).parts
    return SPLITS.get(parts[0].lower(), "") if len(parts) > 1 else ""


def splits_by_folder(names: Collection[str]) -> dict[str, str]:
    """Return the split of each file by its folder, train/ and test/, at the top or below the one folder that
    holds all.
    """
    common = {PurePosixPath(name).parts[0] for name in names if "/" in name}
    prefixes = ["", f"{common.pop()}/"] if len(common) == 1 and all("/" in n for n in names) else [""]
    for prefix in prefixes:
        splits = {name: _split_of(name, prefix) for name in names}
        if "train" in splits.values():
            return splits
    return {}
