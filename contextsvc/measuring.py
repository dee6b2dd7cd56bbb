"""Pack (+ response) -> Utilization, by exact leave-one-out through a Reader."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from contextsvc.library import LoadedIndex
from contextsvc.measurements import (
    Controls,
    TargetKind,
    Threshold,
    Utilization,
    UtilizationSummary,
    Verdict,
)
from contextsvc.ports import Prompt, Reader
from contextsvc.records import BoolArray, ContextPack, Cost, digest
from contextsvc.steps.ablation import (
    leave_one_out_masks,
    threshold_from,
    utilization_score,
    verdict_of,
)
from contextsvc.steps.rendering import render_units
from contextsvc.steps.statistics import mean_interval

METHOD = "exact leave-one-out"
FEWEST_PLACEBOS = 20
"""Drawn in one pack when no threshold is known for the reader: fewer have no 95th percentile."""

SAMPLE = 400
"""Chunks among which placebos are looked for: enough to be unlike, few enough for a live request."""

INDEPENDENT = "The target is as likely without any chunk: no token counts as used, whatever the verdicts."


@dataclass(frozen=True, slots=True)
class Measurer:
    """Measures packs.

    Attributes:
        thresholds: Calibrated thresholds by kind of target; kinds that miss one draw their own
            placebos in every pack.
        num_placebos: Unrelated chunks put into each pack as a control.
        seed: Of placebo draws and bootstraps.
    """

    reader: Reader
    thresholds: Mapping[TargetKind, Threshold]
    num_placebos: int
    seed: int

    @property
    def configuration(self) -> str:
        """A digest of all that shapes a measurement besides pack and response."""
        known = repr(sorted(self.thresholds.items()))
        return digest(METHOD, self.reader.fingerprint, known, str(self.num_placebos), str(self.seed))

    def measure(self, index: LoadedIndex, pack: ContextPack, response: str | None) -> Utilization:
        """Remove each chunk in turn and watch the likelihood of the target.

        Args:
            index: The generation the pack was made from; placebos are drawn there.
            pack: What is measured.
            response: The caller's own answer; None lets the reader write one and measures that.

        Raises:
            InvalidRequest: the prompt does not fit the reader's window, or the response is empty.
        """
        started = time.perf_counter()
        units = _units(pack)
        target, kind, cost = self._target(pack, units, response)
        fixed = self.thresholds.get(kind)
        num_own = 0 if fixed else FEWEST_PLACEBOS
        trial, distinct = self._trial(index, pack, units, num_own + self.num_placebos)
        scores = self.reader.score(Prompt(trial.units, pack.query), trial.masks, target)
        full, nothing = float(scores.values[0]), float(scores.values[1])
        effects = [full - float(value) for value in scores.values[2 : 2 + len(units)]]
        drawn = [float(value) - full for value in scores.values[2 + len(units) :]]
        # The control is not judged by a threshold that was made from it.
        threshold = fixed or _own_threshold(drawn[:num_own], min(distinct, num_own), self.seed)
        placebo_effects = tuple(drawn[num_own:])
        live = np.array([effect > threshold.eps for effect in effects], dtype=np.bool_)
        live_only, live_cost = self._live_only(units, pack.query, live, target, full)
        controls = Controls(
            full, nothing, full - nothing > threshold.eps, live_only,
            None if live_only is None else full - live_only <= threshold.eps,
            placebo_effects, sum(effect > threshold.eps for effect in placebo_effects),
        )  # fmt: skip
        cost = cost + scores.cost + live_cost
        cost = Cost(cost.reader_calls, cost.reader_tokens, round(time.perf_counter() - started, 3))
        return self._report(pack, effects, threshold, controls, (target, kind), cost)

    def placebo_effects(
        self, index: LoadedIndex, pack: ContextPack, response: str | None
    ) -> tuple[tuple[float, ...], TargetKind]:
        """Effects of `num_placebos` unrelated chunks put into a pack: what a calibration collects.

        Raises:
            InvalidRequest: as `measure`.
        """
        units = _units(pack)
        target, kind, _ = self._target(pack, units, response)
        trial, _ = self._trial(index, pack, units, self.num_placebos)
        rows = [0, *range(2 + len(units), len(trial.masks))]
        scores = self.reader.score(Prompt(trial.units, pack.query), trial.masks[rows], target).values
        return tuple(float(value - scores[0]) for value in scores[1:]), kind

    def _trial(
        self, index: LoadedIndex, pack: ContextPack, units: Sequence[str], num_placebos: int
    ) -> tuple["_Trial", int]:
        placebos = _placebos(index, pack, num_placebos, self.seed)
        trial = _with_placebos(units, placebos, [self.seed, int(pack.pack_id[8:16], 16)])
        return trial, len(set(placebos))

    def _target(
        self, pack: ContextPack, units: Sequence[str], response: str | None
    ) -> tuple[str, TargetKind, Cost]:
        if response is not None:
            return response, "response", Cost()
        answer = self.reader.answer(Prompt(tuple(units), pack.query))
        return answer.text, "answer", answer.cost

    def _live_only(
        self, units: Sequence[str], query: str, live: BoolArray, target: str, full: float
    ) -> tuple[float | None, Cost]:
        if live.all():
            return (full if len(live) else None), Cost()
        if not live.any():
            return None, Cost()
        scores = self.reader.score(Prompt(tuple(units), query), live[np.newaxis], target)
        return float(scores.values[0]), scores.cost

    def _report(
        self,
        pack: ContextPack,
        effects: Sequence[float],
        threshold: Threshold,
        controls: Controls,
        target: tuple[str, TargetKind],
        cost: Cost,
    ) -> Utilization:
        num_tokens = [packed.num_tokens for packed in pack.chunks]
        gain = controls.full - controls.no_context
        scored = partial(utilization_score, effects, num_tokens, gain)
        score = scored(threshold.eps)
        interval = (scored(threshold.high), scored(threshold.low))
        note = "" if controls.depends_on_context else INDEPENDENT
        verdicts = tuple(
            Verdict(
                packed.candidate.chunk.chunk_id, round(effect, 6), verdict_of(effect, threshold.eps), tokens
            )
            for packed, effect, tokens in zip(pack.chunks, effects, num_tokens, strict=True)
        )
        return Utilization(
            pack.pack_id, score, interval, verdicts, threshold, controls, target[0], target[1],
            self.reader.fingerprint, METHOD, cost, note,
        )  # fmt: skip


def _own_threshold(effects: Sequence[float], num_distinct: int, seed: int) -> Threshold:
    if not effects:
        return Threshold(0.0, 0.0, 0.0, 0, "the index holds nothing but this pack: no placebo")
    found = threshold_from(effects, "drawn in this pack: the reader is not calibrated", seed)
    return replace(found, num_placebos=num_distinct)


@dataclass(frozen=True, slots=True)
class _Trial:
    """A pack's units with placebos among them, and the masks that try all of them.

    Rows of the masks: the pack as it is, nothing, the pack without each unit, the pack with each
    placebo.
    """

    units: tuple[str, ...]
    masks: BoolArray


def _units(pack: ContextPack) -> list[str]:
    return [unit.strip() for unit in render_units([packed.candidate.chunk for packed in pack.chunks])]


def _with_placebos(units: Sequence[str], placebos: Sequence[str], seed: Sequence[int]) -> _Trial:
    # At random places, others in each pack: next to the question a placebo weighs more.
    rng = np.random.default_rng(seed)
    gaps = rng.integers(0, len(units) + 1, size=len(placebos))
    places = [(float(number), True, number) for number in range(len(units))]
    places += [(float(gap) - 0.5, False, number) for number, gap in enumerate(gaps)]
    places.sort()
    own = leave_one_out_masks(len(units))
    masks = np.zeros((len(own) + len(placebos), len(places)), dtype=np.bool_)
    for column, (_, real, number) in enumerate(places):
        if real:
            masks[: len(own), column] = own[:, number]
            masks[len(own) :, column] = True
        else:
            masks[len(own) + number, column] = True
    return _Trial(tuple(units[n] if real else placebos[n] for _, real, n in places), masks)


def _placebos(index: LoadedIndex, pack: ContextPack, wanted: int, seed: int) -> list[str]:
    """Rendered chunks of like length that have nothing to do with the pack, drawn by seed and pack.

    Of a random sample the half least alike to the pack, and of these the nearest in length, so that
    length does not pass for relevance. A small index gives a chunk more than once, then at another
    place of the pack. None where the index holds nothing but the pack.
    """
    own = sorted({packed.candidate.number for packed in pack.chunks})
    strangers = np.setdiff1d(np.arange(index.corpus.num_chunks), own)
    if not own or not len(strangers):
        return []
    rng = np.random.default_rng([seed, int(pack.pack_id[:8], 16)])
    size = min(len(strangers), max(SAMPLE, 4 * wanted))
    sample = np.sort(rng.choice(strangers, size=size, replace=False))
    vectors = index.corpus.chunk_vectors
    likeness = vectors[sample].astype(np.float64) @ vectors[own].astype(np.float64).mean(axis=0)
    unlike = sample[np.argsort(likeness, kind="stable")][: max(wanted, len(sample) // 2)]
    length = np.mean([packed.candidate.chunk.num_tokens for packed in pack.chunks])
    gaps = np.abs(index.corpus.chunk_tokens[unlike] - length)
    pool = unlike[np.argsort(gaps, kind="stable")][: max(2 * wanted, 50)]
    drawn = rng.choice(pool, size=wanted, replace=len(pool) < wanted)
    fillers = [packed.candidate.chunk for packed in pack.chunks]
    # Rendered as a last unit would be; the number is one that no chunk of the pack has.
    return [render_units([*fillers, index.corpus.chunk(int(number))])[-1] for number in drawn]


def _shared(thresholds: Sequence[Threshold]) -> Threshold:
    first = thresholds[0]
    if all(threshold == first for threshold in thresholds):
        return first
    return Threshold(
        float(np.mean([threshold.eps for threshold in thresholds])),
        min(threshold.low for threshold in thresholds),
        max(threshold.high for threshold in thresholds),
        sum(threshold.num_placebos for threshold in thresholds),
        f"mean of {len(thresholds)} thresholds, each {first.origin}",
    )


def summarise(generation: str, found: Sequence[Utilization], seed: int) -> UtilizationSummary:
    """One line for a generation, from the measurements of many queries; at least one."""
    scores = np.array([utilization.score for utilization in found])
    sufficient = [u.controls.sufficient for u in found if u.controls.sufficient is not None]
    num_placebos = sum(len(u.controls.placebo_effects) for u in found)
    num_live = sum(u.controls.num_placebos_live for u in found)
    cost = Cost()
    for utilization in found:
        cost = cost + utilization.cost
    return UtilizationSummary(
        generation,
        float(scores.mean()),
        mean_interval(scores, seed),
        len(found),
        float(np.mean([u.controls.depends_on_context for u in found])),
        float(np.mean(sufficient)) if sufficient else None,
        num_placebos,
        num_live / num_placebos if num_placebos else None,
        {kind: _shared([u.threshold for u in found if u.target_kind == kind])
         for kind in sorted({u.target_kind for u in found})},
        found[0].reader,
        METHOD,
        cost,
    )  # fmt: skip
