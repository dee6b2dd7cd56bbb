from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sentence_transformers import SentenceTransformer

from contextsvc import assets
from contextsvc.adapters.models.embedder import SentenceTransformersEmbedder, token_batches, unit_rows
from contextsvc.errors import Fault, SettingError
from contextsvc.settings import Settings
from tests.adapters.tiny_models import save_embedder

TEXTS = ["the cat sat on the mat", "a bank", "interest rates again " * 20]
PROMPTS = {"query": "the port ", "document": "another mat with "}


@given(st.lists(st.integers(0, 50), max_size=40), st.integers(1, 60))
def test_batches_hold_every_position_once_within_the_limit(lengths: list[int], limit: int) -> None:
    batches = token_batches(lengths, limit)
    assert sorted(position for batch in batches for position in batch) == list(range(len(lengths)))
    for batch in batches:
        assert len(batch) == 1 or len(batch) * max(lengths[position] for position in batch) <= limit


def test_unit_rows_of_a_zero_row_is_the_first_axis() -> None:
    rows = unit_rows(np.array([[3, 4], [0, 0]], dtype=np.float32))
    assert rows.round(6).tolist() == np.array([[0.6, 0.8], [1, 0]], dtype=np.float32).tolist()


def test_unit_rows_refuses_what_is_not_finite() -> None:
    with pytest.raises(Fault, match="NaN or infinity"):
        unit_rows(np.array([[np.nan, 1]], dtype=np.float32))


def test_vectors_are_those_of_the_library_with_its_prompts(tmp_path: Path) -> None:
    folder = save_embedder(tmp_path, PROMPTS)
    ours, library = SentenceTransformersEmbedder(folder, "float32"), SentenceTransformer(str(folder))
    np.testing.assert_allclose(
        ours.embed_queries(TEXTS), library.encode_query(TEXTS, normalize_embeddings=True), atol=1e-5
    )
    np.testing.assert_allclose(
        ours.embed_passages(TEXTS), library.encode_document(TEXTS, normalize_embeddings=True), atol=1e-5
    )
    assert not np.allclose(ours.embed_queries(TEXTS), ours.embed_passages(TEXTS), atol=1e-3)


def test_the_window_leaves_room_for_special_tokens_and_the_passage_prompt(tmp_path: Path) -> None:
    assert SentenceTransformersEmbedder(save_embedder(tmp_path / "a"), "float32").max_tokens == 14
    with_prompts = save_embedder(tmp_path / "b", PROMPTS)
    assert SentenceTransformersEmbedder(with_prompts, "float32").max_tokens == 11


def test_the_fingerprint_changes_with_precision_and_prompts(tmp_path: Path) -> None:
    plain, prompted = save_embedder(tmp_path / "a"), save_embedder(tmp_path / "b", PROMPTS)
    first = SentenceTransformersEmbedder(plain, "float32").fingerprint
    assert first == SentenceTransformersEmbedder(plain, "float32").fingerprint
    assert first != SentenceTransformersEmbedder(plain, "bfloat16").fingerprint
    assert first != SentenceTransformersEmbedder(prompted, "float32").fingerprint
    assert first.name == "tiny-embedder"


def test_bfloat16_is_close_to_float32_and_still_unit(tmp_path: Path) -> None:
    folder = save_embedder(tmp_path)
    coarse = SentenceTransformersEmbedder(folder, "bfloat16").embed_passages(TEXTS)
    fine = SentenceTransformersEmbedder(folder, "float32").embed_passages(TEXTS)
    assert ((coarse * fine).sum(axis=1) > 0.999).all()
    np.testing.assert_allclose(np.linalg.norm(coarse, axis=1), 1.0, atol=1e-6)


def test_several_threads_may_embed_and_count(tmp_path: Path) -> None:
    embedder = SentenceTransformersEmbedder(save_embedder(tmp_path), "float32")
    expected = embedder.embed_queries(TEXTS[:1]).tobytes()

    def work(_: int) -> tuple[bytes, list[int]]:
        return embedder.embed_queries(TEXTS[:1]).tobytes(), embedder.count_tokens(TEXTS)

    with ThreadPoolExecutor(4) as pool:
        assert set(map(str, pool.map(work, range(40)))) == {str((expected, [6, 2, 60]))}


def test_batches_at_once_give_what_each_gives_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    embedder = SentenceTransformersEmbedder(save_embedder(tmp_path), "bfloat16")
    texts = ["the cat " * number for number in range(1, 30)]
    monkeypatch.setattr("contextsvc.adapters.models.embedder.BATCH_TOKENS", 64)
    together = embedder.embed_passages(texts)
    monkeypatch.setattr("contextsvc.adapters.models.embedder.AT_ONCE", 1)
    assert np.array_equal(together, embedder.embed_passages(texts))


def test_loading_and_embedding_write_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    folder = save_embedder(tmp_path)
    capfd.readouterr()
    embedder = SentenceTransformersEmbedder(folder)
    embedder.count_tokens(["the cat " * 500])
    embedder.embed_passages(["the cat " * 500])
    assert capfd.readouterr() == ("", "")


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="cannot be loaded; expected an embedding model"):
        SentenceTransformersEmbedder(tmp_path)


@pytest.mark.model
def test_the_real_model_bears_the_published_files_hash() -> None:
    folder = assets.locate(Settings.from_env().home, "all-MiniLM-L6-v2")
    embedder = SentenceTransformersEmbedder(folder, "float32")
    assert str(embedder.fingerprint).startswith("all-MiniLM-L6-v2:53aa51172d14:float32:")
    assert (embedder.dim, embedder.max_tokens) == (384, 254)
