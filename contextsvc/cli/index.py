"""`contextsvc index`: build, update, list, show, check, roll back and clean up indexes."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from contextsvc.cli.options import JsonFlag, ResumeFlag, RootOption, StrictFlag, settings_with
from contextsvc.errors import ContextError, CorruptIndex, UserError

if TYPE_CHECKING:
    from contextsvc.records.json import Json

app = typer.Typer(help="Build, update, inspect, roll back and clean up indexes.", no_args_is_help=True)


@app.command("build")
def build(
    sources: Annotated[list[str], typer.Argument(help="Files, folders or python-reference.")],
    index: Annotated[str, typer.Option("--index", help="Name of the index.")],
    root: Annotated[Path | None, RootOption] = None,
    strict: Annotated[bool, StrictFlag] = False,
    resume: Annotated[bool, ResumeFlag] = False,
    dedupe: Annotated[
        bool, typer.Option("--dedupe", help="Keep only the first of equal and near-duplicate documents.")
    ] = False,
    as_json: Annotated[bool, JsonFlag] = False,
) -> None:
    """Build an index from all its documents.

    The previous generation serves until the new one is published. A generation is one published version of an
    index.
    """
    import contextsvc
    from contextsvc.cli.build_output import (
        built_view,
        duplicates_view,
        print_built,
        print_duplicates,
        progress_line,
    )
    from contextsvc.cli.output import out, print_json, progress
    from contextsvc.cli.sources import Sources, interruptible

    settings = settings_with(root=root)
    read = Sources(settings, sources)
    with progress(f"indexing {index}") as tell, interruptible():
        result = contextsvc.build(
            read.documents(),
            index=index,
            settings=settings,
            dedupe=dedupe,
            resume=resume,
            report=lambda done: tell(progress_line(done, read.remaining(done))),
        )
    if as_json:
        duplicates = duplicates_view(result.duplicates)
        print_json({**built_view(result.made), "skipped": read.skipped, "duplicates": duplicates})
    else:
        print_built(result.made)
        print_duplicates(result.duplicates, dedupe)
        if read.skipped:
            out.print(f"{len(read.skipped)} skipped; the reason of each is above")
    _refuse_skipped(strict, len(read.skipped))


@app.command("list")
def list_indexes(
    root: Annotated[Path | None, RootOption] = None, as_json: Annotated[bool, JsonFlag] = False
) -> None:
    """List all indexes.

    Compares the files of each index with its manifest.
    """
    from contextsvc.cli.output import print_json, print_table, say
    from contextsvc.storage.generation import index_names

    folder = settings_with(root=root).root
    rows = [_row(folder, name) for name in index_names(folder)]
    if as_json:
        print_json({"root": str(folder), "indexes": rows})
    elif not rows:
        say(f"no index under {folder}; build one: contextsvc index build SOURCE --index NAME")
    else:
        columns = ("name", "generation", "documents", "chunks", "built", "state")
        cells = [[row.get(column, "") for column in columns] for row in rows]
        print_table(columns, cells, right=("documents", "chunks"))


@app.command("show")
def show(
    name: Annotated[str, typer.Argument(help="The index.")],
    root: Annotated[Path | None, RootOption] = None,
    as_json: Annotated[bool, JsonFlag] = False,
) -> None:
    """Show an index.

    Prints its settings, its size, its answer threshold with the expected error, its last measured utilization
    (the share of a pack's tokens that influenced the answer) and its aliases (left-out duplicate documents).
    """
    from contextsvc.cli.build_output import answer_threshold_text, duplicates_view, print_aliases
    from contextsvc.cli.output import print_fields, print_json, size
    from contextsvc.service.views import index_view
    from contextsvc.storage.corpus import Corpus
    from contextsvc.storage.generation import open_manifest

    chosen = settings_with(root=root)
    folder, manifest = open_manifest(chosen.root, name, trust_seen=True)
    view = index_view(name, folder, manifest, chosen.answer_threshold)
    aliases = Corpus.open(folder, manifest).aliases
    if as_json:
        print_json({**view, "aliases": duplicates_view(aliases)})
        return
    score = view.pop("utilization")
    view["answerable"] = answer_threshold_text(view["answerable"])
    view["num_bytes"] = size(view["num_bytes"])
    settings = view.pop("settings")
    print_fields({**view, **settings})
    if score["score"] is None:
        print_fields({"utilization": score["reason"]})
    else:
        low, high = score["interval"]
        measured = f"over {score['num_queries']} queries by {score['reader']}"
        print_fields({"utilization": f"{score['score']:.2f} [{low:.2f}, {high:.2f}] {measured}"})
    print_aliases(aliases)


@app.command("check")
def check(
    name: Annotated[str, typer.Argument(help="The index.")],
    root: Annotated[Path | None, RootOption] = None,
    as_json: Annotated[bool, JsonFlag] = False,
) -> None:
    """Verify every byte of an index.

    Checks the files against the manifest, the invariants and the probe queries.
    """
    from contextsvc.cli.output import out, print_json
    from contextsvc.storage.checking import check_index
    from contextsvc.wiring import open_search

    manifest, problems = check_index(settings_with(root=root).root, name, open_search)
    if as_json:
        print_json({"name": name, "sound": not problems, "problems": problems})
    elif manifest and not problems:
        out.print(
            f"{name} {manifest.generation}: sound; {len(manifest.files)} files, {manifest.num_chunks} chunks"
        )
    if problems:
        raise CorruptIndex(name, problems)


def _row(root: Path, name: str) -> "Json":
    from contextsvc.storage.generation import open_manifest

    try:
        _, manifest = open_manifest(root, name, trust_seen=True)
    except ContextError as error:
        return {"name": name, "state": str(error)}
    return {
        "name": name,
        "generation": manifest.generation,
        "documents": manifest.num_documents,
        "chunks": manifest.num_chunks,
        "built": manifest.built_at,
        "state": "sound",
    }


@app.command("update")
def update(
    name: Annotated[str, typer.Argument(help="The index.")],
    sources: Annotated[
        list[str] | None, typer.Argument(help="Files, folders or python-reference, spelled as in the build.")
    ] = None,
    delete: Annotated[
        list[str] | None, typer.Option("--delete", help="Id of a document to remove; repeatable.")
    ] = None,
    prune: Annotated[
        bool, typer.Option("--prune", help="Remove documents of these sources whose files are gone.")
    ] = False,
    root: Annotated[Path | None, RootOption] = None,
    strict: Annotated[bool, StrictFlag] = False,
    resume: Annotated[bool, ResumeFlag] = False,
    as_json: Annotated[bool, JsonFlag] = False,
) -> None:
    """Add, replace and remove documents.

    Embeds only changed documents, then publishes a new generation (a version of the index).
    """
    from contextsvc.cli.build_output import built_view, print_built, progress_line
    from contextsvc.cli.output import print_json, progress, say
    from contextsvc.cli.sources import Sources, interruptible
    from contextsvc.indexing.build import Update, update_index
    from contextsvc.wiring import build_index_parts

    if not sources and not delete:
        raise UserError("nothing to do; expected files or folders to update from, or documents to --delete")
    if prune and not sources:
        raise UserError("--prune needs the sources of the documents that may be gone")
    settings = settings_with(root=root)
    read = Sources(settings, sources or [])
    change = Update(read.documents(), delete or [], read.gone if prune else None)
    with progress(f"updating {name}") as tell, interruptible():
        built = update_index(
            settings.root,
            name,
            lambda _: change,
            build_index_parts(settings),
            lambda done: tell(progress_line(done, read.remaining(done))),
            keep=settings.keep_generations,
            resume=resume,
        )
    if as_json:
        print_json({**built_view(built), "skipped": read.skipped, "lost": list(built.lost)})
    else:
        print_built(built, updated=True)
    for doc_id in built.lost:
        say(f"lost {doc_id}: the document that stood for this near-duplicate is gone; update from its source")
    _refuse_skipped(strict, len(read.skipped))


@app.command("rollback")
def rollback(
    name: Annotated[str, typer.Argument(help="The index.")],
    generation: Annotated[
        str | None, typer.Argument(help="Id of the generation.  [default: the previous one]")
    ] = None,
    root: Annotated[Path | None, RootOption] = None,
    as_json: Annotated[bool, JsonFlag] = False,
) -> None:
    """Make a previous generation current again.

    A generation is one published version of an index. Verifies every byte of that generation first.
    """
    from contextsvc.cli.output import out, print_json
    from contextsvc.storage.generation import roll_back

    manifest = roll_back(settings_with(root=root).root, name, generation)
    if as_json:
        print_json({"name": name, "generation": manifest.generation})
    else:
        out.print(f"{name} is now at {manifest.generation}, built {manifest.built_at}")


@app.command("gc")
def gc(
    name: Annotated[str, typer.Argument(help="The index.")],
    keep: Annotated[
        int | None,
        typer.Option(help="Generations to keep, with the current.  [default: CONTEXTSVC_KEEP_GENERATIONS]"),
    ] = None,
    root: Annotated[Path | None, RootOption] = None,
    as_json: Annotated[bool, JsonFlag] = False,
) -> None:
    """Remove previous generations.

    A generation is one published version of an index. Also removes the leftovers of killed writers.
    """
    from contextsvc.cli.output import out, print_json
    from contextsvc.storage.generation import collect

    settings = settings_with(root=root)
    removed = collect(settings.root, name, settings.keep_generations if keep is None else keep)
    if as_json:
        print_json({"name": name, "removed": removed})
    else:
        out.print(f"{name}: removed {', '.join(removed) or 'nothing'}")


def _refuse_skipped(strict: bool, num_skipped: int) -> None:
    if strict and num_skipped:
        raise UserError(f"{num_skipped} sources were skipped and --strict was given; the rest is published")
