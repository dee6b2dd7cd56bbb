"""Measuring in the background, from the request to the score at the pack's address."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from contextsvc.errors import UserError
from contextsvc.records.documents import Document
from contextsvc.service.engine import Engine
from tests.conftest import Build
from tests.fakes.cache import MemoryCache
from tests.fakes.job_queue import MemoryJobQueue
from tests.world import LONG, QUERY, documents, fake_engine

Make = Callable[..., Engine]


def ask(query: str = QUERY, **more: object) -> dict[str, Any]:
    """A request for a pack of at most 2 chunks."""
    return {"index": "pages", "query": query, "budget_tokens": 200, "max_chunks": 2, **more}


LATER = ask(measure="background", response="every night")
QUERIES = [f"{word} of the cluster" for word in ("snapshot", "keys", "token", "file", "restore", "night")]


@pytest.fixture
def make(build: Build, tmp_path: Path) -> Iterator[Make]:
    """Makes an engine over `pages` whose queue holds 8; its worker is not started."""
    build()
    made: list[Engine] = []

    def run(background_jobs: int = 8, **changed: object) -> Engine:
        queue = MemoryJobQueue(background_jobs)
        changed["background_jobs"] = background_jobs
        made.append(fake_engine(tmp_path, MemoryCache(), queue, **changed))  # type: ignore[arg-type]
        return made[-1]

    yield run
    for engine in made:
        assert engine.background is not None
        assert engine.background.stop(LONG)


def work_off(engine: Engine) -> None:
    assert engine.background is not None
    engine.background.start()
    assert engine.background.drain(LONG)


def num_waiting(engine: Engine) -> int:
    assert engine.jobs is not None
    return engine.jobs.num_waiting()


def test_off_by_default_it_says_how_to_turn_it_on(build: Build, tmp_path: Path) -> None:
    build()
    engine = fake_engine(tmp_path, MemoryCache())
    assert engine.background is None
    with pytest.raises(UserError, match="is off; set CONTEXTSVC_BACKGROUND_JOBS, or ask for measure: true"):
        engine.context(**LATER)


def test_the_score_is_at_the_packs_address_when_it_is_done(make: Make) -> None:
    engine = make()
    view = engine.context(**LATER)
    pack_id = view["pack_id"]
    assert view["utilization"] == {
        "scope": "pack",
        "score": None,
        "reason": f"queued; GET /v1/packs/{pack_id} has it when it is done",
    }
    waiting = engine.pack(pack_id)["utilization"]
    assert (waiting["score"], waiting["reason"]) == (None, "waiting in the background")
    work_off(engine)
    found = engine.pack(pack_id)["utilization"]
    assert (found["score"], found["target"], found["target_kind"]) == (0.5, "every night", "response")
    assert engine.jobs is not None
    assert engine.jobs.state(pack_id) is None


def test_it_is_the_measurement_that_a_caller_gets_who_waits(make: Make) -> None:
    engine = make()
    pack_id = engine.context(**LATER)["pack_id"]
    work_off(engine)
    asked = engine.utilization(pack_id, "every night")
    assert asked.pop("cache") == {"utilization": "hit"}
    assert asked == engine.pack(pack_id)["utilization"]


def test_the_same_pack_waits_once_with_its_first_response(make: Make) -> None:
    engine = make()
    pack_id = engine.context(**LATER)["pack_id"]
    again = engine.context(**{**LATER, "response": "A snapshot"})
    assert again["utilization"]["reason"].startswith("queued before, with the response it had then; GET ")
    assert num_waiting(engine) == 1
    work_off(engine)
    assert engine.pack(pack_id)["utilization"]["target"] == "every night"


def test_a_failed_one_is_queued_anew(make: Make) -> None:
    engine = make()
    pack_id = engine.context(**{**LATER, "response": " "})["pack_id"]
    work_off(engine)
    assert engine.context(**LATER)["utilization"]["reason"].startswith("queued; GET ")
    assert engine.background is not None
    assert engine.background.drain(LONG)
    assert engine.pack(pack_id)["utilization"]["score"] == 0.5


def test_a_job_of_another_version_fails_with_the_reason(make: Make) -> None:
    engine = make()
    assert engine.jobs is not None
    engine.jobs.put("old", b'{"pack": 1}')
    work_off(engine)
    state, reason = engine.jobs.state("old") or ("", "")
    assert (state, reason[-29:]) == ("failed", "ask for the measurement again")


def test_without_a_response_the_readers_answer_is_measured(make: Make) -> None:
    engine = make()
    pack_id = engine.context(**ask(QUERY, measure="background"))["pack_id"]
    work_off(engine)
    assert engine.pack(pack_id)["utilization"]["target_kind"] == "answer"


def test_a_full_queue_says_so_and_the_pack_comes_all_the_same(make: Make) -> None:
    engine = make(background_jobs=1)
    first, second = (engine.context(**ask(q, measure="background")) for q in QUERIES[:2])
    assert second["utilization"]["reason"].startswith("not queued: the queue is full")
    assert second["text"]
    reason = engine.pack(second["pack_id"])["utilization"]["reason"]
    assert reason.startswith("not measured yet; POST /v1/packs/")
    work_off(engine)
    assert engine.pack(first["pack_id"])["utilization"]["score"] is not None


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_a_share_of_packs_is_drawn_by_their_own_hash(make: Make, share: float) -> None:
    engine = make(measure_share=share)
    ids = [engine.context(**ask(query))["pack_id"] for query in QUERIES]
    assert len(set(ids)) == len(QUERIES)
    # the first eight hexadecimal digits, as a share of all that eight can say
    drawn = [int(pack_id[:8], 16) / 2**32 < share for pack_id in ids]
    assert engine.jobs is not None
    assert [engine.jobs.state(pack_id) is not None for pack_id in ids] == drawn
    if share == 0.5:
        assert set(drawn) == {True, False}, "choose other queries"


def test_a_known_pack_is_not_drawn_again_and_who_asked_gets_the_indexs_score(make: Make) -> None:
    engine = make(measure_share=1.0)
    plain = ask(QUERY, response="every night")
    view = engine.context(**plain)
    assert view["utilization"]["scope"] == "index"
    work_off(engine)
    assert engine.pack(view["pack_id"])["utilization"]["score"] == 0.5
    engine.context(**plain)
    assert num_waiting(engine) == 0


def test_an_empty_pack_is_not_drawn_and_a_full_queue_is_no_error(make: Make) -> None:
    engine = make(background_jobs=1, measure_share=1.0)
    nowhere = {"field": "doc_id", "eq": "nowhere"}
    assert engine.context(**ask(QUERY, filters=nowhere))["chunks"] == []
    assert num_waiting(engine) == 0
    for query in QUERIES[:2]:
        assert engine.context(**ask(query))["utilization"]["scope"] == "index"
    assert num_waiting(engine) == 1


def test_measured_at_once_is_not_drawn(make: Make) -> None:
    engine = make(measure_share=1.0)
    engine.context(**ask(QUERY, measure=True, response="every night"))
    assert num_waiting(engine) == 0


def test_a_pack_of_another_generation_fails_with_the_reason(make: Make, build: Build) -> None:
    engine = make()
    view = engine.context(**LATER)
    build([*documents(), Document("new", "Tides follow the moon.")])
    work_off(engine)
    found = engine.pack(view["pack_id"])["utilization"]
    assert found["score"] is None
    assert found["reason"].startswith(f"failed in the background: pack '{view['pack_id']}' was made from")
    assert "ask for a new pack with POST /v1/context" in found["reason"]


def test_a_response_that_cannot_be_measured_fails_alone(make: Make) -> None:
    engine = make()
    bad = engine.context(**ask(QUERIES[1], measure="background", response=" "))["pack_id"]
    good = engine.context(**LATER)["pack_id"]
    work_off(engine)
    assert "target is empty" in engine.pack(bad)["utilization"]["reason"]
    assert engine.pack(good)["utilization"]["score"] == 0.5


@pytest.mark.parametrize("busy", ["packing", "measuring"])
def test_whoever_waits_for_an_answer_goes_first(make: Make, busy: str) -> None:
    engine = make()
    pack_id = engine.context(**LATER)["pack_id"]
    assert engine.background is not None
    slots: Any = getattr(engine, busy)
    with slots.take():
        engine.background.start()
        # However long this waits, the worker has no turn before the slot is free.
        assert not engine.background.drain(0.2)
        assert engine.pack(pack_id)["utilization"]["reason"] == "waiting in the background"
    assert engine.background.drain(LONG)
    assert engine.pack(pack_id)["utilization"]["score"] == 0.5


def test_a_measurement_asked_for_meanwhile_does_not_wait_for_those_that_are_queued(make: Make) -> None:
    engine = make()
    queued = engine.context(**LATER)["pack_id"]
    now = engine.context(**ask(QUERIES[1], measure=True, response="every night"))
    assert now["utilization"]["score"] is not None
    assert engine.pack(queued)["utilization"]["reason"] == "waiting in the background"
