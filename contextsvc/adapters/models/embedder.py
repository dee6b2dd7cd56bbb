"""Embedder: any sentence-transformers model."""

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
    model_folder,
    model_name,
    quiet_loading,
    resolve_precision,
    set_num_threads,
    short_digest,
    weights_hash,
)
from contextsvc.errors import Fault, SettingError
from contextsvc.records.arrays import Float32Array
from contextsvc.records.fingerprints import Fingerprint

BATCH_TOKENS = 4096
"""Tokens of a batch, padding included. Throughput rises up to about here and then stays; on a busy
machine small batches lose most, for every call waits for all threads several times a layer."""

AT_ONCE = 2
"""Batches in the model at a time: while one waits for its threads to meet, or is being tokenised, the other
has the cores. Each batch is as it would be alone, so vectors are the same."""

PAD_TOKENS = 8
"""Lengths are multiples of it: every new shape costs torch memory that it keeps, and a build of 8,000
sentences peaked 200 MiB higher without."""


class SentenceTransformersEmbedder:
    """Embeds with the model's own modules, prompts and pooling.

    Only the transformer runs in bfloat16: pooling and what follows run in float32, because a mean
    and a norm in bfloat16 cost a third digit. In one call each distinct text is embedded once, so
    equal texts have equal vectors. Between calls the vector of a passage may differ in the third
    digit under bfloat16, because sums depend on the shape of the batch; a query alone always gives
    the same bytes.

    Several threads may call one embedder at a time.
    """

    def __init__(
        self, model: str | Path, precision: str = "auto", num_threads: int = 0, device: str = "cpu"
    ) -> None:
        """Load from a folder (without any network) or by hub name.

        Raises:
            SettingError: no such model, it cannot be loaded, or an unknown precision.
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
        self._fingerprint = Fingerprint(
            name=model_name(model),
            weights=weights_hash(folder),
            precision=precision,
            usage=(short_digest(facts, 8),),
        )

    @property
    def fingerprint(self) -> Fingerprint:
        """Name, weights, precision, and a digest of modules, prompts and window."""
        return self._fingerprint

    @property
    def dim(self) -> int:
        """Length of a vector."""
        return self._dim

    @property
    def max_tokens(self) -> int:
        """The model's window less special tokens and the passage prompt; huge where there is none."""
        if self._window_tokens is None:
            return sys.maxsize
        special: int = self._model.tokenizer.num_special_tokens_to_add()
        prompt = self.count_tokens([self._passage_prompt])[0] if self._passage_prompt else 0
        return int(self._window_tokens) - special - prompt

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """The model's own tokens of each text, special tokens not counted, nothing cut."""
        if not texts:
            return []
        tokenizer = self._model.tokenizer
        with self._lock:  # a fast tokenizer keeps truncation and padding as state
            if not callable(tokenizer):  # static embeddings hold a tokenizer of the `tokenizers` library
                return [len(e.ids) for e in tokenizer.encode_batch(list(texts), add_special_tokens=False)]
            encoded = tokenizer(list(texts), add_special_tokens=False, truncation=False, verbose=False)
        return [len(ids) for ids in encoded["input_ids"]]

    def embed_queries(self, texts: Sequence[str]) -> Float32Array:
        """(n, dim) float32, unit rows, order kept, with the model's query prompt."""
        return self._embed(texts, self._query_prompt, "query")

    def embed_passages(self, texts: Sequence[str]) -> Float32Array:
        """(n, dim) float32, unit rows, order kept, with the model's passage prompt.

        A text longer than `max_tokens` is cut there.
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
                list(pool.map(fill, batches))  # a list: what a batch raises is raised here
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
        # The library's `encode` pads by characters, casts norms down and costs a batch of checks.
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
        """Tokens padded to a multiple of `PAD_TOKENS`, masked out; the window is never exceeded."""
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
    """Positions grouped by length: longest first, each group at most `batch_tokens` when padded.

    Every position occurs once; a longer text than `batch_tokens` is a group of its own. Longest
    first, so that memory peaks at the start.

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
    """Rows divided by their Euclidean length; a zero row (a text without known words) gives the first axis.

    Raises:
        Fault: a row is not finite.
    """
    if not np.isfinite(vectors).all():
        raise Fault("the embedding model gave values that are not finite; try CONTEXTSVC_PRECISION=float32")
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
        raise SettingError(f"{folder} is no embedding model that can be loaded: {reason}") from error
    model.eval()
    for module in list(model)[1:]:
        module.float()
    model[0].register_forward_hook(_to_float32)
    return model


def _to_float32(_module: object, _inputs: object, features: dict[str, Any]) -> dict[str, Any]:
    """After the first module, the transformer: what follows runs in float32."""
    for key, value in features.items():
        if isinstance(value, torch.Tensor) and value.is_floating_point():
            features[key] = value.float()
    return features


def _prompt(model: Any, *names: str) -> str | None:
    """The prompt that `encode_query` and `encode_document` would choose."""
    for name in (*names, model.default_prompt_name):
        if name is not None and name in model.prompts:
            return model.prompts[name] or None
    return None


def _dim(model: Any) -> int:
    dim = model.truncate_dim or model.get_embedding_dimension()
    if dim is None:
        raise SettingError("the embedding model does not say how long its vectors are")
    return int(dim)


def _config(module: Any) -> object:
    """What a module would save of itself; None for one without settings."""
    return module.get_config_dict() if hasattr(module, "get_config_dict") else None
