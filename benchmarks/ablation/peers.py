"""ContextCite's package beside ours: same model, same chunks, same response (extra `peers`)."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from context_cite import ContextCiter
from context_cite.context_partitioner import BaseContextPartitioner

from contextsvc.adapters.models.torch_runtime import resolve_precision
from contextsvc.adapters.readers.causal_models import load
from contextsvc.records.arrays import BoolArray


class Pieces(BaseContextPartitioner):  # type: ignore[misc]
    """Pieces that are given, not found."""

    def __init__(self, pieces: Sequence[str], separator: str) -> None:
        super().__init__(separator.join(pieces))
        self._pieces, self._separator = list(pieces), separator

    @property
    def num_sources(self) -> int:
        """How many."""
        return len(self._pieces)

    def split_context(self) -> None:
        """They are split already."""

    def get_source(self, index: int) -> str:
        """One piece."""
        return self._pieces[index]

    def get_context(self, mask: BoolArray | None = None) -> str:
        """The pieces that the mask keeps."""
        kept = range(len(self._pieces)) if mask is None else np.flatnonzero(mask)
        return self._separator.join(self._pieces[number] for number in kept)


class Peer:
    """The package on a model folder, in the precision that ours would take."""

    def __init__(self, folder: Path) -> None:
        self._tokenizer, self._model = load(folder, resolve_precision("auto"), "cpu")
        self._tokenizer.padding_side = "left"

    def attributions(
        self, pieces: Sequence[str], query: str, response: str, num_ablations: int, separator: str
    ) -> list[float]:
        """What the package attributes to each piece, with a response that is given."""
        partition = Pieces(pieces, separator)
        citer: Any = ContextCiter(
            self._model, self._tokenizer, partition.context, query, num_ablations=num_ablations,
            partitioner=partition,
        )  # fmt: skip
        # The package writes its own response unless one is in its cache; it has no public way in.
        _, prompt = citer._get_prompt_ids(return_prompt=True)
        citer._cache["output"] = prompt + response
        with torch.inference_mode():
            return [float(value) for value in citer.get_attributions(verbose=False)]
