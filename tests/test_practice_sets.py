"""The practice sets are what the code in `data/` draws, with the metadata of its lists."""

import csv
import platform
import sys

import numpy as np
import pytest
from PIL import Image

from lessons_lib.paths import BRAND, DETAILS, SAMPLE

pytest.importorskip("skia", reason="skia-python needs the system's libGL and libEGL", exc_type=ImportError)

from data.brand import __main__ as brand
from data.brand.cards import CARDS
from data.character import __main__ as character
from data.character.fox_scenes import FOX_SCENES
from data.character.scenes import SCENES
from data.painter import __main__ as painter
from data.painter.album import ALBUM
from data.painter.details import DETAILS as DETAILS_LIST

# What the committed pictures were drawn on; another processor may round single pixels differently.
SAME_PIXELS = sys.platform == "linux" and platform.machine() == "x86_64"
OWL, FOX = (SAMPLE.parent / name for name in ("sample_character", "sample_second_character"))
SETS = {  # the folder, the list, how a picture is drawn, and the source that the metadata name
    "album": (SAMPLE, ALBUM, painter.save, "data/painter"),
    "details": (DETAILS, DETAILS_LIST, painter.save, "data/painter"),
    "owl": (OWL, SCENES, character.save, "data/character"),
    "fox": (FOX, FOX_SCENES, character.save, "data/character"),
    "brand": (BRAND, CARDS, brand.save, "data/brand"),
}
each_set = pytest.mark.parametrize(("folder", "pictures", "save", "source"), SETS.values(), ids=SETS)


def pixels(path):
    return np.asarray(Image.open(path).convert("RGB"), np.float32)


@each_set
def test_drawn_again_the_pictures_are_the_committed_ones(folder, pictures, save, source, tmp_path):
    for picture in pictures[2::9] if pictures is DETAILS_LIST else pictures:
        again, committed = save(picture, tmp_path), folder / picture.file_name
        assert pixels(again).shape == pixels(committed).shape
        difference = np.abs(pixels(again) - pixels(committed)).mean()
        assert difference < (0.5 if committed.suffix == ".png" else 1), picture.name
        if SAME_PIXELS and committed.suffix == ".jpg":  # the committed file is packed tighter, without loss
            assert np.array_equal(pixels(again), pixels(committed)), picture.name


@each_set
def test_metadata_and_files_are_those_of_the_list(folder, pictures, save, source):
    with (folder / "metadata.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert rows == [painter.metadata(one, folder / one.file_name, source) for one in pictures]
    names = {path.relative_to(folder).as_posix() for path in folder.glob("[th]*/*")}
    assert names == {one.file_name for one in pictures} and len(names) == len(pictures)
