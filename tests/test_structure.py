"""The library is held to its sizes and to the field's words; packages and the README list what is on disk."""

import ast
import re
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[1]
LIBRARY = ROOT / "lessons_lib"
MOST_LINES, MOST_FUNCTION_LINES = 320, 40
LONG_FUNCTIONS = {
    "commands/arguments.parser": "one line an option: the whole command at a glance",
}
DROPPED = {
    "Drawer", "FOLLOWS", "Lesson", "Plan", "asked", "chosen", "dice", "drawer", "found", "guess", "job",
    "job_name", "keeps_books", "kept", "known", "learned", "lot", "made", "middles", "mixed", "nothing",
    "parrot", "seen", "taken", "taught", "told", "twins", "unlearned",
}  # fmt: skip
DROPPED_PHRASES = ("by lot", "nought", "parrot", "by heart", "keeps books", "is told of", "a taste of")

sources = sorted(LIBRARY.rglob("*.py"))
every_file = pytest.mark.parametrize("path", sources, ids=lambda path: path.relative_to(LIBRARY).as_posix())


@every_file
def test_a_module_fits_on_a_few_screens(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MOST_LINES


def functions(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef):
            yield (
                f"{path.relative_to(LIBRARY).with_suffix('').as_posix()}.{node.name}",
                node.end_lineno - node.lineno + 1,
            )


def test_functions_fit_on_one_screen_or_have_a_reason():
    long = {name for path in sources for name, lines in functions(path) if lines > MOST_FUNCTION_LINES}
    assert long == set(LONG_FUNCTIONS)


def names_in(tree):
    """Return the names that code gives: functions, classes, parameters, variables, fields."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            yield node.name
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr


@every_file
def test_the_library_uses_the_words_of_the_field(path):
    text = path.read_text(encoding="utf-8")
    assert sorted(set(names_in(ast.parse(text))) & DROPPED) == []
    prose = text.lower().replace("a parrot", "")  # which may be the bird
    assert [phrase for phrase in DROPPED_PHRASES if phrase in prose] == []


@pytest.mark.parametrize("path", sorted((ROOT / "notebooks").glob("*.ipynb")), ids=lambda path: path.stem)
def test_the_code_of_lessons_uses_the_words_of_the_field(path):
    cells = [cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    names = {name for source in cells for name in names_in(ast.parse(source))}
    assert sorted(names & DROPPED) == []


packages = sorted(path.parent for path in LIBRARY.rglob("__init__.py") if path.parent != LIBRARY)


@pytest.mark.parametrize("folder", packages, ids=lambda folder: folder.relative_to(LIBRARY).as_posix())
def test_a_package_says_what_is_in_each_of_its_files(folder):
    text = ast.get_docstring(ast.parse((folder / "__init__.py").read_text(encoding="utf-8")))
    listed = set(re.findall(r"^(\w+)(?:\.py|/) +\S", text, re.MULTILINE))
    files = {path.stem for path in folder.glob("*.py")} - {"__init__"}
    folders = {path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith("_")}
    assert listed == files | folders


def test_the_tree_in_the_readme_is_the_tree_on_disk():
    tree = re.search(r"```text\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)[1]
    listed = set(re.findall(r"^ *([\w.]+)/ +\S", tree, re.MULTILINE))
    top = {"notebooks", "lessons_lib", "data", "pocket", "tests", "benchmarks", "docs"}
    own = {path.name for path in LIBRARY.iterdir() if path.is_dir() and not path.name.startswith("_")}
    assert listed == top | own
