"""How Sphinx builds the site of the lessons and pages as they lie here, and of the library's reference.

`make site` calls it with the repository as the source, so that links between files stay as they are written.
"""

import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
REPOSITORY = PROJECT["urls"]["Repository"]

project, author, release = "Teach a picture model something new", "the maintainers", PROJECT["version"]
language = "en"
extensions = ["myst_nb", "autoapi.extension", "docs.lesson_pages"]
root_doc = "docs/index"
include_patterns = [
    "docs/*.md", "docs/reference/**", "notebooks/*.ipynb", "notebooks/*.md", "notebooks/recorded/**/*.md",
    "README.md", "CONTRIBUTING.md", "CHANGELOG.md", "benchmarks/*.md", "data/*/README.md", "pocket/*.md",
]  # fmt: skip
exclude_patterns = [".*", "build", "runs", "tests", "**/runs", "**/.ipynb_checkpoints"]

# Lessons are shown as they were run; `make notebooks` runs them.
nb_execution_mode = "off"
nb_render_markdown_format = "myst"
myst_heading_anchors = 4
myst_enable_extensions = ["dollarmath", "html_image"]

# The reference is read from the source: nothing of the library is imported.
autoapi_dirs = [str(ROOT / "lessons_lib")]
autoapi_root = "docs/reference"
autoapi_options = ["members", "show-module-summary"]
autoapi_python_use_implicit_namespaces = False
autoapi_add_toctree_entry = False
default_role = "code"

# What is linked and is no page: answers, settings, folders. They are files of the repository.
suppress_warnings = [
    "toc.not_included", "toc.empty_glob", "toc.excluded", "misc.highlighting_failure", "ref.python",
    "autoapi.python_import_resolution", "docutils",
]  # fmt: skip

html_theme = "sphinx_book_theme"
html_title = project
html_static_path = ["static"]
html_css_files = ["course.css"]
html_js_files = ["course.js"]
templates_path = ["templates"]
html_additional_pages = {"index": "first.html"}
html_copy_source = True
html_show_sphinx = False
html_theme_options = {
    "repository_url": REPOSITORY,
    "path_to_docs": "",
    "use_repository_button": True,
    "use_download_button": True,
    "launch_buttons": {"colab_url": "https://colab.research.google.com", "notebook_interface": "jupyterlab"},
    "home_page_in_toc": True,
    "show_toc_level": 2,
}
