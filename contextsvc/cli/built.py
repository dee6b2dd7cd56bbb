"""What a build or an update has done, for people and for machines."""

from contextsvc.cli.output import print_fields
from contextsvc.codec import Json
from contextsvc.indexing import Built, Progress


def progress_line(done: Progress, remaining: str) -> str:
    """How far it is."""
    if done.phase != "embedding":
        return done.phase
    rate = done.num_documents / done.seconds if done.seconds else 0.0
    so_far = f"{done.num_documents} documents, {done.num_vectors} vectors"
    return f"{so_far}, {rate:.1f} documents/s{remaining}"


def built_view(built: Built) -> Json:
    """As JSON."""
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


def print_built(built: Built, updated: bool = False) -> None:
    """As a few lines."""
    view = built_view(built)
    what = "published" if built.changed else "unchanged: it was already current"
    fields = {
        "index": f"{view['name']}  generation {view['generation']} ({what})",
        "content": f"{view['num_documents']} documents, {view['num_tokens']} tokens, "
        f"{view['num_chunks']} chunks",
        "sentences": f"{view['num_sentences']}",
        "vectors": f"{view['num_vectors']} of distinct sentences and titles, {view['num_embedded']} made now",
        "time": f"{view['seconds']} s: {view['documents_per_second']} documents/s, "
        f"{view['tokens_per_second']} tokens/s, {view['encoder_share']:.0%} in the encoder",
    }
    if updated:
        fields["changes"] = (
            f"{view['num_added']} added, {view['num_replaced']} replaced, {view['num_deleted']} deleted, "
            f"{view['num_unchanged']} found unchanged"
        )
    elif view["num_reused"]:
        fields["resumed"] = f"{view['num_reused']} documents were finished before"
    print_fields(fields)
