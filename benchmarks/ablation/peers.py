"""ContextCite's package with the same model, chunks and response as ours (extra `peers`)."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from context_cite import ContextCiter
from context_cite.context_partitioner import BaseContextPartitioner

from benchmarks.ablation.packs import Cite
from contextsvc.adapters.language_models.causal_models import load
from contextsvc.adapters.models.torch_runtime import resolve_precision
from contextsvc.records.arrays import BoolArray


class Pieces(BaseContextPartitioner):  # type: ignore[misc]
    """A partition into given pieces."""

    def __init__(self, pieces: Sequence[str], separator: str) -> None:
        super().__init__(separator.join(pieces))
        self._pieces, self._separator = list(pieces), separator

    @property
    def num_sources(self) -> int:
        """Number of pieces."""
        return len(self._pieces)

    def split_context(self) -> None:
        """Nothing to do: the pieces are given."""

    def get_source(self, index: int) -> str:
        """One piece."""
        return self._pieces[index]

    def get_context(self, mask: BoolArray | None = None) -> str:
        """Text of the pieces that a mask keeps."""
        kept = range(len(self._pieces)) if mask is None else np.flatnonzero(mask)
        return self._separator.join(self._pieces[number] for number in kept)


def attributions_of(folder: Path) -> Cite:
    """The package on a model folder, in the precision that ours would take; the response is given."""
    tokenizer, model = load(folder, resolve_precision("auto"), "cpu")
    tokenizer.padding_side = "left"

    def attributions(
        pieces: Sequence[str], query: str, response: str, num_ablations: int, separator: str
    ) -> list[float]:
        partition = Pieces(pieces, separator)
        citer: Any = ContextCiter(
            model, tokenizer, partition.context, query, num_ablations=num_ablations, partitioner=partition
        )
        # The package generates a response unless its cache holds one; it has no public way to give one.
        _, prompt = citer._get_prompt_ids(return_prompt=True)
        citer._cache["output"] = prompt + response
        with torch.inference_mode():
            return [float(value) for value in citer.get_attributions(verbose=False)]

    return attributions
