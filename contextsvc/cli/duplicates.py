"""Copies among documents, as a build finds them and an index remembers them."""

from collections.abc import Sequence

from contextsvc.cli.output import out, print_fields, print_table
from contextsvc.codec import Json
from contextsvc.corpus.aliases import Alias
from contextsvc.duplicates import DuplicateWatch

MAX_SHOWN = 20


def duplicates_view(aliases: Sequence[Alias]) -> list[Json]:
    """As JSON."""
    return [
        {
            "doc_id": alias.doc_id, "source": alias.source, "kept": alias.kept,
            "exact": alias.exact, "likeness": alias.likeness,
        }
        for alias in aliases
    ]  # fmt: skip


def print_duplicates(watch: DuplicateWatch) -> None:
    """How many there are and what became of them; nothing without any."""
    if not watch.found:
        return
    num_exact = sum(alias.exact for alias in watch.found)
    what = f"{num_exact} equal to another document, {len(watch.found) - num_exact} nearly so: "
    print_fields(
        {
            "duplicates": what
            + ("left out, kept as aliases" if watch.keep_one else "all indexed; --dedupe keeps one of each")
        }
    )


def print_aliases(aliases: Sequence[Alias]) -> None:
    """The first of them, each with the document that stands for it; nothing without any."""
    if not aliases:
        return
    rows = [
        (alias.doc_id, alias.kept, "equal" if alias.exact else f"{alias.likeness:.3f}")
        for alias in aliases[:MAX_SHOWN]
    ]
    out.print()
    print_table(("alias", "stands for it", "likeness"), rows)
    if len(aliases) > MAX_SHOWN:
        out.print(f"and {len(aliases) - MAX_SHOWN} more; --json shows all")
