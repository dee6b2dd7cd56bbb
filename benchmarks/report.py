"""Figures from the rows: `python -m benchmarks.report` rewrites the README's table of claims, and the page of
all rows in `benchmarks/results/README.md`.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.claims import claim_table
from benchmarks.rows import RESULTS, read

README = Path(__file__).parents[1] / "README.md"
ALL = RESULTS / "README.md"
START, END = "<!-- figures: made by python -m benchmarks.report -->", "<!-- end of figures -->"


def updated(readme: str) -> str:
    """The README with the figures of the stored rows."""
    pattern = re.compile(re.escape(START) + ".*?" + re.escape(END), re.DOTALL)
    return pattern.sub(lambda _: f"{START}\n{claim_table(read())}\n{END}", readme)


def page(rows: Sequence[dict[str, Any]]) -> str:
    """All rows, a section a benchmark, each with what made it."""
    lead = ["# All figures", "Made by `python -m benchmarks.report` from the rows beside this page."]
    names = dict.fromkeys(row["benchmark"] for row in rows)
    sections = [section(name, [row for row in rows if row["benchmark"] == name]) for name in names]
    return "\n\n".join([*lead, *sections]) + "\n"


def section(name: str, rows: Sequence[dict[str, Any]]) -> str:
    """One benchmark's rows as a Markdown table under its command, data, machine and commit."""
    lines = ["| figure | value | 95 % interval | n |", "|---|---:|---|---:|"]
    for row in rows:
        around = "" if row["interval"] is None else f"{row['interval'][0]:.4g} to {row['interval'][1]:.4g}"
        lines.append(f"| {row['figure']} | {row['value']:.4g} | {around} | {row['n']} |")
    made = [f"`{command}`" for command in dict.fromkeys(row["command"] for row in rows)]
    where = dict.fromkeys(f"{row['dataset']}; {row['machine']}; commit {row['commit']}" for row in rows)
    return "\n".join([f"## {name}", "", ", ".join(made), "", *(f"- {place}" for place in where), "", *lines])


if __name__ == "__main__":
    README.write_text(updated(README.read_text("utf-8")), "utf-8")
    ALL.write_text(page(read()), "utf-8")
