"""Score many masks in one pass: units are read once, and each mask has its own copy of question and target.

A unit is a chunk or a sentence that can be removed. A mask says which units are kept. A copy consists of the
tokens of question and target, and is scored under one mask. A 4-D attention mask lets a copy attend to the
states of the units that its mask keeps and to its own tokens, and to nothing else. So a mask costs only the
tokens of one copy.

There are two ways to read the units:

- in order: each unit attends to the units before it, as in an ordinary prompt. If every unit is kept, the
  scores are those of an ordinary prompt. A removed unit still influences the states of later units.
- in blocks: each block of units attends only to the head of the prompt, and all blocks start at the same
  position. A removed unit has no influence. The states of a block do not depend on the rest of the pack, so
  they can be cached.

Rejected: a batch of copies with expanded states, which is slower on a CPU because the keys are written again
for every copy. Also rejected: a custom attention function, which some models refuse.

This module relies on private parts of transformers: `DynamicCache.layers[i].keys`, `.values` and
`config._attn_implementation`. `tests/adapters/test_private_interfaces.py` checks them.
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any

import torch
from transformers import DynamicCache

from contextsvc.adapters.language_models.prompt_layout import PromptTokens
from contextsvc.records.arrays import BoolArray

COPY_TOKENS = 384
"""Maximum number of tokens of all copies in one pass.

Attention between copies is masked but still costs time.
"""

Layers = list[tuple[torch.Tensor, torch.Tensor]]
"""(keys, values) of each layer, each of shape (heads, tokens, head dim)."""


@dataclass(frozen=True, slots=True)
class States:
    """Key-value states of a prompt's head and units.

    An aside is an isolated unit, to which no other unit attends.

    Attributes:
        layers: States of the head, then of the units, with asides at the end.
        spans: (start, end) positions in `layers` of each unit's tokens, in the order of the prompt.
        position: Position id of the first token of a copy.
        reads: Number of tokens of each pass that was run. Passes whose states were cached are not listed.
    """

    layers: Layers
    spans: tuple[tuple[int, int], ...]
    position: int
    reads: tuple[int, ...]


class StateCache:
    """Cache of layers (key-value states) by (position, token ids), of at most `max_bytes`.

    The layers that were used least recently are evicted first.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes, self._num_bytes = max_bytes, 0
        self._kept: OrderedDict[tuple[int, ...], Layers] = OrderedDict()

    def get(self, tokens: tuple[int, ...]) -> Layers | None:
        """Return the cached attention states of some tokens, by layer. Return None if there are none."""
        found = self._kept.get(tokens)
        if found is not None:
            self._kept.move_to_end(tokens)
        return found

    def put(self, tokens: tuple[int, ...], layers: Layers) -> None:
        """Store layers, unless they alone exceed `max_bytes`."""
        if tokens in self._kept or _num_bytes(layers) > self._max_bytes:
            return
        self._kept[tokens] = layers
        self._num_bytes += _num_bytes(layers)
        while self._num_bytes > self._max_bytes:
            self._num_bytes -= _num_bytes(self._kept.popitem(last=False)[1])


def read_in_order(model: Any, tokens: PromptTokens, asides: Sequence[bool] = ()) -> States:
    """Read head and units as one text, then each aside (isolated unit) at its position in the prompt.

    No unit attends to an aside.

    Args:
        model: Causal language model.
        tokens: Tokens of the prompt.
        asides: Whether each unit is an aside. Units beyond the end of the sequence are not.
    """
    aside = [bool(number < len(asides) and asides[number]) for number in range(len(tokens.units))]
    before, text = [], list(tokens.head)
    for unit, apart in zip(tokens.units, aside, strict=True):
        before.append(len(text))
        text += () if apart else unit
    layers = _read(model, text, 0, None)
    found, reads, end = [layers], [len(text)], len(text)
    spans = []
    for unit, apart, start in zip(tokens.units, aside, before, strict=True):
        if not apart:
            spans.append((start, start + len(unit)))
            continue
        upto = [(keys[:, :start], values[:, :start]) for keys, values in layers]
        found.append(_read(model, unit, start, upto))
        reads.append(len(unit))
        spans.append((end, end + len(unit)))
        end += len(unit)
    return States(_joined(found), tuple(spans), len(text), tuple(reads))


def read_in_blocks(model: Any, tokens: PromptTokens, blocks: Sequence[int], cache: StateCache) -> States:
    """Read the head, then each block of units directly after the head.

    Each block has its own pass, so cached states equal fresh states bit for bit. Copies start at the position
    where the longest block ends.

    Args:
        model: Causal language model.
        tokens: Tokens of the prompt.
        blocks: Number of each unit's block. Units of one block are adjacent.
        cache: States of earlier calls. The cache is not thread-safe, so the caller holds a lock.
    """
    reads: list[int] = []
    start = len(tokens.head)
    pieces = [(0, tokens.head)]
    for block in dict.fromkeys(blocks):
        units = (unit for unit, own in zip(tokens.units, blocks, strict=True) if own == block)
        pieces.append((start, tuple(token for unit in units for token in unit)))
    found: list[Layers] = []
    for position, piece in pieces:
        known = cache.get((position, *piece))
        if known is None:
            known = _read(model, piece, position, found[0] if found else None)
            cache.put((position, *piece), known)
            reads.append(len(piece))
        found.append(known)
    longest = max((len(piece) for _, piece in pieces[1:]), default=0)
    ends = accumulate((len(unit) for unit in tokens.units), initial=start)
    return States(_joined(found), tuple(pairwise(ends)), start + longest, tuple(reads))


def num_copies_a_pass(tokens: PromptTokens) -> int:
    """Return the number of masks that one pass scores."""
    return max(1, COPY_TOKENS // len(tokens.suffix))


def score_copies(model: Any, states: States, tokens: PromptTokens, masks: BoolArray) -> torch.Tensor:
    """Compute the log-probability of each of `tokens.predicted` under each mask, in one pass.

    Returns:
        Natural log-probabilities: (num_masks, number of predicted tokens), float64.
    """
    own = torch.tensor(tokens.suffix, device=model.device)
    num_masks, length = len(masks), len(own)
    past = DynamicCache()
    for number, (keys, values) in enumerate(states.layers):
        past.update(keys[None], values[None], number)
    positions = torch.arange(states.position, states.position + length, device=model.device)
    places, predicted = torch.tensor(tokens.predicted, device=model.device).T
    starts = (torch.arange(num_masks, device=model.device) * length)[:, None]
    with torch.inference_mode():
        logits = model(
            input_ids=own.repeat(num_masks)[None],
            position_ids=positions.repeat(num_masks)[None],
            attention_mask=_as_attended(model, _visible(states, masks, length)),
            past_key_values=past,
            use_cache=True,
            logits_to_keep=(starts + places).reshape(-1),
        ).logits[0]
        return token_log_probs(logits, predicted.repeat(num_masks)).view(num_masks, len(predicted))


def token_log_probs(logits: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
    """Compute the natural log-probability of each token, given its row of logits.

    Returns:
        (num_rows,) float64 on the CPU.
    """
    log_probs = torch.log_softmax(logits.float(), dim=-1)
    return log_probs.gather(1, tokens[:, None])[:, 0].double().cpu()


def _visible(states: States, masks: BoolArray, length: int) -> torch.Tensor:
    """Build the 4-D attention mask; True where a token of a copy attends to a token.

    Returns:
        (1, 1, tokens of all copies, tokens of states and copies), boolean.
    """
    num_masks = len(masks)
    kept = torch.ones(num_masks, states.layers[0][0].shape[1], dtype=torch.bool)
    for unit, (start, end) in enumerate(states.spans):
        kept[torch.from_numpy(~masks[:, unit]), start:end] = False
    before = kept[:, None].expand(num_masks, length, -1).reshape(num_masks * length, -1)
    causal = torch.ones(length, length, dtype=torch.bool).tril()
    return torch.cat([before, torch.block_diag(*[causal] * num_masks).bool()], 1)[None, None]


def _as_attended(model: Any, visible: torch.Tensor) -> torch.Tensor:
    if model.config._attn_implementation != "eager":
        return visible.to(model.device)
    # Eager attention adds the mask to the attention scores, so a boolean mask would hide nothing.
    hidden = torch.zeros(visible.shape, dtype=model.dtype)
    return hidden.masked_fill(~visible, torch.finfo(model.dtype).min).to(model.device)


def _read(model: Any, tokens: Sequence[int], position: int, head: Layers | None) -> Layers:
    """Run the tokens after the head and return the layers of these tokens only.

    Args:
        model: Causal language model.
        tokens: Token ids to run.
        position: Position id of the first token.
        head: States of the text before; None if there is none.
    """
    past = DynamicCache()
    for number, (keys, values) in enumerate(head or []):
        past.update(keys[None], values[None], number)
    if tokens:
        with torch.inference_mode():
            model.base_model(
                input_ids=torch.tensor([list(tokens)], device=model.device),
                position_ids=torch.arange(position, position + len(tokens), device=model.device)[None],
                past_key_values=past,
                use_cache=True,
            )
    skip = head[0][0].shape[1] if head else 0
    # The slices are made contiguous, because a plain slice would keep the memory of the head's states.
    return [
        (layer.keys[0, :, skip:].contiguous(), layer.values[0, :, skip:].contiguous())
        for layer in past.layers
    ]


def _joined(parts: Sequence[Layers]) -> Layers:
    return [
        (torch.cat([keys for keys, _ in each], 1), torch.cat([values for _, values in each], 1))
        for each in zip(*parts, strict=True)
    ]


def _num_bytes(layers: Layers) -> int:
    return sum(keys.nbytes + values.nbytes for keys, values in layers)
