"""`contextsvc index`: build, list, show, check."""

from pathlib import Path
from typing import Annotated

import typer

from contextsvc.cli.build_output import (
    built_view,
    duplicates_view,
    print_aliases,
    print_built,
    print_duplicates,
    progress_line,
)
from contextsvc.cli.output import JsonFlag, out, print_fields, print_json, print_table, progress, say, size
from contextsvc.cli.sources import Sources, interruptible
from contextsvc.errors import ContextError, CorruptIndex, UserError
from contextsvc.indexing.build import Update, build_index, update_index
from contextsvc.indexing.deduplication import Deduplicator
from contextsvc.records.json import Json
from contextsvc.service.views import index_view
from contextsvc.settings import Settings
from contextsvc.storage.checking import check_index
from contextsvc.storage.corpus import Corpus
from contextsvc.storage.generation import collect, index_names, open_manifest, roll_back

app = typer.Typer(help="Indexes: build, update, list, show, check, roll back, collect.", no_args_is_help=True)

ResumeOption = typer.Option("--resume", help="Go on from the finished parts of an interrupted build.")

RootOption = typer.Option(help="Folder of the indexes; default: CONTEXTSVC_ROOT or indexes.")


@app.command("build")
def build(
    sources: Annotated[list[str], typer.Argument(help="Files, folders or python-reference.")],
    index: Annotated[str, typer.Option("--index", help="Name of the index.")],
    root: Annotated[Path | None, RootOption] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 if anything was skipped.")] = False,
    resume: Annotated[bool, ResumeOption] = False,
    dedupe: Annotated[
        bool, typer.Option("--dedupe", help="Keep the first of equal and near-duplicate documents.")
    ] = False,
    as_json: Annotated[bool, JsonFlag] = False,
) -> None:
    """Build an index and publish it; the former generation serves until then."""
    from contextsvc.wiring import build_index_parts, make_near_duplicate_index

    settings = Settings.from_env()
    read = Sources(settings, sources)
    least = settings.duplicate_likeness
    watch = Deduplicator(least, make_near_duplicate_index(least), dedupe)
    with progress(f"indexing {index}") as tell, interruptible():
        built = build_index(
            root or settings.root, index, read.documents(), build_index_parts(settings),
            lambda done: tell(progress_line(done, read.remaining(done))), settings.keep_generations, resume,
            watch,
        )  # fmt: skip
    if as_json:
        print_json({**built_view(built), "skipped": read.skipped, "duplicates": duplicates_view(watch.found)})
    else:
        print_built(built)
        print_duplicates(watch)
        if read.skipped:
            out.print(f"{len(read.skipped)} skipped, each with its reason above")
    if strict and read.skipped:
        raise UserError(
            f"{len(read.skipped)} sources were skipped and --strict was given; the rest is published"
        )


@app.command("list")
def list_indexes(
    root: Annotated[Path | None, RootOption] = None, as_json: Annotated[bool, JsonFlag] = False
) -> None:
    """Every index under the root; its files are compared with its manifest."""
    folder = root or Settings.from_env().root
    rows = [_row(folder, name) for name in index_names(folder)]
    if as_json:
        print_json({"root": str(folder), "indexes": rows})
    elif not rows:
        say(f"no index under {folder}; build one: contextsvc index build SOURCE --index NAME")
    else:
        columns = ("name", "generation", "documents", "chunks", "built", "state")
        print_table(columns, [[row.get(column, "") for column in columns] for row in rows],
                    right=("documents", "chunks"))  # fmt: skip


@app.command("show")
def show(
    name: Annotated[str, typer.Argument(help="The index.")],
    root: Annotated[Path | None, RootOption] = None,
    as_json: Annotated[bool, JsonFlag] = False,
) -> None:
    """An index: what it was built with, how large it is, its last measured utilization, its aliases."""
    folder, manifest = open_manifest(root or Settings.from_env().root, name, trust_seen=True)
    view = index_view(name, folder, manifest)
    aliases = Corpus.open(folder, manifest).aliases
    if as_json:
        print_json({**view, "aliases": duplicates_view(aliases)})
        return
    score = view.pop("utilization")
    view["num_bytes"] = size(view["num_bytes"])
    settings = view.pop("settings")
    print_fields({**view, **settings})
    if score["score"] is None:
        print_fields({"utilization": score["reason"]})
    else:
        low, high = score["interval"]
        print_fields({"utilization": f"{score['score']:.2f} [{low:.2f}, {high:.2f}] over "
                                     f"{score['num_queries']} queries by {score['reader']}"})  # fmt: skip
    print_aliases(aliases)


@app.command("check")
def check(
    name: Annotated[str, typer.Argument(help="The index.")],
    root: Annotated[Path | None, RootOption] = None,
    as_json: Annotated[bool, JsonFlag] = False,
) -> None:
    """Verify every byte against the manifest, the invariants and the probe queries; names what is wrong."""
    from contextsvc.wiring import open_search

    manifest, problems = check_index(root or Settings.from_env().root, name, open_search)
    if as_json:
        print_json({"name": name, "sound": not problems, "problems": problems})
    elif manifest and not problems:
        out.print(
            f"{name} {manifest.generation}: sound; {len(manifest.files)} files, {manifest.num_chunks} chunks"
        )
    if problems:
        raise CorruptIndex(name, problems)


def _row(root: Path, name: str) -> Json:
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
        list[str] | None, typer.Argument(help="Files, folders or python-reference; spelled as when built.")
    ] = None,
    delete: Annotated[
        list[str] | None, typer.Option("--delete", help="Id of a document to leave out; repeatable.")
    ] = None,
    prune: Annotated[
        bool, typer.Option("--prune", help="Leave out documents of the sources whose files are gone.")
    ] = False,
    root: Annotated[Path | None, RootOption] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 if anything was skipped.")] = False,
    resume: Annotated[bool, ResumeOption] = False,
    as_json: Annotated[bool, JsonFlag] = False,
) -> None:
    """Publish the index with documents added, replaced and left out; only what changed is embedded."""
    from contextsvc.wiring import build_index_parts

    if not sources and not delete:
        raise UserError("nothing to do; name files or folders to update from, or documents to --delete")
    if prune and not sources:
        raise UserError("--prune needs the sources whose documents may be gone")
    settings = Settings.from_env()
    read = Sources(settings, sources or [])
    change = Update(read.documents(), delete or [], read.gone if prune else None)
    with progress(f"updating {name}") as tell, interruptible():
        built = update_index(
            root or settings.root, name, lambda _: change, build_index_parts(settings),
            lambda done: tell(progress_line(done, read.remaining(done))), settings.keep_generations, resume,
        )  # fmt: skip
    if as_json:
        print_json({**built_view(built), "skipped": read.skipped, "lost": list(built.lost)})
    else:
        print_built(built, updated=True)
    for doc_id in built.lost:
        say(f"lost {doc_id}: what stood for this near-duplicate is gone; name its source to have it again")
    if strict and read.skipped:
        raise UserError(
            f"{len(read.skipped)} sources were skipped and --strict was given; the rest is published"
        )


@app.command("rollback")
def rollback(
    name: Annotated[str, typer.Argument(help="The index.")],
    generation: Annotated[
        str | None, typer.Argument(help="Its id; default: the one before the current.")
    ] = None,
    root: Annotated[Path | None, RootOption] = None,
    as_json: Annotated[bool, JsonFlag] = False,
) -> None:
    """Make a former generation current again, once every byte of it is verified."""
    manifest = roll_back(root or Settings.from_env().root, name, generation)
    if as_json:
        print_json({"name": name, "generation": manifest.generation})
    else:
        out.print(f"{name} is now at {manifest.generation}, built {manifest.built_at}")


@app.command("gc")
def gc(
    name: Annotated[str, typer.Argument(help="The index.")],
    keep: Annotated[
        int | None,
        typer.Option(help="Generations to keep, the current included; default: CONTEXTSVC_KEEP_GENERATIONS."),
    ] = None,
    root: Annotated[Path | None, RootOption] = None,
    as_json: Annotated[bool, JsonFlag] = False,
) -> None:
    """Remove former generations and what dead writers left."""
    settings = Settings.from_env()
    removed = collect(root or settings.root, name, settings.keep_generations if keep is None else keep)
    if as_json:
        print_json({"name": name, "removed": removed})
    else:
        out.print(f"{name}: removed {', '.join(removed) or 'nothing'}")
