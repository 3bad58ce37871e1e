"""Pictures of phones: read where pillow-heif is installed, else one line that says what to do."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from lessons_lib.dataset import decode, sources
from lessons_lib.dataset.dataset import read
from lessons_lib.dataset.messages import PictureError

pillow_heif = pytest.importorskip("pillow_heif")


@pytest.fixture
def phone(tmp_path):
    """A folder with a picture as a phone writes it, turned by its EXIF tag and with a place."""
    tags = Image.Exif()
    tags.get_ifd(0x8825).update({1: "N", 2: (1.0, 2.0, 3.0)})
    image = Image.linear_gradient("L").resize((120, 90)).convert("RGB")
    out = io.BytesIO()
    pillow_heif.from_pillow(image).save(out, quality=90, exif=tags.tobytes())
    (tmp_path / "IMG_1.HEIC").write_bytes(out.getvalue())
    (tmp_path / "IMG_1.txt").write_text("a grey wall", encoding="utf-8")
    return tmp_path


def test_a_heic_file_is_read_with_its_caption(phone):
    (picture,) = read(phone).train
    assert picture.caption == "a grey wall" and picture.size == (120, 90)
    assert picture.image.getpixel((60, 80))[0] > picture.image.getpixel((60, 10))[0] + 100
    assert picture.file.notes == [decode.HAS_PLACE] and picture.image.info == {}


def test_a_heic_file_that_is_called_jpeg_is_read_too(phone):
    (phone / "IMG_1.HEIC").rename(phone / "IMG_1.jpg")
    assert read(phone).train[0].size == (120, 90)


def test_without_pillow_heif_a_line_says_what_to_do(phone, monkeypatch):
    data = (phone / "IMG_1.HEIC").read_bytes()
    (phone / "b.jpg").write_bytes(data)
    for module in (decode, sources):
        monkeypatch.setattr(module, "reads_heif", lambda: False)
    dataset = read(phone, strict=False)
    (note,) = [line for line in dataset.notes if "1 file left out (IMG_1.HEIC)" in line]
    for line in (note, dataset.problems[0][1]):
        assert "pip install pillow-heif" in line and "HEIC" in line


@pytest.mark.parametrize("brand, line", [
    (b"heic", "HEIC"), (b"mif1", "HEIC"), (b"heix", "HEIC"), (b"avif", "damaged"), (b"isom", "is a film"),
    (b"qt  ", "is a film"), (b"mp42", "is a film"), (b"M4A ", "is a film"),
])  # fmt: skip
def test_not_every_file_of_that_family_is_heic(tmp_path, monkeypatch, brand, line):
    monkeypatch.setattr(decode, "reads_heif", lambda: False)
    (tmp_path / "a.jpg").write_bytes(b"\0\0\0\x18ftyp" + brand + b"\0\0\0\0" + brand + b"mp41" + bytes(99))
    with pytest.raises(PictureError, match=line):
        read(tmp_path)


def test_a_damaged_heic_file_is_called_damaged(phone):
    data = (phone / "IMG_1.HEIC").read_bytes()
    (phone / "IMG_1.HEIC").write_bytes(data[: len(data) // 2])
    with pytest.raises(PictureError, match="is cut short or damaged"):
        read(phone)
