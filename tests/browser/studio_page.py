"""The studio's page in a browser, as a person uses it: with clicks, or with the keyboard alone."""

import json
import re
import uuid

from playwright.sync_api import TimeoutError

from lessons_lib.paths import SAMPLE

from .conftest import PHONE, ROOT

PAINTINGS = sorted((SAMPLE / "train").glob("*.jpg"))[:12]
SECOND = 1000  # ms
KERNEL = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
_FOCUS = """() => {
    const part = document.activeElement;
    if (!part || !part.closest(".studio")) return "";
    const label = part.getAttribute("aria-label") || (part.labels && part.labels[0]?.textContent);
    return (label || part.textContent).trim();
}"""


def copy_of_the_notebook(course, name):
    """Write the studio's notebook with a studio of another name, so that it begins anew; return its name."""
    notebook = json.loads((ROOT / "notebooks" / "studio.ipynb").read_text(encoding="utf-8"))
    text = json.dumps(notebook).replace("my_first", name)
    (course / "notebooks" / f"{name}.ipynb").write_text(text, encoding="utf-8")
    return f"{name}.ipynb"


class Studio:
    """The studio's page as a person uses it; `notebook`: the one that it is in, as `copy_of_the_notebook` has
    named it.
    """

    def __init__(self, page, lab, notebook="studio.ipynb"):
        self.page, self.has_button = page, page.viewport_size["width"] > PHONE["width"]
        page.on("dialog", lambda dialog: dialog.accept())
        page.goto(f"{lab}/lab/workspaces/{uuid.uuid4()}/tree/notebooks/{notebook}")  # no other tab
        self.run_cells()

    def run_cells(self):
        """Run the notebook down to the page, with the button of the toolbar."""
        page = self.page
        page.get_by_text("Python 3 (ipykernel) | Idle").wait_for(timeout=60 * SECOND)
        page.locator(".jp-Notebook .jp-Cell").first.click()
        page.keyboard.press("Escape")
        run = page.locator(".jp-NotebookPanel-toolbar").get_by_role(
            "button", name=re.compile("^Run (this cell|the selected cells)")
        )
        for _ in range(4):
            run.click() if self.has_button else page.keyboard.press("Shift+Enter")  # a phone hides the button
        page.locator(".studio").last.wait_for(timeout=90 * SECOND)
        self.box = page.locator(".studio").last

    def restart_kernel(self):
        """Restart the kernel from JupyterLab's menu, and run the cells again."""
        page = self.page
        page.get_by_role("menuitem", name="Kernel", exact=True).click()
        page.locator(".lm-Menu").get_by_text("Restart Kernel…", exact=True).click()
        page.locator(".jp-Dialog .jp-mod-accept").click()
        page.wait_for_timeout(2 * SECOND)
        self.run_cells()

    def open(self, number):
        """Open a step by its title."""
        self.box.get_by_role("button", name=re.compile(rf"^\W*{number}\. ")).click()

    def click(self, name):
        self.box.get_by_role("button", name=name).first.click()

    def write(self, label, text):
        field = self.box.get_by_label(label, exact=True)
        field.fill(text)
        field.press("Tab")

    def see(self, text, seconds=30):
        try:
            self.box.get_by_text(text).first.wait_for(timeout=seconds * SECOND)
        except TimeoutError as late:
            notes = self.box.locator(".note").all_inner_texts()
            raise AssertionError(f"{text!r} is not on the page after {seconds} s; it says {notes}") from late

    def upload(self, files):
        with self.page.expect_file_chooser() as chooser:
            self.click("Choose pictures or a zip")
        chooser.value.set_files(files)

    def next(self, title):
        """Go to the next step, which must not need anything any more."""
        self.click(f"Next: {title}")
        self.wait_for_step(title)

    def wait_for_step(self, title):
        """Wait until a step is open."""
        name = re.compile(rf"^\W*\d+\. {re.escape(title)}")
        self.box.locator(".studio-open").get_by_role("button", name=name).wait_for()


class Keyboard:
    """What is done on a studio's page with keys alone, from its first button on: how the focus comes into the
    output of a cell is JupyterLab's matter.
    """

    def __init__(self, studio):
        self.studio, self.page, self.presses = studio, studio.page, 0
        studio.box.get_by_role("button").first.focus()

    def press(self, *keys):
        for key in keys:
            self.page.keyboard.press(key)

    def tab_to(self, pattern, most=150):
        """Press Tab until the focus is on a control of the page with such a name."""
        names = []
        for _ in range(most):
            self.page.keyboard.press("Tab")
            self.presses += 1
            names.append(self.page.evaluate(_FOCUS))
            if re.search(pattern, names[-1]):
                return
        raise AssertionError(f"no {pattern} within {most} presses of Tab: {names}")

    def use(self, pattern):
        """Press the button of a name."""
        self.tab_to(pattern)
        self.page.keyboard.press("Space")

    def next(self, title):
        """Go to the next step, as soon as the button for it is enabled."""
        self.studio.box.get_by_role("button", name=f"Next: {title}", disabled=False).wait_for()
        self.use(re.escape(f"Next: {title}"))
        self.studio.wait_for_step(title)

    def write(self, pattern, text):
        """Write into the field of a name; the next press of Tab leaves it."""
        self.tab_to(pattern)
        self.press("Control+a")
        self.page.keyboard.type(text)
