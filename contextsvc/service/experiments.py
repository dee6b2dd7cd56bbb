"""Many queries through one engine: an index's score, its thresholds, configurations side by side."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from contextsvc.errors import BudgetTooSmall, InvalidRequest, SettingError, UserError
from contextsvc.measuring.calibration import store_calibration
from contextsvc.measuring.comparison import Comparison, Configuration, Observation, compare
from contextsvc.measuring.records import FEWEST_PLACEBOS, Calibration, Target, TargetKind, Utilization
from contextsvc.measuring.summary import store_summary, summarise
from contextsvc.records.json import Json
from contextsvc.records.packs import ContextPack
from contextsvc.service.engine import Ask, Engine
from contextsvc.service.views import pack_view, utilization_view
from contextsvc.settings import Settings
from contextsvc.storage.corpus import Corpus
from contextsvc.storage.library import LoadedIndex

Report = Callable[[Json], None]
ENOUGH_PLACEBOS = 200
"""That a stored threshold rests on: their 95th percentile has ten beyond it."""

BUDGET = 800
"""Tokens of a calibration's packs."""


@dataclass(frozen=True, slots=True)
class Question:
    """A query with the caller's answer, if there is one."""

    query: str
    response: str | None = None


def compare_configurations(
    engine: Engine,
    index_name: str,
    questions: Sequence[Question],
    configurations: Sequence[Configuration],
    report: Callable[[str, Json], None] = lambda *_: None,
) -> Comparison:
    """The same queries and targets under each configuration, against the widest.

    The target of a query is the caller's answer, else the reader's own under the first configuration,
    which should be the widest. What a query may lose is the threshold of its kind of target. The
    score of the configuration that the service answers with, if it is among them, is stored with
    the generation.

    Args:
        engine: What packs and measures.
        index_name: Name of the index.
        questions: Each is packed and measured once a configuration.
        configurations: At least one.
        report: Told the configuration's name and a row: the pack with its utilization, or why the
            query was skipped, which it then is under every configuration.

    Raises:
        UserError: no query gave a pack under every configuration.
    """
    index = engine.library.get(index_name)
    found: dict[Configuration, list[Observation]] = {c: [] for c in configurations}
    for question in questions:
        rows = _under_each(engine, index, question, configurations, report)
        if rows is not None:
            for configuration, observation in zip(configurations, rows, strict=True):
                found[configuration].append(observation)
    if not found[configurations[0]]:
        raise UserError("no query gave a pack to measure under every configuration")
    for configuration, observations in found.items():
        if serves(engine.settings, configuration):
            measured = [observation.utilization for observation in observations]
            if all(utilization.partial for utilization in measured):
                continue
            store_summary(index.folder, summarise(index.generation, measured, engine.settings.seed))
    margin = float(np.mean([o.utilization.threshold.eps for o in found[configurations[0]]]))
    return compare(index_name, index.generation, found, margin, seed=engine.settings.seed)


def serves(settings: Settings, configuration: Configuration) -> bool:
    """Whether the service packs so where a request leaves the choice to it."""
    return (settings.max_chunks, settings.ordering) == (configuration.max_chunks, configuration.ordering)


def calibrate(
    engine: Engine,
    index_name: str,
    questions: Sequence[Question],
    report: Report = lambda _: None,
    enough: int = ENOUGH_PLACEBOS,
) -> list[Calibration]:
    """Placebo effects of each kind of target the questions have, stored with the generation.

    Stops drawing for a kind that has `enough`.

    Raises:
        UserError: the questions gave fewer than 20 placebos of a kind.
        SettingError: measurements are set to go without placebos.
    """
    index = engine.library.get(index_name)
    measurer = engine.measurer.measurer
    if not measurer.num_placebos:
        raise SettingError("CONTEXTSVC_NUM_PLACEBOS is 0; expected 1 or more to calibrate with")
    drawn: dict[TargetKind, list[float]] = {}
    asks = [Ask(index_name, q.query, BUDGET, response=q.response) for q in questions]
    for ask, pack in _packs(engine, index, asks, report):
        kind: TargetKind = "answer" if ask.response is None else "response"
        if len(drawn.setdefault(kind, [])) >= enough:
            continue
        target = None if ask.response is None else Target(ask.response, "response")
        try:
            found, _ = measurer.placebo_effects(index, pack, target)
        except InvalidRequest as refusal:  # of this query, not of the run
            report({"query": ask.query, "skipped": str(refusal)})
            continue
        drawn[kind].extend(round(effect, 5) for effect in found)
        report({"query": ask.query, "num_placebos": len(drawn[kind])})
    for kind, effects in sorted(drawn.items()):
        if len(effects) < FEWEST_PLACEBOS:
            needed = f"at least {FEWEST_PLACEBOS} are needed: give more queries"
            raise UserError(f"{len(effects)} placebos of kind {kind!r} were drawn; {needed}")
    stored = []
    for kind, effects in sorted(drawn.items()):
        origin = f"index {index_name}, packs of at most {engine.settings.max_chunks} chunks"
        calibration = Calibration(measurer.reader.fingerprint, measurer.method, kind, origin, tuple(effects))
        store_calibration(index.folder, index.generation, calibration)
        stored.append(calibration)
    return stored


def drawn_questions(corpus: Corpus, num_questions: int, seed: int) -> list[Question]:
    """Questions for an index that has none: a sentence asks, the next one of its chunk answers."""
    rng = np.random.default_rng(seed)
    found: list[Question] = []
    for number in rng.permutation(corpus.num_chunks):
        chunk, spans = corpus.chunk(int(number)), corpus.sentence_spans(int(number))
        if len(spans) >= 2 and len(found) < num_questions:
            first = int(rng.integers(len(spans) - 1))
            asked, answered = (
                chunk.text[max(0, start - chunk.start) : end - chunk.start]
                for start, end in spans[first : first + 2]
            )
            if asked.strip() and answered.strip():
                found.append(Question(" ".join(asked.split())[:500], answered.strip()[:500]))
    return found


def _under_each(
    engine: Engine,
    index: LoadedIndex,
    question: Question,
    configurations: Sequence[Configuration],
    report: Callable[[str, Json], None],
) -> list[Observation] | None:
    target = None if question.response is None else Target(question.response, "response")
    rows: list[Observation] = []
    for configuration in configurations:
        c = configuration
        ask = Ask(index.name, question.query, c.budget_tokens, c.max_chunks, ordering=c.ordering)
        try:
            pack, _ = engine.assembler.assemble(index, engine.request(ask))
            found, _ = engine.measured(index, pack, target)
        except (InvalidRequest, BudgetTooSmall) as refusal:
            report(c.name, {"query": question.query, "skipped": str(refusal)})
            return None
        if not pack.chunks or found.controls.full is None:
            report(c.name, {"query": question.query, "skipped": "no pack, or not measured to the end"})
            return None
        target = target or Target(found.target, found.target_kind)
        rows.append(Observation(question.query, found.controls.full, pack.num_tokens, found))
        report(c.name, _row(pack, found))
    return rows


def _packs(
    engine: Engine, index: LoadedIndex, asks: Iterable[Ask], report: Report
) -> Iterator[tuple[Ask, ContextPack]]:
    for ask in asks:
        try:
            pack, _ = engine.assembler.assemble(index, engine.request(ask))
        except (InvalidRequest, BudgetTooSmall) as refusal:  # of this query, not of the run
            report({"query": ask.query, "skipped": str(refusal)})
            continue
        if pack.chunks:
            yield ask, pack
        else:
            report({"query": ask.query, "skipped": "nothing in the index is near it"})


def _row(pack: ContextPack, found: Utilization) -> Json:
    return {"query": pack.query, "pack": pack_view(pack), "utilization": utilization_view(found)}
