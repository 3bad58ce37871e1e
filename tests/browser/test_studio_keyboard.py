"""The studio's ten steps with the keyboard alone, from a zip to a download."""

import io
import zipfile

from .studio_page import PAINTINGS, Keyboard, Studio, copy_of_the_notebook

STEPS = 12


def zip_of(paths):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for path in paths:
            archive.write(path, f"my pictures/{path.name}")
    return {"name": "my pictures.zip", "mimeType": "application/zip", "buffer": out.getvalue()}


def test_the_keyboard_alone_leads_through_all_ten_steps(lab, course, open_page, tmp_path):
    page = open_page(1280, 1400)
    studio = Studio(page, lab, copy_of_the_notebook(course, "keys"))
    keys = Keyboard(studio)

    with page.expect_file_chooser() as chooser:
        keys.use("Choose pictures or a zip")
    chooser.value.set_files(zip_of(PAINTINGS[:10]))
    studio.see("10 pictures added")
    keys.next("Look at them")

    keys.use("Hold some out for me")
    studio.see("Held out:")
    keys.tab_to("^part of ")
    keys.press("ArrowDown")
    keys.use("^hold out ")
    keys.use("^Turn")
    studio.see("was turned by a quarter")
    keys.use("^Leave out")
    studio.see("is left out")
    keys.use("^Bring back")
    studio.see("is back")
    keys.next("Whose are they?")

    keys.write("^maker", "A Painter")
    keys.tab_to("^licence")
    keys.press("ArrowDown", "ArrowDown")
    assert (
        studio.box.get_by_label("licence", exact=True).evaluate("list => list.value")
        == "CC0 or public domain"
    )
    keys.use("Write it on all pictures")
    studio.see("A Painter, CC0-1.0")
    keys.next("What is in each picture?")

    keys.use("Write captions where there are none")
    studio.see("Read each one", 90)
    keys.write(PAINTINGS[4].stem, "a boat on a lake")
    keys.next("What shall it learn?")

    keys.tab_to("a style: ")
    keys.press("ArrowDown", "ArrowUp")
    keys.write("your made-up word", "mugh4l")
    keys.press("Enter")
    studio.see("means nothing yet")
    keys.next("Which model learns it?")

    keys.tab_to("^pocket")
    studio.see("it holds for your file")
    keys.next("How long?")

    keys.use("Numbers of my own")
    studio.box.get_by_label("steps", exact=True).wait_for()
    keys.write("^steps", str(STEPS))
    keys.press("Enter")
    studio.see(f"{STEPS}, 4 pictures each")
    keys.use("Measure what it will take")
    studio.see("GB memory", 90)
    keys.next("Train")

    keys.use("^Train$")
    studio.see(f"Done after {STEPS} steps", 120)
    keys.next("Before and after")

    keys.write("what to draw, one line each", "an elephant")
    keys.use("Draw before and after")
    studio.see("switched off", 120)
    keys.tab_to("^strength$")
    keys.press("Home")
    assert studio.box.get_by_role("slider", name="strength").get_attribute("aria-valuetext") == "strength 0"
    keys.next("Take it with you")

    keys.tab_to("mugh4l.zip")
    with page.expect_download() as download:
        keys.press("Enter")
    download.value.save_as(tmp_path / "mugh4l.zip")
    assert "mugh4l/README.md" in zipfile.ZipFile(tmp_path / "mugh4l.zip").namelist()
    keys.write("to publish: your name", "me/my-style")
    keys.use("Show what would go there")
    studio.see("Nothing was sent")
