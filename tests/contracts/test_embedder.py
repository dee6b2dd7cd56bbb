"""The contract of every Embedder: the fake, a tiny model, the real one."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from contextsvc import assets
from contextsvc.adapters.models.embedder import SentenceTransformersEmbedder
from contextsvc.ports import Embedder
from contextsvc.settings import Settings
from tests.adapters.tiny_models import save_embedder
from tests.fakes.embedder import FakeEmbedder

TEXTS = ["the cat sat on the mat", "the bank raised interest rates again", "a cat", "", "the cat sat"]


def build_fake(_folder: Path) -> Embedder:
    return FakeEmbedder()


def build_tiny(folder: Path) -> Embedder:
    return SentenceTransformersEmbedder(save_embedder(folder), "float32")


def build_real(_folder: Path) -> Embedder:
    folder = assets.locate(Settings.from_env().home, "all-MiniLM-L6-v2")
    return SentenceTransformersEmbedder(folder, num_threads=1)


BUILDERS = [build_fake, build_tiny, pytest.param(build_real, marks=pytest.mark.model)]


@pytest.fixture(scope="module", params=BUILDERS)
def embedder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Embedder:
    build: Callable[[Path], Embedder] = request.param
    return build(tmp_path_factory.mktemp("embedder"))


def test_rows_are_unit_float32_vectors(embedder: Embedder) -> None:
    for vectors in (embedder.embed_queries(TEXTS), embedder.embed_passages(TEXTS)):
        assert vectors.shape == (5, embedder.dim)
        assert vectors.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-5)


def test_no_texts_give_no_rows(embedder: Embedder) -> None:
    assert embedder.embed_queries([]).shape == (0, embedder.dim)
    assert embedder.embed_passages([]).shape == (0, embedder.dim)
    assert embedder.count_tokens([]) == []


def test_order_is_kept_whatever_the_lengths(embedder: Embedder) -> None:
    together = embedder.embed_passages(TEXTS)
    for row, text in enumerate(TEXTS):
        alone = embedder.embed_passages([text])[0]
        assert float(together[row] @ alone) > 0.999, text


def test_reversed_texts_give_reversed_rows(embedder: Embedder) -> None:
    forwards, backwards = embedder.embed_passages(TEXTS), embedder.embed_passages(TEXTS[::-1])
    assert ((forwards * backwards[::-1]).sum(axis=1) > 0.999).all()


def test_equal_texts_have_equal_vectors(embedder: Embedder) -> None:
    vectors = embedder.embed_passages(["the cat", "the bank raised interest rates again", "the cat"])
    np.testing.assert_array_equal(vectors[0], vectors[2])


def test_one_query_always_gives_the_same_bytes(embedder: Embedder) -> None:
    first = embedder.embed_queries(["the cat sat"]).tobytes()
    assert all(embedder.embed_queries(["the cat sat"]).tobytes() == first for _ in range(3))


def test_related_texts_are_more_alike_than_unrelated_ones(embedder: Embedder) -> None:
    (query,) = embedder.embed_queries(["the cat sat on a mat"])
    related, unrelated = embedder.embed_passages(
        ["a cat sat on the mat", "another bank raised interest rates again"]
    )
    assert float(query @ related) > float(query @ unrelated) + 0.05


def test_tokens_are_counted_without_special_ones_and_nothing_is_cut(embedder: Embedder) -> None:
    assert embedder.count_tokens(["the cat", "", "a " * 1000]) == [2, 0, 1000]


def test_a_text_far_beyond_the_window_is_embedded(embedder: Embedder) -> None:
    (vector,) = embedder.embed_passages(["the cat " * 2000])
    assert np.linalg.norm(vector) == pytest.approx(1.0, abs=1e-5)


def test_the_window_and_the_fingerprint_are_stated(embedder: Embedder) -> None:
    assert embedder.max_tokens >= 8
    assert embedder.fingerprint.name
    assert "\n" not in str(embedder.fingerprint)
