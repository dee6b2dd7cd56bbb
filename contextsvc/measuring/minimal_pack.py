"""Find the smallest pack that holds the quality of a measured one."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from contextsvc.errors import InvalidRequest
from contextsvc.measuring.measurer import used_chunks
from contextsvc.measuring.prompts import read_units
from contextsvc.measuring.records import MinimalPack, Utilization, Verdict
from contextsvc.ports import NO_LIMITS, Limits, Prompt, Reader
from contextsvc.ports.reading import Cost
from contextsvc.records.packs import ContextPack, Drop, PackedChunk
from contextsvc.records.rendering import render_units, unit_tokens

Count = Callable[[Sequence[str]], list[int]]
"""Counts the tokens of each text."""


def minimal_pack(
    reader: Reader, pack: ContextPack, found: Utilization, count: Count, limits: Limits = NO_LIMITS
) -> tuple[MinimalPack, ContextPack]:
    """Remove the chunks that do not count as used, as many as the quality allows (backward elimination).

    Chunks that do not count go in order of their effects, the smallest first; a chunk of a redundant group
    goes by its necessity, because the effect is that of the whole group. The search tries to remove all of
    them, then all but the last, and so on; the first remainder that loses at most the threshold, as a prompt
    of its own, is the result. Chunks that count are kept. If the target does not depend on its context, no
    chunk counts.

    Args:
        reader: The reader that measured the pack.
        pack: The measured pack.
        found: Its measurement; not partial.
        count: Counts tokens in the pack's tokenizer.
        limits: Most that the search may spend; if it is reached, the whole pack is the result.

    Returns:
        The result, and the smaller pack, rendered and counted anew.

    Raises:
        InvalidRequest: the measurement is partial.
    """
    full = found.controls.full
    if found.score is None or full is None:
        raise InvalidRequest(
            "the measurement is partial, expected a complete one to find the smallest pack; raise "
            "CONTEXTSVC_MEASURE_MAX_*"
        )
    margin = found.threshold.eps
    removable = _removable(found)
    units = read_units(pack)
    cost = Cost()
    for num_removed in range(len(removable), -1, -1):
        kept = [number for number in range(len(units)) if number not in removable[:num_removed]]
        quality, spent = full, Cost()
        if num_removed:
            left = limits.less(cost)
            quality, spent = _quality(reader, [units[n] for n in kept], pack.query, found.target, left)
        cost = cost + spent
        if full - quality <= margin:
            break
    smaller = _keep(pack, kept, count)
    result = MinimalPack(
        pack_id=smaller.pack_id,
        chunk_ids=tuple(packed.candidate.chunk.chunk_id for packed in smaller.chunks),
        text=smaller.text,
        quality=quality,
        full=full,
        margin=margin,
        num_tokens=smaller.num_tokens,
        num_tokens_saved=pack.num_tokens - smaller.num_tokens,
        cost=cost,
    )
    return result, smaller


def _removable(found: Utilization) -> list[int]:
    """Numbers of the chunks that do not count as used, the least useful first."""
    used = used_chunks(found.verdicts) if found.controls.depends_on_context else [False] * len(found.verdicts)
    numbers = [number for number, counts in enumerate(used) if not counts]
    return sorted(numbers, key=lambda number: (_usefulness(found.verdicts[number]), number))


def _usefulness(verdict: Verdict) -> float:
    # The effect of a redundant chunk is that of its group, and one chunk of the group is kept.
    return (verdict.necessity if verdict.verdict == "redundant" else verdict.effect) or 0.0


def _quality(
    reader: Reader, units: Sequence[str], query: str, target: str, limits: Limits
) -> tuple[float, Cost]:
    """Outcome of the target with these units alone; NaN past a limit, which no comparison accepts."""
    keep_all = np.ones((1, len(units)), dtype=np.bool_)
    scores = reader.score(Prompt(tuple(units), query), keep_all, target, limits)
    return float(scores.values[0]), scores.cost


def _keep(pack: ContextPack, kept: Sequence[int], count: Count) -> ContextPack:
    """The pack with these chunks alone; the others become drops."""
    chunks = [pack.chunks[number] for number in kept]
    removed = [packed for number, packed in enumerate(pack.chunks) if number not in kept]
    units = render_units([packed.candidate.chunk for packed in chunks])
    text = "".join(units)
    (num_tokens,) = count([text])
    tokens = unit_tokens(units, num_tokens, count)
    drops = tuple(Drop.of(packed.candidate, "no_gain", "measured: not needed") for packed in removed)
    return replace(
        pack,
        chunks=tuple(PackedChunk(p.candidate, n) for p, n in zip(chunks, tokens, strict=True)),
        drops=(*pack.drops, *drops),
        text=text,
        num_tokens=num_tokens,
    )
