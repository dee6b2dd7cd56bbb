"""Output of `contextsvc index build` and `update`: progress, results and duplicates."""

from collections.abc import Sequence

from contextsvc.cli.output import out, print_fields, print_table
from contextsvc.indexing.build import BuildResult, Progress
from contextsvc.records.json import Json
from contextsvc.storage.corpus.aliases import Alias


def progress_line(done: Progress, remaining: str) -> str:
    """Return the progress of a build as one line. `remaining` is text that is added at its end."""
    if done.phase != "embedding":
        return done.phase
    rate = done.num_documents / done.seconds if done.seconds else 0.0
    so_far = f"{done.num_documents} documents, {done.num_vectors} vectors"
    return f"{so_far}, {rate:.1f} documents/s{remaining}"


def built_view(built: BuildResult) -> Json:
    """Return the JSON of a build."""
    done, manifest = built.progress, built.manifest
    return {
        "name": manifest.name,
        "generation": manifest.generation,
        "changed": built.changed,
        "num_documents": manifest.num_documents,
        "num_chunks": manifest.num_chunks,
        "num_sentences": manifest.num_sentences,
        "num_vectors": manifest.num_vectors,
        "num_tokens": manifest.settings.get("num_tokens", 0),
        "num_embedded": done.num_vectors,
        "num_reused": done.num_reused,
        "num_added": built.num_added,
        "num_replaced": built.num_changed,
        "num_unchanged": built.num_unchanged,
        "num_deleted": built.num_deleted,
        "seconds": round(built.seconds, 2),
        "documents_per_second": round(done.num_documents / built.seconds, 1),
        "tokens_per_second": round(done.num_tokens / built.seconds),
        "encoder_share": round(done.encoder_seconds / built.seconds, 3),
    }


def print_built(built: BuildResult, updated: bool = False) -> None:
    """Print a build as a few lines. `updated` adds the counts of changed documents."""
    view = built_view(built)
    what = "published" if built.changed else "unchanged: it was already current"
    fields = {
        "index": f"{view['name']}  generation {view['generation']} ({what})",
        "content": f"{view['num_documents']} documents, {view['num_tokens']} tokens, "
        f"{view['num_chunks']} chunks",
        "sentences": f"{view['num_sentences']}",
        "vectors": f"{view['num_vectors']} of distinct sentences and titles, "
        f"{view['num_embedded']} embedded now",
        "time": f"{view['seconds']} s: {view['documents_per_second']} documents/s, "
        f"{view['tokens_per_second']} tokens/s, {view['encoder_share']:.0%} in the encoder",
    }
    if updated:
        fields["changes"] = (
            f"{view['num_added']} added, {view['num_replaced']} replaced, {view['num_deleted']} deleted, "
            f"{view['num_unchanged']} unchanged"
        )
    elif view["num_reused"]:
        fields["resumed"] = f"{view['num_reused']} documents were taken from the interrupted build"
    print_fields(fields)


def answer_threshold_text(answerable: Json) -> str:
    """Return the answer threshold of an index and its expected error as one line.

    Args:
        answerable: Field `answerable` of the index's JSON.
    """
    least = f"an answer score of at least {answerable['threshold']:g}"
    if answerable["origin"] == "setting":
        return f"{least} (CONTEXTSVC_ANSWERABLE)"
    if answerable["num_questions"] is None:
        return f"{least}, the default; an index that is built now gets a threshold of its own"
    if answerable["origin"] == "default":
        return f"{least}, the default of small indexes; {answerable['num_questions']} chunks make a question"
    return (
        f"{least}; of {answerable['num_questions']} questions made from the chunks, "
        f"{answerable['flagged']:.0%} are flagged, and {answerable['passed']:.0%} pass without their subject"
    )


MAX_SHOWN = 20


def duplicates_view(aliases: Sequence[Alias]) -> list[Json]:
    """Return the JSON of duplicate documents."""
    return [
        {
            "doc_id": alias.doc_id,
            "source": alias.source,
            "kept": alias.kept,
            "exact": alias.exact,
            "likeness": alias.likeness,
        }
        for alias in aliases
    ]


def print_duplicates(found: Sequence[Alias], left_out: bool) -> None:
    """Print the number of duplicates and whether they were left out. Print nothing if there are none."""
    if not found:
        return
    num_exact = sum(alias.exact for alias in found)
    what = f"{num_exact} equal to another document, {len(found) - num_exact} nearly equal: "
    what += "left out, kept as aliases" if left_out else "all indexed; --dedupe keeps one of each"
    print_fields({"duplicates": what})


def print_aliases(aliases: Sequence[Alias]) -> None:
    """Print up to 20 aliases, or nothing if there are none.

    An alias is a left-out duplicate document. Each is printed with the indexed document that stands for it.
    """
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
