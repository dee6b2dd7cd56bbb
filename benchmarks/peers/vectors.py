"""Vectors that peers share: a peer reads from a file what another one has encoded.

Most peers encode the same passages with the same weights, which is nearly the whole cost of their indexes.
Vectors are shared only while an index is built; queries always go through the model. If a build is timed, no
folder is passed and nothing here runs.

The key of a vector are the token ids that the model reads, cut at its window. Files differ by weights and
versions. Calls for anything but plain vectors are passed on. Only sentence-transformers shares: txtai, which
has an encoder of its own and reads twice as many tokens, could only share with itself.
"""

import hashlib
import inspect
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Vectors = npt.NDArray[np.float32]

_TOGETHER = 512
"""Keys of a query, of which SQLite takes at least 999; and texts tokenized at once, or encoded between two
commits: an interrupted run loses at most these."""


class Store:
    """Vectors by key in an SQLite file, made if absent; several processes may share it."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Pipelines may call from their own threads; SQLite is built for that.
        self._file = sqlite3.connect(path, timeout=60, check_same_thread=False)
        # In this mode a commit does not wait for the disk.
        self._file.execute("PRAGMA journal_mode = WAL")
        self._file.execute("PRAGMA synchronous = NORMAL")
        with self._file:
            self._file.execute(
                "CREATE TABLE IF NOT EXISTS vectors (key BLOB PRIMARY KEY, vector BLOB) WITHOUT ROWID"
            )

    def completed(self, keys: Sequence[bytes], encode: Callable[[list[int]], Any]) -> Vectors:
        """One vector a key; missing ones are encoded and stored.

        Args:
            keys: One or more; equal keys are encoded once.
            encode: Places in `keys` -> vectors of float32.

        Raises:
            TypeError: `encode` returns another type.
        """
        found = dict(self._kept(list(dict.fromkeys(keys))))
        missing = {key: place for place, key in enumerate(keys) if key not in found}
        for some in _parts(list(missing), _TOGETHER):
            made = np.asarray(encode([missing[key] for key in some]))
            if made.dtype != np.float32:
                raise TypeError(f"vectors of {made.dtype}; only float32 can be shared: pass no folder")
            found.update(zip(some, made, strict=True))
            with self._file:
                self._file.executemany(
                    "INSERT OR IGNORE INTO vectors VALUES (?, ?)",
                    ((key, vector.tobytes()) for key, vector in zip(some, made, strict=True)),
                )
        return np.stack([found[key] for key in keys])

    def _kept(self, keys: Sequence[bytes]) -> Iterator[tuple[bytes, Vectors]]:
        for some in _parts(keys, _TOGETHER):
            marks = ",".join("?" * len(some))
            rows = self._file.execute(f"SELECT key, vector FROM vectors WHERE key IN ({marks})", some)
            yield from ((key, np.frombuffer(vector, np.float32)) for key, vector in rows)


@contextmanager
def shared(packages: Sequence[str], folder: Path | None, model: Path) -> Iterator[None]:
    """Let a side share vectors within a `with` block.

    Args:
        packages: Packages of the side; without sentence-transformers nothing changes.
        folder: Folder of the files; None: nothing changes.
        model: Folder of the weights.
    """
    if folder is None or "sentence-transformers" not in packages:
        yield
        return
    from sentence_transformers import SentenceTransformer

    encode = SentenceTransformer.encode
    SentenceTransformer.encode = _encoding(encode, Store(folder / named(model)))
    try:
        yield
    finally:
        SentenceTransformer.encode = encode


def named(model: Path) -> str:
    """File name for a model: a hash of all versions and files that vectors depend on."""
    said = hashlib.sha256()
    for package in ("sentence-transformers", "transformers", "tokenizers", "torch"):
        said.update(f"{package} {version(package)}\n".encode())
    for path in sorted(path for path in model.rglob("*") if path.is_file()):
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        said.update(f"{path.relative_to(model)} {digest}\n".encode())
    return f"{said.hexdigest()[:16]}.sqlite"


def _encoding(encode: Callable[..., Any], store: Store) -> Callable[..., Any]:
    """`SentenceTransformer.encode` that reads plain vectors from a store."""
    signature = inspect.signature(encode)

    def encoded(self: Any, *given: Any, **options: Any) -> Any:
        asked = signature.bind(self, *given, **options)
        asked.apply_defaults()
        texts = asked.arguments["inputs"]
        known = isinstance(texts, list) and texts and all(isinstance(text, str) for text in texts)
        if not known or not _plain(self, asked.arguments, signature):
            return encode(self, *given, **options)
        unit = asked.arguments["normalize_embeddings"] or type(self[-1]).__name__ == "Normalize"
        about = f"{type(self).__name__} {self.dtype} {unit}"

        def missing(places: list[int]) -> Any:
            asked.arguments["inputs"] = [texts[place] for place in places]
            return encode(*asked.args, **asked.kwargs)

        read = (np.array(numbers, np.int64).tobytes() for numbers in _numbers(self, texts))
        return store.completed([hashlib.sha256(about.encode() + one).digest() for one in read], missing)

    return encoded


_FREE = ("self", "inputs", "prompt", "prompt_name", "batch_size", "show_progress_bar", "normalize_embeddings")
"""Arguments that do not change a vector or are checked; all others must have their defaults."""


def _plain(model: Any, asked: Mapping[str, Any], signature: inspect.Signature) -> bool:
    defaults = {name: one.default for name, one in signature.parameters.items()} | {"kwargs": {}}
    prompt = asked["prompt"]
    if prompt is None:
        name = asked["prompt_name"] or model.default_prompt_name
        prompt = model.prompts.get(name, name)  # a name that is unknown is the library's to refuse
    usual = all(name in _FREE or value == defaults[name] for name, value in asked.items())
    return usual and not prompt and model.truncate_dim is None


def _numbers(model: Any, texts: Sequence[str]) -> Iterator[Sequence[int]]:
    for some in _parts(texts, _TOGETHER):
        read = model.preprocess(list(some))
        for numbers, mask in zip(read["input_ids"], read["attention_mask"], strict=True):
            yield numbers[mask.bool()].tolist()


def _parts(all_of: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    return (all_of[first : first + size] for first in range(0, len(all_of), size))
