"""A real browser on a real JupyterLab, with axe-core: `make browser` runs these, `make test` does not."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

try:
    from playwright import sync_api
except ImportError:
    collect_ignore_glob = ["test_*.py"]

ROOT = Path(__file__).resolve().parents[2]
AXE = ROOT / ".venv" / "axe-core" / "package" / "axe.min.js"
JUPYTER = os.environ.get("JUPYTER_PYTHON", sys.executable)  # the Python of the JupyterLab that is opened
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]
PHONE = {"width": 390, "height": 844}


def pytest_collection_modifyitems(items):
    for item in items:
        if Path(item.fspath).parent == Path(__file__).parent:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def chromium():
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def open_page(chromium):
    """Return a function that opens a page of a size; what its console calls an error is in `errors`."""
    contexts = []

    def open_one(width=1280, height=900):
        contexts.append(chromium.new_context(viewport={"width": width, "height": height}, locale="en-US"))
        page = contexts[-1].new_page()
        page.errors = []
        page.route(
            re.compile("^https:"), lambda route: route.fulfill(body="<svg/>", content_type="image/svg+xml")
        )
        page.on("console", lambda m: page.errors.append(error_line(m)) if m.type == "error" else None)
        page.on("pageerror", lambda error: page.errors.append(str(error)))
        return page

    yield open_one
    for context in contexts:
        context.close()


@pytest.fixture(scope="session")
def violations():
    """Return a function that says where a part of a page breaks WCAG 2.1 AA, by axe-core."""
    source = AXE.read_text(encoding="utf-8")

    def of(page, selector="body"):
        page.evaluate(source)
        options = {"runOnly": {"type": "tag", "values": WCAG}}
        result = page.evaluate("([part, options]) => axe.run(part, options)", [selector, options])
        return [
            f"{v['id']}: {node['target']} {node['failureSummary']}"
            for v in result["violations"]
            for node in v["nodes"]
        ]

    return of


@pytest.fixture(scope="session")
def course(tmp_path_factory):
    """A course to open in JupyterLab: the studio's notebook copied, models and pictures linked."""
    home = tmp_path_factory.mktemp("course")
    (home / "notebooks").mkdir()
    shutil.copy(ROOT / "notebooks" / "studio.ipynb", home / "notebooks")
    shutil.copytree(ROOT / "notebooks" / "pictures", home / "notebooks" / "pictures")
    shutil.copy(ROOT / "README.md", home)
    for name in ("pocket", "data"):
        (home / name).symlink_to(ROOT / name)
    (home / "config" / "labconfig").mkdir(parents=True)
    news = {"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": True}}
    (home / "config" / "labconfig" / "page_config.json").write_text(json.dumps(news))
    return home


@pytest.fixture(scope="session")
def lab(course):
    """Return the address of a JupyterLab whose root is the course."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folders = {"JUPYTER_CONFIG_DIR": "config", "JUPYTER_RUNTIME_DIR": "runtime", "IPYTHONDIR": "ipython",
               "LESSONS_CACHE": "cache"}  # fmt: skip
    own = {name: str(course / folder) for name, folder in folders.items()}
    env = {**os.environ, **own, "LESSONS_HOME": str(course), "PYTHONPATH": str(ROOT)}
    options = [f"--port={port}", "--no-browser", "--allow-root", "--IdentityProvider.token=",
               f"--ServerApp.root_dir={course}", "--ServerApp.port_retries=0", _upload_limit()]  # fmt: skip
    with open(course / "lab.log", "wb") as log:
        server = subprocess.Popen([JUPYTER, "-m", "jupyterlab", *options], env=env, stdout=log, stderr=log)
    address = f"http://127.0.0.1:{port}"
    try:
        _wait_for(f"{address}/api/status")
        yield address
    finally:
        server.terminate()
        server.wait(30)


def _upload_limit():
    """Return the option by which `make lab` allows uploads above 10 MB."""
    return re.search(r"--ServerApp.tornado_settings='[^']+'", (ROOT / "Makefile").read_text())[0].replace(
        "'", ""
    )


def error_line(message):
    """Return an error of the console with the address that it is about, without this server's own."""
    return re.sub(r"http://127[^/]*", "", f"{message.text} {message.location['url']}")


def _wait_for(address, seconds=60):
    end = time.monotonic() + seconds
    while True:
        try:
            return urllib.request.urlopen(address, timeout=5)
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.3)
