"""What is known of a candidate, worked out on a small world."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.second_stage.features import COLUMNS, FIXED, Candidates, Terms, candidates_of
from benchmarks.second_stage.judged import Judged
from contextsvc.records.requests import PackRequest
from contextsvc.storage.library import LoadedIndex
from tests.fakes.embedder import FakeEmbedder
from tests.world import QUERY, RETRIEVAL, fake_assembler

ASKED = Judged(QUERY, {"backup": 1})


def found_in(index: LoadedIndex, query: Judged = ASKED, depth: int = 20) -> Candidates:
    """The candidates of a query."""
    settings = replace(RETRIEVAL, rerank_depth=depth)
    return candidates_of(index, Terms(index.corpus), FakeEmbedder(), settings, query)


@pytest.mark.parametrize("depth", [20, 3])
@pytest.mark.parametrize("query", [QUERY, "pears ripen", "nothing of this"])
def test_the_fixed_score_is_the_services_own(index: LoadedIndex, query: str, depth: int) -> None:
    found = found_in(index, Judged(query, {"pears": 1}), depth)
    request = PackRequest(
        index="pages", query=query, budget_tokens=1000, max_chunks=64, tokenizer="fake", ordering="relevance"
    )
    pack = fake_assembler(rerank_depth=depth).assemble(index, request)
    scores = {d.doc_id: d.score for d in pack.drops}
    scores.update({p.candidate.chunk.doc_id: p.candidate.score for p in pack.chunks})
    assert dict(zip(found.documents, found.columns([FIXED])[:, 0].tolist(), strict=True)) == scores


def test_features_are_what_they_are_called(index: LoadedIndex) -> None:
    found = found_in(index)
    backup = dict(zip(COLUMNS, found.features[found.documents.index("backup")].tolist(), strict=True))
    restore = dict(zip(COLUMNS, found.features[found.documents.index("restore")].tolist(), strict=True))
    apples = dict(zip(COLUMNS, found.features[found.documents.index("apples")].tolist(), strict=True))
    # "snapshot" and "cluster" are the query's terms; both have both. "Take a snapshot of the cluster" is the
    # nearest to the query, the first of two equal documents comes first.
    assert backup["coverage"] == restore["coverage"] == 1.0
    assert (backup["terms"], backup["dense rank"]) == (1.0, 1.0)
    assert apples["coverage"] == apples["terms"] == apples["lexical rank"] == 0.0
    # No title has a word of the query, no chunk begins after its document, no document has two chunks.
    for one in (backup, restore, apples):
        assert one["coverage by title"] == one["position"] == one["best of its document"] == 0.0
        assert one["query length"] == pytest.approx(np.log(3))
        assert one["best three sentences"] <= one["sentence"]
    # 13 words and 2 full stops.
    assert backup["length"] == pytest.approx(np.log(16))
    assert found.relevant.tolist() == [name == "backup" for name in found.documents]


def test_a_share_of_the_query_weighs_rare_terms_more(index: LoadedIndex) -> None:
    terms = Terms(index.corpus)
    asked = terms.known("the snapshot, the snapshot, of apples, of zebras")
    assert asked == {"snapshot": 2, "appl": 1}
    # Of 8 chunks 3 have "snapshot" and 1 "apples".
    snapshot, apples = np.log(1 + 5.5 / 3.5), np.log(1 + 7.5 / 1.5)
    assert terms.coverage(asked, "A snapshot.") == pytest.approx(snapshot / (snapshot + apples))
    assert terms.coverage(asked, "Apples, and snapshots.") == pytest.approx(1.0)
    assert terms.coverage(terms.known("zebras"), "Zebras.") == 0.0
