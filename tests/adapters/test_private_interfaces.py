"""Canaries: one test for each interface of a library that is private or not documented.

When one fails, its message names the library, the installed version, the interface and the module that relies
on it. No test needs model weights.
"""

import hashlib
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from tests.adapters.tiny_models import WINDOW_TOKENS, save_cross_encoder, save_embedder, save_reader


@contextmanager
def interface(library: str, what: str, module: str) -> Iterator[None]:
    """Context that relies on a private interface; any error in it becomes a failure that says so."""
    try:
        yield
    except Exception as error:  # noqa: BLE001  a changed library may raise anything
        found = f"{type(error).__name__}: {error}".splitlines()[0]
        pytest.fail(
            f"{library} {version(library)} no longer has {what}; see contextsvc/adapters/{module}, and lower "
            f"the upper bound of {library} in pyproject.toml until it is adapted ({found})",
            pytrace=False,
        )


def test_a_canary_names_library_version_interface_and_module() -> None:
    message = (
        rf"^numpy {re.escape(np.__version__)} no longer has wings; see contextsvc/adapters/x\.py, .*no wing"
    )
    with (
        pytest.raises(pytest.fail.Exception, match=message),
        interface("numpy", "wings", "x.py"),
    ):
        raise AttributeError("no wing")


def test_transformers_key_value_cache(tmp_path: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, DynamicCache

    model: Any = AutoModelForCausalLM.from_pretrained(save_reader(tmp_path / "reader"))
    tokens = torch.tensor([[2, 3, 4, 5]])
    with (
        torch.inference_mode(),
        interface(
            "transformers",
            "`DynamicCache.layers[i].keys` and `.values` of shape (1, heads, tokens, dim), filled by "
            "`base_model` and by `DynamicCache.update`",
            "readers/masked_scoring.py",
        ),
    ):
        whole = model(input_ids=tokens).logits[0, -1]
        read = DynamicCache()
        model.base_model(input_ids=tokens[:, :3], past_key_values=read, use_cache=True)
        past = DynamicCache()
        for number, layer in enumerate(read.layers):
            assert layer.keys.shape == layer.values.shape == (1, 2, 3, 8)
            past.update(layer.keys, layer.values, number)
        assert len(read.layers) == 2
        last = model(
            input_ids=tokens[:, 3:], position_ids=torch.tensor([[3]]), past_key_values=past, use_cache=True
        )
        torch.testing.assert_close(last.logits[0, -1], whole, atol=1e-4, rtol=1e-4)


def test_transformers_attention_mask_and_chosen_logits(tmp_path: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    model: Any = AutoModelForCausalLM.from_pretrained(save_reader(tmp_path / "reader"))
    tokens = torch.tensor([[2, 3, 4, 5]])
    with (
        torch.inference_mode(),
        interface(
            "transformers",
            "`config._attn_implementation`, a boolean 4-D `attention_mask` or `logits_to_keep` of positions",
            "readers/masked_scoring.py",
        ),
    ):
        assert model.config._attn_implementation != "eager"
        # Token 1 is hidden from all later ones: the result is that of a text without it.
        seen = torch.ones(4, 4, dtype=torch.bool).tril()
        seen[2:, 1] = False
        kept = model(
            input_ids=tokens,
            attention_mask=seen[None, None],
            position_ids=torch.tensor([[0, 1, 1, 2]]),
            logits_to_keep=torch.tensor([3]),
        ).logits[0]
        without = model(input_ids=tokens[:, [0, 2, 3]]).logits[0, -1]
        assert len(kept) == 1
        torch.testing.assert_close(kept[0], without, atol=1e-4, rtol=1e-4)


def test_faiss_scan_of_codes_in_place() -> None:
    import faiss

    library: Any = faiss
    rows = np.array([[1, 0], [0, 1], [2, 0]], dtype=np.float16)
    query, numbers = np.array([1, 0.5], dtype=np.float32), np.arange(3, dtype=np.int64)
    allowed = np.packbits(np.array([True, True, False]), bitorder="little")
    scores, ids = np.full(2, -np.inf, dtype=np.float32), np.full(2, -1, dtype=np.int64)
    with interface(
        "faiss-cpu",
        "`swig_ptr`, `IDSelectorBitmap.bitmap`, `select_InvertedListScanner` or `scan_codes`",
        "search/faiss/scan.py",
    ):
        pointer = library.swig_ptr
        selector = library.IDSelectorBitmap(np.full(1, 255, dtype=np.uint8))
        selector.bitmap = pointer(allowed)
        quantizer = library.ScalarQuantizer(2, library.ScalarQuantizer.QT_fp16)
        scanner = quantizer.select_InvertedListScanner(
            library.METRIC_INNER_PRODUCT, None, True, selector, False
        )
        scanner.set_query(pointer(query))
        scanner.set_list(0, 0.0)
        codes = pointer(rows.view(np.uint8))
        scanner.scan_codes(3, codes, pointer(numbers), pointer(scores), pointer(ids), 2)
        assert dict(zip(ids.tolist(), scores.tolist(), strict=True)) == {0: 1.0, 1: 0.5}


def test_faiss_inverted_lists_that_can_be_refilled() -> None:
    import faiss

    library: Any = faiss
    vectors = np.eye(4, dtype=np.float32)
    with interface(
        "faiss-cpu",
        "`contrib.inspect_tools.get_invlist`, `downcast_InvertedLists`, `resize`, `add_entries` or `cp`",
        "search/faiss/lists.py",
    ):
        from faiss.contrib.inspect_tools import get_invlist

        index = library.index_factory(4, "IVF1,SQ8", library.METRIC_INNER_PRODUCT)
        index.cp.min_points_per_centroid = 1
        index.train(vectors)
        index.add(vectors)
        lists = library.downcast_InvertedLists(index.invlists)
        assert isinstance(lists, library.ArrayInvertedLists)
        ids, codes = (array.copy() for array in get_invlist(lists, 0))
        lists.resize(0, 0)
        pointer = library.swig_ptr
        lists.add_entries(0, 2, pointer(ids[2:].copy()), pointer(codes[2:].copy()))
        index.ntotal = 2
        assert get_invlist(lists, 0)[0].tolist() == [2, 3]


def test_faiss_mapped_reading_under_a_limit(tmp_path: Path) -> None:
    import faiss

    library: Any = faiss
    with interface(
        "faiss-cpu",
        "`set_deserialization_vector_byte_limit`, `IO_FLAG_MMAP_IFC` or subclasses from `read_index`",
        "search/faiss/index.py",
    ):
        index = library.index_factory(4, "HNSW4,SQ8", library.METRIC_INNER_PRODUCT)
        index.train(np.eye(4, dtype=np.float32))
        index.add(np.eye(4, dtype=np.float32))
        (tmp_path / "index").write_bytes(library.serialize_index(index))
        library.set_deserialization_vector_byte_limit((1 << 31) + 10_000)
        flags = library.IO_FLAG_MMAP_IFC | library.IO_FLAG_READ_ONLY
        read = library.read_index(str(tmp_path / "index"), flags)
        assert isinstance(read, library.IndexHNSW)
        assert (read.ntotal, read.d, read.metric_type) == (4, 4, library.METRIC_INNER_PRODUCT)


def test_sentence_transformers_modules_of_an_embedder(tmp_path: Path) -> None:
    import torch
    from sentence_transformers import SentenceTransformer

    model: Any = SentenceTransformer(str(save_embedder(tmp_path, {"query": "a "})), device="cpu")
    with (
        torch.inference_mode(),
        interface(
            "sentence-transformers",
            "`preprocess(texts, prompt=, task=)`, a first module that returns a dictionary of tensors, "
            "`sentence_embedding`, `prompts`, `default_prompt_name`, `truncate_dim` or `get_config_dict`",
            "models/embedder.py",
        ),
    ):
        seen: list[str] = []
        model[0].register_forward_hook(lambda _module, _inputs, features: seen.extend(features))
        plain = model.preprocess(["cat sat"], prompt=None, task="query")
        prompted = model.preprocess(["cat sat"], prompt="a ", task="query")
        assert plain["attention_mask"].shape == (1, 4)  # [CLS] cat sat [SEP]
        assert prompted["attention_mask"].shape == (1, 5)
        vectors = model(plain, task="query")["sentence_embedding"]
        assert "token_embeddings" in seen
        expected = model.encode(["cat sat"], prompt="", convert_to_tensor=True)
        torch.testing.assert_close(vectors, expected, atol=1e-5, rtol=1e-5)
        assert (model.prompts["query"], model.default_prompt_name, model.truncate_dim) == ("a ", None, None)
        assert model.get_embedding_dimension() == 32
        assert model.max_seq_length == WINDOW_TOKENS
        assert all(isinstance(module.get_config_dict(), dict) for module in model)
        assert model.tokenizer.num_special_tokens_to_add() == 2


def test_sentence_transformers_cross_encoder(tmp_path: Path) -> None:
    import torch
    from sentence_transformers import CrossEncoder

    model: Any = CrossEncoder(str(save_cross_encoder(tmp_path / "reranker")), device="cpu")
    with interface(
        "sentence-transformers",
        "`CrossEncoder.prompts`, `default_prompt_name`, `num_labels`, `max_seq_length` or `activation_fn`",
        "models/reranker.py",
    ):
        assert (model.num_labels, model.default_prompt_name) == (1, None)
        assert model.max_seq_length == WINDOW_TOKENS
        assert isinstance(model.prompts, dict)
        pairs = [("cat", "mat"), ("bank", "rates")]
        logits = model.predict(pairs, activation_fn=torch.nn.Identity(), show_progress_bar=False)
        scores = model.predict(pairs, activation_fn=torch.nn.Sigmoid(), show_progress_bar=False)
        np.testing.assert_allclose(scores, 1 / (1 + np.exp(-logits)), atol=1e-5)


def test_diskcache_calls_its_disk(tmp_path: Path) -> None:
    import diskcache
    from diskcache.core import MODE_BINARY, MODE_RAW

    from contextsvc.adapters.storage.disk_cache import BytesDisk

    calls: list[str] = []

    class Noted(BytesDisk):
        def put(self, key: bytes) -> tuple[memoryview, bool]:
            calls.append("put")
            return super().put(key)

        def store(self, *arguments: Any, **named: Any) -> tuple[int, int, str | None, memoryview | None]:
            row = super().store(*arguments, **named)
            calls.append(f"store in mode {row[1]}")
            return row

        def fetch(self, mode: object, *arguments: Any, **named: Any) -> bytes:
            calls.append(f"fetch in mode {mode}")
            return super().fetch(mode, *arguments, **named)

        def remove(self, file_path: object) -> None:
            calls.append("remove")
            super().remove(file_path)

    with interface(
        "diskcache",
        "`Disk.put`, `store`, `fetch`, `remove`, `filename` or `_directory` as the only ways to a value",
        "storage/disk_cache.py",
    ):
        cache = diskcache.Cache(str(tmp_path), disk=Noted, statistics=0, tag_index=0)
        for value, mode in ((b"short", MODE_RAW), (b"x" * 40_000, MODE_BINARY)):
            cache.set(b"key", value)
            assert cache.get(b"key") == value
            assert {f"store in mode {mode}", f"fetch in mode {mode}", "put"} <= set(calls)
        assert len(list(tmp_path.glob("??/??/*.val"))) == 1
        cache.delete(b"key")
        assert "remove" in calls
        assert not list(tmp_path.glob("??/??/*.val"))
        cache.close()


def test_nltk_reads_punkt_through_join(tmp_path: Path) -> None:
    from nltk.tokenize.punkt import PunktSentenceTokenizer, load_punkt_params

    from contextsvc.adapters.text.punkt import _Language

    names = ("collocations.tab", "sent_starters.txt", "abbrev_types.txt", "ortho_context.tab")
    for name in names:
        (tmp_path / name).write_text("dr\n" if name == "abbrev_types.txt" else "")
    with interface("nltk", "`load_punkt_params` of an object with `join`", "text/punkt.py"):
        tokenizer = PunktSentenceTokenizer(load_punkt_params(_Language(tmp_path)))
        spans = list(tokenizer.span_tokenize("Ask Dr. Who. He knows."))
        assert spans == [(0, 12), (13, 22)]


def test_tiktoken_reads_its_cache_folder_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from contextsvc.adapters.text.tiktoken_counter import ENCODINGS, _cache_folder

    address = "no-such-place/ranks.tiktoken"
    (tmp_path / hashlib.sha1(address.encode()).hexdigest()).write_bytes(b"ranks")
    with interface(
        "tiktoken",
        "`tiktoken_ext.openai_public.ENCODING_CONSTRUCTORS`, or files in TIKTOKEN_CACHE_DIR named by SHA-1",
        "text/tiktoken_counter.py",
    ):
        from tiktoken import load
        from tiktoken_ext.openai_public import ENCODING_CONSTRUCTORS

        assert set(ENCODINGS) <= set(ENCODING_CONSTRUCTORS)
        with _cache_folder(tmp_path):
            assert load.read_file_cached(address) == b"ranks"
        # The files of the encodings have the names that are pinned.
        asked: list[str] = []

        def noted(place: str, **_: object) -> dict[bytes, int]:
            asked.append(place)
            return {}

        monkeypatch.setattr("tiktoken_ext.openai_public.load_tiktoken_bpe", noted)
        for name in ENCODINGS:
            ENCODING_CONSTRUCTORS[name]()
        assert [hashlib.sha1(place.encode()).hexdigest() for place in asked] == list(ENCODINGS.values())


def test_matplotlib_puts_its_style_sheet_first() -> None:
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    figure, out = Figure(), io.StringIO()
    figure.text(0.5, 0.5, "a word")
    with interface(
        "matplotlib",
        "an SVG whose first element is <defs> with nothing but the style sheet",
        "report/charts.py",
    ):
        FigureCanvasSVG(figure).print_svg(out, metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")))
        first = ElementTree.fromstring(out.getvalue())[0]
        names = [element.tag.rpartition("}")[2] for element in first.iter()]
        assert names == ["defs", "style"]
