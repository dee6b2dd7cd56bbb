"""The table of settings: `python -m tools.settings_table` writes it into `docs/settings.md`."""

import re
from pathlib import Path

from contextsvc.settings import documented

PAGE = Path(__file__).parents[1] / "docs" / "settings.md"
START, END = "<!-- settings: made by python -m tools.settings_table -->", "<!-- end of settings -->"


def table() -> str:
    """Every setting with its default and its explanation, as Markdown, in order of declaration."""
    lines = ["| variable | default | meaning |", "|---|---|---|"]
    for name, default, meaning in documented():
        lines.append(f"| `{name}` | {f'`{default}`' if default else ''} | {meaning} |")
    return "\n".join(lines)


def updated(text: str) -> str:
    """The page with the table of the code; what stands outside the marks is kept."""
    pattern = re.compile(re.escape(START) + ".*?" + re.escape(END), re.DOTALL)
    return pattern.sub(lambda _: f"{START}\n{table()}\n{END}", text)


if __name__ == "__main__":
    PAGE.write_text(updated(PAGE.read_text("utf-8")), "utf-8")
