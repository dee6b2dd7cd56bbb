import dataclasses
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contextsvc.errors import CorruptIndex, ShapeError, SpanError
from contextsvc.records.documents import Chunk, Document, Sentence
from contextsvc.records.spans import Frame, Span
from contextsvc.storage.corpus import (
    KINDS,
    Corpus,
    CorpusWriter,
    broken_invariants,
    chunks_around,
    windows_of,
)
from contextsvc.storage.generation import open_manifest, stage

FIRST = Document(
    "a",
    "Über uns. Two. Three.",
    title="About",
    source="a.md",
    format="markdown",
    metadata={"lang": "de", "tags": ["x", 1]},
)
EMPTY = Document("b", "")
LAST = Document("c", "One 🙂. \ud83d\ude00 lone.\nEnd.", metadata={"odd": "\ud83d\ude00\u2028"})
# Unit vectors that float16 holds exactly enough: two axes and 0.6 / 0.8.
AXES = np.array([[1, 0], [0, 1], [0.6, 0.8]], dtype=np.float32)
# Norms in context; that they fit the vectors is for `index check` to say.
NORMS = np.array([1, 0.5, 0.25], dtype=np.float32)


def cut(document: Document, start: int, end: int, section: tuple[str, ...] = ()) -> Chunk:
    return Chunk.cut(document, start, end, end - start, section)


def sentences(*told: tuple[int, int, int], closing: Span = (0, 0)) -> list[Sentence]:
    """Sentences by start, end and number of tokens, each a unit of its own."""
    return [Sentence(*one, kind="paragraph", unit=unit, closing=closing) for unit, one in enumerate(told)]


def write(folder: Path) -> None:
    with CorpusWriter(folder, dim=2) as writer:
        assert writer.add_vectors(AXES[:2]) == 0
        spans = sentences((0, 9, 3), (10, 14, 1), (15, 21, 2))
        chunks = [cut(FIRST, 0, 14, ("Top", "Deep")), cut(FIRST, 15, 21)]
        bounds = [(0, 2), (2, 3)]
        assert writer.add_document(FIRST, spans, [0, 1, 1], NORMS, chunks, bounds, AXES[[2, 1]]) == 0
        assert writer.add_document(EMPTY, [], [], NORMS[:0], [], [], AXES[:0]) == 1
        spans = sentences((0, 6, 3), (7, 15, 1), (16, 20, 2))
        whole = [cut(LAST, 0, 20, ("Top", "Deep"))]
        last = (LAST, spans, [0, 2, 0], NORMS[::-1], whole, [(0, 3)], AXES[:1])
        assert writer.add_document(*last, title_row=2) == 2
        assert writer.add_vectors(AXES[2:]) == 2
        np.testing.assert_allclose(writer.vectors(np.array([2, 0, 2])), AXES[[2, 0, 2]], atol=5e-4)
        assert writer.vectors(np.array([], dtype=np.int64)).shape == (0, 2)
        with pytest.raises(ShapeError, match="rows 1 to 3 do not exist; there are 3"):
            writer.vectors(np.array([3, 1]))
        assert (writer.num_chunks, writer.num_sentences, writer.num_vectors) == (3, 6, 3)


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    write(tmp_path)
    return Corpus.open(tmp_path)


def test_chunks_come_back_as_they_were_added(corpus: Corpus) -> None:
    assert corpus.num_chunks == 3
    assert corpus.chunk(0) == cut(FIRST, 0, 14, ("Top", "Deep"))
    assert corpus.chunk(0).text == "Über uns. Two."
    assert corpus.chunk(1) == cut(FIRST, 15, 21)
    assert corpus.chunk(2) == cut(LAST, 0, 20, ("Top", "Deep"))
    assert corpus.chunk(2).chunk_id == cut(LAST, 0, 20).chunk_id
    for number in (-1, 3):
        with pytest.raises(ShapeError, match=f"chunk {number} does not exist; there are 3"):
            corpus.chunk(number)


def test_documents_come_back_as_they_were_added(corpus: Corpus) -> None:
    assert corpus.num_documents == 3
    assert list(corpus.documents()) == [FIRST, EMPTY, LAST]
    assert [corpus.document_text(doc) for doc in range(3)] == [FIRST.text, "", LAST.text]
    assert corpus.metadata(0) == {"lang": "de", "tags": ["x", 1]}
    assert [list(corpus.chunks_of(doc)) for doc in range(3)] == [[0, 1], [], [2]]
    assert corpus.documents_of_chunks.tolist() == [0, 0, 2]
    assert corpus.chunk_tokens.tolist() == [14, 6, 20]
    fields = {"lang": "de", "tags": ["x", 1], "doc_id": "a", "title": "About", "source": "a.md"}
    assert next(iter(corpus.document_fields())) == fields
    assert corpus.document_of(np.array([2, 0, 1])).tolist() == [2, 0, 0]
    with pytest.raises(ShapeError, match="document 3"):
        corpus.metadata(3)


def test_sentences_and_vectors_lie_by_chunk(corpus: Corpus) -> None:
    assert corpus.sentence_rows(0).tolist() == [0, 1]
    assert corpus.sentence_rows(2).tolist() == [0, 2, 0]
    assert corpus.sentence_spans(0) == [(0, 9), (10, 14)]
    assert corpus.sentence_spans(1) == [(15, 21)]
    assert corpus.chunk_vectors.dtype == corpus.sentence_vectors.dtype == np.float16
    np.testing.assert_allclose(corpus.chunk_vectors, AXES[[2, 1, 0]], atol=5e-4)
    np.testing.assert_allclose(corpus.sentence_vectors, AXES, atol=5e-4)


def test_windows_are_of_one_document_and_repeat_its_edges(corpus: Corpus) -> None:
    # Sentences 0 to 2 are FIRST's, with vectors 0, 1, 1; 3 to 5 are LAST's, with vectors 0, 2, 0.
    windows = windows_of(corpus, np.array([2, 0]), reach=2)
    assert windows.rows.tolist() == [
        [0, 0, 0, 2, 0], [0, 0, 2, 0, 0], [0, 2, 0, 0, 0], [0, 0, 0, 1, 1], [0, 0, 1, 1, 1],
    ]  # fmt: skip
    assert windows.norms.tolist() == [0.25, 0.5, 1, 1, 0.5]
    assert windows.titles.tolist() == [2, 2, 2, -1, -1]
    assert windows.firsts.tolist() == [0, 3]
    none = windows_of(corpus, np.zeros(0, dtype=np.int64), reach=2)
    assert (none.rows.shape, none.norms.shape, none.firsts.shape) == ((0, 5), (0,), (0,))
    for number in (-1, 3):
        with pytest.raises(ShapeError, match=f"chunks {number} to {number} do not exist; there are 3"):
            windows_of(corpus, np.array([number]), reach=2)


def test_chunks_around_are_of_one_document_and_repeat_its_edges(corpus: Corpus) -> None:
    # Chunks 0 and 1 are FIRST's, 2 is LAST's.
    around = chunks_around(corpus, np.array([2, 0, 1]), reach=2)
    assert around.tolist() == [[2, 2, 2, 2, 2], [0, 0, 0, 1, 1], [0, 0, 1, 1, 1]]
    assert chunks_around(corpus, np.zeros(0, dtype=np.int64), reach=2).shape == (0, 5)
    with pytest.raises(ShapeError, match="chunks 3 to 3 do not exist; there are 3"):
        chunks_around(corpus, np.array([3]), reach=2)


def test_a_whole_corpus_breaks_no_invariant(corpus: Corpus) -> None:
    assert broken_invariants(corpus) == []


def test_the_same_documents_make_the_same_bytes(tmp_path: Path) -> None:
    for name in ("x", "y"):
        (tmp_path / name).mkdir()
        write(tmp_path / name)
    for path in (tmp_path / "x").iterdir():
        assert path.read_bytes() == (tmp_path / "y" / path.name).read_bytes()


def test_an_empty_corpus_is_legal(tmp_path: Path) -> None:
    with CorpusWriter(tmp_path, dim=384):
        pass
    corpus = Corpus.open(tmp_path)
    assert (corpus.num_chunks, corpus.num_documents) == (0, 0)
    assert corpus.chunk_vectors.shape == corpus.sentence_vectors.shape == (0, 384)
    assert broken_invariants(corpus) == []


def test_an_open_corpus_outlives_its_folder(tmp_path: Path) -> None:
    write(tmp_path)
    corpus = Corpus.open(tmp_path)
    for path in tmp_path.iterdir():
        path.unlink()
    assert corpus.chunk(1).text == "Three."
    assert corpus.sentence_vectors[1].tolist() == [0, 1]


def test_threads_read_what_one_reads(corpus: Corpus) -> None:
    numbers = [0, 1, 2] * 200
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(corpus.chunk, numbers)) == [corpus.chunk(number) for number in numbers]


@given(
    st.lists(st.text(st.characters(codec=None), min_size=1, max_size=8), min_size=1, max_size=6), st.data()
)
def test_any_text_cut_anywhere_is_kept(pieces: list[str], data: st.DataObject) -> None:
    document = Document("d", "".join(pieces), title=pieces[0], metadata={"first": pieces[0]})
    ends = np.cumsum([len(piece) for piece in pieces]).tolist()
    spans = list(zip([0, *ends[:-1]], ends, strict=True))
    last = data.draw(st.integers(1, len(spans)))
    chunks = [cut(document, 0, ends[last - 1]), *(cut(document, *span) for span in spans[last:])]
    bounds = [(0, last), *((number, number + 1) for number in range(last, len(spans)))]
    vectors = AXES[np.arange(len(chunks)) % 3]
    with TemporaryDirectory() as folder:
        with CorpusWriter(Path(folder), dim=2) as writer:
            writer.add_vectors(AXES[:1])
            norms = np.ones(len(spans), dtype=np.float32)
            made = sentences(*((start, end, 1) for start, end in spans))
            writer.add_document(document, made, [0] * len(spans), norms, chunks, bounds, vectors)
        corpus = Corpus.open(Path(folder))
        assert list(corpus.documents()) == [document]
        assert [corpus.chunk(number) for number in range(len(chunks))] == chunks
        assert broken_invariants(corpus) == []


def test_a_chunk_comes_back_with_its_repeated_lines(tmp_path: Path) -> None:
    text = "Ü:\n```sh\nä 🙂\nb\n```\nEnd."
    document = Document("f", text)
    made = [
        Sentence(0, 2, 3, kind="paragraph", unit=0),
        Sentence(3, 12, 5, kind="code", unit=0, closing=(15, 18)),
        Sentence(13, 18, 4, kind="code", unit=1, opening=(3, 8)),
        Sentence(19, 23, 2, kind="paragraph", unit=2),
    ]
    frames = [Frame("", "\n```"), Frame("```sh\n", "")]
    chunks = [
        Chunk.cut(document, 0, 12, 8, frame=frames[0]),
        Chunk.cut(document, 13, 23, 6, frame=frames[1]),
    ]
    with CorpusWriter(tmp_path, dim=2) as writer:
        writer.add_vectors(AXES[:1])
        norms = np.ones(4, dtype=np.float32)
        writer.add_document(document, made, [0] * 4, norms, chunks, [(0, 2), (2, 4)], AXES[:2])
    corpus = Corpus.open(tmp_path)
    assert [corpus.chunk(number).text for number in range(2)] == [
        "Ü:\n```sh\nä 🙂\n```",
        "```sh\nb\n```\nEnd.",
    ]
    assert [corpus.chunk(number) for number in range(2)] == chunks
    assert broken_invariants(corpus) == []
    rows = corpus.sentences(1)
    assert rows["kind"].tolist() == [KINDS.index("code"), KINDS.index("paragraph")]
    assert (rows["unit"].tolist(), rows["num_tokens"].tolist()) == ([1, 2], [4, 2])
    assert (rows["opening_start"].tolist(), rows["opening_end"].tolist()) == ([3, 0], [8, 0])
    rows["unit"] = 9
    assert corpus.sentences(1)["unit"].tolist() == [1, 2]  # the rows are a copy


@given(st.text(st.characters(codec=None), min_size=3, max_size=40), st.data())
def test_lines_anywhere_in_a_document_can_be_repeated(text: str, data: st.DataObject) -> None:
    first = data.draw(st.integers(1, len(text) - 1))
    last = data.draw(st.integers(first + 1, len(text)))
    opening = data.draw(st.tuples(st.integers(0, first), st.integers(0, first)).map(sorted))
    places = st.integers(0, first) | st.integers(last, len(text))
    at, after = sorted([data.draw(places), data.draw(places)])
    closing = (at, after) if after <= first or at >= last else (last, len(text))
    document = Document("r", text)
    made = Sentence(first, last, 1, kind="code", unit=0, opening=(opening[0], opening[1]), closing=closing)
    chunk = Chunk.cut(document, first, last, 1, frame=Frame.cut(text, made.opening, made.closing))
    with TemporaryDirectory() as folder:
        with CorpusWriter(Path(folder), dim=2) as writer:
            writer.add_vectors(AXES[:1])
            writer.add_document(FIRST, [], [], NORMS[:0], [], [], AXES[:0])
            writer.add_document(document, [made], [0], NORMS[:1], [chunk], [(0, 1)], AXES[:1])
            writer.add_document(LAST, [], [], NORMS[:0], [], [], AXES[:0])
        corpus = Corpus.open(Path(folder))
        assert corpus.chunk(0) == chunk
        assert broken_invariants(corpus) == []


def _add(folder: Path, **changes: object) -> None:
    given: dict[str, object] = {
        "document": FIRST, "sentences": sentences((0, 9, 3)), "vector_rows": [0], "context_norms": NORMS[:1],
        "chunks": [cut(FIRST, 0, 9)], "chunk_bounds": [(0, 1)], "chunk_vectors": AXES[:1],
    }  # fmt: skip
    with CorpusWriter(folder, dim=2) as writer:
        writer.add_vectors(AXES[:1])
        writer.add_document(**(given | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"vector_rows": []}, ShapeError, "1 sentences with 0 rows and 1 norms"),
        ({"context_norms": NORMS}, ShapeError, "1 sentences with 1 rows and 3 norms"),
        ({"vector_rows": [1]}, ShapeError, "names vector 1 of 1"),
        ({"vector_rows": [-1]}, ShapeError, "names vector row -1"),
        ({"chunk_bounds": [(0, 2)]}, ShapeError, "holds sentences 0-2 of 1"),
        ({"chunk_bounds": []}, ShapeError, "1 chunks with 0 bounds"),
        ({"chunk_vectors": AXES}, ShapeError, r"\(3, 2\), expected \(1, 2\)"),
        ({"sentences": sentences((0, 9, 3), closing=(10, 14))}, SpanError, "0-9"),
        ({"chunks": [cut(LAST, 0, 6)]}, ShapeError, "chunk of 'c' was given with document 'a'"),
        ({"chunks": [dataclasses.replace(cut(FIRST, 0, 9), text="Xber uns.")]}, SpanError, "0-9"),
        ({"document": Document("a", FIRST.text, metadata={"x": {1}})}, ShapeError, "written as JSON"),
    ],
)
def test_what_does_not_fit_is_refused(
    tmp_path: Path, changes: dict[str, object], error: type[Exception], message: str
) -> None:
    _add(tmp_path)
    with pytest.raises(error, match=message):
        _add(tmp_path, **changes)


def _texts_changed(folder: Path) -> None:
    data = (folder / "texts.utf8").read_bytes()
    (folder / "texts.utf8").write_bytes(data.replace(b"Two", b"Tow"))


def _texts_cut(folder: Path) -> None:
    os.truncate(folder / "texts.utf8", 20)


def _rows_changed(file: str, field: str, value: int, number: int = 0) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        rows = np.load(folder / file)
        rows[field][number] = value
        np.save(folder / file, rows)

    return change


def _vectors_doubled(folder: Path) -> None:
    np.save(folder / "chunk_vectors.npy", 2 * np.load(folder / "chunk_vectors.npy"))


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (_texts_changed, "document 'a' differs from its content hash"),
        (_texts_cut, "the documents end at byte 49 of 20"),
        (_rows_changed("chunks.npy", "start", 1), "chunk 0 cannot be cut from its document"),
        (_rows_changed("chunks.npy", "section", 9), "chunk 0 cannot be cut from its document"),
        (_rows_changed("chunks.npy", "doc", 2), "chunk 0 differs from its span in 'a'"),
        (_rows_changed("chunks.npy", "end_sentence", 3), "chunk 0 (0-14) does not hold its sentence 15-21"),
        (_rows_changed("sentences.npy", "row", 3), "sentences and titles name vectors 0 to 3, there are 3"),
        (
            _rows_changed("documents.npy", "title_row", 3),
            "sentences and titles name vectors 0 to 3, there are 3",
        ),
        (
            _rows_changed("documents.npy", "title_row", -2),
            "sentences and titles name vectors -2 to 2, there are 3",
        ),
        (_vectors_doubled, "3 chunk vectors are not of length 1"),
        (
            _rows_changed("sentences.npy", "unit", 1),
            "the units of document 0 are not numbered from 0 in order",
        ),
        (
            _rows_changed("sentences.npy", "unit", 1, 2),
            "a chunk of document 0 begins inside a unit, at sentence 2",
        ),
        (
            _rows_changed("sentences.npy", "kind", 9),
            "a sentence of document 0 has an unknown kind or a negative number of tokens",
        ),
        (
            _rows_changed("sentences.npy", "opening_end", 3),
            "the opening lines that document 0 repeats are not where they can be",
        ),
        (
            _rows_changed("sentences.npy", "closing_end", 99),
            "the closing lines that document 0 repeats are not where they can be",
        ),
    ],
)
def test_a_broken_invariant_is_named(tmp_path: Path, damage: Callable[[Path], None], problem: str) -> None:
    write(tmp_path)
    damage(tmp_path)
    assert problem in broken_invariants(Corpus.open(tmp_path))


@pytest.mark.parametrize("file", ["documents.jsonl", "sections.json", "chunks.npy", "sentence_vectors.npy"])
def test_a_file_of_another_form_is_damage(tmp_path: Path, file: str) -> None:
    write(tmp_path)
    for damage in (b"[[1\n", b""):
        (tmp_path / file).write_bytes(damage)
        # An empty documents.jsonl is a corpus without documents; the manifest tells.
        if damage or file != "documents.jsonl":
            with pytest.raises(CorruptIndex):
                Corpus.open(tmp_path)
    (tmp_path / file).unlink()
    with pytest.raises(CorruptIndex):
        Corpus.open(tmp_path)


def test_counts_are_held_against_the_manifest(tmp_path: Path) -> None:
    counts = {"num_documents": 3, "num_chunks": 3, "num_sentences": 6, "num_vectors": 3, "dim": 2}
    with stage(tmp_path, "docs") as staged:
        write(staged.folder)
        staged.seal(counts | {"embedder": "tiny", "settings": {}})
        staged.publish()
    folder, manifest = open_manifest(tmp_path, "docs")
    assert Corpus.open(folder, manifest).num_chunks == 3
    with pytest.raises(CorruptIndex, match="num_chunks is 3, the manifest says 4"):
        Corpus.open(folder, dataclasses.replace(manifest, num_chunks=4))
