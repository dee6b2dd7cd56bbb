"""Figures from the stored rows: `python -m benchmarks.report` writes two pages.

`docs/figures.md` has the claims, between two marks; `benchmarks/results/README.md` has every row.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.claims import claim_tables
from benchmarks.rows import RESULTS, read

FIGURES = Path(__file__).parents[1] / "docs" / "figures.md"
ALL = RESULTS / "README.md"
START, END = "<!-- figures: made by python -m benchmarks.report -->", "<!-- end of figures -->"


def updated(text: str) -> str:
    """The figures page with the claims of the stored rows; what stands outside the marks is kept."""
    pattern = re.compile(re.escape(START) + ".*?" + re.escape(END), re.DOTALL)
    return pattern.sub(lambda _: f"{START}\n{claim_tables(read())}\n{END}", text)


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
    FIGURES.write_text(updated(FIGURES.read_text("utf-8")), "utf-8")
    ALL.write_text(page(read()), "utf-8")
