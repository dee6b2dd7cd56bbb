"""Implement `ports.Embedder` with the library sentence-transformers.

This module relies on behaviour that the library does not document: the order of its modules, `preprocess`, a
forward hook on the first module, `prompts` and `truncate_dim`. `tests/adapters/test_private_interfaces.py`
checks this behaviour.
"""

import sys
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sentence_transformers import SentenceTransformer

from contextsvc.adapters.models.torch_runtime import (
    PRECISIONS,
    model_fingerprint,
    model_folder,
    quiet_loading,
    resolve_precision,
    set_num_threads,
)
from contextsvc.errors import Fault, SettingError
from contextsvc.records.arrays import Float32Array
from contextsvc.records.fingerprints import Fingerprint

BATCH_TOKENS = 4096
"""Maximum number of tokens per batch, padding included.

Throughput grows up to about this size. On a busy machine small batches lose most, because every layer waits
several times for all threads.
"""

AT_ONCE = 2
"""Number of batches that run concurrently.

While one batch waits for its threads or is tokenised, the other uses the cores. The batches do not influence
each other, so the vectors do not change.
"""

PAD_TOKENS = 8
"""The length of a batch in tokens is a multiple of this number.

torch keeps memory for every new shape. Without this rule the peak memory of a build of 8,000 sentences was
200 MiB higher.
"""


class SentenceTransformersEmbedder:
    """A `ports.Embedder` with the model's own modules, prompts and pooling.

    With precision `bfloat16` only the transformer runs in bfloat16. Pooling and later modules run in float32,
    because a mean and a norm in bfloat16 are wrong in the third digit.

    Within one call each distinct text is embedded once, so equal texts have equal vectors. Between calls a
    passage's vector may differ in the third digit under bfloat16, because sums depend on the shape of the
    batch. A query that is embedded alone always gets the same bytes.

    Thread-safe.
    """

    def __init__(
        self, model: str | Path, precision: str = "auto", num_threads: int = 0, device: str = "cpu"
    ) -> None:
        """Load a model from a folder (without network access) or by hub name.

        Args:
            model: Folder of the model, or its name on the hub.
            precision: `auto`, `float32` or `bfloat16`.
            num_threads: Number of torch threads; 0 means one per core.
            device: Device name of torch.

        Raises:
            SettingError: the model does not exist or cannot be loaded, or the precision is unknown.
        """
        precision = resolve_precision(precision)
        set_num_threads(num_threads)
        folder = model_folder(model)
        self._model = _load(folder, precision, device)
        self._lock = threading.Lock()
        self._query_prompt = _prompt(self._model, "query")
        self._passage_prompt = _prompt(self._model, "document", "passage", "corpus")
        self._dim = _dim(self._model)
        self._window_tokens = self._model.max_seq_length
        facts = {
            "modules": [[type(module).__name__, _config(module)] for module in self._model],
            "prompts": [self._query_prompt, self._passage_prompt],
            "window": self._window_tokens,
            "truncate_dim": self._model.truncate_dim,
        }
        self._fingerprint = model_fingerprint(model, folder, precision, facts)

    @property
    def fingerprint(self) -> Fingerprint:
        """Fingerprint of the model: name, weights, precision, and a digest of modules, prompts and window."""
        return self._fingerprint

    @property
    def dim(self) -> int:
        """Number of dimensions of a vector."""
        return self._dim

    @property
    def max_tokens(self) -> int:
        """Maximum number of tokens of a passage: the window minus special tokens and passage prompt.

        The value is `sys.maxsize` if the window is unlimited.
        """
        if self._window_tokens is None:
            return sys.maxsize
        special: int = self._model.tokenizer.num_special_tokens_to_add()
        prompt = self.count_tokens([self._passage_prompt])[0] if self._passage_prompt else 0
        return int(self._window_tokens) - special - prompt

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Return the number of tokens of each text, without special tokens and without truncation."""
        if not texts:
            return []
        tokenizer = self._model.tokenizer
        with self._lock:  # a fast tokenizer keeps truncation and padding as shared state
            if not callable(tokenizer):  # static embeddings hold a tokenizer of the `tokenizers` library
                return [len(e.ids) for e in tokenizer.encode_batch(list(texts), add_special_tokens=False)]
            encoded = tokenizer(list(texts), add_special_tokens=False, truncation=False, verbose=False)
        return [len(ids) for ids in encoded["input_ids"]]

    def embed_queries(self, texts: Sequence[str]) -> Float32Array:
        """Embed queries with the model's query prompt.

        Returns:
            (n, dim) float32 rows of Euclidean norm 1, in the order of `texts`.
        """
        return self._embed(texts, self._query_prompt, "query")

    def embed_passages(self, texts: Sequence[str]) -> Float32Array:
        """Embed passages with the model's passage prompt.

        A text longer than `max_tokens` is truncated.

        Returns:
            (n, dim) float32 rows of Euclidean norm 1, in the order of `texts`.
        """
        return self._embed(texts, self._passage_prompt, "document")

    def _embed(self, texts: Sequence[str], prompt: str | None, task: str) -> Float32Array:
        distinct = list(dict.fromkeys(texts))
        vectors = np.empty((len(distinct), self._dim), dtype=np.float32)

        def fill(rows: list[int]) -> None:
            vectors[rows] = self._forward([distinct[row] for row in rows], prompt, task)

        batches = self._batches(distinct)
        if len(batches) == 1:
            fill(batches[0])
        elif batches:
            with ThreadPoolExecutor(AT_ONCE) as pool:
                list(pool.map(fill, batches))  # making a list raises the error of a batch here
        if len(distinct) == len(texts):
            return vectors
        row_of = {text: row for row, text in enumerate(distinct)}
        return vectors[[row_of[text] for text in texts]]

    def _batches(self, texts: Sequence[str]) -> list[list[int]]:
        if len(texts) <= 1:
            return [[0]] if texts else []
        window = self._window_tokens or sys.maxsize
        lengths = [min(length, window) for length in self.count_tokens(texts)]
        return token_batches(lengths, BATCH_TOKENS)

    def _forward(self, texts: list[str], prompt: str | None, task: str) -> Float32Array:
        # The library's `encode` is not used: it sorts texts by characters before padding, computes norms in
        # bfloat16 and checks every batch.
        with torch.inference_mode():
            with self._lock:
                features = self._model.preprocess(texts, prompt=prompt, task=task)
            features = self._padded(features) if len(texts) > 1 else features
            device = self._model.device
            features = {k: v.to(device) if hasattr(v, "to") else v for k, v in features.items()}
            vectors = self._model(features, task=task)["sentence_embedding"]
            if self._model.truncate_dim is not None:
                vectors = vectors[:, : self._model.truncate_dim]
            array: Float32Array = vectors.float().cpu().numpy()
        return unit_rows(array)

    def _padded(self, features: dict[str, Any]) -> dict[str, Any]:
        """Return the features padded to a multiple of `PAD_TOKENS`, but not beyond the model's window.

        The attention mask hides the padding from the model.
        """
        mask = features.get("attention_mask")
        if not isinstance(mask, torch.Tensor) or mask.ndim != 2:
            return features
        length = mask.shape[1]
        extra = min(-length % PAD_TOKENS, max(0, (self._window_tokens or sys.maxsize) - length))
        return {
            name: torch.nn.functional.pad(value, (0, extra))
            if isinstance(value, torch.Tensor) and value.shape == mask.shape
            else value
            for name, value in features.items()
        }


def token_batches(lengths: Sequence[int], batch_tokens: int) -> list[list[int]]:
    """Return the positions of texts in batches of similar length, with the longest texts first.

    A batch has at most `batch_tokens` tokens after padding. Every position occurs once. A text longer than
    `batch_tokens` is a batch of its own. The longest texts come first, so that memory peaks at the start.

    Args:
        lengths: Number of tokens of each text.
        batch_tokens: Maximum number of tokens per batch, padding included.

    >>> token_batches([2, 9, 3, 3], 8)
    [[1], [2, 3], [0]]
    """
    order = sorted(range(len(lengths)), key=lambda position: (-lengths[position], position))
    batches: list[list[int]] = []
    start = 0
    while start < len(order):
        size = max(1, batch_tokens // max(1, lengths[order[start]]))
        batches.append(order[start : start + size])
        start += size
    return batches


def unit_rows(vectors: Float32Array) -> Float32Array:
    """Return the rows divided by their Euclidean norm, as float32.

    A zero row (a text without known words) becomes the first unit vector (1, 0, 0, ...).

    Raises:
        Fault: a value is not finite.
    """
    if not np.isfinite(vectors).all():
        raise Fault(
            "the embedding model returned NaN or infinity; expected finite values; "
            "try CONTEXTSVC_PRECISION=float32"
        )
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    units: Float32Array = (vectors / np.where(norms > 0, norms, 1)).astype(np.float32)
    units[norms[:, 0] == 0, 0] = 1.0
    return units


def _load(folder: Path, precision: str, device: str) -> Any:
    kwargs = {"dtype": PRECISIONS[precision], "use_safetensors": True}
    try:
        with quiet_loading():
            model = SentenceTransformer(
                str(folder), device=device, model_kwargs=kwargs, local_files_only=True
            )
    except (OSError, ValueError, KeyError, ImportError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise SettingError(f"{folder} cannot be loaded; expected an embedding model: {reason}") from error
    model.eval()
    for module in list(model)[1:]:
        module.float()
    model[0].register_forward_hook(_to_float32)
    return model


def _to_float32(_module: object, _inputs: object, features: dict[str, Any]) -> dict[str, Any]:
    """Cast the output of the transformer, so that later modules run in float32. This is a forward hook."""
    for key, value in features.items():
        if isinstance(value, torch.Tensor) and value.is_floating_point():
            features[key] = value.float()
    return features


def _prompt(model: Any, *names: str) -> str | None:
    """Return the prompt that the library's `encode_query` or `encode_document` would choose, or None."""
    for name in (*names, model.default_prompt_name):
        if name is not None and name in model.prompts:
            return model.prompts[name] or None
    return None


def _dim(model: Any) -> int:
    dim = model.truncate_dim or model.get_embedding_dimension()
    if dim is None:
        raise SettingError(
            "the embedding model does not state the dimension of its vectors; expected a number"
        )
    return int(dim)


def _config(module: Any) -> object:
    """Return the configuration that a module would save, or None for a module without configuration."""
    return module.get_config_dict() if hasattr(module, "get_config_dict") else None
