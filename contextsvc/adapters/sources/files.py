"""Read documents from files, folders and the Python reference, one at a time.

`python-reference` names the Python language reference inside the interpreter, the texts of `help()`.
"""

import os
import stat
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import BinaryIO

from contextsvc.adapters.sources.folders import walk
from contextsvc.adapters.sources.jsonl import bounded_lines, document_of_line
from contextsvc.adapters.sources.text_files import decode_text, first_heading, split_front_matter
from contextsvc.errors import InvalidRequest, MissingExtra, SourceError
from contextsvc.records.documents import Document
from contextsvc.records.validation import check_id_characters

HtmlReader = Callable[[str], tuple[str, str]]
"""Function from HTML markup to (title or "", Markdown text). It raises SourceError or MissingExtra."""

REFERENCE = "python-reference"
"""Source name of the Python language reference inside the interpreter."""

FORMATS = {
    ".md": "markdown",
    ".markdown": "markdown",
    ".rst": "plain",
    ".txt": "plain",
    ".html": "html",
    ".htm": "html",
    ".jsonl": "jsonl",
}
"""Format of each supported file suffix; the suffixes are in lower case."""


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file, line or folder that gave no document.

    Attributes:
        source: File, `file:line` or folder, as in `Document.source`.
        reason: Reason in words.
        num_ignored: Number of files of unsupported kinds in a folder, which is not a failure. The number 0
            marks any other problem, which makes a run with `--strict` fail.
    """

    source: str
    reason: str
    num_ignored: int = 0


@dataclass(frozen=True, slots=True)
class _File:
    path: Path
    doc_id: str
    source: str
    relative: str

    @property
    def format(self) -> str | None:
        return FORMATS.get(self.path.suffix.lower())


def read_documents(
    sources: Sequence[str], max_file_bytes: int, html: HtmlReader | None
) -> Iterator[Document | Skipped]:
    """Yield documents from files, folders and `python-reference`, in the given order.

    `python-reference` is the Python language reference inside the interpreter. Only one document at a time is
    in memory. Each document gets these fields:

    - doc_id: `folder name/relative path` in a folder (see `folders.walk`), the name of a single file, or the
      `doc_id` of a JSONL line.
    - title: the first that exists of the front matter's title, the HTML title, the first heading, and the
      file name without suffix.
    - text: the file's text with its line ends, without a byte order mark. Markdown text starts after the
      front matter. The metadata value `offset_chars` is then the length of the front matter, so
      `offset_chars` plus an offset in the text is the position in the file. HTML becomes Markdown.
    - metadata: `path` is the path inside the folder. Scalars of the front matter, or the `metadata` of a
      JSONL line, are added and override `path`.

    Args:
        sources: At least one path, or `python-reference`. Write `./python-reference` for a folder of that
            name.
        max_file_bytes: Maximum size of a file and of a JSONL line. A larger one is skipped without being
            loaded.
        html: Function that extracts text from HTML; None means that HTML files are skipped.

    Raises:
        SourceError: there are no sources, or some do not exist or are of an unsupported kind. The error names
            all of them and is raised before anything is read.
    """
    _check(sources)
    return _unique(item for source in sources for item in _read_source(source, max_file_bytes, html))


def source_bytes(sources: Sequence[str]) -> int | None:
    """Return the total size in bytes of the files that `read_documents` would read.

    Returns:
        Size in bytes, or None if `python-reference` (the Python language reference inside the interpreter) is
        among the sources, because its size is unknown.
    """
    if REFERENCE in sources:
        return None
    total = 0
    for source in sources:
        paths = [entry.path for entry in walk(Path(source))] if _is_folder(source) else [Path(source)]
        for path in paths:
            if path.suffix.lower() in FORMATS:
                with suppress(OSError):
                    total += path.stat().st_size
    return total


def read_python_reference() -> Iterator[Document]:
    """Yield one document for each topic of `help()`, sorted by name.

    On Python 3.11 these are 79 documents of 465 KB in all. The text is plain text output of Sphinx:
    underlined headings, indented code and bullet lists.

    Raises:
        SourceError: the interpreter has no help texts, as in some system packages.
    """
    try:
        from pydoc_data.topics import topics
    except ImportError:
        raise SourceError(
            "this Python has no module pydoc_data with its help texts; install the full standard library"
        ) from None
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    for topic in sorted(topics):
        text = topics[topic]
        yield Document(
            doc_id=f"{REFERENCE}/{topic}",
            text=text,
            title=first_heading(text, "plain") or topic,
            source=f"pydoc_data.topics:{topic}",
            metadata={"topic": topic, "python": version},
        )


def _check(sources: Sequence[str]) -> None:
    if not sources:
        raise SourceError("no source given; expected files, folders or python-reference")
    paths = [source for source in sources if source != REFERENCE]
    problems = []
    missing = [source for source in paths if not os.path.exists(source)]  # noqa: PTH110 - Path raises
    if missing:
        problems.append(f"no such file or folder: {', '.join(missing)}")
    others = [s for s in paths if s not in missing and not _is_folder(s) and _single(s).format is None]
    if others:
        problems.append(f"unsupported kind of file: {', '.join(others)}")
    if problems:
        raise SourceError(
            f"{'; '.join(problems)} (expected folders, files of {' '.join(FORMATS)}, {REFERENCE})"
        )


def _unique(items: Iterator[Document | Skipped]) -> Iterator[Document | Skipped]:
    first: dict[str, str] = {}
    for item in items:
        if isinstance(item, Document) and item.doc_id in first:
            yield Skipped(
                item.source, f"doc_id {item.doc_id!r} is already used by {first[item.doc_id]}, which is kept"
            )
            continue
        if isinstance(item, Document):
            first[item.doc_id] = item.source
        yield item


def _read_source(source: str, max_file_bytes: int, html: HtmlReader | None) -> Iterator[Document | Skipped]:
    if source == REFERENCE:
        yield from read_python_reference()
    elif _is_folder(source):
        yield from _read_folder(source, max_file_bytes, html)
    else:
        yield from _read_file(_single(source), max_file_bytes, html)


def _is_folder(source: str) -> bool:
    return os.path.isdir(source)  # noqa: PTH112 - Path.is_dir() raises for a name that is too long


def _single(source: str) -> _File:
    path = Path(source)
    return _File(path, path.name, PurePath(source).as_posix(), path.name)


def _read_folder(source: str, max_file_bytes: int, html: HtmlReader | None) -> Iterator[Document | Skipped]:
    name = Path(os.path.abspath(source)).name  # noqa: PTH100 - resolve() would name a symlink's target
    num_ignored = 0
    for entry in walk(Path(source)):
        doc_id = f"{name}/{entry.relative}".lstrip("/")
        file = _File(entry.path, doc_id, (PurePath(source) / entry.relative).as_posix(), entry.relative)
        if file.format is None and not entry.is_folder:
            num_ignored += 1
        elif entry.problem:
            yield Skipped(file.source, entry.problem)
        else:
            yield from _read_file(file, max_file_bytes, html)
    if num_ignored:
        files = "1 file" if num_ignored == 1 else f"{num_ignored} files"
        yield Skipped(PurePath(source).as_posix(), f"{files} of other kinds ignored", num_ignored)


def _read_file(file: _File, max_file_bytes: int, html: HtmlReader | None) -> Iterator[Document | Skipped]:
    try:
        check_id_characters(file.doc_id, "its name")
    except InvalidRequest as error:
        # The name is put on one line, as a report shows it.
        yield Skipped(repr(file.source)[1:-1], f"{error}; rename it")
        return
    try:
        # Opening a pipe would wait for a writer that may never come.
        if not stat.S_ISREG(file.path.stat().st_mode):
            raise SourceError("not a regular file")
        with file.path.open("rb") as opened:
            if file.format == "jsonl":
                yield from _read_jsonl(file, opened, max_file_bytes)
            else:
                yield _document(file, decode_text(_bounded(opened, max_file_bytes)), html)
    except (SourceError, MissingExtra) as error:
        yield Skipped(file.source, str(error))
    except OSError as error:
        yield Skipped(file.source, f"cannot be read: {error.strerror}")


def _bounded(opened: BinaryIO, max_file_bytes: int) -> bytes:
    num_bytes = os.fstat(opened.fileno()).st_size
    data = opened.read(max_file_bytes + 1) if num_bytes <= max_file_bytes else b""
    # The size is checked again after reading, because a file may grow while it is read.
    if max(num_bytes, len(data)) > max_file_bytes:
        raise SourceError(_too_long("file", max_file_bytes))
    return data


def _too_long(what: str, max_file_bytes: int) -> str:
    return f"a {what} of more than {max_file_bytes} bytes; set CONTEXTSVC_MAX_FILE_BYTES to a higher limit"


def _read_jsonl(file: _File, opened: BinaryIO, max_file_bytes: int) -> Iterator[Document | Skipped]:
    has_lines = False
    for number, line in bounded_lines(opened, max_file_bytes):
        source = f"{file.source}:{number}"
        if line is None:
            has_lines = True
            yield Skipped(source, _too_long("line", max_file_bytes))
        elif line.strip():
            has_lines = True
            try:
                document = document_of_line(line, source, file.relative)
            except SourceError as error:
                yield Skipped(source, str(error))
                continue
            yield document
    if not has_lines:
        raise SourceError("the file is empty or has only blank lines; expected one JSON object a line")


def _document(file: _File, text: str, html: HtmlReader | None) -> Document:
    title = ""
    metadata: dict[str, object] = {"path": file.relative}
    if file.format == "html":
        if html is None:
            raise MissingExtra("reading HTML", "html")
        title, text = html(text)
    elif file.format == "markdown":
        values, offset = split_front_matter(text)
        text = text[offset:]
        title = str(values.get("title", ""))
        metadata.update(values)
        if offset:
            metadata["offset_chars"] = offset
        if not text.strip():
            raise SourceError("no text after the front matter")
    plain = file.format == "plain"
    title = title or first_heading(text, "plain" if plain else "markdown") or file.path.stem
    return Document(
        file.doc_id,
        text,
        title=title,
        source=file.source,
        format="plain" if plain else "markdown",
        metadata=metadata,
    )
