"""Every picture a learner may bring is read right, or refused in one sentence that names it."""

import io
import struct
import subprocess
import sys
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms

from lessons_lib.dataset import decode
from lessons_lib.dataset.dataset import read, scan
from lessons_lib.dataset.messages import PictureError
from lessons_lib.dataset.parallel import parallel_map
from lessons_lib.models import pixels
from lessons_lib.paths import SAMPLE

RED, GREEN, BLUE, WHITE = (200, 30, 40), (20, 160, 60), (30, 60, 190), (255, 255, 255)
TABLE = "file_name,split,caption,maker,licence\n"


def quarters(mode="RGB", side=100):
    """Red top left, green top right, blue below."""
    image = Image.new("RGB", (side, side), BLUE)
    image.paste(RED, (0, 0, side // 2, side // 2))
    image.paste(GREEN, (side // 2, 0, side, side // 2))
    return image if mode == "RGB" else image.convert(mode)


def only(folder):
    (picture,) = read(folder).pictures
    assert picture.image.mode == "RGB"
    return picture


def near(picture, place, colour, by=12):
    pixel = picture.image.getpixel(place)
    return max(abs(a - b) for a, b in zip(pixel, colour, strict=True)) <= by


def huge_png(side):
    """A whole, valid 1-bit PNG of side x side white pixels; it compresses a thousandfold."""

    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    pack = zlib.compressobj(1)
    rows = (b"\0" + b"\xff" * ((side + 7) // 8)) * 100
    data = b"".join(pack.compress(rows) for _ in range(side // 100)) + pack.flush()
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def test_a_folder_that_does_not_exist_is_named(tmp_path):
    with pytest.raises(PictureError, match="nowhere: no such folder"):
        read(tmp_path / "nowhere")


def test_a_file_is_no_folder(tmp_path):
    quarters().save(tmp_path / "a.png")
    with pytest.raises(PictureError, match="is a file; expected a folder"):
        read(tmp_path / "a.png")


def test_an_empty_folder_says_what_it_expects(tmp_path):
    (tmp_path / "notes.md").write_text("nothing to see")
    with pytest.raises(PictureError, match=r"holds no pictures; expected files that end in .*\.jpg"):
        read(tmp_path)


def test_a_text_file_called_jpg_is_refused(tmp_path):
    (tmp_path / "poem.jpg").write_text("The falcon cannot hear")
    with pytest.raises(PictureError, match="poem.jpg: is not a picture .*The falcon"):
        read(tmp_path)


def test_a_jpeg_cut_short_is_refused(tmp_path):
    out = io.BytesIO()
    Image.effect_noise((300, 300), 80).save(out, "JPEG")
    (tmp_path / "half.jpg").write_bytes(out.getvalue()[: len(out.getvalue()) // 2])
    with pytest.raises(PictureError, match="half.jpg: is cut short or damaged"):
        read(tmp_path)


@pytest.mark.parametrize("side, megapixels", [(60_000, "3,600"), (12_000, "144")])
def test_a_bomb_is_refused_from_its_header(tmp_path, monkeypatch, side, megapixels):
    monkeypatch.setattr(Image.Image, "load", lambda self: pytest.fail("it was decoded"))
    (tmp_path / "bomb.png").write_bytes(huge_png(side))
    with pytest.raises(PictureError, match=f"bomb.png: has {megapixels} megapixels"):
        read(tmp_path)


def test_the_bomb_of_these_tests_is_a_real_picture():
    image = Image.open(io.BytesIO(huge_png(800)))
    image.load()
    assert image.size == (800, 800) and image.mode == "1" and image.getpixel((799, 799)) == 255


def test_a_ten_pixel_picture_is_refused(tmp_path):
    quarters(side=10).save(tmp_path / "dot.png")
    with pytest.raises(PictureError, match="dot.png: is 10 x 10 px; expected at least 64"):
        read(tmp_path)


def test_one_bad_picture_among_good_ones_stops_all_and_counts_the_others(tmp_path):
    quarters().save(tmp_path / "good.png")
    for name in ("bad1.jpg", "bad2.jpg"):
        (tmp_path / name).write_bytes(b"GARBAGE")
    with pytest.raises(PictureError, match=r"bad1.jpg.*\(1 more cannot be used: bad2.jpg\)"):
        read(tmp_path)


@pytest.mark.parametrize("suffix", ["jpg", "tif"])
def test_cmyk_is_read_in_its_colours(tmp_path, suffix):
    quarters("CMYK").save(tmp_path / f"inks.{suffix}", **({"quality": 95} if suffix == "jpg" else {}))
    picture = only(tmp_path)
    assert near(picture, (20, 20), RED) and near(picture, (80, 20), GREEN) and near(picture, (50, 80), BLUE)
    assert any("CMYK" in note for note in picture.file.notes)


def test_a_colour_profile_is_followed(tmp_path, monkeypatch):
    """A profile whose red and blue are exchanged must exchange red and blue."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    for i in range(int.from_bytes(profile[128:132])):
        at = 132 + 12 * i
        if profile[at : at + 4] in (b"rXYZ", b"bXYZ"):
            profile[at : at + 4] = {b"rXYZ": b"bXYZ", b"bXYZ": b"rXYZ"}[bytes(profile[at : at + 4])]
    quarters().save(tmp_path / "swapped.png", icc_profile=bytes(profile))
    picture = only(tmp_path)
    assert near(picture, (20, 20), RED[::-1]) and near(picture, (50, 80), BLUE[::-1])


def test_a_cmyk_profile_is_asked_before_pillows_rule(tmp_path, monkeypatch):
    conversions = []

    def convert(image, mine, ours, outputMode):
        conversions.append((image.mode, outputMode))
        return Image.new(outputMode, image.size, GREEN)

    monkeypatch.setattr(ImageCms, "ImageCmsProfile", lambda data: data)
    monkeypatch.setattr(ImageCms, "profileToProfile", convert)
    monkeypatch.setattr(ImageCms, "getProfileDescription", lambda profile: "Coated paper")
    quarters("CMYK").save(tmp_path / "press.jpg", icc_profile=b"a press profile")
    picture = only(tmp_path)
    assert near(picture, (20, 20), GREEN, by=0) and conversions == [("CMYK", "RGB")]
    assert "colours converted from Coated paper to sRGB" in picture.file.notes


@pytest.mark.parametrize("mode", ["P", "RGBA", "L"])
def test_a_profile_counts_for_palettes_layers_and_greys_too(tmp_path, monkeypatch, mode):
    conversions = []
    real = ImageCms.profileToProfile
    monkeypatch.setattr(
        ImageCms,
        "profileToProfile",
        lambda image, *a, **k: conversions.append(image.mode) or real(image, *a, **k),
    )
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    quarters(mode).save(tmp_path / "a.png", icc_profile=profile)
    only(tmp_path)
    assert conversions == ["L" if mode == "L" else "RGB"]


def test_lab_colours_are_brought_to_rgb(tmp_path):
    lab = ImageCms.createProfile("LAB")
    ImageCms.profileToProfile(quarters(), ImageCms.createProfile("sRGB"), lab, outputMode="LAB").save(
        tmp_path / "lab.tif"
    )
    assert near(only(tmp_path), (20, 20), RED)


def test_damaged_exif_turns_nothing_and_loses_nothing(tmp_path):
    out = io.BytesIO()
    quarters().save(out, "JPEG", quality=95, exif=b"Exif\0\0II*\0\x08\0\0\0\xff\xff garbage")
    (tmp_path / "a.jpg").write_bytes(out.getvalue())
    assert near(only(tmp_path), (20, 20), RED)


def test_a_format_that_is_not_on_the_list_starts_no_decoder(tmp_path):
    quarters().save(tmp_path / "a.jpg", "PPM")
    with pytest.raises(PictureError, match="is not a picture .*P6"):
        read(tmp_path)


def test_a_file_of_gigabytes_is_not_read(tmp_path):
    with (tmp_path / "a.jpg").open("wb") as file:
        file.truncate(3 * 10**9)
    with pytest.raises(PictureError, match="a.jpg: has 3,000 MB"):
        read(tmp_path)


def test_a_broken_profile_is_left_out(tmp_path):
    quarters().save(tmp_path / "odd.png", icc_profile=b"no profile at all")
    picture = only(tmp_path)
    assert near(picture, (20, 20), RED, by=0) and any("profile" in note for note in picture.file.notes)


def test_sixteen_bits_are_scaled_and_not_cut(tmp_path):
    values = np.full((100, 100), 0x8000, np.uint16)
    values[:50] = 0x2000
    Image.fromarray(values).save(tmp_path / "deep.png")
    with Image.open(tmp_path / "deep.png") as file:
        assert file.mode.startswith("I;16")
    picture = only(tmp_path)
    assert picture.image.getpixel((5, 5)) == (32,) * 3 and picture.image.getpixel((5, 95)) == (128,) * 3


def test_a_sixteen_bit_tiff_is_read_too(tmp_path):
    Image.fromarray(np.full((70, 70), 0xFFFF, np.uint16)).save(tmp_path / "deep.tif")
    assert only(tmp_path).image.getpixel((0, 0)) == WHITE


def test_a_palette_is_looked_up(tmp_path):
    quarters().quantize(8).save(tmp_path / "flat.png")
    picture = only(tmp_path)
    assert (
        near(picture, (20, 20), RED, 6)
        and near(picture, (80, 20), GREEN, 6)
        and near(picture, (50, 80), BLUE, 6)
    )


@pytest.mark.parametrize("mode", ["RGBA", "P"])
def test_transparent_parts_become_white(tmp_path, mode):
    image = quarters("RGBA")
    image.paste((0, 0, 0, 0), (0, 50, 100, 100))
    if mode == "P":
        image = image.quantize(8)
    image.save(tmp_path / "cut.png")
    picture = only(tmp_path)
    assert near(picture, (50, 80), WHITE, 0) and near(picture, (20, 20), RED, 6)


@pytest.mark.parametrize("suffix", ["gif", "webp", "png"])
def test_of_an_animation_the_first_frame_is_read(tmp_path, suffix):
    frames = [quarters(), Image.new("RGB", (100, 100), (0, 0, 0))]
    frames[0].save(tmp_path / f"moves.{suffix}", save_all=True, append_images=frames[1:], duration=50)
    picture = only(tmp_path)
    assert near(picture, (20, 20), RED, 24) and near(picture, (50, 80), BLUE, 24)
    assert picture.file.notes[0].startswith("several frames")


@pytest.mark.parametrize("tag, place", [(3, (80, 80)), (6, (80, 20)), (8, (20, 80))])
def test_exif_turns_the_picture_upright(tmp_path, tag, place):
    """Tag 6 (turn right): what lies top left in the file belongs top right."""
    exif = Image.Exif()
    exif[0x0112] = tag
    quarters().resize((120, 100)).save(tmp_path / "turned.jpg", exif=exif, quality=95)
    picture = only(tmp_path)
    assert picture.size == ((120, 100) if tag == 3 else (100, 120))
    assert near(picture, place, RED)


@pytest.mark.parametrize("mode", ["1", "L"])
def test_black_and_white_is_read(tmp_path, mode):
    Image.new(mode, (80, 80), 255).save(tmp_path / "bw.png")
    assert only(tmp_path).image.getpixel((40, 40)) == WHITE


def test_metadata_gives_captions_splits_and_rights(tmp_path):
    for name in ("a.png", "b.png", "unnamed.png"):
        quarters().save(tmp_path / name)
    table = TABLE + 'a.png,train,"a kite, red",Asha,CC0-1.0\nb.png,held_out,a lake,,\n'
    (tmp_path / "metadata.csv").write_text(table, encoding="utf-8-sig")
    dataset = read(tmp_path)
    a, b = dataset.pictures
    assert (
        a.caption == "a kite, red" and a.rights == {"maker": "Asha", "licence": "CC0-1.0"} and b.rights == {}
    )
    assert dataset.train == [a] and dataset.held_out == [b]


def test_a_list_of_files_finds_its_metadata_again(tmp_path):
    (tmp_path / "train").mkdir()
    quarters().save(tmp_path / "train" / "a.png")
    (tmp_path / "metadata.csv").write_text(TABLE + "train/a.png,train,a kite,Asha,CC0-1.0\n")
    (picture,) = read([tmp_path / "train" / "a.png"]).pictures
    assert picture.caption == "a kite" and picture.split == "train"


@pytest.mark.parametrize(
    "name, says", [("gone.png", "gone.png, which is not there"), ("../x.png", "outside the folder")]
)
def test_metadata_that_names_no_such_picture_is_refused(tmp_path, name, says):
    (tmp_path / "metadata.csv").write_text(TABLE + f"{name},train,,,\n")
    with pytest.raises(PictureError, match=says):
        read(tmp_path)


def test_a_text_file_beside_a_picture_is_its_caption(tmp_path):
    quarters().save(tmp_path / "a.png")
    (tmp_path / "a.txt").write_text("ein roter Drachen über एक झील\n\n", encoding="utf-8")
    assert only(tmp_path).caption == "ein roter Drachen über एक झील"


def test_a_caption_that_is_not_utf8_is_named(tmp_path):
    quarters().save(tmp_path / "a.png")
    (tmp_path / "a.txt").write_bytes("über".encode("latin-1"))
    with pytest.raises(PictureError, match="a.txt: is not UTF-8"):
        read(tmp_path)


def test_without_splits_everything_is_for_training(tmp_path):
    quarters().save(tmp_path / "a.png")
    dataset = read(tmp_path)
    assert len(dataset.train) == 1 and dataset.held_out == dataset.unused == []


def test_hidden_files_are_left_out(tmp_path):
    quarters().save(tmp_path / "a.png")
    (tmp_path / "._a.png").write_bytes(b"resource fork")
    assert len(read(tmp_path).pictures) == 1


def test_large_pictures_are_shrunk_but_remember_their_size(tmp_path):
    quarters(side=900).save(tmp_path / "a.png")
    (picture,) = read(tmp_path, side=128).pictures
    assert picture.image.size == (256, 256) and picture.size == (900, 900)


def test_a_square_is_the_middle_or_the_whole():
    wide = Image.new("RGB", (300, 100), RED)
    wide.paste(BLUE, (100, 0, 200, 100))
    assert pixels.to_square(wide, 64).getpixel((2, 32)) == BLUE
    whole = pixels.to_square(wide, 66, "letterbox")
    assert whole.getpixel((5, 33)) == RED and whole.getpixel((33, 2)) == WHITE
    with pytest.raises(ValueError, match="'centre' or 'letterbox'"):
        pixels.to_square(wide, 64, "stretch")


def test_pixels_run_from_minus_one_to_one():
    values = pixels.to_pixels([Image.new("RGB", (80, 90), (0, 255, 0))] * 2, 32)
    assert values.shape == (2, 3, 32, 32)
    assert values[:, 0].unique().tolist() == [-1] and values[:, 1].unique().tolist() == [1]


def test_a_lenient_reading_goes_on_past_bad_files(tmp_path):
    quarters().save(tmp_path / "good.png")
    (tmp_path / "bad.jpg").write_bytes(b"GARBAGE")
    (tmp_path / "good.txt").write_bytes("über".encode("latin-1"))
    dataset = read(tmp_path, strict=False)
    assert [p.path.name for p in dataset.train] == ["good.png"] and dataset.train[0].caption is None
    assert {path.name for path, _ in dataset.problems} == {"bad.jpg", "good.txt"}


def test_beyond_the_memory_allowed_pictures_are_decoded_when_they_are_asked_for(tmp_path):
    for name in ("a.png", "b.png"):
        quarters(side=300).save(tmp_path / name)
    a, b = scan(tmp_path, side=100, pixel_bytes=200 * 200 * 3).pictures
    assert a.image is a.image and b.image is not b.image and b.size == (300, 300)
    assert b.image.size == (200, 200) and b.image.tobytes() == a.image.tobytes()


def test_where_memory_is_nearly_full_no_further_picture_is_decoded_to_be_kept(tmp_path):
    for name in ("a.png", "b.png"):
        quarters(side=300).save(tmp_path / name)
    a, b = scan(tmp_path, side=100, pixel_bytes=300 * 200 * 3).pictures
    assert a.image is a.image and b.file.wants_pixels and b.image is not b.image
    assert not b.file.wants_pixels


def test_a_picture_that_went_since_is_named(tmp_path):
    quarters().save(tmp_path / "a.png")
    (picture,) = scan(tmp_path, pixel_bytes=0).pictures
    (tmp_path / "a.png").unlink()
    with pytest.raises(PictureError, match="a.png: cannot be read"):
        _ = picture.image


def test_work_on_threads_comes_back_in_order_and_is_not_all_begun_at_once():
    begun = []
    results = parallel_map(lambda n: begun.append(n) or n * n, range(1000))
    assert [next(results) for _ in range(3)] == [0, 1, 4] and len(begun) < 100
    results.close()


def test_only_the_remarks_of_the_picture_reader_are_hidden():
    code = (
        "import warnings, lessons_lib.dataset.decode\n"
        "warnings.warn_explicit('a damaged tag', UserWarning, 'x', 1, 'PIL.TiffImagePlugin')\n"
        "warnings.warn_explicit('something else', UserWarning, 'x', 2, 'another')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "something else" in done.stderr and "a damaged tag" not in done.stderr


def test_a_picture_that_is_read_changes_no_filter_of_warnings(tmp_path, monkeypatch):
    """Filters are the whole process's: of two threads that change them one puts back the other's."""
    quarters().save(tmp_path / "a.png")
    real, filters = decode._to_rgb, []
    monkeypatch.setattr(decode, "_to_rgb", lambda *a: filters.append(list(warnings.filters)) or real(*a))
    _ = scan(tmp_path).pictures[0].image, decode.decode_file(tmp_path / "a.png"), next(parallel_map(str, [1]))
    assert filters == [warnings.filters, warnings.filters]


def test_the_practice_paintings_are_whole_and_have_rights():
    dataset = read(SAMPLE, side=128)
    assert len(dataset.train) == 16 and len(dataset.held_out) == 6
    assert all(p.rights["licence"] == "CC0-1.0" and p.caption for p in dataset.pictures)
