"""The documents: links, code blocks and generated parts are true to the code."""

import ast
import importlib.util
import inspect
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
import typer.main
from fastapi import FastAPI
from pydantic import BaseModel

import contextsvc
from benchmarks.report import ALL, FIGURES, page, updated
from benchmarks.rows import read
from contextsvc.api.app import create_app
from contextsvc.api.problems import STATUS
from contextsvc.cli.main import app as command_line
from contextsvc.packing.ordering import ORDERINGS
from contextsvc.settings import documented
from tools import layers, settings_table

HERE = Path(__file__).parents[1]
DOCS = HERE / "docs"
README = HERE / "README.md"
DECISIONS = sorted((DOCS / "decisions").glob("0*.md"))
PAGES = [README, *sorted(DOCS.glob("*.md")), *sorted(DOCS.glob("decisions/*.md"))]
GUIDES = [path for path in PAGES if path not in DECISIONS]
"""Pages that are kept true to the code; a decision speaks of the code of its time."""

NO_SETTINGS = {"CONTEXTSVC_DATA", "CONTEXTSVC_SERVICE_HOST"}
"""Variables that the guides name and the service does not read."""

_FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def blocks(path: Path, *languages: str) -> Iterator[str]:
    """Fenced code in one of some languages."""
    for language, code in _FENCED.findall(path.read_text("utf-8")):
        if language in languages:
            yield code


def commands(path: Path) -> Iterator[list[str]]:
    """Words of each command line in the shell blocks, without comments, variables and the prompt."""
    for code in blocks(path, "bash", "console"):
        for line in code.replace("\\\n", " ").splitlines():
            words = shlex.split(line.removeprefix("$ "), comments=True)
            while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
                del words[0]
            if words:
                yield words


def prose(path: Path) -> str:
    """A page without its code."""
    return re.sub(r"`[^`\n]*`", "", _FENCED.sub("", path.read_text("utf-8")))


def anchors(path: Path) -> set[str]:
    """Anchors of a page's headings, as both the site and a Markdown viewer make them."""
    headings = re.findall(r"^#+ (.*)$", _FENCED.sub("", path.read_text("utf-8")), re.MULTILINE)
    return {re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", heading).strip().lower()) for heading in headings}


def links(path: Path) -> list[str]:
    """Targets of the links of a page that do not lead out of the project."""
    found: list[str] = re.findall(r"\[[^\]]*\]\(([^)\s]+)\)", _FENCED.sub("", path.read_text("utf-8")))
    return [target for target in found if not re.match(r"https?://", target)]


def broken(path: Path) -> list[str]:
    """Links of a page whose file or anchor is not there."""
    wrong = []
    for target in links(path):
        name, _, anchor = target.partition("#")
        file = (path.parent / name).resolve() if name else path
        inside = file.is_relative_to(DOCS) or path == README
        if not inside or not file.is_file() or (anchor and anchor not in anchors(file)):
            wrong.append(target)
    return wrong


def by_name(paths: list[Path]) -> pytest.MarkDecorator:
    """A parameter a page, named by its path."""
    return pytest.mark.parametrize("path", paths, ids=lambda path: str(path.relative_to(HERE)))


@by_name(PAGES)
def test_links_lead_to_a_page_and_an_anchor(path: Path) -> None:
    assert broken(path) == []


def test_a_link_to_nowhere_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# Here it is\n[a](#here-it-is) [b](#there) [c](no.md)\n```text\n[d](code.md)\n```\n")
    assert links(page) == ["#here-it-is", "#there", "no.md"]
    assert "there" not in anchors(page)
    assert broken(DOCS / "http.md") == []


@by_name(GUIDES)
def test_blocks_of_json_parse(path: Path) -> None:
    for code in blocks(path, "json"):
        json.loads(code)


@by_name(GUIDES)
def test_blocks_of_python_compile_and_name_what_there_is(path: Path) -> None:
    for code in blocks(path, "python"):
        tree = ast.parse(code)
        named = (node for node in ast.walk(tree) if isinstance(node, ast.Attribute))
        used = {node.attr for node in named if ast.unparse(node.value) == "contextsvc"}
        assert [name for name in sorted(used) if not hasattr(contextsvc, name)] == []


@pytest.mark.model
@by_name([README, DOCS / "python.md"])
def test_the_ten_lines_of_python_run(path: Path, tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    text = "To restore a backup, stop the members first. Then restore each from the same snapshot."
    (tmp_path / "docs/restore.md").write_text(f"# Backups\n\n{text}\n")
    (code,) = blocks(path, "python")
    told = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(HERE)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert told.returncode == 0, told.stderr
    assert "stop the members first" in told.stdout


@by_name(GUIDES)
def test_commands_exist_and_take_the_options_shown(path: Path) -> None:
    targets = re.findall(r"^([\w-]+):", (HERE / "Makefile").read_text("utf-8"), re.MULTILINE)
    for program, *arguments in commands(path):
        if program == "contextsvc":
            parse(arguments)
        elif program == "make":
            assert arguments[0] in targets
        elif program == "python":
            assert arguments[0] == "-m"
            assert importlib.util.find_spec(arguments[1]), arguments[1]
        else:
            assert program in ("curl", "docker", "pip"), f"{program}: is it known to be right?"


def test_an_option_that_does_not_exist_is_found() -> None:
    parse(["pack", "query", "--index", "mine", "--budget", "800"])
    with pytest.raises(Exception, match="--depth"):  # of the click that typer brings
        parse(["pack", "query", "--index", "mine", "--depth", "3"])


def parse(arguments: list[str]) -> None:
    """Parse a command line without running it; a wrong argument or option raises."""
    command: Any = typer.main.get_command(command_line)
    while hasattr(command, "commands"):
        name, *arguments = arguments
        command = command.commands[name]
    command.make_context(command.name, arguments)


def test_requests_shown_fit_their_routes() -> None:
    shown = [words for path in GUIDES for words in commands(path) if words[0] == "curl"]
    assert len(shown) >= 10
    for words in shown:
        address = next(word for word in words if word.startswith("http://"))
        body = words[words.index("-d") + 1] if "-d" in words else None
        method = words[words.index("-X") + 1] if "-X" in words else "POST" if body else "GET"
        endpoint = endpoint_of(create_app(lambda: pytest.fail("not to be built")), method, address)
        if body is not None:
            model_of(endpoint).model_validate(json.loads(body))


def endpoint_of(application: FastAPI, method: str, address: str) -> Any:
    """The function that answers."""
    path = re.sub(r"^http://[^/]*", "", address)
    for route in routes_of(application):
        pattern = re.sub(r"\{\w+:\w+\}", ".+", re.sub(r"\{\w+\}", "[^/]+", route.path))
        if method in route.methods and re.fullmatch(pattern, path):
            return route.endpoint
    raise AssertionError(f"no route for {method} {path}")


def routes_of(application: FastAPI) -> list[Any]:
    """Routes of the application that have a function of ours."""
    found = [route for route in flat(application.routes) if hasattr(route, "endpoint")]
    return [route for route in found if route.endpoint.__module__.startswith("contextsvc")]


def flat(routes: Any) -> Iterator[Any]:
    """Routes, those of included routers too, which newer versions of FastAPI keep together."""
    for route in routes:
        inner = getattr(route, "original_router", None)
        yield from [route] if inner is None else flat(inner.routes)


def model_of(endpoint: Any) -> type[BaseModel]:
    """The type of the body that a function takes."""
    for parameter in inspect.signature(endpoint).parameters.values():
        for kind in (parameter.annotation, *get_args(parameter.annotation)):
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                return kind
    raise AssertionError(f"{endpoint.__name__} takes no body")


def test_the_page_of_routes_has_every_route_ordering_and_error_code() -> None:
    text = (DOCS / "http.md").read_text("utf-8")
    for route in routes_of(create_app(lambda: pytest.fail("not to be built"))):
        path = re.sub(r":\w+}", "}", route.path)
        for method in route.methods:
            assert f"`{method} {path}`" in text
    for name in ORDERINGS:
        assert f"| `{name}` |" in text
    for kind in STATUS:
        if kind.__name__ not in ("ContextError", "UserError"):
            assert f"`{kind.code}`" in text, kind.code


def test_the_generated_parts_are_up_to_date() -> None:
    settings, figures = settings_table.PAGE.read_text("utf-8"), FIGURES.read_text("utf-8")
    assert settings_table.updated(settings) == settings, "run: python -m tools.settings_table"
    assert updated(figures) == figures, "run: python -m benchmarks.report"
    assert ALL.read_text("utf-8") == page(read()), "run: python -m benchmarks.report"
    assert layers.PAGE.read_text("utf-8") == layers.page(), "run: python -m tools.layers"


def test_the_table_of_settings_has_every_setting() -> None:
    text = settings_table.PAGE.read_text("utf-8")
    for name, default, meaning in documented():
        assert f"| `{name}` | {f'`{default}`' if default else ''} | {meaning} |" in text


def test_settings_named_in_the_guides_exist() -> None:
    known = {name for name, _, _ in documented()} | NO_SETTINGS
    for path in GUIDES:
        named = set(re.findall(r"CONTEXTSVC_[A-Z_]*[A-Z]", path.read_text("utf-8")))
        assert named - known == set(), path


def test_modules_named_in_the_walks_exist() -> None:
    text = (DOCS / "how-it-works.md").read_text("utf-8")
    named = [name for name in re.findall(r"`([a-z_]+(?:/[a-z_]+)+(?:\.py)?)`", text) if name[:6] != "tests/"]
    assert len(named) > 20
    assert [name for name in named if not (HERE / "contextsvc" / name).exists()] == []


def test_the_readme_is_short_and_says_where_the_rest_is() -> None:
    text = README.read_text("utf-8")
    assert len(text.splitlines()) <= 150
    for path in DOCS.glob("*.md"):
        assert path.name == "index.md" or f"(docs/{path.name})" in text, path.name


def test_decisions_are_numbered_without_gaps_and_listed() -> None:
    assert len(DECISIONS) >= 16
    assert [path.name[:4] for path in DECISIONS] == [f"{n:04d}" for n in range(1, len(DECISIONS) + 1)]
    listed = (DOCS / "decisions/index.md").read_text("utf-8")
    for path in DECISIONS:
        title = path.read_text("utf-8").splitlines()[0].removeprefix("# ")
        assert f"| {title[:4]} | [{title[5:]}]({path.name}) |" in listed


def test_the_site_builds_without_a_warning_and_loads_nothing_from_elsewhere(tmp_path: Path) -> None:
    pytest.importorskip("mkdocs", reason="the extra docs is not installed")
    build = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path)]
    told = subprocess.run(
        build, cwd=HERE, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert (told.returncode, told.stdout, told.stderr) == (0, "", "")
    built = list(tmp_path.rglob("*.html"))
    assert len(built) > len(PAGES) - 1
    for path in built:
        loaded = re.findall(
            r'<(?:script|link|img)\b[^>]*(?:src|href)="?(https?:[^" >]*)', path.read_text("utf-8")
        )
        assert loaded == [], path
