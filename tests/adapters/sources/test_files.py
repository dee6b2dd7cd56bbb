import json
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from pydoc_data.topics import topics

import pytest

from contextsvc.adapters.sources.files import Skipped, read_documents, read_python_reference
from contextsvc.adapters.sources.html import read_html
from contextsvc.errors import SourceError
from contextsvc.records.documents import Document

LIMIT = 1000


def read(*sources: Path | str) -> list[Document | Skipped]:
    return list(read_documents([str(source) for source in sources], LIMIT, read_html))


def read_one(source: Path) -> Document:
    (document,) = read(source)
    assert isinstance(document, Document)
    return document


def reasons(*sources: Path) -> list[str]:
    return [item.reason for item in read(*sources) if isinstance(item, Skipped)]


def test_a_folder_gives_its_documents_in_order_and_one_line_for_the_rest(tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    (docs / "sub").mkdir(parents=True)
    (docs / "sub/b.MD").write_text("Text\n\n# Late title\n")
    (docs / "a.rst").write_text("Name\n====\n\nText\n")
    (docs / "c.txt").write_text("Just words.")
    (docs / "p.html").write_text("<title>Page</title><p>Words of the page.</p>")
    for name in ("x.png", "y.PDF", "noextension"):
        (docs / name).write_bytes(b"\0")
    *documents, ignored = read(docs)
    assert [(d.doc_id, d.title, d.format) for d in documents if isinstance(d, Document)] == [
        ("docs/a.rst", "Name", "plain"),
        ("docs/c.txt", "c", "plain"),
        ("docs/p.html", "Page", "markdown"),
        ("docs/sub/b.MD", "Late title", "markdown"),
    ]
    assert ignored == Skipped(docs.as_posix(), "3 files of other kinds ignored", 3)


def test_sources_and_ids_follow_what_the_user_wrote(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "docs/sub").mkdir(parents=True)
    (tmp_path / "docs/sub/a.txt").write_text("A")
    monkeypatch.chdir(tmp_path / "docs")
    found = [d for d in read(".", "sub/", "sub/a.txt", "../docs") if isinstance(d, Document)]
    assert [(d.doc_id, d.source, d.metadata["path"]) for d in found] == [
        ("docs/sub/a.txt", "sub/a.txt", "sub/a.txt"),
        ("sub/a.txt", "sub/a.txt", "a.txt"),
        ("a.txt", "sub/a.txt", "a.txt"),
    ]


def test_front_matter_leaves_the_text_and_its_place_is_kept(tmp_path: Path) -> None:
    file = tmp_path / "a.md"
    content = "---\r\ntitle: Ports\r\nweight: 7\r\n---\r\n\r\n# Other\r\nBody\r\n"
    file.write_bytes(b"\xef\xbb\xbf" + content.encode())
    document = read_one(file)
    assert document.title == "Ports"
    assert document.text == "\r\n# Other\r\nBody\r\n"
    assert document.metadata == {"path": "a.md", "title": "Ports", "weight": 7, "offset_chars": 35}
    assert content[35:] == document.text


def test_the_python_reference_is_a_source() -> None:
    documents = read("python-reference")
    assert all(isinstance(document, Document) for document in documents)
    assert documents[0].source == "pydoc_data.topics:assert"


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("a.md", b"", "the text is empty"),
        ("a.txt", b" \n", "the text has only spaces"),
        ("a.md", b"---\ntitle: x\n---\n \n", "no text after the front matter"),
        (
            "a.rst",
            b"abc\xff",
            "not UTF-8: byte 0xff at offset 3; convert it to UTF-8, for example with iconv",
        ),
        ("a.txt", b"a\0b", "NUL byte at offset 1, as in binary data or UTF-16; expected UTF-8 text"),
        ("a.html", b"<p> </p>", "no text could be extracted from the page"),
        ("a.jsonl", b"\n \r\n", "the file is empty or has only blank lines; expected one JSON object a line"),
        (
            "a.md",
            b"x" * (LIMIT + 1),
            "a file of more than 1000 bytes; set CONTEXTSVC_MAX_FILE_BYTES to a higher limit",
        ),
    ],
)
def test_a_file_without_a_document_says_why_and_the_next_still_comes(
    tmp_path: Path, name: str, data: bytes, reason: str
) -> None:
    (tmp_path / name).write_bytes(data)
    (tmp_path / "z.txt").write_text("still here")
    skipped, document = read(tmp_path)
    assert skipped == Skipped(f"{tmp_path.as_posix()}/{name}", reason)
    assert isinstance(document, Document)
    assert document.text == "still here"


def test_a_file_of_exactly_the_limit_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"x" * LIMIT)
    assert read_one(tmp_path / "a.txt").text == "x" * LIMIT


def test_jsonl_lines_fail_one_by_one(tmp_path: Path) -> None:
    good = [json.dumps({"doc_id": name, "text": f"Text {name}"}).encode() for name in "ab"]
    file = tmp_path / "c.jsonl"
    file.write_bytes(
        b"\n".join([good[0], b"{", b'{"doc_id": "' + b"x" * LIMIT, b"", b"\xff", good[1], good[0]])
    )
    found = [(item.source.removeprefix(file.as_posix()), type(item).__name__) for item in read(file)]
    assert found == [
        (":1", "Document"), (":2", "Skipped"), (":3", "Skipped"),
        (":5", "Skipped"), (":6", "Document"), (":7", "Skipped"),
    ]  # fmt: skip
    advice = "set CONTEXTSVC_MAX_FILE_BYTES to a higher limit"
    assert reasons(file)[1] == f"a line of more than 1000 bytes; {advice}"
    assert reasons(file)[3] == f"doc_id 'a' is already used by {file.as_posix()}:1, which is kept"


def test_a_line_of_200_megabytes_is_passed_over(tmp_path: Path) -> None:
    file = tmp_path / "big.jsonl"
    with file.open("wb") as opened:
        opened.truncate(200_000_000)
        opened.seek(0, os.SEEK_END)
        opened.write(b'\n{"doc_id": "after", "text": "Still read."}\n')
    skipped, document = read(file)
    assert skipped.source.endswith("big.jsonl:1")
    assert isinstance(document, Document)
    assert document.doc_id == "after"


def test_the_first_of_two_equal_ids_is_kept(tmp_path: Path) -> None:
    for parent in ("one", "two"):
        (tmp_path / parent / "docs").mkdir(parents=True)
        (tmp_path / parent / "docs/a.txt").write_text(parent)
    first, second = read(tmp_path / "one/docs", tmp_path / "two/docs")
    assert isinstance(first, Document)
    assert first.text == "one"
    assert second == Skipped(
        f"{tmp_path.as_posix()}/two/docs/a.txt",
        f"doc_id 'docs/a.txt' is already used by {first.source}, which is kept",
    )


def test_symlinks_out_and_pipes_are_named(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "secret.txt").write_text("x")
    (tmp_path / "docs/link.txt").symlink_to(tmp_path / "secret.txt")
    (tmp_path / "docs/link.png").symlink_to(tmp_path / "secret.png")
    os.mkfifo(tmp_path / "docs/pipe.txt")
    assert reasons(tmp_path / "docs") == [
        "a symlink out of the folder; copy its target in, or give that as a SOURCE",
        "not a regular file",
        "1 file of other kinds ignored",
    ]


def test_files_and_folders_without_permission_are_named() -> None:
    with tempfile.TemporaryDirectory() as name, ordinary_user(Path(name)) as folder:
        (folder / "a.txt").write_text("x")
        (folder / "locked").mkdir()
        (folder / "z.txt").write_text("still here")
        (folder / "a.txt").chmod(0)
        (folder / "locked").chmod(0)
        found = read(folder)
        (folder / "locked").chmod(0o700)
    assert [(Path(item.source).name, getattr(item, "reason", "")) for item in found] == [
        ("a.txt", "cannot be read: Permission denied"),
        ("locked", "cannot be read: Permission denied"),
        ("z.txt", ""),
    ]


@contextmanager
def ordinary_user(parent: Path) -> Iterator[Path]:
    """A folder in `parent`, owned by a user whom permissions bind: root passes over them."""
    folder = parent / "docs"
    folder.mkdir()
    if os.geteuid() != 0:
        yield folder
        return
    nobody = 65534
    parent.chmod(0o755)
    os.chown(folder, nobody, nobody)
    os.seteuid(nobody)
    try:
        yield folder
    finally:
        os.seteuid(0)


def test_without_an_extractor_html_names_the_extra_and_the_rest_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text("<p>x</p>")
    (tmp_path / "b.txt").write_text("read")
    skipped, document = read_documents([str(tmp_path)], LIMIT, None)
    assert isinstance(skipped, Skipped)
    assert skipped.reason == "reading HTML needs the extra 'html': pip install 'contextsvc[html]'"
    assert isinstance(document, Document)


def test_missing_and_unreadable_kinds_are_all_named_before_anything_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.pdf").write_text("x")
    sources = [
        str(tmp_path / "gone"),
        str(tmp_path),
        str(tmp_path / "gone.md"),
        str(tmp_path / "a.pdf"),
        "n" * 5000,
    ]
    with pytest.raises(SourceError) as raised:
        read_documents(sources, LIMIT, None)
    missing = f"no such file or folder: {sources[0]}, {sources[2]}, {sources[4]}"
    assert f"{missing}; unsupported kind of file: {sources[3]} (" in str(raised.value)


def test_no_source_is_an_error() -> None:
    with pytest.raises(SourceError, match="no source given"):
        read_documents([], LIMIT, None)


def test_every_topic_of_the_python_reference_is_a_document_in_order() -> None:
    documents = list(read_python_reference())
    assert [document.metadata["topic"] for document in documents] == sorted(topics)
    assert all(document.text == topics[str(document.metadata["topic"])] for document in documents)


def test_the_for_statement_of_the_python_reference() -> None:
    document = next(d for d in read_python_reference() if d.metadata["topic"] == "for")
    assert document.doc_id == "python-reference/for"
    assert document.title == 'The "for" statement'
    assert document.source == "pydoc_data.topics:for"
    assert document.format == "plain"
    assert document.metadata["python"] == f"{sys.version_info.major}.{sys.version_info.minor}"


@pytest.mark.parametrize("control", ["\n", "\r", "\t", "\x7f", "\x85", "\u2028"])
@pytest.mark.parametrize("place", ["{}.md", "in{}ner/a.md", "{}.jsonl"])
def test_a_name_with_a_control_character_is_skipped_with_its_reason(
    tmp_path: Path, control: str, place: str
) -> None:
    odd = tmp_path / "docs" / place.format(f"a{control}b")
    odd.parent.mkdir(parents=True)
    odd.write_text('{"doc_id": "d", "text": "t"}')
    (tmp_path / "docs" / "z.md").write_text("Read.")
    skipped, read = read_documents([str(tmp_path / "docs")], LIMIT, None)
    assert isinstance(skipped, Skipped)
    assert f"its name has the control character U+{ord(control):04X} at character" in skipped.reason
    assert skipped.reason.endswith("rename it")
    assert skipped.source.isprintable()
    assert isinstance(read, Document)
    (alone,) = read_documents([str(odd)], LIMIT, None)
    assert isinstance(alone, Skipped) == ("in" not in place.format(""))
