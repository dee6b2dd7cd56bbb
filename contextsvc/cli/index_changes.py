"""`contextsvc index update | rollback | gc`."""

from pathlib import Path
from typing import Annotated

import typer

from contextsvc.cli.built import built_view, print_built, progress_line
from contextsvc.cli.index import ResumeOption, RootOption
from contextsvc.cli.output import JsonFlag, out, print_json, progress, say
from contextsvc.cli.sources import Sources, interruptible
from contextsvc.errors import UserError
from contextsvc.generation import collect, roll_back
from contextsvc.indexing import Update, update_index
from contextsvc.settings import Settings


def add_commands(app: typer.Typer) -> None:
    """Add them to `contextsvc index`."""
    app.command("update")(update)
    app.command("rollback")(rollback)
    app.command("gc")(gc)


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
