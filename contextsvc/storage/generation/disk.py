"""Files that survive a power cut, and errors that say whether our own writing failed."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


class WriteError(OSError):
    """The operating system refused a write of this package: a full disk, a read-only folder.

    The writer's section (`locking.writing`) reports this error, and no other OSError, as "writing index
    failed". An OSError of an embedder or of a source keeps its own type and message.
    """

    @classmethod
    def of(cls, error: OSError) -> "WriteError":
        """The same error number, message and file names."""
        if error.errno is None:
            return cls(*error.args)
        return cls(error.errno, error.strerror, error.filename, None, error.filename2)


@contextmanager
def disk_writes() -> Iterator[None]:
    """Turn an OSError into a `WriteError`. Put only calls inside that write files of this package.

    It works as a decorator, too: `@disk_writes()`.
    """
    try:
        yield
    except WriteError:
        raise
    except OSError as error:
        raise WriteError.of(error) from error


@disk_writes()
def write_synced(path: Path, data: bytes) -> None:
    """Write a file so that its content survives a power cut. Sync the folder, too, to keep its name.

    Raises:
        WriteError: the operating system refused.
    """
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


@disk_writes()
def replace_file(path: Path, data: bytes, sync: bool = True) -> None:
    """Write a file in one step: a reader finds the old content or the new one, never a mixture.

    Each call writes under a temporary name of its own, so threads and processes may replace the same file
    at the same time; the last one wins. A call that fails leaves nothing behind. A process that is killed
    leaves one hidden `.NAME.*.tmp` file.

    Args:
        path: The file; its folder must exist.
        data: The new content.
        sync: Make the content survive a power cut.

    Raises:
        WriteError: the operating system refused; the old file is still there.
    """
    partial = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    try:
        with partial.open("xb") as file:
            file.write(data)
            file.flush()
            if sync:
                os.fsync(file.fileno())
        partial.replace(path)
    except BaseException:
        with suppress(OSError):
            partial.unlink()
        raise


@disk_writes()
def sync_folder(folder: Path) -> None:
    """Make the names in a folder survive a power cut.

    Raises:
        WriteError: the operating system refused.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
