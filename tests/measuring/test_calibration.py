"""Thresholds: which calibration is used, and which is not."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from contextsvc.measuring.calibration import packaged_calibrations, store_calibration, thresholds_for
from contextsvc.measuring.records import Calibration, Target, TargetKind, Threshold
from contextsvc.records.documents import Document
from contextsvc.records.fingerprints import Fingerprint
from contextsvc.records.json import decode
from contextsvc.records.packs import ContextPack
from contextsvc.storage.library import Library, LoadedIndex
from contextsvc.wiring import open_search
from tests.conftest import Build
from tests.fakes.embedder import FakeEmbedder
from tests.fakes.reader import FakeReader
from tests.world import BACKUP_ONLY, calibrations, documents, fake_measurer, fake_pack

READER = Fingerprint(
    name="reader", weights="w", precision="float32", usage=("masked", "2"), answer_max_tokens=48
)
OWN = Calibration(
    reader=READER,
    method="lasso",
    target_kind="response",
    origin="index pages",
    placebo_effects=(0.2,) * 20,
)
PACKAGED = (
    replace(OWN, origin="squad", placebo_effects=(0.3,) * 200),
    replace(OWN, origin="squad", placebo_effects=(0.4,) * 200, target_kind="answer"),
)
"""Thresholds can be read off: all placebos are alike."""

NEW_TOKEN = Target("new token", "response")
STRANGERS = ("Apples", "Pears", "Stars", "Rivers", "Bread", "Copy")


@pytest.fixture
def pack(index: LoadedIndex) -> ContextPack:
    return fake_pack(index, "backup", "restore")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "pages" / "generations" / "g1"
    made.mkdir(parents=True)
    return made


def thresholds(
    folder: Path,
    generation: str = "g1",
    reader: Fingerprint = OWN.reader,
    method: str = OWN.method,
    packaged: tuple[Calibration, ...] = (),
) -> dict[TargetKind, Threshold]:
    return thresholds_for(folder, generation, reader, method, packaged, 0)


def exactly(eps: float, num_placebos: int, origin: str, calibrated: bool = False) -> Threshold:
    """The threshold of placebos that all have the same effect."""
    return Threshold(
        eps=eps, low=eps, high=eps, num_placebos=num_placebos, origin=origin, calibrated=calibrated
    )


def test_no_calibration_gives_no_threshold(folder: Path) -> None:
    assert thresholds(folder) == {}


def test_a_stored_calibration_gives_a_calibrated_threshold(folder: Path) -> None:
    path = store_calibration(folder, "g1", OWN)
    assert thresholds(folder) == {"response": exactly(0.2, 20, "index pages", calibrated=True)}
    assert folder not in path.parents  # a generation is sealed
    assert [p.suffix for p in path.parent.iterdir()] == [".json"]  # nothing half written is left


def test_a_packaged_calibration_gives_an_uncalibrated_threshold(folder: Path) -> None:
    assert thresholds(folder, packaged=PACKAGED) == {
        "response": exactly(0.3, 200, "uncalibrated: squad"),
        "answer": exactly(0.4, 200, "uncalibrated: squad"),
    }


def test_a_stored_calibration_comes_before_a_packaged_one_of_its_kind(folder: Path) -> None:
    store_calibration(folder, "g1", OWN)
    found = thresholds(folder, packaged=PACKAGED)
    assert {kind: (t.eps, t.calibrated) for kind, t in found.items()} == {
        "response": (0.2, True),
        "answer": (0.4, False),
    }


def test_a_stored_calibration_replaces_the_one_before(folder: Path) -> None:
    store_calibration(folder, "g1", OWN)
    store_calibration(folder, "g1", replace(OWN, placebo_effects=(0.7,) * 20))
    assert thresholds(folder)["response"].eps == 0.7


@pytest.mark.parametrize(
    "other", [{"generation": "g2"}, {"reader": replace(READER, weights="v")}, {"method": "shapley"}]
)
def test_another_generation_reader_or_method_does_not_use_it(folder: Path, other: dict[str, Any]) -> None:
    store_calibration(folder, "g1", OWN)
    assert thresholds(folder, **other) == {}


@pytest.mark.parametrize(
    ("reader", "fits"),
    [
        (replace(READER, name="other"), False),
        (replace(READER, weights="other"), False),
        (replace(READER, precision="bfloat16"), True),
        (replace(READER, usage=("exact", "2")), False),
        (replace(READER, usage=("masked", "3")), False),
        (replace(READER, usage=("masked", "2", "more")), False),
        (replace(READER, answer_max_tokens=96), True),
    ],
    ids=["name", "weights", "precision", "mode", "layout", "more", "answer length"],
)
def test_a_packaged_calibration_may_differ_in_precision_and_answer_length(
    folder: Path, reader: Fingerprint, fits: bool
) -> None:
    assert bool(thresholds(folder, reader=reader, packaged=PACKAGED)) == fits


def test_a_packaged_calibration_of_another_method_is_not_used(folder: Path) -> None:
    assert thresholds(folder, method="shapley", packaged=PACKAGED) == {}


@pytest.mark.parametrize("data", [b"", b"{}", b"\xff", b'{"reader": 1}'])
def test_a_damaged_calibration_is_ignored(folder: Path, data: bytes) -> None:
    store_calibration(folder, "g1", OWN).write_bytes(data)
    assert thresholds(folder, packaged=PACKAGED)["response"].origin == "uncalibrated: squad"


def test_packaged_calibrations_can_be_used() -> None:
    shipped = packaged_calibrations()
    assert {c.target_kind for c in shipped} == {"response", "answer"}
    for calibration in shipped:
        assert len(calibration.placebo_effects) >= 200
        assert calibration.reader.name == "SmolLM2-135M-Instruct"
        assert calibration.reader.usage[0] == "blocks"


def test_an_uncalibrated_reader_draws_its_threshold_in_the_pack(
    index: LoadedIndex, pack: ContextPack
) -> None:
    reader = FakeReader({**dict.fromkeys(STRANGERS, 0.4), "Backup": 0.3})
    found = fake_measurer(reader, packaged=()).measure(index, pack, NEW_TOKEN)
    assert found.threshold.origin == "drawn in this pack: the reader is not calibrated"
    assert (found.threshold.eps, found.threshold.calibrated) == (0.4, False)
    # 8 chunks less the 2 of the pack: 6 strangers for 20 placebos
    assert 1 <= found.threshold.num_placebos <= 6
    assert [(v.verdict, v.effect) for v in found.verdicts] == [("dead", 0.3), ("live", 2.0)]
    assert found.controls.placebo_effects == (0.4, 0.4)


def test_an_index_without_other_chunks_has_no_placebo(build: Build, tmp_path: Path) -> None:
    build([Document("only", "Take a snapshot of the cluster every night.")])
    alone = Library(tmp_path, FakeEmbedder().fingerprint, open_search).get("pages")
    found = fake_measurer(packaged=()).measure(alone, fake_pack(alone, "only"), BACKUP_ONLY)
    assert (found.threshold.num_placebos, found.threshold.eps) == (0, 0.0)
    assert found.threshold.origin.startswith("no placebo")
    assert (found.score, found.controls.placebo_effects) == (1.0, ())


def test_a_packaged_threshold_says_that_it_is_uncalibrated(index: LoadedIndex, pack: ContextPack) -> None:
    threshold = fake_measurer().measure(index, pack, BACKUP_ONLY).threshold
    assert (threshold.eps, threshold.num_placebos, threshold.calibrated) == (0.1, 200, False)
    assert threshold.origin == "uncalibrated: by hand"


def test_a_stored_calibration_comes_first_and_moves_verdicts(index: LoadedIndex, pack: ContextPack) -> None:
    measurer = fake_measurer(FakeReader({"Restore": 0.3}))
    before = measurer.measure(index, pack, BACKUP_ONLY)
    (response, _) = calibrations(measurer, [0.5] * 20)
    store_calibration(index.folder, index.generation, response)
    after = measurer.measure(index, pack, BACKUP_ONLY)
    assert (before.score, after.score) == (1.0, 0.5)
    assert (after.threshold.eps, after.threshold.calibrated, after.threshold.origin) == (0.5, True, "by hand")
    assert not measurer.measure(index, pack, None).threshold.calibrated  # another kind of target


@pytest.mark.parametrize(
    "changed", [{"reader": "other-reader:[]:"}, {"method": "leave one out"}, {"target_kind": "answer"}]
)
def test_a_calibration_of_another_reader_method_or_kind_is_not_used(
    index: LoadedIndex, pack: ContextPack, changed: dict[str, str]
) -> None:
    measurer = fake_measurer()
    stored: Calibration = replace(calibrations(measurer, [9.0] * 20)[0], **changed)  # type: ignore[arg-type]
    store_calibration(index.folder, index.generation, stored)
    assert measurer.measure(index, pack, BACKUP_ONLY).threshold.eps == 0.1


def test_a_new_generation_is_not_measured_with_the_threshold_of_the_old(
    index: LoadedIndex, build: Build, tmp_path: Path
) -> None:
    measurer = fake_measurer()
    store_calibration(index.folder, index.generation, calibrations(measurer, [9.0] * 20)[0])
    build([*documents(), Document("new", "A snapshot of another cluster.")])
    grown = Library(tmp_path, FakeEmbedder().fingerprint, open_search).get("pages")
    old, new = (measurer.measure(i, fake_pack(i, "backup"), BACKUP_ONLY) for i in (index, grown))
    assert (old.threshold.eps, old.score) == (9.0, 0.0)
    assert (new.threshold.eps, new.score) == (0.1, 1.0)


def test_many_threads_store_at_once(folder: Path) -> None:
    def store(number: int) -> None:
        for _ in range(75):
            store_calibration(folder, "g1", replace(OWN, placebo_effects=(number / 10,) * 20))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(store, range(8)))
    (path,) = (folder.parents[1] / "calibrations" / "g1").iterdir()
    assert decode(Calibration, path.read_bytes()).placebo_effects[0] in [number / 10 for number in range(8)]


def test_a_calibration_that_cannot_be_stored_leaves_nothing_behind(folder: Path) -> None:
    path = store_calibration(folder, "g1", OWN)
    path.unlink()
    (path / "taken").mkdir(parents=True)
    with pytest.raises(OSError, match=path.name):
        store_calibration(folder, "g1", OWN)
    assert list(path.parent.iterdir()) == [path]
