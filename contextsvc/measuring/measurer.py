"""Measure the utilization of a pack: remove its chunks and score the target with a reader.

Utilization is the share of a pack's tokens that influenced the answer. The reader is the language model that
measures. The target is the text whose likelihood is measured. A placebo is an unrelated chunk put into the
pack as a control.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from contextsvc.measuring.calibration import thresholds_for
from contextsvc.measuring.masks import Fit, duplicate_groups
from contextsvc.measuring.placebos import draw_placebos
from contextsvc.measuring.prompts import prompt_seed, read_units
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
from contextsvc.measuring.verdicts import threshold_from, used_units, verdict_of, verdicts_of
from contextsvc.ports import Limits, Prompt, Reader
from contextsvc.ports.reading import Cost
from contextsvc.records.fingerprints import digest
from contextsvc.records.packs import ContextPack
from contextsvc.records.rendering import reader_unit
from contextsvc.storage.library import LoadedIndex

INDEPENDENT = "The target is as likely without context, or with an unrelated chunk: no token counts as used."
PARTIAL = "A limit was reached: {scored} of {required} masks were scored; raise CONTEXTSVC_MEASURE_MAX_*."
NO_CONTROL = "A limit was reached before the live chunks were read alone; raise CONTEXTSVC_MEASURE_MAX_*."

Thresholds = Mapping[TargetKind, Threshold]
"""Threshold of each kind of target. A kind without a threshold is missing."""

DRAWS = "2"
"""Version of the random draws: of placebos, their positions, and subsets. Raise it when a draw changes. Then
cached measurements made with the old draws are not used again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurer:
    """Measures packs with one reader.

    Attributes:
        reader: The language model whose use of the context is measured.
        fit: Computes contributions from masks and outcomes.
        packaged: Calibrations for generations without one of their own. If none fits the reader, each
            measurement draws additional placebos and computes its own threshold from them.
        num_placebos: Number of placebos put into each pack as a control.
        num_subsets: Number of random masks besides the required ones.
        near_duplicate_similarity: Chunks that are at least this similar are removed together.
        limits: Largest cost of one measurement.
        seed: Seed of subsets, placebos and bootstraps.
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
        """How effects are computed, in words. A calibration with another method is not used."""
        # Stored calibrations contain this text. If it changes, none of them can be used.
        subsets = f", {self.num_subsets} subsets" if self.num_subsets else ""
        masks = f"one removed, one alone{subsets}, {self.num_placebos} placebos"
        return f"{self.fit.__name__.replace('_', ' ')} of {masks}"

    def configuration(self, index: LoadedIndex, thresholds: Thresholds | None = None) -> str:
        """Return a digest of everything besides pack and target that a measurement depends on.

        Args:
            index: The generation that the pack was made from.
            thresholds: Thresholds that the measurement uses. None: the thresholds that are stored now.
        """
        known = repr(sorted((self.thresholds(index) if thresholds is None else thresholds).items()))
        settings = (
            self.num_placebos,
            self.num_subsets,
            self.near_duplicate_similarity,
            self.limits,
            self.seed,
        )
        return digest(self.method, str(self.reader.fingerprint), known, repr(settings), DRAWS)

    def measure(
        self,
        index: LoadedIndex,
        pack: ContextPack,
        target: Target | None,
        sentences: bool = False,
        *,
        thresholds: Thresholds | None = None,
        stop: Callable[[], bool] | None = None,
    ) -> Utilization:
        """Score the target with chunks of the pack removed, and judge each chunk by its effect.

        If no limit is reached, equal texts of the pack, query, target, reader and seed give equal verdicts,
        effects and controls. The budget and ordering settings that the pack was made with do not matter.

        Args:
            index: The generation that the pack was made from. Placebos are drawn from it.
            pack: The pack to measure.
            target: The text whose likelihood is measured. None: the reader writes an answer, which is the
                target.
            sentences: Whether to measure also the sentences of live and redundant chunks.
            thresholds: Thresholds that the method `thresholds` returned for the index. None: the thresholds
                that are stored now.
            stop: As in `Limits`: once it returns true, the measurement ends and is partial.

        Raises:
            InvalidRequest: the prompt does not fit the reader's window, or the target is empty.
        """
        started = time.perf_counter()
        limits = replace(self.limits, stop=stop)
        # Thresholds are read first, because a calibration may be stored during the measurement.
        by_kind = self.thresholds(index) if thresholds is None else thresholds
        target, cost = self._target(pack, target)
        known = by_kind.get(target.kind)
        num_own = 0 if known else FEWEST_PLACEBOS
        trial, num_distinct = self._trial(index, pack, num_own + self.num_placebos)
        scores = self.reader.score(trial.prompt(pack.query), trial.masks, target.text, limits.less(cost))
        cost = cost + scores.cost
        effects = effects_of(trial, scores, self.fit)
        # The control must not use the placebos that the threshold is computed from.
        own = [placebo.effect for placebo in effects.placebos[:num_own]]
        threshold = known or _own_threshold(own, min(num_distinct, num_own), self.seed)
        effects = replace(effects, placebos=effects.placebos[num_own:])
        found = self._judged(pack, trial, effects, threshold, target)
        found, control_cost = self._with_sufficiency(pack, found, limits.less(cost))
        cost = cost + control_cost
        if sentences:
            verdicts, sentence_cost = measure_sentences(
                self.reader, self.fit, index, pack, found, self.num_subsets, self.seed, limits.less(cost)
            )
            unscored = verdicts is None
            found = replace(found, sentences=verdicts or (), partial=found.partial or unscored)
            cost = cost + sentence_cost
        seconds = round(time.perf_counter() - started, 3)
        return replace(found, cost=Cost(cost.reader_calls, cost.reader_tokens, seconds))

    def placebo_effects(
        self, index: LoadedIndex, pack: ContextPack, target: Target | None
    ) -> tuple[tuple[float, ...], TargetKind]:
        """Measure the effects of `num_placebos` placebos in a pack, for the calibration of the caller.

        Returns:
            The effect of each placebo, and the kind of the target: `response` if the caller gave the text
            that is scored, `answer` if the reader wrote it.

        Raises:
            InvalidRequest: the prompt does not fit the reader's window, or the target is empty.
        """
        target, _ = self._target(pack, target)
        trial, _ = self._trial(index, pack, self.num_placebos)
        scores = self.reader.score(trial.prompt(pack.query), trial.masks, target.text)
        placebos = effects_of(trial, scores, self.fit).placebos
        return tuple(placebo.effect for placebo in placebos), target.kind

    def thresholds(self, index: LoadedIndex) -> Thresholds:
        """Compute the thresholds of an index from the calibrations that are stored at this moment."""
        reader = self.reader.fingerprint
        return thresholds_for(index.folder, index.generation, reader, self.method, self.packaged, self.seed)

    def _target(self, pack: ContextPack, target: Target | None) -> tuple[Target, Cost]:
        if target is not None:
            return target, Cost()
        answer = self.reader.answer(Prompt(read_units(pack), pack.query))
        return Target(answer.text, "answer"), answer.cost

    def _trial(self, index: LoadedIndex, pack: ContextPack, num_placebos: int) -> tuple[Trial, int]:
        """Plan a trial of the pack with placebos, and count the different placebos in it."""
        numbers = draw_placebos(index, pack, num_placebos, self.seed)
        placebos = [reader_unit(index.corpus.chunk(number)) for number in numbers]
        rows = [packed.candidate.number for packed in pack.chunks]
        vectors = index.corpus.chunk_vectors[rows].astype(np.float64)
        groups = duplicate_groups(vectors @ vectors.T, self.near_duplicate_similarity)
        units = read_units(pack)
        seed = prompt_seed(self.seed, "trial", pack.query, units)
        return plan_trial(units, groups, placebos, self.num_subsets, seed), len(set(numbers))

    def _judged(
        self, pack: ContextPack, trial: Trial, effects: Effects, threshold: Threshold, target: Target
    ) -> Utilization:
        """Build the measurement from the effects, without its sufficiency control, sentences and cost."""
        num_tokens = [packed.num_tokens for packed in pack.chunks]
        partial = effects.num_scored < len(trial.masks)
        # Without a calibration there is no threshold until the placebos of this pack are scored.
        unknown = effects.gain is None or (partial and not threshold.num_placebos)
        depends = None if effects.gain is None or unknown else effects.gain > threshold.eps
        at_eps, at_high, at_low = (
            _scores(trial, effects, num_tokens, eps) for eps in (threshold.eps, threshold.high, threshold.low)
        )
        note = INDEPENDENT if depends is False else ""
        if partial:
            note = PARTIAL.format(scored=effects.num_scored, required=len(trial.masks))
        known = [scores[0] for scores in (at_eps, at_high, at_low) if scores is not None]
        return Utilization(
            pack_id=pack.pack_id,
            score=None if at_eps is None else at_eps[0],
            strict_score=None if at_eps is None else at_eps[1],
            interval=(min(known), max(known)) if known else (0.0, 1.0),
            verdicts=_verdicts(pack, trial, effects, threshold.eps),
            sentences=(),
            threshold=threshold,
            controls=_controls(effects, threshold.eps, depends),
            target=target.text,
            target_kind=target.kind,
            outcome=self.reader.outcome,
            reader=str(self.reader.fingerprint),
            method=self.method,
            cost=Cost(),
            note=note,
            partial=partial,
        )

    def _with_sufficiency(
        self, pack: ContextPack, found: Utilization, limits: Limits
    ) -> tuple[Utilization, Cost]:
        """Add the sufficiency control: score the target when the reader reads only the used chunks."""
        used = used_chunks(found.verdicts)
        full = found.controls.full
        if not any(used) or full is None:
            return found, Cost()
        live_only, cost = full, Cost()
        if not all(used):
            units = tuple(unit for unit, keep in zip(read_units(pack), used, strict=True) if keep)
            keep_all = np.ones((1, len(units)), dtype=np.bool_)
            scores = self.reader.score(Prompt(units, pack.query), keep_all, found.target, limits)
            live_only, cost = float(scores.values[0]), scores.cost
        if np.isnan(live_only):
            return replace(found, partial=True, note=found.note or NO_CONTROL), cost
        sufficient = full - live_only <= found.threshold.eps
        controls = replace(found.controls, live_only=live_only, sufficient=sufficient)
        return replace(found, controls=controls), cost


def used_chunks(verdicts: Sequence[Verdict]) -> list[bool]:
    """Return for each chunk whether it counts as used. A chunk without a group is a group of its own."""
    groups = [-1 - number if v.group is None else v.group for number, v in enumerate(verdicts)]
    return used_units([v.verdict for v in verdicts], groups)


def _scores(
    trial: Trial, effects: Effects, num_tokens: Sequence[int], eps: float
) -> tuple[float, float] | None:
    """Compute the score and the strict score at a threshold, or return None if a chunk is unmeasured.

    Both scores are 0 if the gain of the pack is at most eps.
    """
    names = _names(trial, effects, eps)
    if names is None or effects.gain is None:
        return None
    if effects.gain <= eps:
        return 0.0, 0.0
    used = used_units(names, trial.groups)
    num_used = sum(n for n, counts in zip(num_tokens, used, strict=True) if counts)
    num_live = sum(n for n, name in zip(num_tokens, names, strict=True) if name == "live")
    return num_used / sum(num_tokens), num_live / sum(num_tokens)


def _names(trial: Trial, effects: Effects, eps: float) -> list[VerdictName] | None:
    if effects.groups is None or not effects.complete:
        return None
    necessities = [necessity for necessity in effects.necessities if necessity is not None]
    return verdicts_of(effects.groups, necessities, trial.groups, eps)


def _verdicts(pack: ContextPack, trial: Trial, effects: Effects, eps: float) -> tuple[Verdict, ...]:
    names = _names(trial, effects, eps)
    return tuple(
        Verdict(
            chunk_id=packed.candidate.chunk.chunk_id,
            effect=effects.groups[group].effect if effects.groups is not None else None,
            necessity=necessity,
            verdict=names[unit] if names else "unmeasured",
            num_tokens=packed.num_tokens,
            group=group if trial.groups.count(group) > 1 else None,
        )
        for unit, (packed, group, necessity) in enumerate(
            zip(pack.chunks, trial.groups, effects.necessities, strict=True)
        )
    )


def _controls(effects: Effects, eps: float, depends_on_context: bool | None) -> Controls:
    """Build all controls except the sufficiency control, which stays None."""
    of_placebos = [verdict_of(placebo.effect, placebo.target, eps) for placebo in effects.placebos]
    return Controls(
        full=effects.full,
        no_context=effects.no_context,
        unrelated=effects.unrelated,
        depends_on_context=depends_on_context,
        live_only=None,
        sufficient=None,
        placebo_effects=tuple(placebo.effect for placebo in effects.placebos),
        num_placebos_live=of_placebos.count("live"),
    )


def _own_threshold(effects: Sequence[float], num_distinct: int, seed: int) -> Threshold:
    """Compute a threshold from placebos of the measured pack. It is 0 without placebos."""
    if not effects:
        origin = "no placebo: the index has no other chunks, or a limit was reached first"
        return Threshold(eps=0.0, low=0.0, high=0.0, num_placebos=0, origin=origin)
    found = threshold_from(effects, "drawn in this pack: the reader is not calibrated", seed)
    return replace(found, num_placebos=num_distinct)
