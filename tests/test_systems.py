"""Windows and macOS, as far as they can be held from Linux: names, paths, encodings, a start without make."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path, PureWindowsPath

import pytest
import yaml

from lessons_lib.dataset.records import Record, recorded_path
from lessons_lib.paths import safe_name

ROOT = Path(__file__).parents[1]
WORKFLOW = ROOT / ".github" / "workflows" / "tests.yml"
README = (ROOT / "README.md").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
ONLY_POSIX = {"resource", "fcntl", "termios", "tty", "pty", "pwd", "grp", "posix", "syslog", "crypt"}
sources = pytest.mark.parametrize(
    "path", sorted((ROOT / "lessons_lib").rglob("*.py")), ids=lambda p: p.relative_to(ROOT).as_posix()
)


def calls(tree, *names):
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in names:
            yield node


@sources
def test_every_text_is_read_and_written_with_its_encoding(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    texts = list(calls(tree, "read_text", "write_text"))
    assert [ast.unparse(call) for call in texts if "encoding" not in {k.arg for k in call.keywords}] == []


@sources
def test_no_module_needs_what_only_linux_and_macos_have(path):
    nodes = ast.parse(path.read_text(encoding="utf-8")).body
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module for node in nodes if isinstance(node, ast.ImportFrom)}
    assert names & ONLY_POSIX == set()


@sources
def test_no_path_is_put_together_by_hand(path):
    """Neither a slash added to a path, nor a path cut at one: names inside a zip or a table are no paths."""
    text = path.read_text(encoding="utf-8")
    by_hand = re.findall(r"(?:str\(\w*(?:path|folder|dir)\w*\)|os\.sep|os\.path\.sep)[^\n]*", text)
    assert [line for line in by_hand if re.search(r"[\"'/]/|os\.(path\.)?sep|split\(", line)] == []


def test_the_longest_path_of_a_run_leaves_room_for_where_it_lies():
    name = safe_name("x" * 400)
    paths = [PureWindowsPath("runs", f".{name}.unfinished", "other_formats", f"{name}_comfyui.safetensors"),
             PureWindowsPath("lora-lessons", "image_stats", f"{'0' * 64}.safetensors")]  # fmt: skip
    assert max(len(str(path)) for path in paths) < 180


def test_a_run_records_its_pictures_in_a_form_that_every_system_reads(tmp_path):
    record: Record = {"path": "../../photos/a.jpg", "sha256": "0" * 64}
    (tmp_path / "runs" / "one").mkdir(parents=True)
    assert recorded_path(record, tmp_path / "runs" / "one") == (tmp_path / "photos" / "a.jpg").resolve()
    assert PureWindowsPath(record["path"]).parts == ("..", "..", "photos", "a.jpg")


def test_the_lines_without_make_do_what_make_does():
    lines = re.search(r"```bat\n(.*?)```", README, re.DOTALL)[1].splitlines()
    venv, install, demo = (line.replace(".venv\\Scripts\\", "$(BIN)/") for line in lines)
    assert venv.replace("py -3.12 ", "$(PYTHON) ") in MAKEFILE and demo in MAKEFILE
    pip = re.search(r"^PIP := (.*)$", MAKEFILE, re.MULTILINE)[1].replace("--disable-pip-version-check ", "")
    assert install == f"{pip} -e ." and "\t$(PIP) -e .\n" in MAKEFILE


def test_the_matrix_has_three_systems_and_every_python():
    job = yaml.safe_load(WORKFLOW.read_text(encoding="utf-8"))["jobs"]["tests"]
    matrix = job["strategy"]["matrix"]
    assert [name.split("-")[0] for name in matrix["os"]] == ["ubuntu", "macos", "windows"]
    lowest, highest = re.findall(r"3\.(\d+)", PYPROJECT["project"]["requires-python"])
    assert matrix["python"] == [f"3.{minor}" for minor in range(int(lowest), int(highest))]
    runs = [step["run"] for step in job["steps"] if "run" in step]
    assert all(f"$(BIN)/{line}" in MAKEFILE for line in runs if line.startswith("ruff"))
    assert runs[0].startswith("python -m pip install -c constraints.txt -e .[test]") and "pytest" in runs[-1]


def test_what_was_not_run_says_so():
    assert WORKFLOW.read_text(encoding="utf-8").startswith("# Not run yet")
    assert "on Windows and macOS nothing was run yet" in README
