"""Writing of files that survive a power cut, and the error that says that such a write failed."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


class WriteError(OSError):
    """The operating system refused to write a file of this package, for example because the disk is full.

    `locking.writing` reports this error as "writing index failed". It reports no other OSError in this way,
    so an OSError of an embedder or of a source of documents keeps its own type and message.
    """

    @classmethod
    def of(cls, error: OSError) -> "WriteError":
        """Return a `WriteError` with the error number, message and file names of another OSError."""
        if error.errno is None:
            return cls(*error.args)
        return cls(error.errno, error.strerror, error.filename, None, error.filename2)


@contextmanager
def disk_writes() -> Iterator[None]:
    """Turn an OSError that is raised in the block into a `WriteError`.

    The block should hold only calls that write files of this package. A function can be decorated, too:
    `@disk_writes()`.
    """
    try:
        yield
    except WriteError:
        raise
    except OSError as error:
        raise WriteError.of(error) from error


@disk_writes()
def write_synced(path: Path, data: bytes) -> None:
    """Write a file so that its content survives a power cut.

    The name of a new file survives only if the caller also syncs the folder (`sync_folder`).

    Raises:
        WriteError: the operating system refused to write the file.
    """
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


@disk_writes()
def replace_file(path: Path, data: bytes, sync: bool = True) -> None:
    """Write a file in one step: any process finds the old content or the new content, never a mixture.

    Each call writes to a temporary file with a unique name and renames it. Therefore several threads and
    processes may replace a file at the same time, and the last rename wins. A call that fails leaves no
    temporary file. A process that is killed leaves one hidden file `.NAME.*.tmp`.

    Args:
        path: The file. Its folder must exist.
        data: The new content.
        sync: Whether the content must survive a power cut.

    Raises:
        WriteError: the operating system refused to write. The old file is unchanged.
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
    """Make the names of the files in a folder survive a power cut.

    Raises:
        WriteError: the operating system refused to sync the folder.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
