"""The studio in a real JupyterLab, on pocket: by clicks alone from upload to download."""

import re
import uuid
import zipfile

import pytest

from .conftest import PHONE, error_line
from .studio_page import PAINTINGS, SECOND, Studio, copy_of_the_notebook

STEPS = 40
EMPTY = """{"cells": [], "nbformat": 4, "nbformat_minor": 5, "metadata": {"kernelspec":
    {"name": "python3", "display_name": "Python 3", "language": "python"}}}"""


@pytest.fixture(scope="module")
def empty_errors(lab, course, chromium):
    """What the console calls an error while an empty notebook is opened."""
    (course / "empty.ipynb").write_text(EMPTY)
    errors = []
    page = chromium.new_page(locale="en-US")
    page.on("console", lambda m: errors.append(error_line(m)) if m.type == "error" else None)
    page.goto(f"{lab}/lab/workspaces/empty/tree/empty.ipynb")
    page.get_by_text("Python 3 (ipykernel) | Idle").wait_for(timeout=60 * SECOND)
    page.wait_for_timeout(3 * SECOND)
    page.close()
    return set(errors)


def test_clicks_alone_lead_from_an_upload_to_a_download(
    lab, course, open_page, violations, empty_errors, tmp_path
):
    page = open_page(1280, 1400)
    studio = Studio(page, lab)
    broken = {
        "name": "broken.jpg",
        "mimeType": "image/jpeg",
        "buffer": b"\xff\xd8\xff" + bytes(11 * 10**6),
    }  # above 10 MB
    good = [{"name": p.name, "mimeType": "image/jpeg", "buffer": p.read_bytes()} for p in PAINTINGS]
    studio.upload([*good, broken])
    studio.see("12 pictures added, 1 file cannot be used")
    studio.see("broken.jpg: is cut short or damaged")
    problems = {"1": violations(page, ".studio")}

    studio.next("Look at them")
    studio.click("Hold some out for me")
    studio.see("Held out:")
    studio.click("Leave out")
    studio.see("is left out")
    studio.click("Turn")
    studio.see("was turned by a quarter")
    problems["2"] = violations(page, ".studio")

    studio.next("Whose are they?")
    studio.write("maker", "A Painter")
    studio.box.get_by_label("licence", exact=True).select_option("CC0 or public domain")
    studio.click("Write it on all pictures")
    studio.see("A Painter, CC0-1.0")
    problems["3"] = violations(page, ".studio")

    studio.next("What is in each picture?")
    studio.click("Write captions where there are none")
    studio.see("Read each one", 60)
    studio.write(PAINTINGS[4].name, "a boat on a lake")
    problems["4"] = violations(page, ".studio")

    studio.next("What shall it learn?")
    studio.write("your made-up word", "tom")
    studio.see("is a word with a meaning")
    studio.write("your made-up word", "mugh4l")
    studio.see("means nothing yet")
    problems["5"] = violations(page, ".studio")

    studio.next("Which model learns it?")
    studio.see("Apache-2.0; it holds for your file")
    problems["6"] = violations(page, ".studio")

    studio.next("How long?")
    studio.click("Numbers of my own")
    studio.write("steps", str(STEPS))
    studio.see(f"{STEPS}, 4 pictures each")
    studio.click("Measure what it will take")
    studio.see("GB memory", 90)
    problems["7"] = violations(page, ".studio")

    studio.next("Train")
    studio.box.get_by_role("button", name="Train", exact=True).click()
    studio.see("at step", 60)
    page.reload()
    studio.run_cells()
    studio.click("Stop")
    studio.see("Stopped after", 60)
    studio.click("Go on from step")
    studio.see(f"Done after {STEPS} steps", 120)
    problems["8"] = violations(page, ".studio")

    studio.next("Before and after")
    studio.write("what to draw, one line each; your word is added", "an elephant\na castle")
    studio.click("Draw before and after")
    studio.see("switched off", 120)
    slider = studio.box.get_by_role("slider", name="strength")
    slider.focus()
    page.keyboard.press("Home")
    assert slider.get_attribute("aria-valuetext") == "strength 0"
    assert studio.box.get_by_alt_text("strength 0: an elephant, mugh4l").is_visible()
    problems["9"] = violations(page, ".studio")

    studio.next("Take it with you")
    with page.expect_download() as download:
        studio.box.get_by_role("link", name="mugh4l.zip").click()
    download.value.save_as(tmp_path / "mugh4l.zip")
    names = {name.rsplit("/")[-1] for name in zipfile.ZipFile(tmp_path / "mugh4l.zip").namelist()}
    assert {"pytorch_lora_weights.safetensors", "README.md", "report.html", "before_after.jpg"} < names
    studio.write("to publish: your name on the Hugging Face Hub and a new name", "me/my-style")
    studio.click("Show what would go there")
    studio.see("Nothing was sent")
    studio.see("report.html", 5)
    problems["10"] = violations(page, ".studio")

    lines = [f"step {step}: {line}" for step, found in problems.items() for line in found]
    assert not lines, "\n".join(lines)
    assert set(page.errors) - empty_errors == set()


def test_a_restart_of_the_kernel_in_the_middle_of_a_training_loses_nothing_that_was_kept(
    lab, course, open_page
):
    page = open_page(1280, 1400)
    studio = Studio(page, lab, copy_of_the_notebook(course, "restart"))
    studio.click("Try it with the practice paintings")
    studio.see("pictures added")
    studio.open(5)
    studio.write("your made-up word", "mugh4l")
    studio.see("means nothing yet")
    studio.open(7)
    studio.click("Numbers of my own")
    studio.write("steps", "120")
    studio.open(8)
    studio.box.get_by_role("button", name="Train", exact=True).click()
    studio.box.get_by_text(re.compile(r"at step (1[3-9]|[2-9]\d)")).wait_for(timeout=90 * SECOND)
    studio.restart_kernel()
    studio.see("8. Train")
    studio.click("Go on from step")
    studio.see("left", 60)
    studio.click("Stop")
    studio.see("Stopped after", 60)


def test_no_step_is_wider_than_a_phone(lab, course, open_page):
    page = open_page(PHONE["width"], 2000)
    studio = Studio(page, lab)
    page.keyboard.press("Control+b")  # the file browser leaves no room for a page
    for number in range(1, 11):
        studio.open(number)
        page.wait_for_timeout(SECOND)
        wide = studio.box.evaluate("box => [box.scrollWidth, box.clientWidth]")
        assert wide[0] <= wide[1] + 1, number


def test_the_contents_open_from_the_notebook(lab, course, open_page):
    page = open_page()
    page.goto(f"{lab}/lab/workspaces/{uuid.uuid4()}/tree/notebooks/studio.ipynb")
    page.get_by_role("link", name="contents").click(timeout=60 * SECOND)
    page.get_by_role("tab", name="README.md").wait_for(timeout=30 * SECOND)
