"""Experiments with many queries: compare configurations of an index, and calibrate its threshold.

Utilization is the share of a pack's tokens that influenced the answer. A placebo is an unrelated chunk that
is put into a pack as a control. A reader is the language model that measures.
"""

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
from contextsvc.service.engine import Engine
from contextsvc.service.views import pack_view, utilization_view
from contextsvc.settings import Settings
from contextsvc.storage.corpus import Corpus
from contextsvc.storage.library import LoadedIndex

TakeRow = Callable[[Json], None]
"""Function that takes a row of a running experiment: a query with its result, or why it was skipped."""

ENOUGH_PLACEBOS = 200
"""Number of placebos that ends a calibration. Of 200 placebos, ten lie above the 95th percentile."""

CALIBRATION_BUDGET = 800
"""Token budget of the packs into which a calibration puts placebos."""


@dataclass(frozen=True, slots=True)
class Question:
    """A query, and the caller's response to it if there is one."""

    query: str
    response: str | None = None


def compare_configurations(
    engine: Engine,
    index_name: str,
    questions: Sequence[Question],
    configurations: Sequence[Configuration],
    report: Callable[[str, Json], None] = lambda *_: None,
) -> Comparison:
    """Pack and measure the same queries under each configuration, and compare the results.

    The target of a query (the text whose likelihood is measured) is its response. A query without a response
    has as its target the answer that the reader writes under the first configuration, which should be the
    widest one. The margin of the comparison is the mean of the queries' thresholds under the first
    configuration. If one of the configurations is that of the service, the summary of its measurements is
    stored with the generation.

    Args:
        engine: The engine that packs and measures.
        index_name: Name of the index.
        questions: The queries. Each is packed and measured once for each configuration.
        configurations: At least one configuration, the widest first.
        report: Called with the name of a configuration and a row. A row holds a pack with its utilization, or
            the reason why the query was skipped. A query that is skipped under one configuration does not
            count under any.

    Raises:
        InvalidRequest: a configuration is out of its range.
        UserError: no query gave a measured pack under every configuration.
    """
    index = engine.library.get(index_name)
    for c in configurations:  # a wrong one is refused before the first query is packed
        engine.request(index_name, "any", c.budget_tokens, max_chunks=c.max_chunks, ordering=c.ordering)
    found: dict[Configuration, list[Observation]] = {c: [] for c in configurations}
    for question in questions:
        rows = _under_each(engine, index, question, configurations, report)
        if rows is not None:
            for configuration, observation in zip(configurations, rows, strict=True):
                found[configuration].append(observation)
    if not found[configurations[0]]:
        raise UserError("no query gave a pack to measure under every configuration; give other queries")
    for configuration, observations in found.items():
        if serves(engine.settings, configuration):
            measured = [observation.utilization for observation in observations]
            if all(utilization.partial for utilization in measured):
                continue
            store_summary(index.folder, summarise(index.generation, measured, engine.settings.seed))
    margin = float(np.mean([o.utilization.threshold.eps for o in found[configurations[0]]]))
    return compare(index_name, index.generation, found, margin, seed=engine.settings.seed)


def serves(settings: Settings, configuration: Configuration) -> bool:
    """Return whether a configuration has the service's default number of chunks and default ordering."""
    return (settings.max_chunks, settings.ordering) == (configuration.max_chunks, configuration.ordering)


def calibrate(
    engine: Engine,
    index_name: str,
    questions: Sequence[Question],
    report: TakeRow = lambda _: None,
    enough: int = ENOUGH_PLACEBOS,
) -> list[Calibration]:
    """Collect placebo effects for each kind of target in the questions, and store them with the generation.

    Args:
        engine: The engine that packs and measures.
        index_name: Name of the index.
        questions: Queries to measure placebos with. Questions with a response calibrate the kind `response`,
            and questions without one calibrate the kind `answer`.
        report: Called with a row for each query: the number of placebos of its kind so far, or the reason why
            the query was skipped.
        enough: Number of placebos of a kind after which further questions of this kind are not measured.

    Returns:
        The stored calibrations, sorted by kind of target.

    Raises:
        UserError: a kind has fewer than 20 placebos; nothing is stored.
        SettingError: the number of placebos is set to 0.
    """
    index = engine.library.get(index_name)
    measurer = engine.measurer.measurer
    if not measurer.num_placebos:
        raise SettingError("CONTEXTSVC_NUM_PLACEBOS is 0; expected 1 or more to calibrate with")
    drawn: dict[TargetKind, list[float]] = {}
    for question, pack in _packs(engine, index, questions, report):
        kind: TargetKind = "answer" if question.response is None else "response"
        if len(drawn.setdefault(kind, [])) >= enough:
            continue
        target = None if question.response is None else Target(question.response, "response")
        try:
            found, _ = measurer.placebo_effects(index, pack, target)
        except InvalidRequest as refusal:  # skip only this query
            report({"query": question.query, "skipped": str(refusal)})
            continue
        drawn[kind].extend(round(effect, 5) for effect in found)
        report({"query": question.query, "num_placebos": len(drawn[kind])})
    for kind, effects in sorted(drawn.items()):
        if len(effects) < FEWEST_PLACEBOS:
            needed = f"at least {FEWEST_PLACEBOS} are needed: give more queries"
            raise UserError(f"{len(effects)} placebos of kind {kind!r} were drawn; {needed}")
    stored = []
    for kind, effects in sorted(drawn.items()):
        origin = f"index {index_name}, packs of at most {engine.settings.max_chunks} chunks"
        calibration = Calibration(
            reader=measurer.reader.fingerprint,
            method=measurer.method,
            target_kind=kind,
            origin=origin,
            placebo_effects=tuple(effects),
        )
        store_calibration(index.folder, index.generation, calibration)
        stored.append(calibration)
    return stored


def drawn_questions(corpus: Corpus, num_questions: int, seed: int) -> list[Question]:
    """Draw questions from an index: a sentence is the query, the next sentence of its chunk the response.

    Args:
        corpus: The chunks to draw from; at most one question is drawn from each.
        num_questions: Largest number of questions. There are fewer if too few chunks have two sentences.
        seed: Seed of the draw. The same seed gives the same questions in the same order.
    """
    rng = np.random.default_rng(seed)
    found: list[Question] = []
    for number in rng.permutation(corpus.num_chunks):
        chunk, spans = corpus.chunk(int(number)), corpus.sentence_spans(int(number))
        if len(spans) >= 2 and len(found) < num_questions:
            first = int(rng.integers(len(spans) - 1))
            asked, answered = (
                chunk.text[chunk.offset(start) : chunk.offset(start) + end - start]
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
    """Pack and measure one question under each configuration.

    Returns:
        One observation per configuration, in order; None if the question was skipped.
    """
    target = None if question.response is None else Target(question.response, "response")
    rows: list[Observation] = []
    for c in configurations:
        try:
            request = engine.request(
                index.name, question.query, c.budget_tokens, max_chunks=c.max_chunks, ordering=c.ordering
            )
            pack, _ = engine.assembler.assemble(index, request)
            found, _ = engine.measured(index, pack, target)
        except (InvalidRequest, BudgetTooSmall) as refusal:
            report(c.name, {"query": question.query, "skipped": str(refusal)})
            return None
        if not pack.chunks or found.controls.full is None:
            report(c.name, {"query": question.query, "skipped": "the pack is empty, or a limit was reached"})
            return None
        target = target or Target(found.target, found.target_kind)
        rows.append(Observation(question.query, found.controls.full, pack.num_tokens, found))
        report(c.name, _row(pack, found))
    return rows


def _packs(
    engine: Engine, index: LoadedIndex, questions: Iterable[Question], report: TakeRow
) -> Iterator[tuple[Question, ContextPack]]:
    """Yield each question with its pack. A question without a pack is reported as skipped."""
    for question in questions:
        try:
            request = engine.request(index.name, question.query, CALIBRATION_BUDGET)
            pack, _ = engine.assembler.assemble(index, request)
        except (InvalidRequest, BudgetTooSmall) as refusal:  # skip only this query
            report({"query": question.query, "skipped": str(refusal)})
            continue
        if pack.chunks:
            yield question, pack
        else:
            report({"query": question.query, "skipped": "nothing in the index matches the query"})


def _row(pack: ContextPack, found: Utilization) -> Json:
    return {"query": pack.query, "pack": pack_view(pack), "utilization": utilization_view(found)}
