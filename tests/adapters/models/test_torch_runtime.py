import hashlib
from pathlib import Path

import pytest

from contextsvc.adapters.models.torch_runtime import model_folder, model_name, resolve_precision, weights_hash
from contextsvc.errors import SettingError


def test_precision_is_one_of_two_and_refused_otherwise() -> None:
    assert resolve_precision("float32") == "float32"
    assert resolve_precision("bfloat16") == "bfloat16"
    assert resolve_precision("auto") in ("float32", "bfloat16")
    with pytest.raises(SettingError, match="expected auto, float32, bfloat16"):
        resolve_precision("float16")


def test_the_hash_of_one_weights_file_is_its_own(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    (tmp_path / "config.json").write_text("{}")
    assert weights_hash(tmp_path) == hashlib.sha256(b"weights").hexdigest()[:12]


def test_the_hash_of_several_files_depends_on_each_and_on_their_names(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.safetensors").write_bytes(name.encode())
    both = weights_hash(tmp_path)
    (tmp_path / "b.safetensors").rename(tmp_path / "c.safetensors")
    assert weights_hash(tmp_path) != both


def test_a_folder_without_weights_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="holds no weights"):
        weights_hash(tmp_path)


def test_a_folder_is_taken_as_it_is(tmp_path: Path) -> None:
    assert model_folder(str(tmp_path)) == tmp_path.resolve()


def test_names_are_short() -> None:
    assert model_name("someone/some-model") == "some-model"
    assert model_name(Path("/models/all-MiniLM-L6-v2")) == "all-MiniLM-L6-v2"


def test_a_name_that_no_hub_can_serve_is_refused() -> None:
    with pytest.raises(SettingError, match="no model 'not a/hub/name'; expected a folder, an asset"):
        model_folder("not a/hub/name")
