"""Measured pack -> the smallest pack found that holds its quality."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from contextsvc.errors import InvalidRequest
from contextsvc.measuring.measurer import counted_chunks
from contextsvc.measuring.reading import read_units
from contextsvc.measuring.records import MinimalPack, Utilization, Verdict
from contextsvc.ports import NO_LIMITS, Limits, Prompt, Reader
from contextsvc.ports.reading import Cost
from contextsvc.records.packs import ContextPack, Drop, PackedChunk
from contextsvc.records.rendering import render_units, unit_tokens


def minimal_pack(
    reader: Reader,
    pack: ContextPack,
    found: Utilization,
    count: Callable[[Sequence[str]], list[int]],
    limits: Limits = NO_LIMITS,
) -> tuple[MinimalPack, ContextPack]:
    """Backward elimination of what does not count as used, then a check that the rest holds.

    Chunks that do not count go in order of their effects, least first; a further one of a redundant
    group by what it alone is missed for. The longest such elimination whose remainder, read as a
    prompt of its own, loses no more than the threshold is taken; live chunks are never given up.
    Where the target does not depend on its context, as little as holds is kept.

    Args:
        reader: The one that measured.
        pack: What was measured.
        found: Its measurement, complete.
        count: Counts tokens in the pack's encoding.
        limits: Most that the search may spend; past it the whole pack is kept.

    Returns:
        What was found, and the smaller pack itself: rendered and counted anew.

    Raises:
        InvalidRequest: the measurement is partial.
    """
    full = found.controls.full
    if found.score is None or full is None:
        raise InvalidRequest(
            "the measurement is partial: nothing can be left out on its word; raise its limits"
        )
    margin = found.threshold.eps
    used = counted_chunks(found.verdicts) if found.controls.depends_on_context else [False] * len(pack.chunks)
    spare = sorted(
        (number for number, keep in enumerate(used) if not keep),
        key=lambda number: (_worth(found.verdicts[number]), number),
    )
    units = read_units(pack)
    cost = Cost()
    for num_gone in range(len(spare), -1, -1):
        kept = [number for number in range(len(units)) if number not in spare[:num_gone]]
        quality, spent = full, Cost()
        if num_gone:
            left = limits.less(cost)
            quality, spent = _quality(reader, [units[n] for n in kept], pack.query, found.target, left)
        cost = cost + spent
        if full - quality <= margin:
            break
    smaller = _keep(pack, kept, count)
    saved = pack.num_tokens - smaller.num_tokens
    ids = tuple(packed.candidate.chunk.chunk_id for packed in smaller.chunks)
    result = MinimalPack(
        smaller.pack_id, ids, smaller.text, quality, full, margin, smaller.num_tokens, saved, cost
    )
    return result, smaller


def _worth(verdict: Verdict) -> float:
    # The effect of a redundant chunk is its group's, and one of the group stays.
    return (verdict.necessity if verdict.verdict == "redundant" else verdict.effect) or 0.0


def _quality(
    reader: Reader, units: Sequence[str], query: str, target: str, limits: Limits
) -> tuple[float, Cost]:
    """The outcome with these alone, NaN past a limit, which no comparison calls good enough."""
    everything = np.ones((1, len(units)), dtype=np.bool_)
    scores = reader.score(Prompt(tuple(units), query), everything, target, limits)
    return float(scores.values[0]), scores.cost


def _keep(pack: ContextPack, kept: Sequence[int], count: Callable[[Sequence[str]], list[int]]) -> ContextPack:
    chunks = [pack.chunks[number] for number in kept]
    gone = [packed for number, packed in enumerate(pack.chunks) if number not in kept]
    units = render_units([packed.candidate.chunk for packed in chunks])
    text = "".join(units)
    (num_tokens,) = count([text])
    tokens = unit_tokens(units, num_tokens, count)
    drops = tuple(Drop.of(packed.candidate, "no_gain", "measured: not needed") for packed in gone)
    return replace(
        pack,
        chunks=tuple(PackedChunk(p.candidate, n) for p, n in zip(chunks, tokens, strict=True)),
        drops=(*pack.drops, *drops),
        text=text,
        num_tokens=num_tokens,
    )
