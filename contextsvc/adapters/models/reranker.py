"""Reranker: any cross-encoder that sentence-transformers can load."""

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sentence_transformers import CrossEncoder

from contextsvc.adapters.models.torch_runtime import (
    PRECISIONS,
    model_folder,
    model_name,
    quiet_loading,
    resolve_precision,
    set_num_threads,
    short_digest,
    weights_hash,
)
from contextsvc.errors import SettingError
from contextsvc.records.arrays import Float32Array
from contextsvc.records.fingerprints import Fingerprint

BATCH_PAIRS = 32


class CrossEncoderReranker:
    """Scores by reading query and text together; one pass a pair.

    The score is the sigmoid of the model's logit, whatever activation the model was saved with:
    an identity leaves logits of any size, and a sigmoid applied twice would press all scores
    between .5 and .73. The order is the model's own either way.

    Equal texts in one call have equal scores. Several threads may call one reranker at a time.
    """

    def __init__(
        self, model: str | Path, precision: str = "float32", num_threads: int = 0, device: str = "cpu"
    ) -> None:
        """Load from a folder (without any network) or by hub name.

        Float32 unless told otherwise: bfloat16 logits tie where float32 ones do not.

        Raises:
            SettingError: no such model, it cannot be loaded, it has more than one label, or an
                unknown precision.
        """
        precision = resolve_precision(precision)
        set_num_threads(num_threads)
        folder = model_folder(model)
        self._model = _load(folder, precision, device)
        self._lock = threading.Lock()
        facts = {"window": self._model.max_seq_length, "prompt": _prompt(self._model)}
        self._fingerprint = Fingerprint(
            name=model_name(model),
            weights=weights_hash(folder),
            precision=precision,
            usage=(short_digest(facts, 8),),
        )

    @property
    def fingerprint(self) -> Fingerprint:
        """Name, weights, precision, and a digest of window and prompt."""
        return self._fingerprint

    def score(self, query: str, texts: Sequence[str]) -> Float32Array:
        """(n,) float32 in [0, 1], order kept. A pair longer than the model's window is cut."""
        if not texts:
            return np.zeros(0, dtype=np.float32)
        distinct = list(dict.fromkeys(texts))
        pairs = [(query, text) for text in distinct]
        with self._lock:  # its tokenizer keeps truncation and padding as state
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
        raise SettingError(f"{folder} is no cross-encoder that can be loaded: {reason}") from error
    if model.num_labels != 1:
        raise SettingError(f"{folder} has {model.num_labels} labels; expected a cross-encoder with 1")
    model.eval()
    return model


def _prompt(model: Any) -> str | None:
    """The prompt that `predict` adds by itself."""
    name = model.default_prompt_name
    return model.prompts.get(name) if name is not None else None
