from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoTokenizer, BertForSequenceClassification

from contextsvc.adapters.models.reranker import CrossEncoderReranker
from contextsvc.errors import SettingError
from tests.adapters.tiny_models import save_cross_encoder

QUERY = "the port of etcd"
TEXTS = ["etcd is on port 2379", "the cat sat"]


def test_the_score_is_the_sigmoid_of_the_models_logit(tmp_path: Path) -> None:
    folder = save_cross_encoder(tmp_path)
    encoded = AutoTokenizer.from_pretrained(folder)([QUERY] * 2, TEXTS, padding=True, return_tensors="pt")
    with torch.inference_mode():
        logits = BertForSequenceClassification.from_pretrained(folder)(**encoded).logits[:, 0].numpy()
    np.testing.assert_allclose(
        CrossEncoderReranker(folder).score(QUERY, TEXTS), 1 / (1 + np.exp(-logits)), atol=1e-6
    )


def test_loading_writes_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    folder = save_cross_encoder(tmp_path)
    capfd.readouterr()
    CrossEncoderReranker(folder).score(QUERY, TEXTS)
    assert capfd.readouterr() == ("", "")


def test_the_fingerprint_names_model_and_weights(tmp_path: Path) -> None:
    folder = save_cross_encoder(tmp_path / "tiny")
    found = CrossEncoderReranker(folder).fingerprint
    assert (found.name, found.precision, len(found.weights)) == ("tiny", "float32", 12)


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="cannot be loaded; expected a cross-encoder"):
        CrossEncoderReranker(tmp_path)


def test_several_threads_may_score(tmp_path: Path) -> None:
    reranker = CrossEncoderReranker(save_cross_encoder(tmp_path))
    expected = reranker.score(QUERY, TEXTS).tolist()
    with ThreadPoolExecutor(4) as pool:
        assert all(
            s.tolist() == expected for s in pool.map(lambda _: reranker.score(QUERY, TEXTS), range(20))
        )
