"""What sides are given, and what they said, kept: a run that was interrupted goes on where it stopped."""

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
"""Of every side."""
VECTORS = "vectors"
"""Folder, beside what sides said, of the vectors that peers share while they build."""


def given(document: Document, side: str) -> Text:
    """Ours takes titles by themselves; the others get them as the first line, as is usual."""
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
    """What `ask` gets from a side, from `keep` where this version of it was asked the same before.

    Args:
        side: One of `worker.SIDES`.
        model: Folder of the embedding model.
        keep: Folder, made if it is not there.
        name: What the file's name begins with.
        texts: What the side indexes; read if it has to be asked.
        asked: All that the answer depends on besides the side: data, queries, how many.
        ask: Asks the side once it has indexed the texts; what it gives goes through JSON.
    """
    # The key below knows nothing of shared vectors: an answer does not depend on who encoded first.
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
    with tempfile.TemporaryDirectory() as folder:  # stays while questions are asked: sides look passages up
        path = Path(folder) / "documents.jsonl"
        write_texts(path, texts)
        running.build(path, keep / VECTORS)
        return ask(running)


def made_by(side: str, versions: Mapping[str, str], commit: str) -> list[object] | None:
    """What a side's answers depend on: a peer's on its versions and our file that sets it up.

    Ours and the bare encoder depend on the commit and the settings. None, and nothing of theirs is kept,
    where the tree differs from its commit or there is none: no name tells one edit from the next.
    """
    said: list[object] = [sorted(versions.items())]
    if side not in OWN:
        source = HERE / (SIDES[side][0].replace(".", "/") + ".py")
        return [*said, hashlib.sha256(source.read_bytes()).hexdigest()]
    if not commit or commit.endswith("+"):
        return None
    return [*said, commit, repr(Settings.from_env())]
