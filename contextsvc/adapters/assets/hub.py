"""huggingface_hub as a source of assets."""

import threading
from pathlib import Path

from huggingface_hub import get_hf_file_metadata, hf_hub_download, hf_hub_url

from contextsvc.assets import Asset, Repository
from contextsvc.errors import MissingAsset

_PATIENCE_SECONDS = 4.0


class HubSource:
    """An `assets.AssetSource` for assets that a model hub holds at a pinned revision.

    `HF_HUB_OFFLINE`, `HF_ENDPOINT`, tokens and proxies are the library's business.
    """

    def __init__(self, endpoint: str | None = None) -> None:
        """`endpoint` is the hub's address; None: the library's own choice."""
        self._endpoint = endpoint

    @property
    def name(self) -> str:
        """For people."""
        return "hub"

    def fetch(self, asset: Asset, into: Path) -> None:
        """Ask once whether the hub answers, then download file by file.

        On a closed network this gives up within four seconds.

        Raises:
            MissingAsset: no repository is named, or the hub does not answer or lacks a file.
        """
        repository = asset.repository
        if repository is None:
            raise MissingAsset("no repository is known to hold exactly these files")
        try:
            self._ask(repository, next(iter(asset.files)))
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
        except Exception as error:  # which HTTP client raises is the library's secret, and it has changed
            lines = str(error).strip().splitlines() or [type(error).__name__]
            raise MissingAsset(f"{repository.name} is not to be had: {lines[0]}") from error

    def _ask(self, repository: Repository, member: str) -> None:
        """One HEAD request under a deadline.

        A download by itself tries six times and takes 23 s to find a network closed. A thread, because
        no HTTP timeout covers a name server that does not answer.
        """
        url = hf_hub_url(repository.name, member, revision=repository.revision, endpoint=self._endpoint)
        failures: list[Exception] = []

        def head() -> None:
            try:
                get_hf_file_metadata(url, timeout=_PATIENCE_SECONDS / 2, endpoint=self._endpoint)
            except Exception as error:  # noqa: BLE001  raised again in the caller's thread
                failures.append(error)

        thread = threading.Thread(target=head, daemon=True)
        thread.start()
        thread.join(_PATIENCE_SECONDS)
        if thread.is_alive():
            raise MissingAsset(f"no answer within {_PATIENCE_SECONDS:.0f} s")
        if failures:
            raise failures[0]
