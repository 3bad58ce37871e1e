"""Places, cameras, names and comments in picture files reach nothing that the library writes."""

from __future__ import annotations

import base64
import dataclasses
import io
import re
import struct

import numpy as np
import pytest
from PIL import Image

from lessons_lib import cli
from lessons_lib.dataset import export, privacy
from lessons_lib.dataset.dataset import read
from lessons_lib.inspection.report import inspect
from lessons_lib.models.bases import BASES

SECRET, LATITUDE = b"zzprivatezz", 123456789
TRACES = (SECRET, struct.pack("<I", LATITUDE), struct.pack(">I", LATITUDE), b"Exif\0", b"photoshop:", b"8BIM")
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><a photoshop:City="' + SECRET + b'"/></x:xmpmeta>'
IPTC = b"Photoshop 3.0\x008BIM\x04\x04\0\0" + struct.pack(">I", 16) + b"\x1c\x02\x5a\0\x0b" + SECRET


def exif(orientation=1):
    tags = Image.Exif()
    tags[0x0112], tags[0x010F] = orientation, SECRET.decode()
    tags.get_ifd(0x8825).update({1: "N", 2: (LATITUDE, 2.0, 3.0), 3: "E", 4: (1.0, 2.0, 3.0)})
    return tags


def drawing(seed):
    colours = np.random.default_rng(seed).integers(0, 255, (9, 9, 3), dtype=np.uint8)
    return Image.fromarray(colours).resize((120, 96), Image.Resampling.BICUBIC)


def encoded(number, kind, **more):
    out = io.BytesIO()
    drawing(number).save(out, kind, **more)
    return out.getvalue()


def with_segment(jpeg, marker, content):
    return jpeg[:2] + bytes([0xFF, marker]) + struct.pack(">H", len(content) + 2) + content + jpeg[2:]


def files():
    """Name -> bytes of pictures that each say where they were taken, in every place where files do."""
    jpeg = encoded(1, "JPEG", exif=exif(), xmp=XMP, comment=SECRET, progressive=True)
    second = encoded(2, "JPEG", exif=exif())  # behind the end, as phones put a second picture or a film
    return {
        "exif.jpg": jpeg + second,
        "iptc.jpg": with_segment(encoded(3, "JPEG", comment=SECRET), 0xED, IPTC),
        "xmp.jpg": encoded(4, "JPEG", xmp=XMP),
        "turned.jpg": encoded(5, "JPEG", exif=exif(6), comment=SECRET),
        "a.png": encoded(6, "PNG", exif=exif()) + SECRET,
        "a.webp": encoded(7, "WEBP", exif=exif(), xmp=XMP),
        "lossless.webp": encoded(8, "WEBP", exif=exif(), lossless=True),
    }


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "photos").mkdir()
    for name, data in files().items():
        (tmp_path / "photos" / name).write_bytes(data)
        (tmp_path / "photos" / name).with_suffix(".txt").write_text("a boat", encoding="utf-8")
    (tmp_path / "photos" / "plain.jpg").write_bytes(encoded(9, "JPEG"))
    return tmp_path / "photos"


def traces(data):
    """Return what of the private metadata is in a file, in the pictures of a page as well."""
    inside = [base64.b64decode(text) for text in re.findall(rb"data:[^;]*;base64,([A-Za-z0-9+/=]+)", data)]
    return {trace for part in (data, *inside) for trace in TRACES if trace in part}


@pytest.mark.parametrize("name, data", files().items())
def test_metadata_go_and_pixels_stay(name, data):
    cleaned = privacy.remove_metadata(data)
    assert traces(data) and not traces(cleaned)
    before, after = Image.open(io.BytesIO(data)), Image.open(io.BytesIO(cleaned))
    assert privacy.has_place(before) and not privacy.has_place(after)
    assert before.convert("RGB").tobytes() == after.convert("RGB").tobytes()
    assert privacy.remove_metadata(cleaned) == cleaned


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_colour_profiles_and_transparency_stay(kind):
    profile = Image.new("RGB", (1, 1)).tobytes() * 9
    image = Image.new(
        "RGB" if kind == "JPEG" else "RGBA", (80, 80), (255, 0, 0, 90)[: 3 if kind == "JPEG" else 4]
    )
    out = io.BytesIO()
    image.save(out, kind, icc_profile=profile, exif=exif())
    after = Image.open(io.BytesIO(privacy.remove_metadata(out.getvalue())))
    assert after.info["icc_profile"] == profile and after.mode == image.mode


@pytest.mark.parametrize("name, data", files().items())
def test_a_file_that_is_cut_short_is_refused(name, data):
    whole = len(privacy.remove_metadata(data))
    for length in (3, 30, whole // 2):
        with pytest.raises(ValueError, match="ends before|damaged|expected JPEG"):
            privacy.remove_metadata(data[:length])


def test_check_counts_the_pictures_with_a_place(folder):
    lines = inspect(read(folder), BASES["pocket"]).lines()
    assert [line for line in lines if "7 pictures (a.png" in line and "place where it was taken" in line]


def test_an_exported_set_says_nothing_of_places(folder, tmp_path):
    table = ["file_name,latitude,maker", "exif.jpg,12.5,Ann", "plain.jpg,12.5,Ann"]
    (folder / "captions.csv").write_text("\n".join(table), encoding="utf-8")
    pictures = read(folder).pictures
    out = export.write(pictures, tmp_path / "out")
    written = {path.name: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    assert {name: traces(data) for name, data in written.items() if traces(data)} == {}
    assert b"latitude" not in written["metadata.csv"] and b"Ann" in written["metadata.csv"]
    again = read(out).pictures
    assert sorted(p.image.tobytes() for p in again) == sorted(p.image.tobytes() for p in pictures)
    assert written["plain.jpg"] == (folder / "plain.jpg").read_bytes()


def test_a_run_its_samples_its_pages_and_the_caches_say_nothing_of_places(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(cli, "SEEDS", (1,))
    monkeypatch.setitem(BASES, "pocket", dataclasses.replace(BASES["pocket"], num_inference_steps=1))
    monkeypatch.setenv("LESSONS_CACHE", str(tmp_path / "written" / "cache"))
    written = tmp_path / "written"
    page = written / "check.html"
    written.mkdir()
    assert cli.main(["check", str(folder), "--html", str(page)]) == 0
    words = [
        "train",
        str(folder),
        "--trigger",
        "v4se",
        "--steps",
        "1",
        "--prompt",
        "a boat",
        "--hold-out",
        "2",
    ]
    assert cli.main([*words, "--out", str(written / "run")]) == 0
    every = [path for path in written.rglob("*") if path.is_file()]
    assert len(every) > 20 and {".jpg", ".html", ".safetensors", ".json"} <= {path.suffix for path in every}
    assert {path.name: traces(path.read_bytes()) for path in every if traces(path.read_bytes())} == {}
