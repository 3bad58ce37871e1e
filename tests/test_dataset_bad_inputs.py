"""Two hundred bad inputs and more: none stops a lenient reading, none writes a file,
none costs a good picture.
"""

import io
import os
import random
import struct
import zipfile
import zlib

import numpy as np
import pytest
from PIL import Image

from lessons_lib.dataset import archives, dataset
from lessons_lib.dataset.messages import PictureError

NAMES = (
    "चित्र मुग़ल", "تصویر نمبر ۱", "a name with spaces", "ZWNJ نمی\u200cدانم", "İstanbul ß",
    "x" * 200,
    "quote'\"&<b>",
)  # fmt: skip
SAVED = {
    "jpg": {}, "progressive.jpg": {"progressive": True}, "png": {}, "webp": {}, "gif": {}, "bmp": {},
    "tif": {}, "lzw.tif": {"compression": "tiff_lzw"},
}  # fmt: skip


def drawing(seed=0, size=(120, 96)):
    """A smooth coloured picture that no other seed gives."""
    colours = np.random.default_rng(seed).integers(0, 255, (9, 9, 3), dtype=np.uint8)
    return Image.fromarray(colours).resize(size, Image.Resampling.BICUBIC)


def packed(kind="png", **more):
    out = io.BytesIO()
    name = {"jpg": "JPEG", "tif": "TIFF"}.get(kind.split(".")[-1], kind.upper())
    drawing().save(out, name, **more)
    return out.getvalue()


def truncations():
    whole = {kind: packed(kind, **more) for kind, more in SAVED.items()}
    return {
        f"cut {part}.{kind}": data[: len(data) * part // 100]
        for kind, data in whole.items()
        for part in range(0, 100, 5)
    }


def png_of(width, height):
    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(bytes(10**6)))
        + chunk(b"IEND", b"")
    )


def bombs():
    """Headers that promise far more pixels than anybody has."""
    jpeg, bmp, gif = bytearray(packed("jpg")), bytearray(packed("bmp")), bytearray(packed("gif"))
    at = jpeg.index(b"\xff\xc0") + 5
    jpeg[at : at + 4] = struct.pack(">HH", 60_000, 60_000)
    bmp[18:26] = struct.pack("<ii", 70_000, 70_000)
    gif[6:10] = struct.pack("<HH", 65_000, 65_000)
    webp = bytearray(packed("webp"))
    at = webp.index(b"\x9d\x01\x2a") + 3
    webp[at : at + 4] = struct.pack("<HH", 16_383, 16_383)
    return {
        "bomb.png": png_of(90_000, 90_000), "bomb.jpg": bytes(jpeg), "bomb.bmp": bytes(bmp),
        "bomb.gif": bytes(gif), "bomb.webp": bytes(webp), "long.png": png_of(2_000_000_000, 1),
        "none.png": png_of(0, 10),
    }  # fmt: skip


def strangers():
    """Files that are called pictures and are something else."""
    tiny, thin, psd = io.BytesIO(), io.BytesIO(), b"8BPS\0\1" + bytes(40)
    drawing(size=(1, 1)).save(tiny, "PNG")
    drawing(size=(3000, 3)).save(thin, "PNG")
    files = {
        "empty.jpg": b"", "one byte.png": b"\x89", "text.jpg": b"The falcon",
        "page.png": b"<html><svg/></html>", "print.jpg": b"%PDF-1.7\n",
        "phone.jpg": b"\0\0\0\x18ftypheic" + bytes(50), "layers.png": psd, "zip.jpg": zipped({}),
        "program.gif": b"\x7fELF" + bytes(90), "postscript.jpg": b"%!PS-Adobe-3.0 EPSF-3.0\n",
        "zeros.bmp": bytes(999), "noise.webp": random.Random(0).randbytes(5000), "tiny.png": tiny.getvalue(),
        "thin.png": thin.getvalue(), "tag.tif": b"II*\0\xff\xff\xff\xff",
        "loop.tif": b"II*\0\x08\0\0\0\0\0\x08\0\0\0", "riff.webp": b"RIFF\xff\xff\xff\xffWEBP",
    }  # fmt: skip
    return {**files, **{f"{name}.png": b"not one" for name in NAMES}}


def damaged():
    """Pictures with bytes changed at random: some still open, none may do harm."""
    rng, files = random.Random(1), {}
    for i, kind in enumerate(list(SAVED) * 3):
        data = bytearray(packed(kind, **SAVED[kind]))
        for _ in range(12):
            data[rng.randrange(len(data))] = rng.randrange(256)
        files[f"damaged {i}.{kind}"] = bytes(data)
    return files


def zipped(files, links=(), change=lambda info: None):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            info = zipfile.ZipInfo(name)
            info.external_attr = (0o120777 if name in links else 0o100644) << 16
            change(info)
            archive.writestr(info, data, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def bad_zips():
    """Name -> (bytes, how many good pictures are in it and can be had)."""
    good, png = {"good 1.png": packed(), "मोर/good 2.png": packed()}, packed()
    whole = zipped(good)
    wrong = bytearray(whole)
    wrong[60] ^= 255
    locked = bytearray(zipped(good))
    locked[locked.index(b"PK\1\2") + 8] |= 1
    names = (
        "../out.png", "/etc/out.png", "C:\\out.png", "a/../../out.png", "..\\out.png", "~/../../../out.png",
    )  # fmt: skip
    files = {f"name {i}.zip": (zipped({**good, name: png}), 2) for i, name in enumerate(names)}
    files |= {f"cut {part}.zip": (whole[: len(whole) * part // 100], 0) for part in range(5, 100, 5)}
    return files | {
        "link.zip": (zipped({**good, "link.png": b"/etc/passwd"}, links=("link.png",)), 2),
        "locked.zip": (bytes(locked), 1), "wrong byte.zip": (bytes(wrong), 1),
        "flat.zip": (zipped({**good, "flat.bmp": bytes(3 * 10**6)}), 2),
        "case.zip": (zipped({"a.png": png, "A.png": png, "A.PNG": png, "b/a.png": png}), 4),
        "nested.zip": (zipped({**good, "more.zip": whole, "more.zip.png": whole}), 2),
        "empty.zip": (zipped({}), 0),
        "hidden.zip": (zipped({**good, "__MACOSX/._good 1.png": b"x", ".DS_Store": b"x"}), 2),
        "table.zip": (zipped({**good, "metadata.csv": b"file_name\ngood 1.png\n../../etc/passwd\n"}), 1),
    }  # fmt: skip


def everything_below(folder):
    return {str(p): (p.lstat().st_size, p.lstat().st_mtime_ns) for p in folder.rglob("*")}


def test_a_folder_of_bad_files_costs_no_good_picture(tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    drawing(99).save(tmp_path / "outside.png")
    bad, maybe = truncations() | bombs() | strangers(), damaged()
    for name, data in (bad | maybe).items():
        (folder / name).write_bytes(data)
    for i, name in enumerate(NAMES):
        drawing(i).save(folder / f"good {name[:150]}.png")
    for name in ("case.png", "CASE.png"):
        drawing(5).save(folder / name)
    (folder / "folder.png").mkdir()
    (folder / "gone.png").symlink_to(tmp_path / "nowhere.png")
    (folder / "out.png").symlink_to(tmp_path / "outside.png")
    (folder / "circle.png").symlink_to(folder / "circle.png")
    (folder / "up").symlink_to(tmp_path)
    os.mkfifo(folder / "pipe.png")
    good = {f"good {name[:150]}.png" for name in NAMES} | {
        p.name for p in folder.glob("[cC][aA][sS][eE].png")
    }
    before = everything_below(tmp_path)
    data = dataset.read(folder, strict=False)
    assert everything_below(tmp_path) == before
    names = {p.path.name for p in data.pictures}
    assert good <= names <= good | set(maybe)
    assert {path.name for path, _ in data.problems} == set(bad) | set(maybe) - names
    assert all("\n" not in text and path.name[:20] in text for path, text in data.problems)
    (note,) = data.notes
    assert all(name in note for name in ("gone.png", "out.png", "up", "links that lead elsewhere"))
    print(
        f"{len(bad) + len(maybe)} bad files: {len(data.problems)} refused in a line each, "
        f"{len(names - good)} damaged ones still open, {len(good)} of {len(good)} good ones kept"
    )
    assert len(bad) + len(maybe) >= 200


def test_bad_zips_cost_no_good_picture_and_write_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    zips, read_count = bad_zips(), 0
    for name, (data, _) in zips.items():
        (tmp_path / name).write_bytes(data)
    before = everything_below(tmp_path.parent)
    for name, (_, good) in zips.items():
        try:
            data = dataset.read(tmp_path / name, strict=False)
        except PictureError as problem:
            assert good == 0 and name in str(problem) and "\n" not in str(problem)
        else:
            assert len(data.pictures) == good, (name, data)
            read_count += good
    assert everything_below(tmp_path.parent) == before
    good = sum(count for _, count in zips.values())
    print(f"{len(zips)} bad zips: {read_count} of {good} good pictures kept, nothing written")


def test_zips_have_limits(tmp_path, monkeypatch):
    (tmp_path / "a.zip").write_bytes(zipped({"a.png": packed(), "b.png": packed()}))
    monkeypatch.setattr(archives, "MAX_FILES", 1)
    with pytest.raises(PictureError, match=r"a.zip: holds 2 files of 0.0 GB; expected at most 1 files"):
        dataset.read(tmp_path / "a.zip", strict=False)
    monkeypatch.setattr(archives, "MAX_FILES", 10)
    monkeypatch.setattr(archives, "MAX_GIGABYTES", 1e-6)
    with pytest.raises(PictureError, match="expected at most 10 files and 1e-06 GB"):
        dataset.read(tmp_path / "a.zip", strict=False)


@pytest.mark.parametrize("name, table", [
    ("metadata.csv", b"\xff\xfe\x00"), ("metadata.csv", b""), ("metadata.csv", b"name,caption\na.png,x\n"),
    ("metadata.csv", b'file_name,caption\na.png,"open'), ("metadata.csv", b"file_name\n\n,\n"),
    ("metadata.csv", b"file_name\na.png,too,many,cells\n"), ("metadata.csv", b"file_name\ngone.png\n"),
    ("metadata.csv", b"file_name\n/etc/passwd\n"), ("metadata.csv", b"file_name\na.png\0\n"),
    ("metadata.csv", b"file_name\n" + b"x" * 200_000), ("metadata.jsonl", b"{"), ("metadata.jsonl", b"[1]\n"),
    ("metadata.jsonl", b"[" * 100_000), ("metadata.jsonl", b'{"file_name": "\\ud800.png"}\n'),
    ("metadata.jsonl", b'{"file_name": ["a.png"]}\n'),
    ("metadata.jsonl", b'{"file_name": "a.png", "caption": {"a": 1}}\n'),
])  # fmt: skip
def test_a_bad_table_ends_in_a_line(tmp_path, name, table):
    drawing().save(tmp_path / "a.png")
    (tmp_path / name).write_bytes(table)
    try:
        data = dataset.read(tmp_path, strict=False)
    except PictureError as problem:
        assert "\n" not in str(problem)
    else:
        assert all(len(text) < 400 and text.isprintable() for _, text in data.problems)
        assert data.pictures or data.problems
