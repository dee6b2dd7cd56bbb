"""Many masks in one reading: the units' states once, then one copy of question and target a mask.

A copy sees the states of the units that its mask keeps and its own tokens, nothing else, by a 4-D
attention mask. A mask costs the tokens of question and target instead of those of a whole prompt.

Two ways to read the units:

- in order: each unit reads those before it, as in an ordinary prompt. With everything kept the
  numbers are an ordinary prompt's; a removed unit leaves its trace in the states of later ones.
- in blocks: each unit reads the head alone, all from the same position. A removed unit leaves no
  trace, and its states do not depend on the pack, so that they can be kept and used again.

Rejected: a batch of copies with the states expanded, slower on a CPU because every
copy's keys are written out; and an attention function of our own, which models may refuse.
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any

import torch
from transformers import DynamicCache

from contextsvc.adapters.readers.prompt_layout import PromptTokens
from contextsvc.records.arrays import BoolArray

COPY_TOKENS = 384
"""Tokens of copies in one pass: copies do not see each other, and what they do not see still costs."""

Layers = list[tuple[torch.Tensor, torch.Tensor]]
"""Keys and values of each layer: (heads, tokens, dim)."""


@dataclass(frozen=True, slots=True)
class States:
    """What a model remembers of a prompt's head and units.

    Attributes:
        layers: Head first, then the units, those that no other reads last.
        spans: First token of each unit and one past its last, in order of the prompt.
        position: Where a copy starts.
        reads: Tokens of each pass that this took; fewer where states were kept.
    """

    layers: Layers
    spans: tuple[tuple[int, int], ...]
    position: int
    reads: tuple[int, ...]


class StateCache:
    """Layers by token ids, the least recently used forgotten first, at most `max_bytes` of them."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes, self._num_bytes = max_bytes, 0
        self._kept: OrderedDict[tuple[int, ...], Layers] = OrderedDict()

    def get(self, tokens: tuple[int, ...]) -> Layers | None:
        """The layers put under these tokens, if they are still kept."""
        found = self._kept.get(tokens)
        if found is not None:
            self._kept.move_to_end(tokens)
        return found

    def put(self, tokens: tuple[int, ...], layers: Layers) -> None:
        """Keep layers; too large ones are not."""
        if tokens in self._kept or _num_bytes(layers) > self._max_bytes:
            return
        self._kept[tokens] = layers
        self._num_bytes += _num_bytes(layers)
        while self._num_bytes > self._max_bytes:
            self._num_bytes -= _num_bytes(self._kept.popitem(last=False)[1])


def read_in_order(model: Any, tokens: PromptTokens, asides: Sequence[bool] = ()) -> States:
    """Head and units as one text; then each aside as if it stood in its place, read by no other unit."""
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
    """Head, then each block of units after the head as if no other block were there.

    Each block is read in a pass of its own, so that states are the same, bit for bit, whether they
    were kept or are read now. Copies start where the longest block ends.
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
    """How many masks one pass takes."""
    return max(1, COPY_TOKENS // len(tokens.own))


def score_copies(model: Any, states: States, tokens: PromptTokens, masks: BoolArray) -> torch.Tensor:
    """Log-probabilities of `tokens.asked` under each mask, in one pass: (num_masks, asked tokens)."""
    own = torch.tensor(tokens.own, device=model.device)
    num_masks, length = len(masks), len(own)
    past = DynamicCache()
    for number, (keys, values) in enumerate(states.layers):
        past.update(keys[None], values[None], number)
    positions = torch.arange(states.position, states.position + length, device=model.device)
    places, asked = torch.tensor(tokens.asked, device=model.device).T
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
        return log_chances(logits, asked.repeat(num_masks)).view(num_masks, len(asked))


def log_chances(logits: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
    """Natural log-probability of each token under its row of logits: (num_rows,) float64, on the CPU."""
    chances = torch.log_softmax(logits.float(), dim=-1)
    return chances.gather(1, tokens[:, None])[:, 0].double().cpu()


def _visible(states: States, masks: BoolArray, length: int) -> torch.Tensor:
    """(1, 1, copies' tokens, all tokens), True where a token is seen."""
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
    # Eager attention adds its mask to the scores: True would add 1 and False hide nothing.
    hidden = torch.zeros(visible.shape, dtype=model.dtype)
    return hidden.masked_fill(~visible, torch.finfo(model.dtype).min).to(model.device)


def _read(model: Any, tokens: Sequence[int], position: int, head: Layers | None) -> Layers:
    """Layers of these tokens alone, read after the head."""
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
    # Contiguous: a slice would keep the head's states alive with every block.
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
