"""The project files agree with one another: dependencies, versions, links, and files nobody should commit."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

import lessons_lib

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
CONDA_NAMES = {"pytorch": "torch"}
ONLY_CONDA = {"python", "pip"}


def bounds(lines):
    """Return {name: version bounds} of requirement lines."""
    found = [Requirement(line) for line in lines]
    return {CONDA_NAMES.get(r.name, r.name): str(r.specifier) for r in found}


def constraints():
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    return {Requirement(line).name: Requirement(line) for line in lines if line and line[0] != "#"}


def environment():
    """Return the requirement lines of environment.yml, conda's and pip's, without the project itself."""
    rows = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    conda = [row for row in rows if isinstance(row, str)]
    pip = next(row["pip"] for row in rows if isinstance(row, dict))
    assert "-e ." in pip
    return conda, [row for row in pip if not row.startswith("-")]


def test_environment_and_pyproject_ask_for_the_same_packages():
    conda, pip = environment()
    found = bounds(conda + pip)
    for name in ONLY_CONDA:
        found.pop(name)
    assert found == bounds(PROJECT["dependencies"] + PROJECT["optional-dependencies"]["lab"])


def test_environment_and_pyproject_ask_for_the_same_python():
    conda, _ = environment()
    python = next(Requirement(line) for line in conda if line.startswith("python"))
    assert python.specifier == Requirement("python" + PROJECT["requires-python"]).specifier


def test_every_line_of_the_environment_has_a_reason():
    lines = (ROOT / "environment.yml").read_text().splitlines()
    packages = [line for line in lines if re.match(r"\s+- (?!conda-forge|pip:)", line)]
    assert packages and [line for line in packages if not re.search(r"# \w{3}", line)] == []


def test_every_direct_dependency_has_a_tested_version_inside_its_bounds():
    exact = constraints()
    extras = PROJECT["optional-dependencies"]
    for line in PROJECT["dependencies"] + extras["lab"] + extras["test"]:
        wanted = Requirement(line)
        version = next(iter(exact[wanted.name.lower()].specifier)).version
        assert wanted.specifier.contains(version), line


def test_constraints_are_exact_sorted_and_name_no_local_build():
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if line[0] != "#"]
    assert all(re.fullmatch(r"[a-z0-9-]+==[0-9][0-9a-z.]*", line) for line in lines)
    names = [line.split("==")[0] for line in lines]
    assert names == sorted(set(names))


def test_torchvision_is_not_needed():
    text = (ROOT / "pyproject.toml").read_text() + (ROOT / "constraints.txt").read_text()
    assert "torchvision" not in text


def test_the_version_is_the_same_everywhere():
    assert lessons_lib.__version__ == PROJECT["version"]
    assert f"## {PROJECT['version']}" in (ROOT / "CHANGELOG.md").read_text()


def test_the_course_is_cited_by_its_own_version_and_address():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == PROJECT["version"] and citation["license"] == PROJECT["license"]
    assert citation["repository-code"] == PROJECT["urls"]["Repository"]
    assert {"cff-version", "message", "title", "authors"} <= citation.keys()


def test_every_package_of_the_library_is_installed():
    table = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    folders = {p.parent for p in (ROOT / "lessons_lib").rglob("__init__.py")}
    assert {".".join(f.relative_to(ROOT).parts) for f in folders} == set(table["packages"])


@pytest.mark.parametrize(
    "name",
    [
        "README.md",
        "CONTRIBUTING.md",
        "CHANGELOG.md",
        "data/sample_mughal/README.md",
        "data/sample_character/README.md",
        "data/sample_second_character/README.md",
        "data/sample_brand/README.md",
        "data/sample_handbook/README.md",
        "data/pocket_text/README.md",
    ],
)
def test_links_between_pages_lead_somewhere(name):
    page = ROOT / name
    links = re.findall(r"\]\((?!https?:|#)([^)#\s]+)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_the_commands_in_the_readme_exist():
    text = (ROOT / "README.md").read_text()
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert set(re.findall(r"\bmake ([a-z]+)", text)) <= set(targets)


def test_no_file_names_a_path_of_one_machine():
    done = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True
    )
    if done.returncode:
        pytest.skip("not a git checkout")
    texts = [
        ROOT / name
        for name in done.stdout.splitlines()
        if Path(name).suffix in {".py", ".md", ".ipynb", ".json"}
    ]
    found = [p.name for p in texts if p.is_file() and f"{ROOT}/" in p.read_text(encoding="utf-8")]
    assert found == []
