"""Contact sheets: every picture in its place, in its own shape."""

import pytest
from PIL import Image

from lessons_lib.display import contact_sheets

RED, BLUE = (200, 30, 40), (30, 60, 190)


def plain(colour, size=(64, 64)):
    return Image.new("RGB", size, colour)


def test_a_crop_sheet_has_a_row_a_picture_and_a_column_a_crop():
    rows = [{"whole": plain(RED), "centre": plain(BLUE)}, {"whole": plain(BLUE), "centre": plain(RED)}]
    sheet = contact_sheets.crop_sheet(rows, ["a.png", "b.png"], side=64)
    assert sheet.size == (12 + 2 * 76, 34 + 2 * 98)
    corners = [sheet.getpixel((12 + x * 76, 34 + y * 98)) for y in (0, 1) for x in (0, 1)]
    assert corners == [RED, BLUE, BLUE, RED]


def test_a_name_in_letters_that_the_font_lacks_becomes_a_number():
    rows = [{"whole": plain(RED)}] * 4
    hindi = contact_sheets.crop_sheet(rows, ["\u092e\u094b\u0930.png"] * 4, side=64)
    numbers = contact_sheets.crop_sheet(rows, [f"picture {i}" for i in (1, 2, 3, 4)], side=64)
    assert hindi.tobytes() == numbers.tobytes()


def test_crops_without_a_name_each_are_refused():
    with pytest.raises(ValueError, match="1 rows of crops and 0 names"):
        contact_sheets.crop_sheet([{"whole": plain(RED)}], [])


def test_a_group_sheet_holds_every_picture_in_its_shape():
    sheet = contact_sheets.group_sheet(
        {"wide": [plain(RED, (300, 100))], "tall": [plain(BLUE, (100, 200))] * 9}
    )
    counts = {colour: count for count, colour in sheet.getcolors(10**6)}
    assert counts[RED] == 260 * 87 and counts[BLUE] == 9 * 65 * 130
    assert sheet.height == 12 + 3 * (130 + 34)


def test_a_group_sheet_without_pictures_is_refused():
    with pytest.raises(ValueError, match="no pictures"):
        contact_sheets.group_sheet({"empty": []})
