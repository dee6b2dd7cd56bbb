"""Texts for sides, and stored answers, so that an interrupted run continues where it stopped."""

import hashlib
import json
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.peers.protocol import Text, write_texts
from benchmarks.peers.running import HERE, OWN, PACKING, Running
from benchmarks.peers.worker import SIDES
from benchmarks.rows import STARTED_AT
from contextsvc.records.documents import Document
from contextsvc.settings import Settings

NUM_PASSAGES = 50
EMBEDDER = "all-MiniLM-L6-v2"
"""Embedding model of all sides."""
VECTORS = "vectors"
"""Folder, beside the stored answers, of vectors that peers share."""


def given(document: Document, side: str) -> Text:
    """The text of a document for a side; all but ours get the title as its first line."""
    apart = side in PACKING or document.text.startswith(document.title)
    text = document.text if apart else f"{document.title}\n\n{document.text}"
    return Text(document.doc_id, text, document.title, document.format)


def kept(
    side: str,
    model: Path,
    keep: Path,
    name: str,
    texts: Iterable[Text],
    asked: Sequence[str],
    ask: Callable[[Running], Any],
) -> Any:
    """The answer of a side, read from `keep` if this version of the side gave it before.

    Args:
        side: One of `worker.SIDES`.
        model: Folder of the embedding model.
        keep: Folder of stored answers; made if absent.
        name: First part of the file's name.
        texts: Texts to index; read only if the side is asked.
        asked: Everything else that the answer depends on: data, queries, numbers.
        ask: Sends the requests; its result must survive JSON.
    """
    # Shared vectors are not part of the key: the answer does not depend on which side encoded first.
    with Running(side, model) as running:
        by = made_by(side, running.about["versions"], STARTED_AT)
        if by is None:
            return _answer(running, texts, keep, ask)
        key = hashlib.sha256(json.dumps([side, by, *asked]).encode()).hexdigest()[:16]
        path = keep / f"{name}-{side}-{key}.json"
        if not path.exists():
            keep.mkdir(parents=True, exist_ok=True)
            half = path.with_suffix(".part")
            half.write_text(json.dumps(_answer(running, texts, keep, ask)), "utf-8")
            half.replace(path)
        return json.loads(path.read_text("utf-8"))


def _answer(running: Running, texts: Iterable[Text], keep: Path, ask: Callable[[Running], Any]) -> Any:
    with tempfile.TemporaryDirectory() as folder:  # sides look passages up in it
        path = Path(folder) / "documents.jsonl"
        write_texts(path, texts)
        running.build(path, keep / VECTORS)
        return ask(running)


def made_by(side: str, versions: Mapping[str, str], commit: str) -> list[object] | None:
    """Everything in a side that its answers depend on.

    For a peer: its versions and our file that sets it up. For ours and the bare encoder: commit and settings;
    None, so that nothing is stored, if there is no commit or the tree differs from it.
    """
    said: list[object] = [sorted(versions.items())]
    if side not in OWN:
        source = HERE / (SIDES[side][0].replace(".", "/") + ".py")
        return [*said, hashlib.sha256(source.read_bytes()).hexdigest()]
    if not commit or commit.endswith("+"):
        return None
    return [*said, commit, repr(Settings.from_env())]
