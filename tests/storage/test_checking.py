"""`check_index` names what is wrong, one sentence each."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from contextsvc.errors import UnknownIndex
from contextsvc.records.documents import Document
from contextsvc.storage.checking import check_index
from contextsvc.storage.corpus import broken_invariants, sentence_key
from contextsvc.storage.corpus.smoothing import context_norms
from contextsvc.storage.generation import append, open_manifest
from contextsvc.storage.library import Library, LoadedIndex
from contextsvc.storage.probes import PROBES, changed_answers, record_probes
from contextsvc.wiring import open_search
from tests.conftest import Build
from tests.fakes.embedder import FakeEmbedder


def test_a_sound_index_has_nothing_wrong(build: Build, tmp_path: Path) -> None:
    published = build().manifest
    manifest, problems = check_index(tmp_path, "pages", open_search)
    assert (problems, manifest) == ([], published)
    with pytest.raises(UnknownIndex):
        check_index(tmp_path, "nope", open_search)


def _cut(index: Path) -> None:
    (file,) = index.glob("generations/*/texts.utf8")
    file.write_bytes(file.read_bytes()[:-1])


def _journal(index: Path) -> None:
    append(index, [b"{}", b"{}"])
    data = (index / "journal").read_bytes()
    (index / "journal").write_bytes(data.replace(b"{}", b"{ ", 1))


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda index: (index / "CURRENT").write_text("x"), "CURRENT: holds 'x'"),
        (_cut, "texts.utf8: 528 bytes, expected 529"),
        (_journal, "journal: the record before position"),
    ],
)
def test_damage_is_named(build: Build, tmp_path: Path, damage: Callable[[Path], None], said: str) -> None:
    build()
    damage(tmp_path / "pages")
    (problem,) = check_index(tmp_path, "pages", open_search)[1]
    assert problem.startswith(said)


@pytest.mark.parametrize("norm", [0.5, np.nan])
def test_norms_that_do_not_follow_from_the_vectors_are_named(
    build: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, norm: float
) -> None:
    made = context_norms(np.eye(2, dtype=np.float32))
    monkeypatch.setattr("contextsvc.indexing.segments.context_norms", lambda *_: np.array([norm, made[1]]))
    # They share no word, so they are orthogonal and the second norm is right.
    build([Document("a", "Apples ripen. Stars shine.")])
    assert check_index(tmp_path, "pages", open_search)[1] == [
        "document 0: the norms of 1 sentences in context do not fit their vectors"
    ]


def test_a_title_that_names_the_vector_of_something_else_is_named(build: Build, tmp_path: Path) -> None:
    build([Document("a", "Apples ripen. Stars shine.", title="Orchards")])
    assert check_index(tmp_path, "pages", open_search)[1] == []
    corpus = Library(tmp_path, FakeEmbedder().fingerprint, open_search).get("pages").corpus
    assert corpus.sentence_keys[corpus.document_table["title_row"][0]] == sentence_key("Orchards")
    table = corpus.document_table.copy()
    table["title_row"] = corpus.sentence_table["row"][0]
    corpus.document_table = table
    assert broken_invariants(corpus) == [
        "the title of document 0 names vector 0, which belongs to another text"
    ]


def test_probes_are_answered_as_recorded_or_named(index: LoadedIndex, tmp_path: Path) -> None:
    parts = (index.corpus, index.vectors, index.lexical)
    record_probes(tmp_path, *parts)
    recorded = json.loads((tmp_path / PROBES).read_text())
    assert [probe["chunk"] for probe in recorded] == list(range(8))
    # The first answer to a chunk's own sentence is that chunk, or its copy of a lower number.
    assert [probe["lexical"][0][0] for probe in recorded] == [0, 1, 0, 3, 4, 5, 6, 7]
    assert changed_answers(tmp_path, *parts) == []
    recorded[1]["dense"][0][1] += 1e-3
    recorded[4]["lexical"].reverse()
    (tmp_path / PROBES).write_text(json.dumps(recorded))
    assert changed_answers(tmp_path, *parts) == [
        "dense search for the first sentence of chunk 1 does not answer as recorded",
        "lexical search for the first sentence of chunk 4 does not answer as recorded",
    ]
    (tmp_path / PROBES).write_text("[1]")
    assert "cannot be read" in changed_answers(tmp_path, *parts)[0]
    assert open_manifest(tmp_path, "pages")[1].files[PROBES].num_bytes > 0
