"""Commands import no library that they do not use, so that they answer at once; times are not asserted."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Build

MODELS = {"torch", "transformers", "sentence_transformers", "sklearn", "scipy", "nltk"}
SEARCH = {"faiss", "bm25s", "Stemmer"}
SERVICE = {"fastapi", "uvicorn"}
HEAVY = MODELS | SEARCH | SERVICE
ARRAYS = {"numpy", "rich.console"}

LOADED = """
import json, sys
try:
    from contextsvc.cli.main import run
    run(sys.argv[1:])
except SystemExit as left:
    code = left.code
print(json.dumps({"code": code, "modules": sorted(sys.modules)}))
"""


def loaded(*arguments: str, **env: str) -> tuple[int, set[str]]:
    """Exit code of a command, and the modules that it has imported at its end."""
    command = [sys.executable, "-c", LOADED, *arguments]
    run = subprocess.run(
        command, env={**os.environ, **env}, text=True, capture_output=True, check=True, timeout=120
    )
    left = json.loads(run.stdout.splitlines()[-1])
    return left["code"], set(left["modules"])


def test_help_imports_nothing_heavy() -> None:
    code, modules = loaded("--help")
    assert code == 0
    # typer needs pydantic as soon as it reads the options of a command.
    assert not modules & (HEAVY | ARRAYS | {"platformdirs", "pydantic"})


@pytest.mark.parametrize(
    "arguments",
    [["--version"], ["index", "--help"], ["index", "build", "--help"], ["pack", "--help"],
     ["measure", "--help"], ["serve", "--help"], ["assets", "--help"]],
    ids=" ".join,
)  # fmt: skip
def test_the_help_of_a_command_imports_nothing_heavy(arguments: list[str]) -> None:
    code, modules = loaded(*arguments)
    assert code == 0
    assert not modules & (HEAVY | ARRAYS | {"platformdirs"})


@pytest.mark.parametrize(
    "command", [["serve"], ["index", "list"], ["pack", "q", "--index", "x"]], ids=" ".join
)
def test_wrong_settings_are_refused_before_anything_heavy_is_imported(command: list[str]) -> None:
    code, modules = loaded(*command, CONTEXTSVC_PORT="high")
    assert code == 2
    assert not modules & (HEAVY | {"numpy"})


def test_inspecting_an_index_imports_no_model(build: Build, tmp_path: Path) -> None:
    build()
    for command, unused in (("list", HEAVY), ("show", HEAVY), ("check", MODELS - {"scipy"} | SERVICE)):
        names = [] if command == "list" else ["pages"]
        code, modules = loaded("index", command, *names, "--root", str(tmp_path))
        assert code == 0
        assert not modules & unused, command


def test_listing_assets_imports_no_model_and_no_arrays(tmp_path: Path) -> None:
    code, modules = loaded("assets", "list", CONTEXTSVC_HOME=str(tmp_path))
    assert code == 0
    assert not modules & (HEAVY | {"numpy"})


def test_an_unknown_index_is_refused_before_a_model_is_loaded(tmp_path: Path) -> None:
    code, modules = loaded("pack", "q", "--index", "nope", "--root", str(tmp_path))
    assert code == 1
    assert not modules & (MODELS | SEARCH)


def test_the_package_imports_none_of_its_rooms() -> None:
    code = "import sys, contextsvc; print([m for m in sys.modules if m.startswith('contextsvc.')])"
    run = subprocess.run([sys.executable, "-c", code], text=True, capture_output=True, check=True)
    assert run.stdout == "[]\n"
