"""`contextsvc index`: build, list, show, check."""

from pathlib import Path
from typing import Annotated

import typer

from contextsvc.cli.output import JsonFlag, out, print_fields, print_json, print_table, progress, say, size
from contextsvc.codec import Json
from contextsvc.corpus import Corpus, broken_invariants
from contextsvc.engine import index_view
from contextsvc.errors import ContextError, CorruptIndex, UserError
from contextsvc.generation import index_names, open_manifest
from contextsvc.indexing import Built, Progress
from contextsvc.settings import Settings

app = typer.Typer(help="Indexes: build, list, show, check.", no_args_is_help=True)

RootOption = typer.Option(help="Folder of the indexes; default: CONTEXTSVC_ROOT or indexes.")


@app.command("build")
def build(
    sources: Annotated[list[str], typer.Argument(help="Files, folders or python-reference.")],
    index: Annotated[str, typer.Option("--index", help="Name of the index.")],
    root: Annotated[Path | None, RootOption] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 if anything was skipped.")] = False,
    as_json: Annotated[bool, JsonFlag] = False,
) -> None:
    """Build an index and publish it; the former generation serves until then."""
    from contextsvc.indexing import build_index
    from contextsvc.wiring import build_index_parts, read_sources

    settings = Settings.from_env()
    skipped: list[Json] = []

    def skip(source: str, reason: str, num_ignored: int) -> None:
        say(f"{'ignored' if num_ignored else 'skipped'} {source}: {reason}")
        if not num_ignored:
            skipped.append({"source": source, "reason": reason})

    documents = read_sources(settings, sources, skip)
    with progress(f"indexing {index}") as tell:
        built = build_index(
            root or settings.root,
            index,
            documents,
            build_index_parts(settings),
            lambda done: tell(_state(done)),
        )
    if as_json:
        print_json({**_built_view(built), "skipped": skipped})
    else:
        _print_built(built)
        if skipped:
            out.print(f"{len(skipped)} skipped, each with its reason above")
    if strict and skipped:
        raise UserError(f"{len(skipped)} sources were skipped and --strict was given; the rest is published")


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
    """An index: what it was built with, how large it is, its last measured utilization."""
    folder, manifest = open_manifest(root or Settings.from_env().root, name)
    view = index_view(name, folder, manifest)
    if as_json:
        print_json(view)
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


@app.command("check")
def check(
    name: Annotated[str, typer.Argument(help="The index.")],
    root: Annotated[Path | None, RootOption] = None,
    as_json: Annotated[bool, JsonFlag] = False,
) -> None:
    """Verify every byte against the manifest, then the invariants; names what is wrong."""
    try:
        folder, manifest = open_manifest(root or Settings.from_env().root, name)
        problems = broken_invariants(Corpus.open(folder, manifest))
    except CorruptIndex as error:
        problems = error.problems
    if as_json:
        print_json({"name": name, "sound": not problems, "problems": problems})
    elif not problems:
        out.print(
            f"{name} {manifest.generation}: sound; {len(manifest.files)} files, {manifest.num_chunks} chunks"
        )
    if problems:
        raise CorruptIndex(name, problems)


def _row(root: Path, name: str) -> Json:
    try:
        _, manifest = open_manifest(root, name)
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


def _state(done: Progress) -> str:
    rate = done.num_documents / done.seconds if done.seconds else 0.0
    return (
        f"{done.num_documents} documents, {done.num_chunks} chunks, {done.num_vectors} distinct sentences, "
        f"{rate:.1f} documents/s"
    )


def _built_view(built: Built) -> Json:
    done = built.progress
    return {
        "name": built.manifest.name,
        "generation": built.manifest.generation,
        "changed": built.changed,
        "num_documents": done.num_documents,
        "num_chunks": done.num_chunks,
        "num_sentences": done.num_sentences,
        "num_vectors": done.num_vectors,
        "num_tokens": done.num_tokens,
        "seconds": round(built.seconds, 2),
        "documents_per_second": round(done.num_documents / built.seconds, 1),
        "tokens_per_second": round(done.num_tokens / built.seconds),
        "encoder_share": round(done.encoder_seconds / built.seconds, 3),
    }


def _print_built(built: Built) -> None:
    view = _built_view(built)
    what = "published" if built.changed else "unchanged: it was already current"
    print_fields(
        {
            "index": f"{view['name']}  generation {view['generation']} ({what})",
            "content": f"{view['num_documents']} documents, {view['num_tokens']} tokens, "
            f"{view['num_chunks']} chunks",
            "sentences": f"{view['num_sentences']}, embedded {view['num_vectors']} distinct ones",
            "time": f"{view['seconds']} s: {view['documents_per_second']} documents/s, "
            f"{view['tokens_per_second']} tokens/s, {view['encoder_share']:.0%} in the encoder",
        }
    )
