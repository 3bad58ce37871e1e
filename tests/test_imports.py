"""No module imports one that imports it, directly or through others,
and each package uses only those before it.
"""

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ORDER = (
    {"paths", "compat", "storage", "origins", "session"},
    {"display"},
    {"models"},
    {"dataset"},
    {"inspection"},
    {"adapters"},
    {"training"},
    {"evaluation"},
    {"proof"},
    {"course"},
    {"studio"},
    {"commands"},
    {"cli", "__main__"},
)


def imported_modules(module, path, modules):
    """Yield those of some modules that a file imports, anywhere in it; relative imports are resolved."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in modules)
        elif isinstance(node, ast.ImportFrom):
            package = ".".join(module.split(".")[: -node.level]) if node.level else ""
            source = ".".join(part for part in (package, node.module) if part)
            names = {f"{source}.{alias.name}" for alias in node.names}
            yield from (names | {source} if not names <= modules else names) & modules


def import_graph(package, root=ROOT):
    """Return {module: the modules of the same package that it imports}."""
    paths = (root / package).rglob("*.py")
    files = {".".join(p.relative_to(root).with_suffix("").parts).removesuffix(".__init__"): p for p in paths}
    return {name: {*imported_modules(name, path, files.keys())} - {name} for name, path in files.items()}


@pytest.mark.parametrize("package", ["lessons_lib", "pocket", "data", "benchmarks"])
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


def place(module):
    return next(index for index, names in enumerate(ORDER) if module.split(".")[1] in names)


def test_each_package_of_the_library_imports_only_those_before_it():
    graph = import_graph("lessons_lib")
    assert {place(module) for module in graph if module.count(".")} == set(range(len(ORDER)))
    wrong = [
        f"{module} imports {other}"
        for module, others in graph.items()
        for other in others
        if module.count(".") and other.count(".") and place(other) > place(module)
    ]
    assert wrong == []
