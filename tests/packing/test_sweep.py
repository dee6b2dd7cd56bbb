"""A larger budget keeps what a smaller one kept: every question about a real manual, at 148 budgets."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from benchmarks.rows import data_root, dataset, read_lines
from contextsvc.adapters.text.markdown import MarkdownItBlockParser
from contextsvc.errors import BudgetTooSmall
from contextsvc.indexing.build import build_index
from contextsvc.packing.assembler import Query
from contextsvc.packing.ordering import by_relevance
from contextsvc.packing.passages import Maker, longest_that_fits
from contextsvc.packing.selection import Novelty, select
from contextsvc.packing.units import ordered_units
from contextsvc.ports import BlockParser
from contextsvc.records.documents import Format
from contextsvc.records.requests import MAX_CHUNKS
from contextsvc.settings import Settings
from contextsvc.storage.corpus.excerpts import Excerpts
from contextsvc.storage.library import Library, LoadedIndex
from contextsvc.wiring import open_search, read_sources
from tests.fakes.embedder import FakeEmbedder
from tests.fakes.token_counter import FakeTokenCounter
from tests.world import fake_assembler, fake_parts

BUDGETS = range(30, 1501, 10)
COUNT = FakeTokenCounter().count

pytestmark = [
    pytest.mark.data,
    pytest.mark.skipif(
        not (data_root() and data_root().joinpath("etcd_questions.jsonl").exists()),  # type: ignore[union-attr]
        reason="no etcd questions; name their folder in CONTEXTSVC_DATA",
    ),
]


@pytest.fixture(name="manual", scope="module")
def manual_of_etcd(tmp_path_factory: pytest.TempPathFactory) -> LoadedIndex:
    """The etcd v3.5 manual, cut as the service cuts it, with vectors of words instead of a model's."""
    pages = dataset("etcd_docs", "content") / "en" / "docs" / "v3.5"
    parsers: dict[Format, BlockParser] = {"markdown": MarkdownItBlockParser()}
    parts = replace(fake_parts(), parsers=parsers, min_tokens=48, max_tokens=160)
    root = tmp_path_factory.mktemp("manual")
    build_index(root, "pages", read_sources(Settings(), [str(pages)], lambda *_: None), parts)
    return Library(root, FakeEmbedder().fingerprint, open_search).get("pages")


def test_nothing_is_lost_at_a_larger_budget(manual: LoadedIndex) -> None:
    assembler, excerpts = fake_assembler(), Excerpts(manual.corpus)
    maker = Maker(excerpts.excerpt, by_relevance, COUNT)
    lines = read_lines(dataset("etcd_questions.jsonl"))
    assert len(lines) == 96
    for line in lines:
        query = Query(line["question"], FakeEmbedder().embed_queries([line["question"]])[0])
        found = assembler.retrieve(manual, query, None, exact=False)
        vectors = manual.corpus.chunk_vectors[found.sentences.chunks].astype(np.float32)
        of = dict(zip(found.sentences.chunks.tolist(), vectors, strict=True))
        rows = np.array([of[candidate.number] for candidate in found.candidates])
        selected, _ = select(found.candidates, rows, Novelty(0.95, 0.1))
        fitting = partial(longest_that_fits, ordered_units(selected, found.sentences, MAX_CHUNKS))
        kept: list[tuple[tuple[str, tuple[str, ...]], int, int]] = []
        for budget in BUDGETS:
            try:
                passages, _ = fitting(budget, maker)
            except BudgetTooSmall:
                assert not kept
                continue
            assert passages.num_tokens <= budget
            spans = {(c.chunk.doc_id, c.chunk.section): c.chunk.spans for c in passages.candidates}
            assert all(any(a <= start and end <= b for a, b in spans[of]) for of, start, end in kept)
            table = manual.corpus.sentence_table
            kept = [
                (unit.passage, int(table["start"][unit.sentences[0]]), int(table["end"][unit.sentences[-1]]))
                for units in passages.units
                for unit in units
            ]
