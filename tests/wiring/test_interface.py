"""The public Python interface: its names and signatures, and what it does with real files and fake models."""

import inspect
import re
from pathlib import Path

import pytest

import contextsvc
from contextsvc.adapters.language_models.openai import OpenAiEndpointReader
from contextsvc.errors import (
    IndexMismatch,
    InvalidRequest,
    ReaderFault,
    SettingError,
    UnknownIndex,
    UserError,
)
from contextsvc.indexing.build import build_index
from contextsvc.records.documents import Document
from contextsvc.service.experiments import Question
from contextsvc.settings import Settings
from contextsvc.wiring import interface
from tests.fakes.embedder import FakeEmbedder
from tests.world import QUERY, documents, fake_assembler, fake_engine, fake_parts

SIGNATURES = {
    "build": "sources, *, index, settings=None, dedupe=False, resume=False, report, skipped",
    "open_index": "index, *, settings=None, tokenizer_file=None",
    "pack": "query, *, index, budget_tokens=800, settings=None, **options",
    "measure": "pack, *, response=None, sentences=False, index=None, settings=None",
    "IndexHandle.pack": "self, query, *, budget_tokens=800, **options",
    "IndexHandle.measure": "self, pack, *, response=None, sentences=False",
    "IndexHandle.compare": "self, questions, configurations, report",
    "IndexHandle.calibrate": "self, questions=None, *, num_questions=100, report",
    "IndexHandle.close": "self",
}
FDS = Path("/proc/self/fd")
OPTIONS = {"max_chunks", "tokenizer", "ordering", "filters", "exact", "trim", "answerable_only"}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory, with fake models behind the interface."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(interface, "build_index_parts", lambda _: fake_parts())
    monkeypatch.setattr(interface, "build_engine", lambda settings, *_: fake_engine(settings.root))
    return tmp_path


def open_files(folder: Path) -> list[Path]:
    """Files under a folder that this process holds open."""
    found = [path.readlink() for path in FDS.iterdir() if path.is_symlink()]
    return [path for path in found if path.is_relative_to(folder)]


def signature(name: str) -> str:
    """Parameters without annotations; a default that is a function is left out."""
    found = contextsvc
    for part in name.split("."):
        found = getattr(found, part)
    bare = [
        p.replace(annotation=p.empty, default=p.empty if callable(p.default) else p.default)
        for p in inspect.signature(found).parameters.values()  # type: ignore[arg-type]
    ]
    shown, keyword_only = list[str](), False
    for p in bare:
        if p.kind is p.KEYWORD_ONLY and not keyword_only:
            shown.append("*")
            keyword_only = True
        shown.append(str(p))
    return ", ".join(shown)


def test_the_names_are_these() -> None:
    assert contextsvc.__all__ == [
        "BuiltIndex", "Document", "IndexHandle", "PackOptions", "Settings", "build", "measure",
        "open_index", "pack",
    ]  # fmt: skip
    assert all(inspect.getdoc(getattr(contextsvc, name)) for name in contextsvc.__all__)
    assert set(contextsvc.__all__) <= set(dir(contextsvc))
    with pytest.raises(AttributeError, match="has no attribute 'unpack'"):
        contextsvc.unpack  # type: ignore[attr-defined]  # noqa: B018


@pytest.mark.parametrize("name", SIGNATURES)
def test_the_signatures_are_these(name: str) -> None:
    assert signature(name) == SIGNATURES[name]


def test_the_options_of_a_pack_are_these() -> None:
    assert contextsvc.PackOptions.__optional_keys__ == OPTIONS


def test_the_example_of_the_docstring_runs(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / "docs").mkdir()
    for document in documents():
        (home / "docs" / f"{document.doc_id}.txt").write_text(document.text)
    example = re.findall(r"^    (.*)$", inspect.getdoc(contextsvc) or "", re.MULTILINE)
    assert len(example) <= 10
    code = "\n".join(example).replace("How do I restore a backup?", QUERY).replace("...", "'every night'")
    with pytest.MonkeyPatch.context() as changed:
        changed.setenv("CONTEXTSVC_MAX_CHUNKS", "2")
        exec(code, {})  # what a reader would paste
    said = capsys.readouterr().out
    assert "Take a snapshot of the cluster every night." in said
    assert "['live', " in said


def test_documents_are_built_packed_and_measured(home: Path) -> None:
    result = contextsvc.build(documents(), index=home / "kept" / "pages", dedupe=True)
    assert (result.made.manifest.num_documents, result.made.changed) == (7, True)
    assert [(a.doc_id, a.kept) for a in result.duplicates] == [("copy", "backup")]
    pack = contextsvc.pack(QUERY, index="kept/pages", budget_tokens=200, max_chunks=1)
    assert [chunk.candidate.chunk.doc_id for chunk in pack.chunks] == ["backup"]
    used = contextsvc.measure(pack, response="every night", index="kept/pages")
    assert [verdict.verdict for verdict in used.verdicts] == ["live"]
    assert used.score == 1.0


@pytest.mark.parametrize(
    ("document", "why"),
    [
        (Document("a\nb", "x y"), "the control character U\\+000A"),
        (Document("a", "x y", metadata={"m": {}}), "metadata 'm'"),
        (Document("a", "x\ud800 y"), "half a surrogate pair"),
        (Document("a", " "), "no text"),
        (Document("a", "x y", format="docx"), "format 'docx'; expected one of markdown, plain"),  # type: ignore[arg-type]
    ],
)
def test_documents_are_checked_as_over_http(home: Path, document: Document, why: str) -> None:
    with pytest.raises(InvalidRequest, match=why):
        contextsvc.build([document], index="mine")
    assert not (home / "indexes" / "mine" / "CURRENT").exists()


def test_an_open_index_answers_follows_and_closes(home: Path) -> None:
    settings = Settings(root=home / "here")
    first = contextsvc.build(documents()[:4], index="pages", settings=settings).made.manifest.generation
    with contextsvc.open_index("pages", settings=settings) as pages:
        old = pages.pack(QUERY, budget_tokens=200, exact=True, filters={"field": "draft", "eq": False})
        assert {c.candidate.chunk.doc_id for c in old.chunks} <= {"backup", "copy"}
        assert pages.generation == first
        contextsvc.build(documents(), index="pages", settings=settings)
        assert pages.generation != first
        with pytest.raises(UserError, match=f"made from generation {first} of index 'pages'; expected"):
            pages.measure(old)
    with pytest.raises(UserError, match="index 'pages' is closed"):
        pages.pack(QUERY)
    pages.close()


@pytest.mark.skipif(not FDS.is_dir(), reason="this system does not list a process's open files")
def test_closing_leaves_no_file_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("contextsvc.wiring.engine.build_embedder", lambda _: FakeEmbedder())
    monkeypatch.setattr("contextsvc.wiring.engine.build_assembler", lambda *_: fake_assembler())
    settings = Settings(
        home=tmp_path / "home",
        root=tmp_path,
        tokenizer="fake",
        background_jobs=1,
        reader_url="http://127.0.0.1:9/v1",
    )
    build_index(tmp_path, "pages", documents(), fake_parts())
    closed, close = list[object](), OpenAiEndpointReader.close

    def closing(reader: OpenAiEndpointReader) -> None:
        closed.append(reader)
        close(reader)

    monkeypatch.setattr(OpenAiEndpointReader, "close", closing)
    with contextsvc.open_index("pages", settings=settings) as pages:
        pack = pages.pack(QUERY, budget_tokens=200)
        with pytest.raises(ReaderFault):  # nothing listens there
            pages.measure(pack, response="every night")
        assert open_files(settings.home)
    assert not open_files(settings.home)
    assert len(closed) == 1
    monkeypatch.setattr("contextsvc.wiring.engine.build_embedder", lambda _: FakeEmbedder(dim=8))
    with pytest.raises(IndexMismatch):
        contextsvc.open_index("pages", settings=settings)
    assert not open_files(settings.home)


@pytest.mark.usefixtures("home")
def test_questions_are_compared_and_calibrated() -> None:
    from contextsvc.measuring.comparison import Configuration

    contextsvc.build(documents(), index="pages")
    with contextsvc.open_index("pages") as pages:
        ways = [Configuration("two", 2, 200, "relevance"), Configuration("one", 1, 200, "relevance")]
        compared = pages.compare([Question(QUERY, "every night")], ways)
        assert [r.configuration.name for r in compared.results] == ["two", "one"]
        asked = [Question(QUERY, "every night")] * 12
        (stored,) = pages.calibrate(asked)
        assert (stored.target_kind, len(stored.placebo_effects)) == ("response", 24)  # two in each pack
        with pytest.raises(UserError, match="16 placebos of kind 'response' were drawn"):
            pages.calibrate(num_questions=100)  # eight chunks can ask


@pytest.mark.usefixtures("home")
def test_wrong_calls_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UnknownIndex, match="no index 'nope'"):
        contextsvc.open_index("nope")
    with pytest.raises(UserError, match="no such file or folder"):
        contextsvc.build("nowhere", index="pages")
    mixed: list[object] = ["a.txt", Document("d", "A text.")]
    with pytest.raises(UserError, match="expected only paths or only documents"):
        contextsvc.build(mixed, index="pages")  # type: ignore[arg-type]
    monkeypatch.setenv("CONTEXTSVC_PORT", "high")
    with pytest.raises(SettingError, match="CONTEXTSVC_PORT"):
        contextsvc.pack("q", index="pages")
