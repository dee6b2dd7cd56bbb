"""Assets on small files: what a pull publishes, refuses and leaves behind."""

import hashlib
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from contextsvc.assets import ASSETS, Asset, Pin, Wheel, find_asset, locate, origin, pull, state
from contextsvc.errors import CorruptAsset, Fault, MissingAsset, SettingError

FILES = {"a.txt": b"alpha", "sub/b.txt": b"beta"}
WHEEL = Wheel("small-wheel", "1.0", "small/")


class Memory:
    """An asset source that holds its files in memory and counts how often it was asked."""

    def __init__(self, files: Mapping[str, bytes] | None, name: str = "memory") -> None:
        self.name, self.files, self.asked = name, files, 0

    def fetch(self, asset: Asset, into: Path) -> None:
        assert asset.name == "small"
        self.asked += 1
        if self.files is None:
            raise MissingAsset("closed")
        for member, content in self.files.items():
            (into / member).parent.mkdir(exist_ok=True)
            (into / member).write_bytes(content)


def pins(files: Mapping[str, bytes]) -> dict[str, Pin]:
    return {member: Pin(hashlib.sha256(data).hexdigest(), len(data)) for member, data in files.items()}


def registry_of(files: Mapping[str, bytes], preparation: str = "") -> dict[str, Asset]:
    small = Asset(
        name="small", purpose="tests", licence="MIT", files=pins(files), wheel=WHEEL, preparation=preparation
    )
    return {"small": small}


REGISTRY = registry_of(FILES)


def quiet(_: str) -> None:
    """No report."""


def left_in(home: Path) -> list[str]:
    return sorted(path.name for path in (home / "assets").iterdir())


def test_a_pulled_asset_is_whole_and_found(tmp_path: Path) -> None:
    lines: list[str] = []
    pulled = pull(tmp_path, "small", [Memory(FILES)], lines.append, registry=REGISTRY)
    folder = locate(tmp_path, "small", REGISTRY)
    assert (folder / "sub" / "b.txt").read_bytes() == b"beta"
    assert (pulled.folder, pulled.source, pulled.size_bytes) == (folder, "memory", 9)
    assert state(tmp_path, "small", REGISTRY) == "present"
    assert origin(tmp_path, "small", REGISTRY) == "memory"
    assert lines == []


def test_an_absent_asset_names_the_command(tmp_path: Path) -> None:
    assert state(tmp_path, "small", REGISTRY) == "absent"
    assert origin(tmp_path, "small", REGISTRY) == ""
    with pytest.raises(MissingAsset, match="contextsvc assets pull small"):
        locate(tmp_path, "small", REGISTRY)


def test_what_is_there_is_not_fetched_again(tmp_path: Path) -> None:
    source = Memory(FILES)
    for _ in range(2):
        pulled = pull(tmp_path, "small", [source], quiet, registry=REGISTRY)
    assert (pulled.source, source.asked) == ("already there", 1)


def test_a_changed_file_is_damage_and_is_mended(tmp_path: Path) -> None:
    folder = pull(tmp_path, "small", [Memory(FILES)], quiet, registry=REGISTRY).folder
    (folder / "a.txt").write_bytes(b"alphA")
    assert state(tmp_path, "small", REGISTRY) == "damaged"
    pull(tmp_path, "small", [Memory(FILES)], quiet, registry=REGISTRY)
    assert (folder / "a.txt").read_bytes() == b"alpha"
    assert left_in(tmp_path) == [".small.lock", "small"]


def test_a_cut_or_missing_file_is_noticed_without_hashing(tmp_path: Path) -> None:
    folder = pull(tmp_path, "small", [Memory(FILES)], quiet, registry=REGISTRY).folder
    (folder / "a.txt").write_bytes(b"alp")
    with pytest.raises(MissingAsset, match="has 3 bytes, expected 5"):
        locate(tmp_path, "small", REGISTRY)
    (folder / "a.txt").unlink()
    with pytest.raises(MissingAsset, match="is missing"):
        locate(tmp_path, "small", REGISTRY)


def test_a_folder_without_manifest_is_damaged(tmp_path: Path) -> None:
    folder = pull(tmp_path, "small", [Memory(FILES)], quiet, registry=REGISTRY).folder
    (folder / "asset.json").write_text("{")
    assert state(tmp_path, "small", REGISTRY) == "damaged"


def test_sources_are_tried_in_order(tmp_path: Path) -> None:
    lines: list[str] = []
    wrong = Memory({**FILES, "a.txt": b"alphA"}, "wrong")
    pulled = pull(
        tmp_path, "small", [Memory(None, "closed"), wrong, Memory(FILES)], lines.append, registry=REGISTRY
    )
    assert pulled.source == "memory"
    assert lines[0] == "small: closed: closed"
    assert lines[1].startswith("small: wrong: a.txt has SHA-256")
    assert len(lines) == 2


def test_a_wrong_file_is_named_with_both_hashes_and_nothing_is_kept(tmp_path: Path) -> None:
    with pytest.raises(CorruptAsset) as caught:
        pull(tmp_path, "small", [Memory({**FILES, "a.txt": b"no"})], quiet, registry=REGISTRY)
    for expected in ("a.txt", hashlib.sha256(b"no").hexdigest(), hashlib.sha256(b"alpha").hexdigest()):
        assert expected in str(caught.value)
    assert left_in(tmp_path) == [".small.lock"]


def test_no_source_is_a_missing_asset(tmp_path: Path) -> None:
    with pytest.raises(MissingAsset, match="closed: closed"):
        pull(tmp_path, "small", [Memory(None, "closed")], quiet, registry=REGISTRY)
    with pytest.raises(MissingAsset, match="no source given"):
        pull(tmp_path, "small", [], quiet, registry=REGISTRY)


def test_what_a_dead_pull_left_is_removed(tmp_path: Path) -> None:
    leftover = tmp_path / "assets" / ".small.dead.part" / "fetched"
    leftover.mkdir(parents=True)
    pull(tmp_path, "small", [Memory(FILES)], quiet, registry=REGISTRY)
    assert left_in(tmp_path) == [".small.lock", "small"]


def test_only_pinned_files_are_published(tmp_path: Path) -> None:
    folder = pull(tmp_path, "small", [Memory({**FILES, "code.py": b"1"})], quiet, registry=REGISTRY).folder
    assert sorted(path.name for path in folder.rglob("*")) == ["a.txt", "asset.json", "b.txt", "sub"]


def test_two_pulls_at_once_fetch_once(tmp_path: Path) -> None:
    sources = [Memory(FILES) for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda source: pull(tmp_path, "small", [source], quiet, registry=REGISTRY), sources))
    assert sum(source.asked for source in sources) == 1
    assert state(tmp_path, "small", REGISTRY) == "present"


def test_another_version_is_replaced(tmp_path: Path) -> None:
    pull(tmp_path, "small", [Memory(FILES)], quiet, registry=REGISTRY)
    newer = {"a.txt": b"omega"}
    assert state(tmp_path, "small", registry_of(newer)) == "absent"
    with pytest.raises(MissingAsset, match="another version"):
        locate(tmp_path, "small", registry_of(newer))
    folder = pull(tmp_path, "small", [Memory(newer)], quiet, registry=registry_of(newer)).folder
    assert sorted(path.name for path in folder.iterdir()) == ["a.txt", "asset.json"]


def upper(fetched: Path, ready: Path) -> None:
    (ready / "A.TXT").write_bytes((fetched / "a.txt").read_bytes().upper())


def test_a_preparation_decides_what_is_published(tmp_path: Path) -> None:
    registry = registry_of(FILES, "upper")
    folder = pull(tmp_path, "small", [Memory(FILES)], quiet, {"upper": upper}, registry).folder
    assert sorted(path.name for path in folder.iterdir()) == ["A.TXT", "asset.json"]
    assert (folder / "A.TXT").read_bytes() == b"ALPHA"
    assert state(tmp_path, "small", registry) == "present"
    (folder / "A.TXT").write_bytes(b"ALPHa")
    assert state(tmp_path, "small", registry) == "damaged"


def test_a_preparation_that_is_not_given_is_refused_before_fetching(tmp_path: Path) -> None:
    source = Memory(FILES)
    with pytest.raises(SettingError, match="needs the preparation 'upper'; given: none"):
        pull(tmp_path, "small", [source], quiet, registry=registry_of(FILES, "upper"))
    assert source.asked == 0


def test_a_preparation_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def fail(fetched: Path, ready: Path) -> None:
        upper(fetched, ready)
        raise CorruptAsset("it splits wrongly")

    with pytest.raises(CorruptAsset, match="it splits wrongly"):
        pull(tmp_path, "small", [Memory(FILES)], quiet, {"upper": fail}, registry_of(FILES, "upper"))
    assert left_in(tmp_path) == [".small.lock"]


def test_a_home_that_is_a_file_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("")
    with pytest.raises(Fault, match="cannot be written"):
        pull(tmp_path / "home", "small", [Memory(FILES)], quiet, registry=REGISTRY)


@pytest.mark.parametrize("member", ["../a", "/a", "b\\a", "a/../../b", ""])
def test_a_member_outside_the_folder_is_refused(member: str) -> None:
    with pytest.raises(SettingError, match="expected a path inside"):
        replace(REGISTRY["small"], files={member: Pin("0" * 64, 1)})


def test_the_hash_of_several_files_is_that_of_their_sha256sum_lines() -> None:
    alpha, beta = (hashlib.sha256(data).hexdigest() for data in (b"alpha", b"beta"))
    lines = f"{alpha}  a.txt\n{beta}  sub/b.txt\n"
    assert REGISTRY["small"].sha256 == hashlib.sha256(lines.encode()).hexdigest()
    assert registry_of({"a.txt": b"alpha"})["small"].sha256 == alpha


def test_the_registry_holds_the_four_assets() -> None:
    assert list(ASSETS) == ["all-MiniLM-L6-v2", "SmolLM2-135M-Instruct", "tiktoken", "punkt_tab"]
    assert {asset.licence for asset in ASSETS.values()} == {"Apache-2.0", "MIT"}
    weights = find_asset("all-MiniLM-L6-v2").files["model.safetensors"]
    assert weights == Pin("53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db", 90_868_376)
    with pytest.raises(SettingError, match="unknown asset 'bert'; choose from all-MiniLM-L6-v2, SmolLM2"):
        find_asset("bert")
