"""`contextsvc pack`: print one context pack, for a person or a program."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from contextsvc.cli.options import JsonFlag, RootOption, settings_with

if TYPE_CHECKING:
    from contextsvc.records.json import Json
    from contextsvc.settings import Settings

TrimFlag = typer.Option(help="Take the best sentences, instead of whole chunks.")

AnswerableFlag = typer.Option("--answerable-only", help="Return an empty pack if nothing answers the query.")

SentencesFlag = typer.Option("--sentences", help="Measure the sentences of live chunks; implies --measure.")


def pack(
    query: Annotated[str, typer.Argument(help="The question.")],
    index: Annotated[str, typer.Option(help="Name of the index.")],
    budget: Annotated[int, typer.Option(help="Largest number of tokens of the rendered pack.")] = 800,
    max_chunks: Annotated[int | None, typer.Option(help="Largest number of chunks.")] = None,
    tokenizer: Annotated[str | None, typer.Option(help="Encoding, or path of a tokenizer.json.")] = None,
    ordering: Annotated[str | None, typer.Option(help="relevance, document or edges.")] = None,
    filters: Annotated[str | None, typer.Option(help="Condition on the metadata, as JSON.")] = None,
    exact: Annotated[bool, typer.Option("--exact", help="Compare the query with every vector.")] = False,
    trim: Annotated[bool | None, TrimFlag] = None,
    answerable_only: Annotated[bool, AnswerableFlag] = False,
    measure: Annotated[bool, typer.Option("--measure", help="Measure the utilization.")] = False,
    response: Annotated[str | None, typer.Option(help="Answer of your model; implies --measure.")] = None,
    sentences: Annotated[bool, SentencesFlag] = False,
    explain: Annotated[bool, typer.Option("--explain", help="List left-out chunks with the reason.")] = False,
    root: Annotated[Path | None, RootOption] = None,
    as_json: Annotated[bool, JsonFlag] = False,
) -> None:
    """Print the best chunks for a query that fit a token budget."""
    settings = settings_with(root=root)
    chosen = {
        "max_chunks": max_chunks,
        "tokenizer": tokenizer,
        "ordering": ordering,
        "filters": _parsed(filters),
        "exact": exact or None,
        "trim": trim,
        "answerable_only": answerable_only or None,
        "response": response,
        "measure": measure or sentences or response is not None or None,
        "sentences": sentences or None,
        "explain": explain or None,
    }
    ask: Json = {"index": index, "query": query, "budget_tokens": budget}
    ask |= {name: value for name, value in chosen.items() if value is not None}
    _answer(ask, settings, as_json)


def _answer(ask: "Json", settings: "Settings", as_json: bool) -> None:
    """Make and print the pack of a request.

    Args:
        ask: The request, as a body of `POST /v1/context`.
        settings: The settings.
        as_json: Whether to print JSON.
    """
    from contextsvc import open_index
    from contextsvc.cli.output import print_json, progress
    from contextsvc.cli.pack_output import print_pack

    with progress("pack") as tell:
        if "measure" in ask:
            tell("loading models, packing, measuring")
        tokenizer = ask.get("tokenizer")
        with open_index(ask["index"], settings=settings, tokenizer_file=tokenizer) as opened:
            view = opened.context(**{name: value for name, value in ask.items() if name != "index"})
    if as_json:
        print_json(view)
    else:
        print_pack(view, f"http://{settings.host}:{settings.port}", ask)


def _parsed(filters: str | None) -> "Json | None":
    if filters is None:
        return None
    import json

    try:
        parsed = json.loads(filters)
    except ValueError as error:
        raise typer.BadParameter(f"--filters is not JSON: {error}") from None
    if not isinstance(parsed, dict):
        raise typer.BadParameter("--filters takes a JSON object")
    return parsed
