"""What a notebook shows: one JPEG a cell, a slider that answers from memory."""

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image

from lessons_lib.display import notebook, theme
from lessons_lib.models.pixels import to_square


def plain(colour):
    return Image.new("RGB", (128, 128), colour)


def opened(shown):
    assert shown.format == "jpeg"
    return Image.open(io.BytesIO(shown.data)).convert("RGB")


def test_a_label_for_which_there_is_no_room_ends():
    assert theme.wrap_text("an elephant", theme.font(14), 4) == " ...\n ..."


def test_a_grid_is_one_jpeg_with_its_pictures_in_place():
    image = opened(
        notebook.image_grid([[plain("red"), plain("blue")], [plain("lime"), plain("black")]], side=100)
    )
    assert image.size == (224, 224)
    assert (
        image.getpixel((50, 50))[0] > 200
        and image.getpixel((170, 50))[2] > 200
        and max(image.getpixel((170, 170))) < 40
    )


def test_labels_stand_beside_rows_and_below_a_single_row():
    beside = opened(notebook.image_grid([[plain("red")], [plain("red")]], ["before", "after"], side=100))
    below = opened(notebook.image_grid([plain("red"), plain("red")], ["before", "after"], side=100))
    assert beside.width > 116 + 30 and below.height > 116 + 20


def test_labels_in_rows_stand_below_each_picture_and_headings_above_the_columns():
    rows = [[plain("red"), plain("blue")], [plain("red")]]
    plain_grid = opened(notebook.image_grid(rows, side=100))
    below = opened(notebook.image_grid(rows, [["0", "0.5"], ["1"]], side=100))
    headed = notebook.image_grid(rows, ["before", "after"], side=100, columns=["a horse", "a boat"])
    assert below.size == (plain_grid.width, plain_grid.height + 2 * 44)
    assert opened(headed).height == plain_grid.height + 44
    assert headed.metadata == {"alt": "3 pictures: a horse, a boat, before, after"}


def test_labels_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"rows of \[2\]; expected \[1\]"):
        notebook.image_grid([[plain("red")]], [["a", "b"]])
    with pytest.raises(ValueError, match="3 labels for 2 rows"):
        notebook.image_grid([[plain("red")], [plain("red")]], ["a", "b", "c"])
    with pytest.raises(ValueError, match="no pictures"):
        notebook.image_grid([])


def in_page(view):
    """Return the picture and the text of an HTML widget."""
    data, alt = re.search(r'base64,([^"]+)" alt="([^"]*)"', view.value).groups()
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data)))), alt


def test_the_slider_holds_its_images_and_announces_the_strength_of_the_one_it_shows():
    page = notebook.strength_slider([plain("red"), plain("blue")], ["0.25", "1"], text="a <boat>").value
    assert page.count("<img") == 2 and 'alt="strength 0.25: a &lt;boat&gt;"' in page
    assert 'value="1" aria-label="strength" aria-valuetext="strength 1"' in page
    assert page.count("display:none") == 1 and "<output>strength 1</output>" in page


def test_a_slider_needs_a_label_a_frame():
    with pytest.raises(ValueError, match="1 frames and 2 labels"):
        notebook.strength_slider([plain("red")], ["0", "1"])


def test_the_dial_draws_again_at_every_change():
    asked = []

    def draw(prompt, strength):
        asked.append((prompt, strength))
        return plain("blue" if strength < 0.5 else "red")

    view, words, handle = notebook.live_sampler(draw, "a castle").children
    handle.value = 0.25
    words.value = "a <tiger>"
    assert asked == [("a castle", 1.0), ("a castle", 0.25), ("a <tiger>", 0.25)]
    image, alt = in_page(view)
    assert image[50, 50].argmax() == 2 and alt == "a &lt;tiger&gt;, strength 0.25"


def test_the_slider_of_the_dial_gets_a_name_for_screen_readers():
    box = notebook.live_sampler(lambda prompt, strength: plain("red"), "a castle")
    assert "live-sampler" in box._dom_classes
    assert "setAttribute('aria-label', 'strength')" in box.children[0].value


def test_a_picture_says_what_it_shows():
    grid = notebook.image_grid([[plain("red")], [plain("blue")]], ["before", "after"])
    assert grid.metadata == {"alt": "2 pictures: before, after"}
    assert notebook.image(plain("red"), alt="a red square").metadata == {"alt": "a red square"}


def test_what_is_typed_into_the_caption_table_is_in_the_captions():
    texts = ["a tiger", ""]
    table = notebook.caption_table([plain("red"), plain("blue")], texts)
    table.children[1].children[1].value = "a boat at night"
    assert texts == ["a tiger", "a boat at night"]
    with pytest.raises(ValueError, match="1 pictures and 2 captions"):
        notebook.caption_table([plain("red")], texts)


def test_source_is_the_librarys_own():
    text = notebook.source_code(to_square).data
    assert text.startswith("```python\ndef to_square(") and text.endswith("```")


def test_the_loss_is_drawn_and_an_empty_log_refused():
    log = [{"step": i + 1, "loss": 1 / (i + 1)} for i in range(60)]
    image = opened(notebook.loss_curve(log))
    assert image.width > 600 and len(image.getcolors(1 << 20)) > 50
    with pytest.raises(ValueError, match="no steps"):
        notebook.loss_curve([])
