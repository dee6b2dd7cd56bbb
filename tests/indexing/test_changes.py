"""An update equals a rebuild: unchanged documents are copied, the others are indexed anew."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from contextsvc.errors import CorruptIndex, IndexMismatch, InvalidRequest, SettingError, UnknownIndex
from contextsvc.indexing.build import BuildResult, Update, build_index, update_index
from contextsvc.records.documents import Document
from contextsvc.settings import Settings
from contextsvc.storage.checking import check_index
from contextsvc.storage.corpus import Corpus
from contextsvc.storage.generation import FORMAT, open_manifest
from contextsvc.wiring import open_search, write_search
from tests.conftest import Build
from tests.fakes.embedder import FakeEmbedder
from tests.world import documents, fake_parts

CHANGED = Document(
    "apples", "Apples are stored in a cellar. Pick apples when they are red and firm.", title="Apples"
)
NEW = Document("new", "Something new. A snapshot holds all keys.", metadata={"draft": True})


def changed(root: Path, embedder: FakeEmbedder | None = None, **what: object) -> BuildResult:
    return update_index(root, "pages", lambda _: Update(**what), fake_parts(embedder))  # type: ignore[arg-type]


def opened(root: Path, name: str = "pages") -> Corpus:
    return Corpus.open(open_manifest(root, name)[0])


def test_only_what_is_new_is_embedded(build: Build, tmp_path: Path) -> None:
    build()
    embedder = FakeEmbedder()
    built = changed(tmp_path, embedder, documents=[*documents()[:3], CHANGED, NEW])
    # Of the changed document one sentence is new, of the new one too: the other stands in "backup".
    assert embedder.calls == [2]
    assert built.progress.num_vectors == 2
    assert (built.num_added, built.num_changed, built.num_unchanged, built.num_deleted) == (1, 1, 3, 0)
    assert built.manifest.num_documents == 9
    assert check_index(tmp_path, "pages", open_search)[1] == []


def test_an_update_equals_a_build_of_its_result(build: Build, tmp_path: Path) -> None:
    build()
    changed(tmp_path, documents=[CHANGED, NEW], delete=["stars"])
    result = [CHANGED if d.doc_id == "apples" else d for d in documents() if d.doc_id != "stars"]
    build_index(tmp_path, "anew", [*result, NEW], fake_parts())
    one, other = opened(tmp_path), opened(tmp_path, "anew")
    assert list(one.documents()) == list(other.documents()) == [*result, NEW]
    assert [one.chunk(n) for n in range(one.num_chunks)] == [other.chunk(n) for n in range(other.num_chunks)]
    np.testing.assert_array_equal(one.chunk_vectors, other.chunk_vectors)
    np.testing.assert_array_equal(one.sentence_table["context_norm"], other.sentence_table["context_norm"])
    for number in range(one.num_chunks):
        np.testing.assert_array_equal(
            one.sentence_vectors[one.sentence_rows(number)],
            other.sentence_vectors[other.sentence_rows(number)],
        )
    assert len(one.sentence_vectors) == len(other.sentence_vectors)
    assert one.sections == other.sections
    searches = [
        open_search(n, open_manifest(tmp_path, n)[0], c) for n, c in (("pages", one), ("anew", other))
    ]
    for query in ("apples in a cellar", "snapshot keys", "star", "nothing of the kind"):
        found = [lexical.search([query], 9)[0] for _, lexical in searches]
        assert found[0].ids.tolist() == found[1].ids.tolist()
        assert found[0].scores.tolist() == found[1].scores.tolist()


def test_an_update_keeps_the_trained_approximate_index_and_a_build_trains_it_anew(tmp_path: Path) -> None:
    search = partial(write_search, settings=Settings(exact_up_to=4))
    parts = replace(fake_parts(), write_search=search)

    def learned_in(built: BuildResult) -> str:
        assert check_index(tmp_path, "pages", open_search)[1] == []
        return str(built.manifest.settings["vector_index_learned_in"])

    first = build_index(tmp_path, "pages", documents(), parts)
    assert learned_in(first) == "this generation, from 8 chunks"
    second = update_index(tmp_path, "pages", lambda _: Update([CHANGED, NEW], ["stars"]), parts)
    assert learned_in(second) == f"{first.manifest.generation}, from 8 chunks"
    third = update_index(tmp_path, "pages", lambda _: Update(delete=["pears"]), parts)
    assert learned_in(third) == f"{first.manifest.generation}, from 8 chunks"
    result = list(opened(tmp_path).documents())
    builds = [build_index(tmp_path, name, result, parts).manifest for name in ("pages", "anew")]
    assert builds[0].settings["vector_index_learned_in"] == "this generation, from 7 chunks"
    assert builds[0].files == builds[1].files


def test_an_update_without_changes_publishes_nothing(build: Build, tmp_path: Path) -> None:
    before = build().manifest.generation
    built = changed(tmp_path, documents=documents()[:4])
    assert (built.changed, built.manifest.generation, built.num_unchanged) == (False, before, 4)
    assert [path.name for path in (tmp_path / "pages" / "generations").iterdir()] == [before]


def test_all_documents_may_be_deleted(build: Build, tmp_path: Path) -> None:
    build()
    built = changed(tmp_path, delete=[document.doc_id for document in documents()])
    assert (built.manifest.num_documents, built.manifest.num_chunks) == (0, 0)
    assert check_index(tmp_path, "pages", open_search)[1] == []
    assert changed(tmp_path, documents=[NEW]).manifest.num_documents == 1


def test_pruning_deletes_documents_that_are_gone_unless_they_were_read(build: Build, tmp_path: Path) -> None:
    build()
    built = changed(
        tmp_path, documents=documents()[:2], is_gone=lambda entry: entry.doc_id in ("backup", "stars")
    )
    assert built.num_deleted == 1
    assert "stars" not in {document.doc_id for document in opened(tmp_path).documents()}


def test_a_document_that_is_not_there_cannot_be_deleted(build: Build, tmp_path: Path) -> None:
    before = build().manifest.generation
    with pytest.raises(InvalidRequest, match="no document 'nope'"):
        changed(tmp_path, delete=["stars", "nope"])
    assert open_manifest(tmp_path, "pages")[1].generation == before
    assert changed(tmp_path, delete=["stars", "nope"], ignore_missing=True).num_deleted == 1


def test_another_embedder_or_chunk_size_is_refused(build: Build, tmp_path: Path) -> None:
    with pytest.raises(UnknownIndex):
        changed(tmp_path)
    assert not (tmp_path / "pages").exists()
    build()
    with pytest.raises(IndexMismatch):
        changed(tmp_path, FakeEmbedder(fingerprint="other"))
    wider = replace(fake_parts(), max_tokens=50)
    with pytest.raises(SettingError, match="chunk_max_tokens 40, now it is 50"):
        update_index(tmp_path, "pages", lambda _: Update([NEW]), wider)


def test_nothing_is_built_upon_a_damaged_generation(build: Build, tmp_path: Path) -> None:
    build()
    texts = open_manifest(tmp_path, "pages")[0] / "texts.utf8"
    texts.write_bytes(b"X" + texts.read_bytes()[1:])
    with pytest.raises(CorruptIndex, match=r"texts.utf8"):
        changed(tmp_path, documents=[NEW])


def test_an_index_stays_sound_over_many_updates(build: Build, tmp_path: Path) -> None:
    build()
    for number in range(6):
        page = Document(f"page{number % 4}", f"Version {number}. A snapshot holds all keys.")
        changed(tmp_path, documents=[page], delete=[f"page{(number - 1) % 4}"] if number % 2 else [])
        assert check_index(tmp_path, "pages", open_search)[1] == []
    corpus = opened(tmp_path)
    # Vectors that no sentence and no title names any more are gone.
    named = np.concatenate([corpus.sentence_table["row"], corpus.document_table["title_row"]])
    assert len(corpus.sentence_vectors) == len(np.unique(named[named >= 0]))


def failing(after: int) -> Iterator[Document]:
    yield from documents()[:after]
    raise KeyboardInterrupt


def test_an_interrupted_build_continues_from_its_finished_segments(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("contextsvc.indexing.build.BATCH_CHARS", 100)
    with pytest.raises(KeyboardInterrupt):
        build_index(tmp_path, "pages", failing(7), fake_parts())
    assert not (tmp_path / "pages" / "CURRENT").exists()
    embedder = FakeEmbedder()
    built = build_index(tmp_path, "pages", documents(), fake_parts(embedder), resume=True)
    assert built.progress.num_reused == 6
    assert sum(embedder.calls) == 6  # "rivers" and "bread", two sentences and a title each
    assert list(opened(tmp_path).documents()) == documents()
    assert check_index(tmp_path, "pages", open_search)[1] == []
    assert not (tmp_path / "pages" / "parts").exists()
    # The same as in one go, but for the number of the generation.
    whole = build_index(tmp_path, "whole", documents(), fake_parts())
    assert built.manifest.files == whole.manifest.files


def test_damaged_segments_and_those_of_another_embedder_are_not_reused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("contextsvc.indexing.build.BATCH_CHARS", 100)
    with pytest.raises(KeyboardInterrupt):
        build_index(tmp_path, "pages", failing(7), fake_parts())
    parts = sorted((tmp_path / "pages" / "parts").iterdir())
    texts = parts[0] / "texts.utf8"
    texts.write_bytes(b"X" + texts.read_bytes()[1:])
    (parts[1] / "part.json").unlink()
    built = build_index(tmp_path, "pages", documents(), fake_parts(), resume=True)
    assert built.progress.num_reused == 2
    with pytest.raises(KeyboardInterrupt):
        build_index(tmp_path, "pages", failing(7), fake_parts())
    other = fake_parts(FakeEmbedder(fingerprint="other"))
    assert build_index(tmp_path, "pages", documents(), other, resume=True).progress.num_reused == 0
    with pytest.raises(KeyboardInterrupt):
        build_index(tmp_path, "pages", failing(7), fake_parts())
    assert build_index(tmp_path, "pages", documents(), fake_parts()).progress.num_reused == 0


def test_segments_of_another_format_are_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("contextsvc.indexing.build.BATCH_CHARS", 100)
    with monkeypatch.context() as before:
        before.setattr("contextsvc.storage.generation.segments.FORMAT", FORMAT - 1)
        with pytest.raises(KeyboardInterrupt):
            build_index(tmp_path, "pages", failing(7), fake_parts())
    assert len(list((tmp_path / "pages" / "parts").iterdir())) == 3
    built = build_index(tmp_path, "pages", documents(), fake_parts(), resume=True)
    assert built.progress.num_reused == 0
    assert check_index(tmp_path, "pages", open_search)[1] == []


def test_a_sentence_of_another_segment_is_not_embedded_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("contextsvc.indexing.build.BATCH_CHARS", 1)
    embedder = FakeEmbedder()
    built = build_index(tmp_path, "pages", documents(), fake_parts(embedder))
    assert (sum(embedder.calls), built.manifest.num_vectors, built.manifest.num_sentences) == (22, 22, 16)
