"""The same text, query, response, reader and seed give the same measurement, however the pack was made."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contextsvc.adapters.language_models.lasso import lasso_contributions
from contextsvc.indexing.build import build_index
from contextsvc.measuring.masks import Fit, necessity_and_sufficiency
from contextsvc.measuring.measurer import Measurer
from contextsvc.measuring.records import Target, Utilization
from contextsvc.ports.reading import Cost
from contextsvc.records.documents import Document
from contextsvc.records.packs import Answerability
from contextsvc.records.requests import PackRequest
from contextsvc.storage.library import Library, LoadedIndex
from contextsvc.wiring import open_search
from tests.fakes.embedder import FakeEmbedder
from tests.fakes.reader import FakeReader
from tests.world import BACKUP_ONLY, QUERY, documents, fake_assembler, fake_measurer, fake_pack, fake_parts

EFFECTS = {"Copy": 0.7, "Apples": 0.9, "Pears": -0.3, "Stars": 0.5, "Rivers": 0.1, "Bread": -0.8, "Rest": 0.3}
"""Each placebo adds another number, so that another draw shows in every figure."""

FITS = [necessity_and_sufficiency, lasso_contributions]


def measurer(fit: Fit = necessity_and_sufficiency, seed: int = 0) -> Measurer:
    """A measurer without calibration: the threshold, too, is made from placebos of the pack."""
    return fake_measurer(FakeReader(EFFECTS), seed=seed, packaged=(), fit=fit)


def of_the_reader(found: Utilization) -> Utilization:
    """The measurement without what names the pack or the moment."""
    return replace(found, pack_id="", cost=Cost(found.cost.reader_calls, found.cost.reader_tokens))


def opened(root: Path, made: list[Document], name: str = "pages") -> LoadedIndex:
    build_index(root, name, made, fake_parts())
    return Library(root, FakeEmbedder().fingerprint, open_search).get(name)


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> LoadedIndex:
    return opened(tmp_path_factory.mktemp("pages"), documents())


@pytest.mark.parametrize("fit", FITS)
def test_the_budget_of_a_request_does_not_move_a_verdict(pages: LoadedIndex, fit: Fit) -> None:
    requests = [
        PackRequest(
            index="pages",
            query=QUERY,
            budget_tokens=budget,
            max_chunks=2,
            tokenizer="fake",
            ordering="relevance",
        )
        for budget in range(40, 52)
    ]
    packs = [fake_assembler().assemble(pages, request) for request in requests]
    assert len({pack.text for pack in packs}) == 1
    assert len({pack.pack_id for pack in packs}) == len(packs)
    first, *others = [
        of_the_reader(measurer(fit).measure(pages, pack, BACKUP_ONLY, sentences=True)) for pack in packs
    ]
    assert others == [first] * len(others)
    # The draws are not constant: another query, and another seed, has others.
    asked_otherwise = replace(packs[0], query="a snapshot, when?")
    assert measurer(fit).measure(pages, asked_otherwise, BACKUP_ONLY).controls != first.controls
    assert measurer(fit, seed=1).measure(pages, packs[0], BACKUP_ONLY).controls != first.controls


@given(
    budget=st.integers(57, 10**6),
    ordering=st.sampled_from(["relevance", "document", "edges"]),
    names=st.tuples(st.text(max_size=9), st.text(max_size=9), st.text(max_size=9), st.text(max_size=9)),
    flags=st.tuples(st.booleans(), st.booleans()),
    score=st.floats(0, 1),
    order=st.permutations(["backup", "restore", "stars"]),
    fit=st.sampled_from(FITS),
)
@settings(max_examples=40, deadline=None)
def test_nothing_that_the_reader_does_not_read_moves_a_measurement(
    pages: LoadedIndex,
    budget: int,
    ordering: str,
    names: tuple[str, str, str, str],
    flags: tuple[bool, bool],
    score: float,
    order: list[str],
    fit: Fit,
) -> None:
    plain = fake_pack(pages, *order)
    index, generation, configuration, tokenizer = names
    other = replace(
        plain,
        index=index,
        generation=generation,
        configuration=configuration,
        tokenizer=tokenizer,
        budget_tokens=budget,
        ordering=ordering,
        exact=flags[0],
        trim=flags[1],
        answer=Answerability(score, 0.0),
    )
    one, two = (measurer(fit).measure(pages, pack, BACKUP_ONLY, sentences=True) for pack in (plain, other))
    assert of_the_reader(one) == of_the_reader(two)


@pytest.mark.parametrize(
    "again",
    [
        lambda root: opened(root, documents(), "renamed"),
        lambda root: [opened(root, made) for made in (documents()[1:], documents())][1],
        lambda root: opened(root, documents()[::-1]),
    ],
    ids=["a renamed copy", "published again", "documents in another order"],
)
def test_another_index_of_the_same_texts_gives_the_same_measurement(
    pages: LoadedIndex, tmp_path: Path, again: Callable[[Path], LoadedIndex]
) -> None:
    other = again(tmp_path)
    assert (other.name, other.generation) != (pages.name, pages.generation)
    one, two = (
        measurer().measure(index, fake_pack(index, "restore", "backup"), BACKUP_ONLY, sentences=True)
        for index in (pages, other)
    )
    assert of_the_reader(one) == of_the_reader(two)


def test_a_reader_or_a_response_is_compared_on_the_same_placebos(pages: LoadedIndex) -> None:
    # Each placebo adds another number and the fit is exact, so that equal effects are equal placebos.
    pack = fake_pack(pages, "restore", "backup")
    readers = [FakeReader(EFFECTS), FakeReader(EFFECTS, name="other")]
    found = [
        fake_measurer(reader).measure(pages, pack, Target(text, "response")).controls.placebo_effects
        for reader in readers
        for text in ("every night", "new token")
    ]
    assert len(set(found)) == 1
    assert set(found[0]) <= set(EFFECTS.values())


def test_a_copy_under_another_id_gives_the_same_measurement(tmp_path: Path) -> None:
    # Same title and text, so the reader reads the same; the rows and ids differ.
    text = "Take a snapshot of the cluster every night. A snapshot holds all keys."
    twins = [Document(name, text, title="Backup") for name in ("one", "two")]
    index = opened(tmp_path, [twins[0], *documents()[1:], twins[1]])
    one, two = (fake_pack(index, name, "stars") for name in ("one", "two"))
    assert one.text == two.text
    first, second = (measurer().measure(index, pack, BACKUP_ONLY) for pack in (one, two))
    assert first.controls == second.controls
    assert [v.effect for v in first.verdicts] == [v.effect for v in second.verdicts]
