"""The README's figures from the rows: `python -m benchmarks.report` rewrites them in place."""

import re
from pathlib import Path
from typing import Any

from benchmarks.rows import read

README = Path(__file__).parents[1] / "README.md"
START, END = "<!-- figures: made by python -m benchmarks.report -->", "<!-- end of figures -->"


def table(rows: list[dict[str, Any]]) -> str:
    """Rows as a Markdown table, then the machine and commits they were made with.

    A row whose details say `breakdown` is a part of another one, and stays in the results.
    """
    rows = [row for row in rows if not row.get("details", {}).get("breakdown")]
    lines = [
        "| benchmark | figure | value | 95 % interval | n | data | command |",
        "|---|---|---:|---|---:|---|---|",
    ]
    for row in rows:
        around = "" if row["interval"] is None else f"{row['interval'][0]:.4g} to {row['interval'][1]:.4g}"
        lines.append(
            f"| {row['benchmark']} | {row['figure']} | {row['value']:.4g} | {around} | {row['n']} "
            f"| {row['dataset']} | `{row['command']}` |"
        )
    where = sorted({f"{row['machine']}; commit {row['commit']}" for row in rows})
    return "\n".join([*lines, "", *(f"Machine: {place}." for place in where)])


def updated(readme: str) -> str:
    """The README with the figures of the stored rows."""
    pattern = re.compile(re.escape(START) + ".*?" + re.escape(END), re.DOTALL)
    return pattern.sub(lambda _: f"{START}\n{table(read())}\n{END}", readme)


if __name__ == "__main__":
    README.write_text(updated(README.read_text("utf-8")), "utf-8")
