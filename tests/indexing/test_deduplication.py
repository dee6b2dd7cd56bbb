"""Copies are found while documents are read, left out if asked, and indexed again without their original."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contextsvc.errors import CorruptIndex, InvalidRequest, UnknownDocument
from contextsvc.indexing.build import BuildResult, IndexParts, Update, build_index, update_index
from contextsvc.indexing.deduplication import Deduplicator
from contextsvc.records.documents import Document
from contextsvc.records.requests import PackRequest
from contextsvc.service.publishing import Publisher
from contextsvc.storage.corpus import Corpus, broken_invariants
from contextsvc.storage.corpus.aliases import Alias, parse_aliases
from contextsvc.storage.generation import open_manifest
from contextsvc.storage.library import Library
from contextsvc.wiring import open_search
from tests.fakes.embedder import FakeEmbedder
from tests.fakes.near_duplicate_index import PlainNearDuplicateIndex
from tests.world import fake_assembler, fake_parts

LONG = " ".join(f"Word{n} follows word{n + 1} here." for n in range(60))
NEAR = LONG.replace("Word30", "Another")
OTHER = "Apples ripen in autumn. Pick apples when they are red and firm."


def page(version: int, text: str = LONG, name: str = "page") -> Document:
    return Document(
        f"v{version}/{name}",
        text,
        title=name.title(),
        source=f"v{version}/{name}.md",
        metadata={"version": version},
    )


def parts() -> IndexParts:
    return replace(fake_parts(), make_near_duplicate_index=PlainNearDuplicateIndex)


def built(root: Path, documents: Sequence[Document], dedupe: bool = True) -> BuildResult:
    watch = Deduplicator(0.9, PlainNearDuplicateIndex(0.9), dedupe)
    return build_index(root, "docs", documents, parts(), deduplicator=watch)


def updated(root: Path, **change: object) -> BuildResult:
    return update_index(root, "docs", lambda _: Update(**change), parts())  # type: ignore[arg-type]


def contents(root: Path) -> tuple[list[str], dict[str, str]]:
    """Ids of the documents, and the original of each alias; the index is checked."""
    folder, manifest = open_manifest(root, "docs")
    corpus = Corpus.open(folder, manifest)
    assert broken_invariants(corpus, manifest) == []
    assert manifest.settings.get("num_aliases", 0) == len(corpus.aliases)
    return [entry.doc_id for entry in corpus.entries], {alias.doc_id: alias.kept for alias in corpus.aliases}


def test_copies_are_reported_and_kept_unless_told_otherwise(tmp_path: Path) -> None:
    documents = [page(1), page(2), page(3, NEAR), page(3, OTHER, "other")]
    watch = Deduplicator(0.9, PlainNearDuplicateIndex(0.9), keep_one=False)
    build_index(tmp_path, "docs", documents, parts(), deduplicator=watch)
    assert [(a.doc_id, a.kept, a.exact) for a in watch.found] == [
        ("v2/page", "v1/page", True),
        ("v3/page", "v1/page", False),
    ]
    # One changed word of 240: 5 runs of 236 go, 5 others come.
    assert watch.found[1].likeness == round(231 / 241, 4)
    assert contents(tmp_path) == ([d.doc_id for d in documents], {})
    assert "dedupe" not in open_manifest(tmp_path, "docs")[1].settings


def test_the_first_is_kept_and_the_others_are_aliases(tmp_path: Path) -> None:
    built(tmp_path, [page(1), page(2), page(3, NEAR), page(3, OTHER, "other"), page(4, NEAR)])
    assert contents(tmp_path) == (
        ["v1/page", "v3/other"],
        {"v2/page": "v1/page", "v3/page": "v1/page", "v4/page": "v1/page"},
    )
    manifest = open_manifest(tmp_path, "docs")[1]
    assert (manifest.num_documents, manifest.settings["dedupe"]) == (2, 0.9)


def test_without_a_near_duplicate_index_only_equal_texts_are_copies(tmp_path: Path) -> None:
    watch = Deduplicator(1.0, None, keep_one=True)
    build_index(tmp_path, "docs", [page(1), page(2), page(3, NEAR)], parts(), deduplicator=watch)
    assert contents(tmp_path) == (["v1/page", "v3/page"], {"v2/page": "v1/page"})


def test_documents_without_text_are_no_copies_of_each_other(tmp_path: Path) -> None:
    built(tmp_path, [page(1), page(1, " ", "empty"), page(2, " ", "empty")])
    assert contents(tmp_path) == (["v1/page", "v1/empty", "v2/empty"], {})


@pytest.mark.parametrize(
    "spec",
    [
        {"field": "doc_id", "eq": "v2/page"},
        {"field": "source", "eq": "v2/page.md"},
        {"field": "version", "eq": 2},
        {"and": [{"field": "version", "gt": 1}, {"field": "version", "lt": 3}]},
    ],
)
def test_a_filter_on_an_alias_finds_its_original(spec: dict[str, object], tmp_path: Path) -> None:
    built(tmp_path, [page(1), page(2), page(3, OTHER, "other")])
    index = Library(tmp_path, FakeEmbedder().fingerprint, open_search).get("docs")
    ask = PackRequest(
        index="docs",
        query="word30 follows",
        budget_tokens=900,
        max_chunks=3,
        tokenizer="fake",
        ordering="relevance",
        filters=json.dumps(spec),
    )
    pack = fake_assembler().assemble(index, ask)
    found = {(p.candidate.chunk.doc_id, p.candidate.chunk.also_in) for p in pack.chunks}
    assert found == {("v1/page", ("v2/page",))}
    nobody = replace(ask, filters=json.dumps({"field": "version", "eq": 9}))
    assert fake_assembler().assemble(index, nobody).chunks == ()


def test_an_update_with_the_same_sources_changes_nothing(tmp_path: Path) -> None:
    documents = [page(1), page(2), page(3, NEAR)]
    before = built(tmp_path, documents)
    after = updated(tmp_path, documents=documents, is_gone=lambda _: True)
    assert (after.changed, after.manifest.generation) == (False, before.manifest.generation)


def test_new_copies_become_aliases_and_new_documents_documents(tmp_path: Path) -> None:
    built(tmp_path, [page(1)])
    updated(tmp_path, documents=[page(2), page(3, NEAR), page(3, OTHER, "other"), page(4, OTHER, "other")])
    assert contents(tmp_path) == (
        ["v1/page", "v3/other"],
        {"v2/page": "v1/page", "v3/page": "v1/page", "v4/other": "v3/other"},
    )


def test_a_change_of_aliases_alone_publishes_a_generation(tmp_path: Path) -> None:
    before = built(tmp_path, [page(1)])
    assert updated(tmp_path, documents=[page(2)]).changed
    assert updated(tmp_path, delete=["v2/page"]).changed
    assert contents(tmp_path) == (["v1/page"], {})
    assert before.manifest.num_documents == 1


def test_an_equal_copy_becomes_a_document_when_its_original_is_deleted(tmp_path: Path) -> None:
    built(tmp_path, [page(1), page(2), page(3), page(1, OTHER, "other")])
    assert updated(tmp_path, delete=["v1/page"]).lost == ()
    assert contents(tmp_path) == (["v1/other", "v2/page"], {"v3/page": "v2/page"})
    folder, _ = open_manifest(tmp_path, "docs")
    assert Corpus.open(folder).document(1) == page(2)


def test_an_equal_copy_becomes_a_document_when_its_original_changes(tmp_path: Path) -> None:
    built(tmp_path, [page(1), page(2)])
    updated(tmp_path, documents=[page(1, OTHER)])
    assert contents(tmp_path) == (["v1/page", "v2/page"], {})
    updated(tmp_path, documents=[page(1, OTHER), page(2, OTHER)])
    # A document of the index stays a document.
    assert contents(tmp_path) == (["v1/page", "v2/page"], {})


@pytest.mark.parametrize("first", [True, False])
def test_a_near_duplicate_without_original_comes_back_from_its_source(first: bool, tmp_path: Path) -> None:
    built(tmp_path, [page(1), page(3, NEAR)])
    changed = [page(1, OTHER), page(3, NEAR)]
    assert updated(tmp_path, documents=changed if first else changed[::-1]).lost == ()
    assert contents(tmp_path) == (["v1/page", "v3/page"], {})
    assert Corpus.open(open_manifest(tmp_path, "docs")[0]).document(1) == page(3, NEAR)


def test_a_near_duplicate_without_original_is_lost_unless_its_source_is_read(tmp_path: Path) -> None:
    built(tmp_path, [page(1), page(3, NEAR), page(1, OTHER, "other")])
    assert updated(tmp_path, delete=["v1/page"]).lost == ("v3/page",)
    assert contents(tmp_path) == (["v1/other"], {})


def test_pruning_deletes_aliases_too(tmp_path: Path) -> None:
    everything = [page(1), page(2), page(3, NEAR), page(1, OTHER, "other")]
    built(tmp_path, everything)
    # The file of v2 is gone: an alias less.
    updated(tmp_path, documents=[page(1), page(3, NEAR), everything[3]], is_gone=lambda _: True)
    assert contents(tmp_path) == (["v1/page", "v1/other"], {"v3/page": "v1/page"})
    # The file of v1 is gone: v3, which was read, is a document again; so is v4, which is new and equal to v1.
    updated(tmp_path, documents=[page(3, NEAR), page(4), everything[3]], is_gone=lambda _: True)
    documents, aliases = contents(tmp_path)
    assert (sorted(documents), aliases) == (["v1/other", "v3/page", "v4/page"], {})


def test_an_alias_that_changes_is_compared_again(tmp_path: Path) -> None:
    built(tmp_path, [page(1), page(2)])
    updated(tmp_path, documents=[page(2, OTHER)])
    assert contents(tmp_path) == (["v1/page", "v2/page"], {})


def test_documents_that_come_over_http_become_aliases_too_and_can_be_deleted(tmp_path: Path) -> None:
    built(tmp_path, [page(1)])
    publisher = Publisher(Library(tmp_path, FakeEmbedder().fingerprint, open_search), parts, keep=2)
    publisher.put("docs", [page(2), page(3, OTHER, "other")])
    assert publisher.publish("docs")["added"] == 1
    assert contents(tmp_path) == (["v1/page", "v3/other"], {"v2/page": "v1/page"})
    publisher.delete("docs", "v2/page")
    with pytest.raises(UnknownDocument):
        publisher.delete("docs", "v9/page")
    assert publisher.publish("docs")["changed"]
    assert contents(tmp_path) == (["v1/page", "v3/other"], {})


def test_deleting_an_unknown_id_is_refused(tmp_path: Path) -> None:
    built(tmp_path, [page(1), page(2)])
    with pytest.raises(InvalidRequest, match="v7/page"):
        updated(tmp_path, delete=["v2/page", "v7/page"])
    assert contents(tmp_path) == (["v1/page"], {"v2/page": "v1/page"})


texts = st.sampled_from([LONG, NEAR, OTHER, OTHER + " Really.", " "])


@given(st.lists(texts, max_size=8))
def test_every_document_is_kept_or_an_alias_and_kept_ones_are_no_copies(chosen: list[str]) -> None:
    documents = [page(n, text) for n, text in enumerate(chosen)]
    watch = Deduplicator(0.9, PlainNearDuplicateIndex(0.9), keep_one=True)
    kept = {document.doc_id: document.text for document in watch.read(documents)}
    assert sorted([*kept, *(alias.doc_id for alias in watch.aliases)]) == sorted(d.doc_id for d in documents)
    assert all(alias.kept in kept for alias in watch.aliases)
    for alias in watch.aliases:
        text = documents[int(alias.doc_id[1 : alias.doc_id.index("/")])].text
        assert alias.exact is (text == kept[alias.kept])
        assert {text, kept[alias.kept]} in ({LONG}, {OTHER}, {NEAR}, {OTHER + " Really."}, {LONG, NEAR})
    again = Deduplicator(0.9, PlainNearDuplicateIndex(0.9), keep_one=True)
    assert len(list(again.read([d for d in documents if d.doc_id in kept]))) == len(kept)


def test_a_damaged_file_of_aliases_is_damage() -> None:
    alias = Alias.of(page(2), "v1/page", 1.0, exact=True)
    assert alias.fields == {"version": 2, "doc_id": "v2/page", "title": "Page", "source": "v2/page.md"}
    for data in (b"{}\n", b"[]\n", b"x\n", b"\xff\n"):
        with pytest.raises(CorruptIndex, match=r"aliases\.jsonl"):
            parse_aliases(data)
