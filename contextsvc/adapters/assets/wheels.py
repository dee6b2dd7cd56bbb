"""pip as a source of assets: wheels of a package index, taken as data."""

import shutil
import subprocess
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

from contextsvc.assets import Asset
from contextsvc.errors import CorruptAsset, MissingAsset


class WheelSource:
    """An `assets.AssetSource` that downloads an asset's wheel and unpacks the members it needs.

    pip is run as a program, so its configuration (index, mirror, proxy, certificates) holds here too.
    Nothing of the wheel is installed, imported or run; dependencies are not fetched.
    """

    def __init__(self, options: Sequence[str] = ()) -> None:
        """`options` go to `pip download`, such as `--no-index --find-links FOLDER` without a network."""
        self._options = tuple(options)

    @property
    def name(self) -> str:
        """For people."""
        return "wheel"

    def fetch(self, asset: Asset, into: Path) -> None:
        """Download and unpack; a member of another size than the pinned one is not even read.

        Raises:
            MissingAsset: pip failed (its last line is in the message), or the wheel lacks a member.
            CorruptAsset: the wheel cannot be read, or a member has the wrong size.
        """
        with tempfile.TemporaryDirectory(dir=into.parent) as folder:
            wheel = self._download(f"{asset.wheel.name}=={asset.wheel.version}", Path(folder))
            try:
                _unpack(wheel, asset, into)
            except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:
                raise CorruptAsset(f"{wheel.name} cannot be read: {error}") from error

    def _download(self, requirement: str, folder: Path) -> Path:
        command = [
            sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--no-input",
            "--disable-pip-version-check", "--quiet", *self._options, requirement, "-d", str(folder),
        ]  # fmt: skip
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", check=False
        )
        wheels = list(folder.glob("*.whl"))
        if done.returncode or not wheels:
            lines = (done.stderr.strip() or done.stdout.strip()).splitlines()
            said = lines[-1] if lines else f"exit code {done.returncode}"
            raise MissingAsset(f"pip could not download {requirement}: {said}")
        return wheels[0]


def _unpack(wheel: Path, asset: Asset, into: Path) -> None:
    """Members are looked up by their pinned names, so no path of the archive's choosing is written."""
    with zipfile.ZipFile(wheel) as archive:
        for member, pin in asset.files.items():
            try:
                info = archive.getinfo(asset.wheel.prefix + member)
            except KeyError:
                raise MissingAsset(f"{wheel.name} holds no {asset.wheel.prefix}{member}") from None
            if info.file_size != pin.size_bytes:
                raise CorruptAsset(f"{member} has {info.file_size} bytes; expected {pin.size_bytes}")
            target = into / member
            target.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(info) as source, target.open("wb") as file:
                shutil.copyfileobj(source, file)
