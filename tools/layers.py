"""The drawing of the layers: `python -m tools.layers` writes `docs/layers.md` from the code.

The layers are read from the import contract in `pyproject.toml`, the imports from the code itself.
"""

import ast
import re
import tomllib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import grimp

HERE = Path(__file__).parents[1]
PACKAGE = "contextsvc"
PAGE = HERE / "docs" / "layers.md"
WIDTH = 72
"""Characters between the edges of the drawing."""

LEAD = """# Layers

Written by `python -m tools.layers` from the import contract in `pyproject.toml` and the imports of the code.
`make lint` refuses a change that breaks the contract, and a test says when this page is out of date.

A room imports only rooms below it. Rooms side by side never import each other, unless a colon stands between
them. The number is how many modules a room has."""


def layers(contract: Sequence[str]) -> list[tuple[list[str], bool]]:
    """Rooms of each layer, top first, and whether they may import each other.

    >>> layers(["cli", "api | web", "records : errors"])
    [(['cli'], False), (['api', 'web'], False), (['records', 'errors'], True)]
    """
    return [(re.split(r" *[|:] *", line), ":" in line) for line in contract]


def drawing(rooms: Sequence[tuple[list[str], bool]], sizes: Counter[str]) -> str:
    """A box for each layer, its rooms side by side.

    Args:
        rooms: As `layers` returns them.
        sizes: Number of modules of each room.
    """
    edge = "+" + "-" * WIDTH + "+"
    lines = [edge]
    for names, open_siblings in rooms:
        between = " : " if open_siblings else " | "
        share = (WIDTH - len(between) * (len(names) - 1)) // len(names)
        cells = [f"{name} ({sizes[name]})".center(share) for name in names]
        lines += ["|" + between.join(cells).center(WIDTH) + "|", edge]
    return "\n".join(lines)


def page() -> str:
    """The whole page."""
    graph = grimp.build_graph(PACKAGE)
    rooms = layers(_contract())
    modules = {_file(name): name for name in sorted(graph.modules)}
    sizes = Counter(_room(name) for path, name in modules.items() if path.name != "__init__.py")
    used: dict[str, set[str]] = {}
    for name in modules.values():
        for other in graph.find_modules_directly_imported_by(name):
            if _room(name) != _room(other):
                used.setdefault(_room(name), set()).add(_room(other))
    order = [room for names, _ in rooms for room in names]
    parts = [LEAD, f"```text\n{drawing(rooms, sizes)}\n```", _imports(order, used), "## Rooms"]
    parts += [_section(room, modules) for room in order]
    return "\n\n".join(parts) + "\n"


def _contract() -> list[str]:
    said = tomllib.loads((HERE / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    (found,) = (contract["layers"] for contract in said if contract["type"] == "layers")
    return list(found)


def _imports(order: Sequence[str], used: dict[str, set[str]]) -> str:
    head = "## Who imports whom\n\n"
    lines = ["| room | imports |", "|---|---|"]
    for room in order:
        below = [other for other in order if other in used.get(room, set())]
        lines.append(f"| {room} | {', '.join(below) or 'no other room'} |")
    return head + "\n".join(lines)


def _section(room: str, modules: dict[Path, str]) -> str:
    mine = {path: name for path, name in modules.items() if _room(name) == room}
    own = next((path for path, name in mine.items() if name == f"{PACKAGE}.{room}"), None)
    lead = f"### {room}\n\n{_first_line(own) if own else ''}"
    lines = ["| module | |", "|---|---|"]
    for path, name in mine.items():
        is_marker = path.name == "__init__.py" and len(ast.parse(path.read_text("utf-8")).body) < 2
        if path != own and not is_marker:
            lines.append(f"| `{name.removeprefix(PACKAGE + '.')}` | {_first_line(path)} |")
    return "\n\n".join([lead, "\n".join(lines)]) if len(lines) > 2 else lead


def _room(module: str) -> str:
    return module.split(".")[1] if "." in module else PACKAGE


def _file(module: str) -> Path:
    path = HERE.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def _first_line(path: Path) -> str:
    text = ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""
    return text.partition("\n")[0].replace("|", "\\|").replace("<", "&lt;")


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
