"""Find a smaller pack that keeps the quality of a measured one."""

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
"""Function that counts the tokens of each text."""


def minimal_pack(
    reader: Reader, pack: ContextPack, found: Utilization, count: Count, limits: Limits = NO_LIMITS
) -> tuple[MinimalPack, ContextPack]:
    """Remove unused chunks, as many as the quality allows (backward elimination).

    Only chunks that do not count as used can be removed. They are sorted by effect, smallest first. A
    redundant chunk is sorted by its necessity, because its effect is that of its whole group. The search
    tries to remove all unused chunks, then all but the last, then all but the last two, and so on. It stops
    at the first remainder that, read as a prompt of its own, loses at most the threshold. If the target does
    not depend on its context, no chunk counts as used.

    Args:
        reader: The reader that measured the pack.
        pack: The measured pack.
        found: The measurement of the pack, which must not be partial.
        count: Counts tokens with the tokenizer of the pack.
        limits: Largest cost of the search. If a limit is reached, the result is the whole pack.

    Returns:
        The result, and the smaller pack, rendered and counted again.

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
    """Return the numbers of the chunks that do not count as used, the least useful first."""
    used = used_chunks(found.verdicts) if found.controls.depends_on_context else [False] * len(found.verdicts)
    numbers = [number for number, counts in enumerate(used) if not counts]
    return sorted(numbers, key=lambda number: (_usefulness(found.verdicts[number]), number))


def _usefulness(verdict: Verdict) -> float:
    # A redundant chunk has the effect of its group. One chunk of the group is kept, so necessity tells more.
    return (verdict.necessity if verdict.verdict == "redundant" else verdict.effect) or 0.0


def _quality(
    reader: Reader, units: Sequence[str], query: str, target: str, limits: Limits
) -> tuple[float, Cost]:
    """Score the target with these units alone, and return the outcome and its cost.

    The outcome is NaN if a limit was reached. A comparison with NaN is false, so such a pack is not accepted.
    """
    keep_all = np.ones((1, len(units)), dtype=np.bool_)
    scores = reader.score(Prompt(tuple(units), query), keep_all, target, limits)
    return float(scores.values[0]), scores.cost


def _keep(pack: ContextPack, kept: Sequence[int], count: Count) -> ContextPack:
    """Return the pack with only these chunks. The removed chunks are listed as drops."""
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
