"""The house rules that no linter knows."""

import ast
import re
import tomllib
from pathlib import Path

import pytest

HERE = Path(__file__).parents[1]
SOURCES = sorted(
    path for room in ("contextsvc", "benchmarks", "tools") for path in HERE.glob(f"{room}/**/*.py")
)
PAGES = [HERE / "README.md", *sorted(HERE.glob("docs/**/*.md"))]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(HERE)))
def test_files_are_short_and_functions_shorter(path: Path) -> None:
    text = path.read_text("utf-8")
    assert len(text.splitlines()) <= 400
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            described = len((ast.get_docstring(node, clean=False) or "").splitlines())
            assert (node.end_lineno or 0) - node.lineno - described < 50, node.name


def test_no_module_is_a_drawer() -> None:
    drawers = {"utils", "common", "base", "helpers", "manager", "handler", "misc"}
    assert not drawers & {path.stem for path in SOURCES}


def test_every_public_name_has_a_docstring() -> None:
    for path in SOURCES:
        tree = ast.parse(path.read_text("utf-8"))
        if not path.read_text("utf-8").strip():
            continue
        assert ast.get_docstring(tree), path
        for node in tree.body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
                assert ast.get_docstring(node), f"{path}: {node.name}"


def test_nothing_names_a_place_of_one_machine() -> None:
    others = (HERE / name for name in ("Makefile", "Dockerfile", "constraints.txt", "mkdocs.yml"))
    tracked = [*SOURCES, *PAGES, *others]
    for path in tracked:
        found = re.search(r"/(?:root|work|home)/\w+|file://", path.read_text("utf-8"))
        assert not found, f"{path}: {found}"


def test_the_package_root_holds_only_what_has_no_room() -> None:
    found = {path.name for path in (HERE / "contextsvc").glob("*.py")}
    assert found == {"__init__.py", "__main__.py", "errors.py", "settings.py"}


def test_every_pure_algorithm_has_a_property_and_every_port_a_contract() -> None:
    rooms = tomllib.loads((HERE / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    (pure,) = (one["source_modules"] for one in rooms if one["name"].startswith("pure modules"))
    for module in pure:
        *folders, name = module.split(".")[1:]
        if folders:
            test = HERE.joinpath("tests", *folders, f"test_{name}.py")
            assert "@given(" in test.read_text("utf-8"), module
    ports = "".join(path.read_text("utf-8") for path in (HERE / "contextsvc/ports").glob("*.py"))
    for name in re.findall(r"class (\w+)\(Protocol\)", ports):
        snake = re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
        assert (HERE / f"tests/contracts/test_{snake}.py").exists(), name
