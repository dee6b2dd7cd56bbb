"""The contract of every Reranker."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from contextsvc.adapters.models.reranker import CrossEncoderReranker
from contextsvc.ports import Reranker
from tests.adapters.tiny_models import save_cross_encoder
from tests.fakes.reranker import FakeReranker

TEXTS = ["the cat sat on the mat", "", "interest rates", "the cat sat on the mat", "another cat " * 300]


def build_fake(_folder: Path) -> Reranker:
    return FakeReranker()


def build_tiny(folder: Path) -> Reranker:
    return CrossEncoderReranker(save_cross_encoder(folder))


@pytest.fixture(scope="module", params=[build_fake, build_tiny])
def reranker(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Reranker:
    build: Callable[[Path], Reranker] = request.param
    return build(tmp_path_factory.mktemp("reranker"))


def test_one_score_a_text_between_0_and_1(reranker: Reranker) -> None:
    scores = reranker.score("a cat on a mat", TEXTS)
    assert scores.shape == (5,)
    assert scores.dtype == np.float32
    assert ((scores >= 0) & (scores <= 1)).all()


def test_no_texts_give_no_scores(reranker: Reranker) -> None:
    assert reranker.score("a cat", []).shape == (0,)


def test_equal_texts_have_equal_scores(reranker: Reranker) -> None:
    scores = reranker.score("a cat on a mat", TEXTS)
    assert scores[0] == scores[3]


def test_order_is_kept(reranker: Reranker) -> None:
    scores = reranker.score("a cat on a mat", TEXTS)
    np.testing.assert_allclose(reranker.score("a cat on a mat", TEXTS[::-1])[::-1], scores, atol=1e-5)


def test_a_text_is_scored_by_itself(reranker: Reranker) -> None:
    scores = reranker.score("a cat on a mat", TEXTS)
    alone = [float(reranker.score("a cat on a mat", [text])[0]) for text in TEXTS]
    np.testing.assert_allclose(alone, scores, atol=1e-5)


def test_another_query_gives_another_score(reranker: Reranker) -> None:
    assert reranker.score("cat", TEXTS[:1])[0] != reranker.score("bank", TEXTS[:1])[0]
