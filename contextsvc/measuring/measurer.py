"""Pack (+ response) -> Utilization, by ablation through a Reader."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from contextsvc.measuring.calibration import thresholds_for
from contextsvc.measuring.masks import Fit, duplicate_groups
from contextsvc.measuring.placebos import draw_placebos
from contextsvc.measuring.records import (
    FEWEST_PLACEBOS,
    Calibration,
    Controls,
    Target,
    TargetKind,
    Threshold,
    Utilization,
    Verdict,
    VerdictName,
)
from contextsvc.measuring.sentences import measure_sentences
from contextsvc.measuring.trials import Effects, Trial, effects_of, plan_trial
from contextsvc.measuring.verdicts import counted, threshold_from, verdict_of, verdicts_of
from contextsvc.ports import Limits, Prompt, Reader
from contextsvc.ports.reading import Cost
from contextsvc.records.fingerprints import digest
from contextsvc.records.packs import ContextPack
from contextsvc.records.rendering import read_unit
from contextsvc.storage.library import LoadedIndex

INDEPENDENT = "The target is as likely from nothing, or from an unrelated chunk: no token counts as used."
PARTIAL = "A limit was reached: {scored} of {wanted} masks were scored; raise CONTEXTSVC_MEASURE_MAX_*."

NO_CONTROL = "A limit was reached before the live chunks were read alone; raise CONTEXTSVC_MEASURE_MAX_*."


@dataclass(frozen=True, slots=True)
class Measurer:
    """Measures packs.

    Attributes:
        reader: Whose use of the context is measured.
        fit: Contributions from masks and outcomes.
        packaged: Calibrations for generations that have none of their own; a reader without any
            draws its own placebos in every pack.
        num_placebos: Unrelated chunks put into each pack as a control.
        num_subsets: Random masks besides those that remove or keep one chunk.
        near_duplicate_similarity: Chunks at least this alike are ablated together.
        limits: Most that one measurement may spend.
        seed: Of masks, placebo draws and bootstraps.
    """

    reader: Reader
    fit: Fit
    packaged: tuple[Calibration, ...]
    num_placebos: int
    num_subsets: int
    near_duplicate_similarity: float
    limits: Limits
    seed: int

    @property
    def method(self) -> str:
        """How effects are found, in words."""
        subsets = f", {self.num_subsets} subsets" if self.num_subsets else ""
        tried = f"one removed, one alone{subsets}, {self.num_placebos} placebos"
        return f"{self.fit.__name__.replace('_', ' ')} of {tried}"

    def configuration(self, index: LoadedIndex) -> str:
        """A digest of all that shapes a measurement besides pack and response."""
        known = repr(sorted(self._thresholds(index).items()))
        settings = (
            self.num_placebos,
            self.num_subsets,
            self.near_duplicate_similarity,
            self.limits,
            self.seed,
        )
        return digest(self.method, str(self.reader.fingerprint), known, repr(settings))

    def measure(
        self, index: LoadedIndex, pack: ContextPack, target: Target | None, sentences: bool = False
    ) -> Utilization:
        """Remove chunks, one at a time and in random subsets, and watch the likelihood of the target.

        Args:
            index: The generation the pack was made from; placebos are drawn there.
            pack: What is measured.
            target: What is watched; None lets the reader write an answer and watches that.
            sentences: Measure the sentences of live chunks, too.

        Raises:
            InvalidRequest: the prompt does not fit the reader's window, or the target is empty.
        """
        started = time.perf_counter()
        target, cost = self._target(pack, target)
        fixed = self._thresholds(index).get(target.kind)
        num_own = 0 if fixed else FEWEST_PLACEBOS
        trial, distinct = self._trial(index, pack, num_own + self.num_placebos)
        limits = self.limits.less(cost)
        scores = self.reader.score(trial.prompt(pack.query), trial.masks, target.text, limits)
        cost = cost + scores.cost
        effects = effects_of(trial, scores, self.fit)
        # The control is not judged by a threshold that was made from it.
        own = [placebo.effect for placebo in effects.placebos[:num_own]]
        threshold = fixed or _own_threshold(own, min(distinct, num_own), self.seed)
        effects = replace(effects, placebos=effects.placebos[num_own:])
        found = self._judged(pack, trial, effects, threshold, target)
        found, live_cost = self._with_live_only(pack, found, self.limits.less(cost))
        cost = cost + live_cost
        if sentences:
            verdicts, sentence_cost = measure_sentences(
                self.reader, self.fit, index, pack, found, self.num_subsets, self.seed, self.limits.less(cost)
            )
            cut = verdicts is None
            found = replace(found, sentences=verdicts or (), partial=found.partial or cut)
            cost = cost + sentence_cost
        seconds = round(time.perf_counter() - started, 3)
        return replace(found, cost=Cost(cost.reader_calls, cost.reader_tokens, seconds))

    def placebo_effects(
        self, index: LoadedIndex, pack: ContextPack, target: Target | None
    ) -> tuple[tuple[float, ...], TargetKind]:
        """Effects of `num_placebos` unrelated chunks put into a pack: what a calibration collects.

        Raises:
            InvalidRequest: as `measure`.
        """
        target, _ = self._target(pack, target)
        trial, _ = self._trial(index, pack, self.num_placebos)
        scores = self.reader.score(trial.prompt(pack.query), trial.masks, target.text)
        placebos = effects_of(trial, scores, self.fit).placebos
        return tuple(placebo.effect for placebo in placebos), target.kind

    def _thresholds(self, index: LoadedIndex) -> dict[TargetKind, Threshold]:
        reader = self.reader.fingerprint
        return thresholds_for(index.folder, index.generation, reader, self.method, self.packaged, self.seed)

    def _target(self, pack: ContextPack, target: Target | None) -> tuple[Target, Cost]:
        if target is not None:
            return target, Cost()
        answer = self.reader.answer(Prompt(read_units(pack), pack.query))
        return Target(answer.text, "answer"), answer.cost

    def _trial(self, index: LoadedIndex, pack: ContextPack, num_placebos: int) -> tuple[Trial, int]:
        numbers = draw_placebos(index, pack, num_placebos, self.seed)
        placebos = [read_unit(index.corpus.chunk(number)) for number in numbers]
        rows = [packed.candidate.number for packed in pack.chunks]
        vectors = index.corpus.chunk_vectors[rows].astype(np.float64)
        groups = duplicate_groups(vectors @ vectors.T, self.near_duplicate_similarity)
        seed = [self.seed, int(pack.pack_id[8:16], 16)]
        return plan_trial(read_units(pack), groups, placebos, self.num_subsets, seed), len(set(numbers))

    def _judged(
        self, pack: ContextPack, trial: Trial, effects: Effects, threshold: Threshold, target: Target
    ) -> Utilization:
        num_tokens = [packed.num_tokens for packed in pack.chunks]
        cut = effects.num_scored < len(trial.masks)
        # A reader without a threshold has none before its own placebos are scored.
        unknown = effects.gain is None or (cut and not threshold.num_placebos)
        depends = None if effects.gain is None or unknown else effects.gain > threshold.eps
        used = [
            _scores(trial, effects, num_tokens, eps) for eps in (threshold.eps, threshold.high, threshold.low)
        ]
        note = INDEPENDENT if depends is False else ""
        if cut:
            note = PARTIAL.format(scored=effects.num_scored, wanted=len(trial.masks))
        score, strict, interval = used[0][0], used[0][1], (0.0, 1.0)
        if score is not None:
            interval = (
                min(low for low, _ in used if low is not None),
                max(high for high, _ in used if high is not None),
            )
        passed = [verdict_of(placebo.effect, placebo.target, threshold.eps) for placebo in effects.placebos]
        controls = Controls(
            effects.full, effects.nothing, effects.unrelated, depends, None, None,
            tuple(placebo.effect for placebo in effects.placebos), passed.count("live"),
        )  # fmt: skip
        return Utilization(
            pack.pack_id, score, strict, interval, _verdicts(pack, trial, effects, threshold.eps), (),
            threshold, controls, target.text, target.kind, self.reader.outcome, str(self.reader.fingerprint),
            self.method, Cost(), note, cut,
        )  # fmt: skip

    def _with_live_only(
        self, pack: ContextPack, found: Utilization, limits: Limits
    ) -> tuple[Utilization, Cost]:
        """The sufficiency control: what counts as used, read as a prompt of its own."""
        kept = counted_chunks(found.verdicts)
        full = found.controls.full
        if not any(kept) or full is None:
            return found, Cost()
        value, cost = full, Cost()
        if not all(kept):
            units = tuple(unit for unit, keep in zip(read_units(pack), kept, strict=True) if keep)
            everything = np.ones((1, len(units)), dtype=np.bool_)
            scores = self.reader.score(Prompt(units, pack.query), everything, found.target, limits)
            value, cost = float(scores.values[0]), scores.cost
        if np.isnan(value):
            return replace(found, partial=True, note=found.note or NO_CONTROL), cost
        enough = full - value <= found.threshold.eps
        return replace(found, controls=replace(found.controls, live_only=value, sufficient=enough)), cost


def read_units(pack: ContextPack) -> tuple[str, ...]:
    """The pack's chunks as a reader reads them."""
    return tuple(read_unit(packed.candidate.chunk) for packed in pack.chunks)


def counted_chunks(verdicts: Sequence[Verdict]) -> list[bool]:
    """Which chunks count as used, from their verdicts; a chunk without a group is a group."""
    groups = [-1 - number if v.group is None else v.group for number, v in enumerate(verdicts)]
    return counted([v.verdict for v in verdicts], groups)


def _scores(
    trial: Trial, effects: Effects, num_tokens: Sequence[int], eps: float
) -> tuple[float | None, float | None]:
    """Score and strict score at a threshold; 0 where the whole pack gains no more than it."""
    verdicts = _names(trial, effects, eps)
    if verdicts is None or effects.gain is None:
        return None, None
    if effects.gain <= eps:
        return 0.0, 0.0
    kept = counted(verdicts, trial.groups)
    used = sum(n for n, keep in zip(num_tokens, kept, strict=True) if keep)
    strict = sum(n for n, verdict in zip(num_tokens, verdicts, strict=True) if verdict == "live")
    return used / sum(num_tokens), strict / sum(num_tokens)


def _names(trial: Trial, effects: Effects, eps: float) -> list[VerdictName] | None:
    if effects.groups is None or not effects.complete:
        return None
    necessities = [necessity for necessity in effects.necessities if necessity is not None]
    return verdicts_of(effects.groups, necessities, trial.groups, eps)


def _verdicts(pack: ContextPack, trial: Trial, effects: Effects, eps: float) -> tuple[Verdict, ...]:
    names = _names(trial, effects, eps)
    return tuple(
        Verdict(
            packed.candidate.chunk.chunk_id,
            effects.groups[group].effect if effects.groups is not None else None,
            necessity,
            names[unit] if names else "unmeasured",
            packed.num_tokens,
            group if trial.groups.count(group) > 1 else None,
        )
        for unit, (packed, group, necessity) in enumerate(
            zip(pack.chunks, trial.groups, effects.necessities, strict=True)
        )
    )


def _own_threshold(effects: Sequence[float], num_distinct: int, seed: int) -> Threshold:
    if not effects:
        return Threshold(
            0.0, 0.0, 0.0, 0, "no placebo: the index holds nothing but this pack, or a limit came first"
        )
    found = threshold_from(effects, "drawn in this pack: the reader is not calibrated", seed)
    return replace(found, num_placebos=num_distinct)
