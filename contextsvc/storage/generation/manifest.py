"""The manifest: which files a generation must hold, and the check that it holds them."""

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

FORMAT = 3
_THREADS = 4
_FEW_BYTES = 4_000_000

Item = TypeVar("Item")
Made = TypeVar("Made")

MANIFEST = "manifest.json"
DESCRIBED = ("embedder", "dim", "num_documents", "num_chunks", "num_sentences", "num_vectors", "settings")
_KINDS = {"embedder": str, "settings": dict, "generation": str, "name": str, "built_at": str}


@dataclass(frozen=True, slots=True)
class FileEntry:
    """SHA-256 and size of a file of a generation."""

    sha256: str
    num_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """Description of a generation.

    Attributes:
        format: Version of the file format; `FORMAT` is the one that this version reads.
        generation: Its id: a sequence number and the first 12 digits of `content_hash`.
        name: The index.
        embedder: Fingerprint of the model that made the vectors.
        dim: Length of a vector.
        settings: All other settings that shaped the files.
        built_at: ISO 8601, UTC; not part of the id, so that the same input gives the same `content_hash`.
        files: By name, without the manifest itself.
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
        """SHA-256 over the format, the description and the hashes of the files."""
        described = {field: getattr(self, field) for field in DESCRIBED}
        files = {name: entry.sha256 for name, entry in self.files.items()}
        return hashlib.sha256(_json({"format": self.format, "files": files, **described})).hexdigest()


def describe(
    name: str, sequence: int, description: Mapping[str, Any], files: Mapping[str, FileEntry]
) -> Manifest:
    """Return the manifest of some files; TypeError or ValueError if the description is not JSON."""
    described = json.loads(_json(description))
    built_at = datetime.now(UTC).isoformat(timespec="seconds")
    unnamed = Manifest(format=FORMAT, generation="", name=name, **described, built_at=built_at, files=files)
    return replace(unnamed, generation=f"{sequence:08d}-{unnamed.content_hash[:12]}")


def manifest_bytes(manifest: Manifest) -> bytes:
    """Return the content of manifest.json; its field `sha256` covers all other fields."""
    return _encoded(asdict(manifest))


def read_manifest(folder: Path) -> Manifest:
    """Read the manifest of a generation's folder.

    Raises:
        OSError: it cannot be read.
        ValueError: it is not a manifest of this format, or it changed; the message says which.
        RecursionError: its JSON is nested too deeply.
    """
    data = (folder / MANIFEST).read_bytes()
    content = json.loads(data)
    if not isinstance(content, dict):
        raise ValueError("holds no JSON object")
    if content.get("format") != FORMAT:
        raise ValueError(f"format {content.get('format')!r}, this version reads format {FORMAT}")
    content.pop("sha256", None)
    # Written again rather than only hashed: a changed space would leave the hash of the content as it is.
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
    """Return everything that is wrong with a generation's folder, one sentence each; [] if it is sound.

    Args:
        folder: The generation.
        seen: Known hashes (`verified`). A file whose status is still the same is not read; a file that is
            read and sound is added. None: read every byte.
    """
    return inspect(folder, seen)[0]


def inspect(folder: Path, seen: FileStates | None = None) -> tuple[list[str], OSError | None]:
    """As `problems`, with the first error of the operating system among them.

    A folder with such an error, too many open files for one, may be sound the next time although nothing
    changed in it. Any other problem stays until somebody changes a file.
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
    except OSError as error:  # removed since
        return [*found, f"{folder.name}: {error.strerror}"], error
    found += [f"{name}: not in the manifest" for name in sorted(extra)]
    return found, refused[0] if refused else None


def side_by_side(work: Callable[[Item], Made], items: Sequence[Item], num_bytes: int) -> list[Made]:
    """Return the result of the work on each item, in order; for many bytes in threads.

    A digest releases the interpreter's lock, and one core hashes half a gigabyte a second.
    """
    if num_bytes < _FEW_BYTES:
        return [work(item) for item in items]
    with ThreadPoolExecutor(_THREADS) as pool:
        return list(pool.map(work, items))


def _file_problem(
    folder: Path, name: str, expected: FileEntry, seen: FileStates | None
) -> tuple[str, OSError | None]:
    """Return one sentence, "" if the file is sound; with the system's error where there was one."""
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
            settled = is_settled(status)  # before the bytes are read
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
