"""Vectors that peers share: the same as without, and nothing is encoded twice."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.peers import vectors
from benchmarks.peers.asking import kept
from benchmarks.peers.protocol import Text
from benchmarks.peers.running import HERE, OFFLINE, peers_python
from benchmarks.peers.vectors import Store, Vectors, named, shared
from contextsvc import assets
from contextsvc.settings import Settings

KEYS = [b"a", b"b", b"a", b"c"]


class Lengths:
    """Encodes a key as its number in the alphabet, and remembers which it was given."""

    def __init__(self, keys: list[bytes], kind: Any = np.float32) -> None:
        self.keys, self.kind, self.given = keys, kind, list[bytes]()

    def __call__(self, places: list[int]) -> Any:
        self.given += [self.keys[place] for place in places]
        return np.array([[self.keys[place][0], 1] for place in places], self.kind)


def test_each_key_is_encoded_once_and_by_whom_does_not_matter(tmp_path: Path) -> None:
    first, second = Lengths(KEYS), Lengths([b"c", b"d"])
    found = Store(tmp_path / "new" / "file").completed(KEYS, first)
    assert found.tolist() == [[97, 1], [98, 1], [97, 1], [99, 1]]
    assert first.given == [b"a", b"b", b"c"]
    assert Store(tmp_path / "new" / "file").completed([b"c", b"d"], second).tolist() == [[99, 1], [100, 1]]
    assert second.given == [b"d"]


def test_two_that_are_open_at_once_see_what_the_other_keeps(tmp_path: Path) -> None:
    one, other = Store(tmp_path / "file"), Store(tmp_path / "file")
    one.completed(KEYS, Lengths(KEYS))
    again = Lengths(KEYS)
    assert other.completed(KEYS, again).dtype == np.float32
    assert again.given == []


def test_more_keys_than_a_query_takes(tmp_path: Path) -> None:
    keys = [number.to_bytes(2, "big") for number in range(1201)]
    store = Store(tmp_path / "file")
    made = store.completed(keys[::2], Lengths(keys[::2]))
    assert store.completed(keys, Lengths(keys))[::2].tolist() == made.tolist()
    assert made[600].tolist() == [1200 >> 8, 1]


def test_what_was_given_can_be_written_to_and_the_file_stays(tmp_path: Path) -> None:
    store = Store(tmp_path / "file")
    store.completed(KEYS, Lengths(KEYS))
    store.completed(KEYS, Lengths(KEYS))[:] = 0
    assert store.completed([b"b"], Lengths([b"b"])).tolist() == [[98, 1]]


def test_vectors_of_another_precision_are_refused_and_not_kept(tmp_path: Path) -> None:
    store = Store(tmp_path / "file")
    with pytest.raises(TypeError, match="vectors of float16; only float32 can be shared"):
        store.completed(KEYS, Lengths(KEYS, np.float16))
    after = Lengths(KEYS)
    store.completed(KEYS, after)
    assert after.given == [b"a", b"b", b"c"]


def test_a_file_is_named_by_all_that_vectors_depend_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "1_Pooling").mkdir()
    (tmp_path / "model.safetensors").write_bytes(b"1")
    (tmp_path / "1_Pooling" / "config.json").write_bytes(b"{}")
    names = [named(tmp_path), named(tmp_path)]
    (tmp_path / "model.safetensors").write_bytes(b"2")
    names.append(named(tmp_path))
    (tmp_path / "1_Pooling" / "config.json").rename(tmp_path / "config.json")
    names.append(named(tmp_path))
    monkeypatch.setattr(vectors, "version", lambda package: f"{package} of tomorrow")
    names.append(named(tmp_path))
    assert names[0] == names[1]
    assert len(set(names)) == 4


TEXTS = [
    "A volcano erupts when molten rock rises.",
    "Ash",
    "A  volcano erupts\nwhen molten rock rises. ",  # the same to the model
    "Blue whales feed on krill. " * 100,  # past the window, as the next one
    "Blue whales feed on krill. " * 200,
    "",
]
NUM_READ = 4
"""Texts that differ to the model."""


@pytest.fixture
def model() -> Path:
    return assets.locate(Settings.from_env().home, "all-MiniLM-L6-v2")


class Counted:
    """A sentence-transformers model, and how many texts have gone through it."""

    def __init__(self, model: Path) -> None:
        from sentence_transformers import SentenceTransformer

        self.model = SentenceTransformer(str(model), device="cpu")
        self.encode = self.model.encode  # as it is now, whatever is done to the class
        self.number = 0
        self.model[0].register_forward_pre_hook(self._count)

    def _count(self, _: object, given: Any) -> None:
        self.number += len(given[0]["input_ids"])


@pytest.fixture
def encoder(model: Path, tmp_path: Path) -> Iterator[tuple[Counted, Vectors]]:
    """One that shares, and what it makes of `TEXTS` before it does."""
    counted = Counted(model)
    plain = counted.model.encode(TEXTS)
    counted.number = 0
    with shared(["sentence-transformers"], tmp_path, model):
        yield counted, plain


@pytest.mark.model
def test_shared_vectors_are_those_of_the_model(encoder: tuple[Counted, Vectors]) -> None:
    counted, plain = encoder
    assert np.allclose(counted.model.encode(TEXTS, batch_size=2), plain, rtol=0, atol=1e-5)
    assert counted.number == NUM_READ
    assert np.allclose(counted.model.encode(TEXTS[::-1]), plain[::-1], rtol=0, atol=1e-5)
    (one,) = counted.model.encode(TEXTS[:1], normalize_embeddings=True, show_progress_bar=False)
    assert np.allclose(one, plain[0], rtol=0, atol=1e-5)
    assert counted.number == NUM_READ


@pytest.mark.model
@pytest.mark.parametrize(
    "options",
    [
        {"truncate_dim": 8},
        {"precision": "int8"},
        {"convert_to_tensor": True},
        {"convert_to_numpy": False},
        {"output_value": "token_embeddings"},
        {"prompt": "query: "},
        {"processing_kwargs": {"text": {"max_length": 8, "truncation": True}}},
    ],
    ids=lambda options: next(iter(options)),
)
def test_whoever_asks_for_something_else_gets_it_from_the_model(
    encoder: tuple[Counted, Vectors], options: dict[str, Any]
) -> None:
    counted, _ = encoder
    counted.model.encode(TEXTS)
    counted.number = 0
    texts = TEXTS[:2]
    found = counted.model.encode(texts, **options)
    assert counted.number == len(texts)
    expected = counted.encode(texts, **options)
    assert type(found) is type(expected)
    for one, other in zip(found, expected, strict=True):
        assert np.array_equal(np.asarray(one), np.asarray(other))


@pytest.mark.model
def test_what_is_no_list_of_texts_goes_through_and_so_do_mistakes(encoder: tuple[Counted, Vectors]) -> None:
    counted, plain = encoder
    assert counted.model.encode([]).shape == (0,)
    assert np.allclose(counted.model.encode(np.array(TEXTS)), plain, rtol=0, atol=1e-5)
    assert np.allclose(counted.model.encode(TEXTS[0]), plain[0], rtol=0, atol=1e-5)
    assert counted.number == len(TEXTS) + 1
    counted.model.encode(TEXTS)
    with pytest.raises(ValueError, match="Prompt name 'nobody' not found"):
        counted.model.encode(TEXTS, prompt_name="nobody")
    with pytest.raises(ValueError, match="does not use"):
        counted.model.encode(TEXTS, nobody=1)


THREE_TIMES = """
import importlib, json, sys
from pathlib import Path
from benchmarks.peers import vectors
from benchmarks.peers.protocol import Text
from benchmarks.peers.worker import SIDES

name, model, folder, asked = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), json.loads(sys.argv[4])
module, kind = SIDES[name]
made = getattr(importlib.import_module(module), kind)
from torch.nn.modules.module import register_module_forward_pre_hook
passes = []
register_module_forward_pre_hook(lambda *_: passes.append(1))
said = []
for sharing in (False, True, True):
    side = made(model)
    passes.clear()
    with vectors.shared(made.packages, folder if sharing else None, model):
        side.build(Text(doc_id, text) for doc_id, text in asked["texts"].items())
    built = len(passes)
    found = [[(p.doc_id, p.text, p.score) for p in side.ask(query, 3)] for query in asked["queries"]]
    said.append([found, built, len(passes) - built])
Path(folder, "said").write_text(json.dumps(said))
"""


@pytest.mark.model
@pytest.mark.parametrize("side", ["llamaindex-plain", "langchain-plain", "haystack", "chonkie"])
def test_a_peer_answers_as_it_does_without_and_builds_from_what_was_encoded(
    side: str, model: Path, tmp_path: Path
) -> None:
    python = peers_python()
    if python is None:
        pytest.skip(f"{side} needs the peers' environment; make it: make peers")
    texts = {"volcano": TEXTS[0], "whale": TEXTS[3], "bread": "Sourdough bread rises with wild yeast."}
    asked = json.dumps({"texts": texts, "queries": ["Why does a volcano erupt?", "What do whales eat?"]})
    subprocess.run(
        [str(python), "-c", THREE_TIMES, side, str(model), str(tmp_path), asked],
        cwd=HERE, env={**os.environ, **OFFLINE}, check=True, capture_output=True,
    )  # fmt: skip
    (plain, built, asked_of), (first, first_built, _), (second, second_built, second_asked_of) = json.loads(
        (tmp_path / "said").read_text("utf-8")
    )
    assert min(built, asked_of, first_built) > 0
    assert (second_built, second_asked_of) == (0, asked_of)  # queries go through the model
    for found in (first, second):
        for answer, expected in zip(found, plain, strict=True):
            assert [one[:2] for one in answer] == [one[:2] for one in expected]
            scores, told = [one[2] for one in answer], [one[2] for one in expected]
            assert scores == pytest.approx(told, abs=1e-5)


@pytest.mark.model
@pytest.mark.parametrize(("side", "num_files"), [("haystack", 1), ("bare", 0)])
def test_kept_answers_come_with_the_peers_vectors_beside_them(
    side: str, num_files: int, model: Path, tmp_path: Path
) -> None:
    if num_files and peers_python() is None:
        pytest.skip(f"{side} needs the peers' environment; make it: make peers")
    texts = [Text("ash", TEXTS[1]), Text("volcano", TEXTS[0])]
    answers = kept(side, model, tmp_path, "name", texts, ["asked"], lambda r: r.ask(["ash"], 1)["answers"])
    assert answers[0][0]["doc_id"] == "ash"
    assert len(list(tmp_path.glob("vectors/*.sqlite"))) == num_files
