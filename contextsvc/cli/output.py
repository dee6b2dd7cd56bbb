"""Output of the command line: results on stdout, progress and errors on stderr."""

import json
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

out = Console(highlight=False, emoji=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, emoji=False, soft_wrap=True)

Tell = Callable[[str], None]


def print_json(content: Any) -> None:
    """Print one JSON document."""
    sys.stdout.write(json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def print_fields(fields: Mapping[str, object]) -> None:
    """Print names and values in two columns."""
    width = max((len(name) for name in fields), default=0)
    for name, value in fields.items():
        out.print(f"[bold]{name.ljust(width)}[/bold]  ", end="")
        print_text(str(value), lead="", rest=" " * (width + 2), used=width + 2)


def print_text(text: str, lead: str, rest: str, used: int = 0, style: str | None = None) -> None:
    """Print a text. On a terminal, wrap it between words.

    If the output is not a terminal, the text stays on one line, so that tools can search the output by line.

    Args:
        text: One line of text.
        lead: Text that is printed before `text`.
        rest: Text that is printed before each further line of a wrapped text.
        used: Number of columns of the first line that are already taken.
        style: Name of a style of the package rich.
    """
    room = out.width - max(used, len(rest))
    lines = [text]
    if out.is_terminal and len(text) > room > 20:
        lines = textwrap.wrap(text, room, drop_whitespace=False, replace_whitespace=False) or [""]
    for number, line in enumerate(lines):
        out.print((rest if number else lead) + line, markup=False, style=style)


def print_table(columns: Sequence[str], rows: Sequence[Sequence[object]], right: Sequence[str] = ()) -> None:
    """Print a table.

    If the output is not a terminal, the table is 400 columns wide, so that tools can search the output by
    line.
    """
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, justify="right" if column in right else "left", overflow="fold")
    for row in rows:
        table.add_row(*(str(cell) for cell in row))
    Console(highlight=False, emoji=False, width=None if out.is_terminal else 400).print(table, markup=False)


def say(line: str) -> None:
    """Print a line on stderr."""
    err.print(line, markup=False)


@contextmanager
def progress(what: str) -> Iterator[Tell]:
    """Yield a function that shows the latest state of a task.

    On a terminal, a new state replaces the old one. Elsewhere, each state is printed as a line on stderr.
    """
    if not err.is_terminal:
        yield lambda text: say(f"{what}: {text}")
        return
    state = TextColumn("{task.fields[state]}")
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(20), state, TimeElapsedColumn())
    with Progress(*columns, console=err, transient=True) as shown:
        task = shown.add_task(what, total=None, state="")
        yield lambda text: shown.update(task, state=text)


def size(num_bytes: int) -> str:
    """Format a number of bytes with a decimal unit.

    >>> size(999), size(1_234_000)
    ('999 B', '1.2 MB')
    """
    amount = float(num_bytes)
    for unit in ("B", "kB", "MB"):
        if amount < 1000:
            return f"{amount:.0f} B" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} GB"
