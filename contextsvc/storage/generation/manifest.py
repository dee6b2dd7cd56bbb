"""The manifest: which files a generation (a published version of an index) must hold, and their check."""

import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from contextsvc.storage.generation.verified import FileStates, as_seen, is_settled

FORMAT = 4
_THREADS = 4
_FEW_BYTES = 4_000_000

Item = TypeVar("Item")
Made = TypeVar("Made")

MANIFEST = "manifest.json"
DESCRIBED = ("embedder", "dim", "num_documents", "num_chunks", "num_sentences", "num_vectors", "settings")
_KINDS = {"embedder": str, "settings": dict, "generation": str, "name": str, "built_at": str}


@dataclass(frozen=True, slots=True)
class FileEntry:
    """SHA-256 and size of one file of a generation.

    Attributes:
        sha256: SHA-256 of the content, in hex.
        num_bytes: Size in bytes.
    """

    sha256: str
    num_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """Description of a generation (a published version of an index), stored as manifest.json.

    Attributes:
        format: Version of the file format. This version of the package reads only `FORMAT`.
        generation: Id of the generation: a sequence number and the first 12 hex digits of `content_hash`.
        name: Name of the index.
        embedder: Fingerprint of the model that made the vectors.
        dim: Number of components of a vector.
        num_documents: Number of documents.
        num_chunks: Number of chunks.
        num_sentences: Number of sentences.
        num_vectors: Number of distinct sentence vectors.
        settings: All other settings that shaped the files.
        built_at: Time of the build in UTC, as ISO 8601. It is not part of the id, so that equal input gives
            an equal `content_hash`.
        files: SHA-256 and size of each file of the generation, by file name. manifest.json is not included.
    """

    format: int
    generation: str
    name: str
    embedder: str
    dim: int
    num_documents: int
    num_chunks: int
    num_sentences: int
    num_vectors: int
    settings: Mapping[str, Any]
    built_at: str
    files: Mapping[str, FileEntry]

    @property
    def content_hash(self) -> str:
        """SHA-256 of the format, of the fields in `DESCRIBED` and of the hashes of all files, in hex."""
        described = {field: getattr(self, field) for field in DESCRIBED}
        files = {name: entry.sha256 for name, entry in self.files.items()}
        return hashlib.sha256(_json({"format": self.format, "files": files, **described})).hexdigest()


def describe(
    name: str, sequence: int, description: Mapping[str, Any], files: Mapping[str, FileEntry]
) -> Manifest:
    """Return the manifest of a new generation.

    Args:
        name: Name of the index.
        sequence: Sequence number of the generation.
        description: Values of the fields in `DESCRIBED`.
        files: SHA-256 and size of each file, by file name.

    Raises:
        TypeError: the description holds a value that JSON does not have.
        ValueError: the description holds a number that is not finite.
    """
    described = json.loads(_json(description))
    built_at = datetime.now(UTC).isoformat(timespec="seconds")
    unnamed = Manifest(format=FORMAT, generation="", name=name, **described, built_at=built_at, files=files)
    return replace(unnamed, generation=f"{sequence:08d}-{unnamed.content_hash[:12]}")


def manifest_bytes(manifest: Manifest) -> bytes:
    """Return the content of manifest.json. Its field `sha256` is a hash of all other fields."""
    return _encoded(asdict(manifest))


def read_manifest(folder: Path) -> Manifest:
    """Read the manifest of a generation's folder.

    Raises:
        OSError: the file cannot be read.
        ValueError: the file is not a manifest of this format, or it changed since it was written. The message
            says which of the two.
        RecursionError: the JSON of the file is nested too deeply.
    """
    data = (folder / MANIFEST).read_bytes()
    content = json.loads(data)
    if not isinstance(content, dict):
        raise ValueError("holds no JSON object")
    if content.get("format") != FORMAT:
        raise ValueError(f"format {content.get('format')!r}, this version reads format {FORMAT}")
    content.pop("sha256", None)
    # The whole file is compared, because a changed space would not change the hash of the content.
    if _encoded(content) != data:
        raise ValueError("changed since the index was built")
    if set(content) != {field.name for field in fields(Manifest)}:
        raise ValueError(f"holds the fields {sorted(content)}")
    files = content.pop("files")
    if any(type(value) is not _KINDS.get(field, int) for field, value in content.items()):
        raise ValueError("a field is of another type than expected")
    try:
        return Manifest(**content, files={name: FileEntry(**entry) for name, entry in files.items()})
    except (TypeError, AttributeError) as error:
        raise ValueError("its list of files cannot be read") from error


def problems(folder: Path, seen: FileStates | None = None) -> list[str]:
    """Check the folder of a generation and return one sentence per problem; [] if there is no problem.

    Args:
        folder: Folder of the generation.
        seen: Files that were hashed before (`verified`). A file is not read again if its status is unchanged.
            A file that is read and has the right hash is added. None means that every byte is read.
    """
    return inspect(folder, seen)[0]


def inspect(folder: Path, seen: FileStates | None = None) -> tuple[list[str], OSError | None]:
    """Check the folder of a generation, and return its problems and the first error of the operating system.

    The arguments are those of `problems`. After an error of the operating system, such as too many open
    files, the next check may find no problem although no file changed. Any other problem stays until
    somebody changes a file.

    Returns:
        One sentence per problem, and the error, or None if there was no error.
    """
    if not folder.is_dir():
        return [f"{folder.name}: this generation does not exist"], None
    try:
        manifest = read_manifest(folder)
    except (FileNotFoundError, ValueError, RecursionError) as error:
        return [f"{MANIFEST}: {error}"], None
    except OSError as error:
        return [f"{MANIFEST}: {error}"], error
    found = []
    if manifest.generation != folder.name or folder.name.split("-")[-1] != manifest.content_hash[:12]:
        found.append(f"{MANIFEST}: describes generation {manifest.generation}, the folder is {folder.name}")
    num_bytes = sum(entry.num_bytes for entry in manifest.files.values())
    faults = side_by_side(
        lambda file: _file_problem(folder, *file, seen), sorted(manifest.files.items()), num_bytes
    )
    found += [fault for fault, _ in faults if fault]
    refused = [error for _, error in faults if error]
    try:
        extra = {path.name for path in folder.iterdir()} - set(manifest.files) - {MANIFEST}
    except OSError as error:  # the folder was removed in between
        return [*found, f"{folder.name}: {error.strerror}"], error
    found += [f"{name}: not in the manifest" for name in sorted(extra)]
    return found, refused[0] if refused else None


def side_by_side(work: Callable[[Item], Made], items: Sequence[Item], num_bytes: int) -> list[Made]:
    """Call a function for each item and return the results in order. Threads are used if there is much data.

    Threads help because hashing releases Python's global lock. One core hashes about half a gigabyte per
    second.

    Args:
        work: Function of one item, which reads and hashes a file.
        items: The items.
        num_bytes: Number of bytes that all calls read together.
    """
    if num_bytes < _FEW_BYTES:
        return [work(item) for item in items]
    with ThreadPoolExecutor(_THREADS) as pool:
        return list(pool.map(work, items))


def _file_problem(
    folder: Path, name: str, expected: FileEntry, seen: FileStates | None
) -> tuple[str, OSError | None]:
    """Check a file and return its problem ("" if none), and the operating system's error if there was one."""
    if Path(name).name != name:
        return f"{name!r}: lies outside the generation", None
    path = folder / name
    try:
        if path.is_symlink() or not path.is_file():
            return f"{name}: missing", None
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            if status.st_size != expected.num_bytes:
                return f"{name}: {status.st_size} bytes, expected {expected.num_bytes}", None
            now = as_seen(expected.sha256, status)
            if seen is not None and seen.get(name) == now:
                return "", None
            settled = is_settled(status)  # taken before the bytes are read
            if hashlib.file_digest(file, "sha256").hexdigest() != expected.sha256:
                return f"{name}: changed since the index was built", None
            if seen is not None and settled:
                seen[name] = now
    except OSError as error:
        return f"{name}: {error.strerror}", error
    return "", None


def _encoded(content: Mapping[str, Any]) -> bytes:
    return _json({**content, "sha256": hashlib.sha256(_json(content)).hexdigest()}, indent=1)


def _json(content: Any, indent: int | None = None) -> bytes:
    return json.dumps(content, sort_keys=True, allow_nan=False, indent=indent).encode()
