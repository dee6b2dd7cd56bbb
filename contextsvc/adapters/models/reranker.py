"""Implement `ports.Reranker` with a cross-encoder of the library sentence-transformers."""

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sentence_transformers import CrossEncoder

from contextsvc.adapters.models.torch_runtime import (
    PRECISIONS,
    model_fingerprint,
    model_folder,
    quiet_loading,
    resolve_precision,
    set_num_threads,
)
from contextsvc.errors import SettingError
from contextsvc.records.arrays import Float32Array
from contextsvc.records.fingerprints import Fingerprint

BATCH_PAIRS = 32


class CrossEncoderReranker:
    """A `ports.Reranker` that reads query and text together, in one pass per pair.

    The score is the sigmoid of the model's logit, regardless of the activation that the model was saved with.
    A saved identity would leave logits of any size. A saved sigmoid, followed by another one, would press all
    scores between .5 and .73. Neither choice would change the order of the texts.

    Equal texts in one call have equal scores. Thread-safe.
    """

    def __init__(
        self, model: str | Path, precision: str = "float32", num_threads: int = 0, device: str = "cpu"
    ) -> None:
        """Load a model from a folder (without network access) or by hub name.

        Args:
            model: Folder of the model, or its name on the hub.
            precision: `auto`, `float32` or `bfloat16`. The default is float32, because logits in bfloat16
                have ties that float32 does not have.
            num_threads: Number of torch threads; 0 means one per core.
            device: Device name of torch.

        Raises:
            SettingError: the model does not exist or cannot be loaded, it has more than one label, or the
                precision is unknown.
        """
        precision = resolve_precision(precision)
        set_num_threads(num_threads)
        folder = model_folder(model)
        self._model = _load(folder, precision, device)
        self._lock = threading.Lock()
        facts = {"window": self._model.max_seq_length, "prompt": _prompt(self._model)}
        self._fingerprint = model_fingerprint(model, folder, precision, facts)

    @property
    def fingerprint(self) -> Fingerprint:
        """Fingerprint of the model: name, weights, precision, and a digest of window and prompt."""
        return self._fingerprint

    def score(self, query: str, texts: Sequence[str]) -> Float32Array:
        """Return the relevance of each text to the query.

        A pair longer than the model's window is truncated.

        Returns:
            (n,) float32 in [0, 1], in the order of `texts`.
        """
        if not texts:
            return np.zeros(0, dtype=np.float32)
        distinct = list(dict.fromkeys(texts))
        pairs = [(query, text) for text in distinct]
        with self._lock:  # the model's tokenizer keeps truncation and padding as shared state
            scores = self._model.predict(
                pairs, batch_size=BATCH_PAIRS, show_progress_bar=False, activation_fn=torch.nn.Sigmoid()
            )
        score_of = dict(zip(distinct, scores, strict=True))
        return np.array([score_of[text] for text in texts], dtype=np.float32)


def _load(folder: Path, precision: str, device: str) -> Any:
    kwargs = {"dtype": PRECISIONS[precision], "use_safetensors": True}
    try:
        with quiet_loading():
            model = CrossEncoder(str(folder), device=device, model_kwargs=kwargs, local_files_only=True)
    except (OSError, ValueError, KeyError, ImportError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise SettingError(f"{folder} cannot be loaded; expected a cross-encoder: {reason}") from error
    if model.num_labels != 1:
        raise SettingError(f"{folder} has {model.num_labels} labels; expected a cross-encoder with 1")
    model.eval()
    return model


def _prompt(model: Any) -> str | None:
    """Return the prompt that the library's `predict` adds, or None if it adds none."""
    name = model.default_prompt_name
    return model.prompts.get(name) if name is not None else None
