"""No module outside the library imports one that imports it, directly or through others."""

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def imported_names(module, path):
    """Yield the dotted names that a file imports, relative imports resolved; a name may be a module or not."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            package = ".".join(module.split(".")[: -node.level]) if node.level else ""
            source = ".".join(part for part in (package, node.module) if part)
            yield source
            yield from (f"{source}.{alias.name}" for alias in node.names)


def import_graph(package, root=ROOT):
    """Return {module: the modules of the same package that it imports}."""
    files = {".".join(p.relative_to(root).with_suffix("").parts): p for p in (root / package).rglob("*.py")}
    return {
        module: set(imported_names(module, path)) & set(files) - {module} for module, path in files.items()
    }


@pytest.mark.parametrize("package", ["pocket", "data", "benchmarks"])
def test_no_module_imports_one_that_imports_it(package):
    graph = import_graph(package)
    assert len(graph) > 5
    TopologicalSorter(graph).prepare()


def test_a_cycle_of_three_files_is_found(tmp_path):
    for name, line in {"a": "from p import b", "b": "import p.c", "c": "from .a import thing"}.items():
        (tmp_path / "p").mkdir(exist_ok=True)
        (tmp_path / "p" / f"{name}.py").write_text(line)
    with pytest.raises(CycleError):
        TopologicalSorter(import_graph("p", tmp_path)).prepare()
