"""Indexing, with a fake model and everything else real."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from contextsvc.errors import SourceError
from contextsvc.indexing.build import Progress, build_index
from contextsvc.records.documents import Document
from contextsvc.storage.corpus import Corpus, broken_invariants
from contextsvc.storage.generation import current, index_names, open_manifest
from tests.conftest import Build
from tests.fakes.embedder import FakeEmbedder
from tests.fakes.sentence_splitter import FakeSentenceSplitter
from tests.world import documents, fake_parts


def test_a_build_keeps_every_document_and_its_spans(build: Build, tmp_path: Path) -> None:
    built = build()
    folder, manifest = open_manifest(tmp_path, "pages")
    corpus = Corpus.open(folder, manifest)
    assert [document.doc_id for document in corpus.documents()] == [d.doc_id for d in documents()]
    assert broken_invariants(corpus, manifest) == []
    assert (manifest.num_documents, built.progress.num_documents) == (8, 8)


def test_a_sentence_that_occurs_twice_is_embedded_once(build: Build) -> None:
    progress = build().progress
    # 16 sentences, of which the two of "copy" are those of "backup", and 8 titles
    assert (progress.num_sentences, progress.num_vectors) == (16, 22)


def test_a_paragraph_that_another_document_has_is_split_once(tmp_path: Path) -> None:
    shared, own = "First one. Then two.", "Its own. It says more."
    split: list[str] = []

    class Noting(FakeSentenceSplitter):
        def split(self, text: str) -> list[tuple[int, int]]:
            split.append(text)
            return super().split(text)

    pages = [Document("a", shared), Document("b", f"{own}\n\n{shared}")]
    build_index(tmp_path, "manual", pages, replace(fake_parts(), splitter=Noting()))
    corpus = Corpus.open(open_manifest(tmp_path, "manual")[0])
    assert split == [shared, own]
    spans = [span for n in corpus.chunks_of(1) for span in corpus.sentence_spans(n)]
    assert [pages[1].text[a:b] for a, b in spans] == ["Its own.", "It says more.", "First one.", "Then two."]


def test_equal_documents_are_cut_once_and_chunked_alike(tmp_path: Path) -> None:
    texts = ["First one. Then two. Then three more words.", "Another page. It says little."]
    repeated = [
        Document(f"{version}/{number}", text) for version in "ab" for number, text in enumerate(texts)
    ]
    split: list[str] = []

    class Noting(FakeSentenceSplitter):
        def split(self, text: str) -> list[tuple[int, int]]:
            split.append(text)
            return super().split(text)

    build_index(tmp_path, "manual", repeated, replace(fake_parts(), splitter=Noting()))
    corpus = Corpus.open(open_manifest(tmp_path, "manual")[0])
    assert split == texts
    versions = [
        [(c.start, c.end, c.num_tokens) for n in pages for c in map(corpus.chunk, corpus.chunks_of(n))]
        for pages in ((0, 1), (2, 3))
    ]
    assert versions[0] == versions[1] != []
    assert {corpus.chunk(n).doc_id for n in range(corpus.num_chunks)} == {d.doc_id for d in repeated}


def test_limits_hold_for_an_endless_sentence(tmp_path: Path) -> None:
    endless = Document("endless", "word " * 50_000)
    solid = Document("solid", "x" * 5_000)
    built = build_index(tmp_path, "odd", [endless, solid], fake_parts())
    corpus = Corpus.open(open_manifest(tmp_path, "odd")[0])
    chunks = [corpus.chunk(number) for number in range(corpus.num_chunks)]
    assert max(chunk.num_tokens for chunk in chunks) <= 40
    text = "".join(chunk.text for chunk in chunks if chunk.doc_id == "endless")
    assert text.replace(" ", "") == "word" * 50_000
    assert built.manifest.num_chunks == len(chunks)


def test_the_same_documents_make_no_new_generation(build: Build) -> None:
    first, second = build(), build()
    assert (first.changed, second.changed) == (True, False)
    assert first.manifest.generation == second.manifest.generation


def test_a_changed_document_makes_a_new_generation(build: Build, tmp_path: Path) -> None:
    first = build()
    second = build([*documents(), Document("new", "Something else entirely.")])
    assert second.changed
    assert current(tmp_path, "pages") == second.manifest.generation != first.manifest.generation


def test_an_error_leaves_the_previous_generation(build: Build, tmp_path: Path) -> None:
    before = build().manifest.generation

    def failing() -> "object":
        yield documents()[0]
        raise RuntimeError("the reader fell over")

    with pytest.raises(RuntimeError, match="fell over"):
        build_index(tmp_path, "pages", failing(), fake_parts())  # type: ignore[arg-type]
    assert current(tmp_path, "pages") == before
    assert [p.name for p in (tmp_path / "pages" / "generations").iterdir()] == [before]


@pytest.mark.parametrize("made", [[], [Document("blank", " \n ")]])
def test_no_text_is_refused_and_nothing_published(made: list[Document], tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no text to index"):
        build_index(tmp_path, "none", made, fake_parts())
    assert index_names(tmp_path) == []


def test_batches_do_not_change_the_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    states: list[int] = []

    def note(progress: Progress) -> None:
        if progress.phase == "embedding":
            states.append(progress.num_documents)

    whole = build_index(tmp_path, "whole", documents(), fake_parts())
    monkeypatch.setattr("contextsvc.indexing.build.BATCH_CHARS", 100)
    parts = build_index(tmp_path, "parts", documents(), fake_parts(), note)
    one, other = (Corpus.open(open_manifest(tmp_path, n)[0]) for n in ("whole", "parts"))
    assert states == [2, 4, 6, 8]
    assert whole.manifest.num_chunks == parts.manifest.num_chunks
    np.testing.assert_array_equal(one.chunk_vectors, other.chunk_vectors)


def test_the_manifest_names_the_embedder(build: Build) -> None:
    assert build(embedder=FakeEmbedder(fingerprint="other")).manifest.embedder == "other:256"
