"""Whatever byte of an index changes, it is found before anything is answered."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from contextsvc.errors import CorruptIndex
from contextsvc.storage.checking import check_index
from contextsvc.storage.generation import append, open_manifest, read_journal
from contextsvc.storage.library import Library
from contextsvc.wiring import open_search
from tests.conftest import Build
from tests.fakes.embedder import FakeEmbedder
from tests.world import documents

NUM_DAMAGES = 1_000


@pytest.fixture
def strict(build: Build, tmp_path: Path) -> Library:
    build(documents()[:4])
    build()
    return Library(tmp_path, FakeEmbedder().fingerprint, open_search, falls_back=False)


def refuses(library: Library) -> bool:
    try:
        Library(library.root, FakeEmbedder().fingerprint, open_search, falls_back=False).get("pages")
    except CorruptIndex:
        return True
    return False


def flips(data: bytes, draw: random.Random) -> Iterator[bytes]:
    """The bytes, each changed once, to any other."""
    for position in range(len(data)):
        changed = bytearray(data)
        changed[position] ^= draw.randint(1, 255)
        yield bytes(changed)


def test_every_byte_of_the_pointer_and_of_the_manifest_counts(strict: Library) -> None:
    folder, _ = open_manifest(strict.root, "pages")
    draw = random.Random(0)
    for path in (strict.root / "pages" / "CURRENT", folder / "manifest.json"):
        whole = path.read_bytes()
        cut = (whole[:length] for length in range(0, len(whole), max(1, len(whole) // 100)))
        for damaged in (*flips(whole, draw), *cut, whole + b"\n"):
            path.write_bytes(damaged)
            assert refuses(strict), (path.name, damaged)
        path.write_bytes(whole)
    assert not refuses(strict)


def test_a_space_more_in_the_manifest_is_found(strict: Library) -> None:
    path = open_manifest(strict.root, "pages")[0] / "manifest.json"
    path.write_bytes(path.read_bytes().replace(b"\n ", b"\n  ", 1))
    assert refuses(strict)


def test_1000_flips_and_truncations_are_all_found(strict: Library) -> None:
    folder, manifest = open_manifest(strict.root, "pages")
    draw = random.Random(1)
    paths = [folder / name for name, entry in sorted(manifest.files.items()) if entry.num_bytes]
    for number in range(NUM_DAMAGES):
        path = draw.choice(paths)
        whole = path.read_bytes()
        at = draw.randrange(len(whole))
        flipped = whole[:at] + bytes([whole[at] ^ draw.randint(1, 255)]) + whole[at + 1 :]
        path.write_bytes(flipped if number % 2 else whole[:at])
        assert refuses(strict), (path.name, at)
        path.write_bytes(whole)
    assert not refuses(strict)


def test_every_byte_of_the_journal_counts(strict: Library) -> None:
    index = strict.root / "pages"
    append(index, [b"first", b"second"])
    last = append(index, [b"third"])
    whole = (index / "journal").read_bytes()
    assert [record.data for record in read_journal(index)] == [b"first", b"second", b"third"]
    assert [record.position for record in read_journal(index)][-1] == last
    draw = random.Random(2)
    for damaged in flips(whole, draw):
        (index / "journal").write_bytes(damaged)
        with pytest.raises(CorruptIndex, match="journal"):
            list(read_journal(index))
    (index / "journal").write_bytes(whole)
    assert check_index(strict.root, "pages", open_search)[1] == []
