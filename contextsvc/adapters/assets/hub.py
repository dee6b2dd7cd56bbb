"""Implement `assets.AssetSource` with the library huggingface_hub."""

import threading
from pathlib import Path

from huggingface_hub import get_hf_file_metadata, hf_hub_download, hf_hub_url

from contextsvc.assets import Asset, Repository
from contextsvc.errors import MissingAsset

_ANSWER_SECONDS = 4.0


class HubSource:
    """An `assets.AssetSource` that downloads from a model hub at a pinned revision.

    The library reads `HF_HUB_OFFLINE`, `HF_ENDPOINT`, tokens and proxies from the environment.
    """

    def __init__(self, endpoint: str | None = None) -> None:
        """Store the address of the hub.

        Args:
            endpoint: Address of the hub; None means the library's default.
        """
        self._endpoint = endpoint

    @property
    def name(self) -> str:
        """Display name of the source."""
        return "hub"

    def fetch(self, asset: Asset, into: Path) -> None:
        """Check once that the hub answers, then download the asset's files one after another.

        Without network access the method fails within four seconds.

        Args:
            asset: Asset whose files are downloaded.
            into: Folder to write into.

        Raises:
            MissingAsset: the asset has no repository, the hub does not answer, or the repository lacks a
                file.
        """
        repository = asset.repository
        if repository is None:
            raise MissingAsset("the registry names no repository with exactly these files")
        try:
            self._check_answers(repository, next(iter(asset.files)))
            for member in asset.files:
                hf_hub_download(
                    repository.name,
                    member,
                    revision=repository.revision,
                    local_dir=into,
                    endpoint=self._endpoint,
                )
        except MissingAsset:
            raise
        except Exception as error:  # the library's HTTP errors are undocumented and changed between versions
            lines = str(error).strip().splitlines() or [type(error).__name__]
            raise MissingAsset(f"{repository.name} cannot be downloaded: {lines[0]}") from error

    def _check_answers(self, repository: Repository, member: str) -> None:
        """Send one HEAD request to the hub, and wait for the answer until a deadline.

        The library's own download tries six times and takes 23 s to fail without network access. The request
        runs in a thread, because no HTTP timeout covers a name server that does not answer.
        """
        url = hf_hub_url(repository.name, member, revision=repository.revision, endpoint=self._endpoint)
        failures: list[Exception] = []

        def head() -> None:
            try:
                get_hf_file_metadata(url, timeout=_ANSWER_SECONDS / 2, endpoint=self._endpoint)
            except Exception as error:  # noqa: BLE001  raised again in the caller's thread
                failures.append(error)

        thread = threading.Thread(target=head, daemon=True)
        thread.start()
        thread.join(_ANSWER_SECONDS)
        if thread.is_alive():
            raise MissingAsset(f"{repository.name}: the hub did not answer within {_ANSWER_SECONDS:.0f} s")
        if failures:
            raise failures[0]
