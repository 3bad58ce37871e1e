"""Every architecture has a module with all that the others ask for, and no other module of the library names
one.
"""

import ast
import re
from dataclasses import replace
from pathlib import Path

import pytest
from safetensors import safe_open

import lessons_lib
from lessons_lib.adapters.settings import Settings
from lessons_lib.models import bases, families
from lessons_lib.training import train

ARCHITECTURES = re.compile(r"flux|unet|klein|z[-_]image|sdxl|sd15", re.IGNORECASE)
NAMING = {  # the exceptions, each with its reason
    "compat.py": "diffusers' private methods for FLUX.2",
    "adapters/kinds.py": "keys of other trainers' files, so that a foreign file is named",
    "course/lesson_05.py": "the base that somebody's advice is for",
    "course/lesson_07_faults.py": "addresses where people report a fault",
}


@pytest.mark.parametrize("name", families.FAMILIES)
def test_a_module_has_every_member_that_a_family_must_have(name):
    module = families.find(name)
    members = {word for word in (*vars(families.Family), *families.Family.__annotations__) if word[0] != "_"}
    assert {"TARGET_MODULES", "DENOISER", "loss"} < members and all(hasattr(module, word) for word in members)


def test_every_module_of_an_architecture_is_listed_and_used_by_a_base():
    modules = {path.stem for path in Path(families.__file__).parent.glob("*.py")} - {"__init__", "shared"}
    assert modules == set(families.FAMILIES) == {base.family for base in bases.BASES.values()}


def test_a_new_architecture_needs_its_module_its_line_and_its_table_and_no_more(
    practice, tmp_path, monkeypatch
):
    monkeypatch.setitem(families.FAMILIES, "new", lambda: families.find("flux"))
    base = replace(bases.find("pocket"), name="new-base", family="new", modelspec_architecture="new")
    monkeypatch.setitem(bases.BASES, "new-base", base)
    settings = Settings(base="new-base", trigger="mugh4l", steps=1, sample_prompts=("a cat",))
    run = train.train(practice, settings, tmp_path / "run")
    assert run.adapter.is_file() and "new-base" in (run.folder / "README.md").read_text()
    with safe_open(run.folder / "other_formats/run_comfyui.safetensors", "pt") as file:
        assert file.metadata()["modelspec.architecture"] == "new/lora"


def names_and_strings(path):
    """Return the identifiers and the strings of a module, docstrings left out."""
    tree = ast.parse(path.read_text())
    strings = [n for n in ast.walk(tree) if isinstance(n, ast.Expr) and isinstance(n.value, ast.Constant)]
    docstrings = {id(node.value) for node in strings}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node.value
        for field in ("id", "attr", "name", "arg", "module"):
            if isinstance(name := getattr(node, field, None), str):
                yield name


def test_no_other_module_names_an_architecture():
    library = Path(lessons_lib.__file__).parent
    modules = {str(path.relative_to(library)): path for path in library.rglob("*.py")}
    naming = {
        name
        for name, path in modules.items()
        if any(ARCHITECTURES.search(n) for n in names_and_strings(path))
    }
    assert {name for name in naming if not name.startswith("models/families/")} == set(NAMING)
