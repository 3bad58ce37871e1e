"""The live sampler in a real JupyterLab: every control has a name, and the slider says its value."""

import uuid

import nbformat.v4

from .studio_page import KERNEL, SECOND

CELL = """from PIL import Image
from lessons_lib.display import notebook

notebook.live_sampler(lambda prompt, strength: Image.new("RGB", (64, 64), "teal"), "a castle")"""


def test_the_slider_of_the_live_sampler_has_a_name(lab, course, open_page, violations):
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(CELL)], metadata=KERNEL)
    (course / "dial.ipynb").write_text(nbformat.writes(book), encoding="utf-8")
    page = open_page()
    page.goto(f"{lab}/lab/workspaces/{uuid.uuid4()}/tree/dial.ipynb")
    page.get_by_text("Python 3 (ipykernel) | Idle").wait_for(timeout=60 * SECOND)
    page.locator(".jp-Notebook .jp-Cell").first.click()
    page.keyboard.press("Shift+Enter")
    slider = page.locator(".live-sampler").get_by_role("slider", name="strength")
    slider.wait_for(timeout=60 * SECOND)
    slider.focus()
    page.keyboard.press("ArrowLeft")
    page.get_by_alt_text("a castle, strength 0.95").wait_for(timeout=30 * SECOND)
    assert violations(page, ".live-sampler") == []
