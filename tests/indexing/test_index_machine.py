"""An index under any sequence of changes, crashes and searches, compared with a model that recomputes all."""

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from contextsvc.errors import InvalidRequest, UnknownDocument
from contextsvc.indexing.build import build_index
from contextsvc.packing.filters import matching_rows
from contextsvc.records.arrays import Float32Array
from contextsvc.records.documents import Document
from contextsvc.records.packs import Ranking
from contextsvc.service.publishing import Publisher, pending
from contextsvc.storage.checking import check_index
from contextsvc.storage.generation import applied, collect, roll_back
from contextsvc.storage.library import Library
from contextsvc.wiring import open_search
from tests.dead_disk import dying_after
from tests.fakes.embedder import FakeEmbedder
from tests.fakes.lexical_index import PlainLexicalIndex
from tests.fakes.vector_index import ExactVectorIndex
from tests.world import fake_parts

KEEP = 3
DIM = 24
IDS = st.sampled_from("abcdefg")
WORDS = ("red", "green", "blue", "fox", "den", "hill", "oak", "elm")
TEXTS = st.lists(st.sampled_from(WORDS), min_size=1, max_size=4).map(" ".join)
Pages = dict[str, tuple[str, int]]
"""Documents of the model in the order of the index: id, text and metadata."""


def document(doc_id: str, page: tuple[str, int]) -> Document:
    return Document(doc_id, page[0], metadata={"n": page[1]})


class Searched:
    """Expected answers of a search: every vector and every weight is computed from the texts."""

    def __init__(self, pages: Pages) -> None:
        self.ids = list(pages)
        self.texts = [text for text, _ in pages.values()]
        self.numbers = [number for _, number in pages.values()]

    def dense(self, query: str, k: int, allowed: Sequence[bool]) -> Ranking:
        vectors = FakeEmbedder(DIM).embed_passages(self.texts).astype(np.float16)
        pooled = vectors.astype(np.float32)
        lengths = np.linalg.norm(pooled, axis=1, keepdims=True)
        stored = (pooled / np.where(lengths > 0, lengths, 1)).astype(np.float16)
        index = ExactVectorIndex(stored)
        return index.search(embedded(query), k, np.array(allowed, dtype=np.bool_))[0]

    def lexical(self, query: str, k: int, allowed: Sequence[bool]) -> Ranking:
        return PlainLexicalIndex(self.texts).search([query], k, np.array(allowed, dtype=np.bool_))[0]


def embedded(query: str) -> Float32Array:
    return FakeEmbedder(DIM).embed_queries([query])


class IndexMachine(RuleBasedStateMachine):
    """Each document is one chunk, so that the answers of a search can be computed from the texts."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.synced = patch("os.fsync", lambda _: None)
        self.synced.start()
        self.history: list[Pages] = []
        self.waiting: dict[str, tuple[str, int] | None] = {}
        self.reopen()

    def teardown(self) -> None:
        self.synced.stop()
        shutil.rmtree(self.folder)

    @initialize()
    def start(self) -> None:
        self.build({"a": ("red fox", 1), "b": ("blue den", 2), "c": ("green hill", 3)})

    @rule(pages=st.dictionaries(IDS, st.tuples(TEXTS, st.integers(0, 3)), min_size=1, max_size=2))
    def upsert(self, pages: Pages) -> None:
        self.publisher.put("pages", [document(doc_id, page) for doc_id, page in pages.items()])
        for doc_id, page in pages.items():
            self._wait(doc_id, page)

    @rule(doc_id=IDS)
    def delete(self, doc_id: str) -> None:
        if doc_id in self.history[-1] or doc_id in self.waiting:
            self.publisher.delete("pages", doc_id)
            self._wait(doc_id, None)
        else:
            with pytest.raises(UnknownDocument):
                self.publisher.delete("pages", doc_id)

    @precondition(lambda self: self.waiting)
    @rule()
    def publish(self) -> None:
        coming = self._coming()
        changed = self.publisher.publish("pages")["changed"]
        assert changed == (coming != self.history[-1])
        self._published(coming)

    @precondition(lambda self: self.waiting)
    @rule(num_calls=st.integers(0, 70))
    def die_while_publishing(self, num_calls: int) -> None:
        before, coming = self.history[-1], self._coming()
        with pytest.MonkeyPatch.context() as patched, dying_after(patched, self.folder, num_calls):
            self.publisher.publish("pages")
        self.reopen()
        found = self._found()
        assert found in (before, coming)
        # A publish that changed nothing shows only in the journal: its records are gone, or they still wait.
        manifest = self.library.get("pages").manifest
        if pending(self.folder / "pages", applied(manifest)).records:
            assert found == before
        else:
            assert found == coming
            self._published(coming)

    @rule()
    def roll_back(self) -> None:
        if len(self.history) > 1:
            roll_back(self.folder, "pages")
            self.history.pop()
        else:
            with pytest.raises(InvalidRequest):
                roll_back(self.folder, "pages")

    @rule(keep=st.integers(1, KEEP))
    def collect(self, keep: int) -> None:
        collect(self.folder, "pages", keep)
        self.history = self.history[-keep:]

    @rule()
    def reopen(self) -> None:
        self.library = Library(self.folder, FakeEmbedder(DIM).fingerprint, open_search)
        self.publisher = Publisher(self.library, lambda: fake_parts(FakeEmbedder(DIM)), KEEP)

    @rule(query=TEXTS, k=st.integers(1, 8))
    def search(self, query: str, k: int) -> None:
        self._compare(query, k, None)

    @rule(query=TEXTS, k=st.integers(1, 8), least=st.integers(0, 3), negated=st.booleans())
    def filter(self, query: str, k: int, least: int, negated: bool) -> None:
        self._compare(query, k, (least, negated))

    @invariant()
    def holds_what_was_published(self) -> None:
        if self.history:
            assert list(self._found().items()) == list(self.history[-1].items())

    def build(self, pages: Pages) -> None:
        documents = [document(doc_id, page) for doc_id, page in pages.items()]
        build_index(self.folder, "pages", documents, fake_parts(FakeEmbedder(DIM)), keep=KEEP)
        self._published(pages)

    def _compare(self, query: str, k: int, above: tuple[int, bool] | None) -> None:
        """Both searches, among the documents whose number is above one, or is not."""
        index, model = self.library.get("pages"), Searched(self.history[-1])
        allowed, mask = [True] * len(model.ids), None
        if above is not None:
            least, negated = above
            spec: dict[str, object] = {"field": "n", "gt": least}
            columns = index.corpus.columns
            mask = np.zeros(len(model.ids), dtype=np.bool_)
            mask[columns.owners[matching_rows({"not": spec} if negated else spec, columns)]] = True
            allowed = [(number > least) != negated for number in model.numbers]
            assert mask.tolist() == allowed
        _agree(index.vectors.search(embedded(query), k, mask)[0], model.dense(query, k, allowed))
        _agree(index.lexical.search([query], k, mask)[0], model.lexical(query, k, allowed))

    def _wait(self, doc_id: str, page: tuple[str, int] | None) -> None:
        self.waiting.pop(doc_id, None)
        self.waiting[doc_id] = page

    def _coming(self) -> Pages:
        coming = self.history[-1] | {d: page for d, page in self.waiting.items() if page is not None}
        return {d: page for d, page in coming.items() if self.waiting.get(d, page) is not None}

    def _published(self, pages: Pages) -> None:
        if not self.history or pages != self.history[-1]:
            self.history = [*self.history, pages][-KEEP:]
        self.waiting = {}

    def _found(self) -> Pages:
        corpus = self.library.get("pages").corpus
        return {d.doc_id: (d.text, int(str(d.metadata["n"]))) for d in corpus.documents()}


def _agree(found: Ranking, expected: Ranking) -> None:
    assert found.ids.tolist() == expected.ids.tolist()
    np.testing.assert_allclose(found.scores, expected.scores, atol=2e-6)


class CheckedMachine(IndexMachine):
    """The same, and at the end every byte and every invariant is checked."""

    def teardown(self) -> None:
        try:
            if self.history:
                assert check_index(self.folder, "pages", open_search)[1] == []
        finally:
            super().teardown()


TestIndexMachine = CheckedMachine.TestCase
TestIndexMachine.settings = settings(
    max_examples=200,
    stateful_step_count=50,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)
