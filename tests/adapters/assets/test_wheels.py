"""The wheel source, with real pip and a wheel written here; no network."""

import hashlib
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from contextsvc.adapters.assets.wheels import WheelSource
from contextsvc.assets import Asset, Pin, Wheel
from contextsvc.errors import CorruptAsset, MissingAsset

ASSET = Asset(
    name="small",
    purpose="tests",
    licence="MIT",
    files={"sub/a.txt": Pin(hashlib.sha256(b"alpha").hexdigest(), 5)},
    wheel=Wheel("contextsvc-small", "1.0", "contextsvc_small/data/"),
)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> WheelSource:
    folder = tmp_path_factory.mktemp("wheels")
    members = {
        "contextsvc_small/__init__.py": "raise SystemExit('imported')",
        "contextsvc_small/data/sub/a.txt": "alpha",
        "contextsvc_small-1.0.dist-info/METADATA": (
            "Metadata-Version: 2.1\nName: contextsvc-small\nVersion: 1.0\nRequires-Dist: no-such-package\n"
        ),
        "contextsvc_small-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nTag: py3-none-any\n",
        "contextsvc_small-1.0.dist-info/RECORD": "",
    }
    with zipfile.ZipFile(folder / "contextsvc_small-1.0-py3-none-any.whl", "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return WheelSource(["--no-index", "--find-links", str(folder)])


def test_the_members_are_taken_and_nothing_else(source: WheelSource, tmp_path: Path) -> None:
    into = tmp_path / "into"
    into.mkdir()
    source.fetch(ASSET, into)
    assert (into / "sub" / "a.txt").read_bytes() == b"alpha"
    assert [path.name for path in tmp_path.rglob("*")] == ["into", "sub", "a.txt"]


def test_a_version_that_is_not_there_gives_pips_last_line(source: WheelSource, tmp_path: Path) -> None:
    asset = replace(ASSET, wheel=replace(ASSET.wheel, version="2.0"))
    with pytest.raises(MissingAsset, match=r"No matching distribution found for contextsvc-small==2\.0"):
        source.fetch(asset, tmp_path)


def test_a_member_that_is_not_there_is_named(source: WheelSource, tmp_path: Path) -> None:
    with pytest.raises(MissingAsset, match=r"holds no contextsvc_small/data/b\.txt"):
        source.fetch(replace(ASSET, files={"b.txt": Pin("0" * 64, 5)}), tmp_path)


def test_a_member_of_another_size_is_not_unpacked(source: WheelSource, tmp_path: Path) -> None:
    with pytest.raises(CorruptAsset, match=r"sub/a\.txt has 5 bytes, expected 4"):
        source.fetch(replace(ASSET, files={"sub/a.txt": Pin("0" * 64, 4)}), tmp_path)
    assert list(tmp_path.iterdir()) == []
