"""An SQLite file that several threads and processes share, and that is begun anew when it is damaged.

The journal is a WAL with synchronous=NORMAL: what was committed survives the death of the process at any
moment. A power cut may lose the last commits, never the file. Syncing each commit was rejected: the
request that queues a job would wait for the disk. A WAL works on one machine only. See decision 0006.
"""

import json
import logging
import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from contextsvc.adapters.storage.owner_locks import locked

TIMEOUT_SECONDS = 0.5
"""Longest wait for another process, once to open the file and once a transaction."""

_DAMAGE = (sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_PASSING = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL)


class SqliteFile:
    """One connection, opened when it is needed; its calls must not overlap.

    A damaged file, or one with other tables, is moved to NAME.damaged, over an older one.

    Args:
        path: Made, with its folder, if it does not exist; for the owner's eyes only (0600).
        schema: The statements that make its tables, exactly as SQLite keeps them: any other schema is
            a foreign file. A later version thus begins anew instead of migrating.
        opened: Called each time the file was opened, while no other process can open it.
        log: Told, as one line of JSON, when a file is moved aside.
    """

    def __init__(
        self, path: Path, schema: Sequence[str], opened: Callable[[], None], log: logging.Logger
    ) -> None:
        self._path, self._schema, self._opened, self._log = path, list(schema), opened, log
        self._connection: sqlite3.Connection | None = None
        self._identity: tuple[int, int] | None = None

    def connection(self) -> sqlite3.Connection:
        """The connection, in autocommit mode; opened, and the file made, where need be.

        Raises:
            sqlite3.Error: the file is locked, or cannot be read or written.
            OSError: its folder cannot be made, or another process is opening it for too long.
        """
        # Moved aside by another process, or removed with its folder: what is put there would be lost.
        if self._connection is not None and _identity(self._path) != self._identity:
            self.close()
        if self._connection is None:
            self._open()
        assert self._connection is not None
        return self._connection

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """The connection in a transaction that no other writer overlaps; an exception rolls it back.

        Raises:
            sqlite3.Error: as `connection`; nothing was written then.
            OSError: as `connection`.
        """
        connection = self.connection()
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield connection
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise

    def recover(self, error: Exception) -> None:
        """After an error: open the file anew, and check it, unless the error passes (a lock, a full disk)."""
        if _code(error) not in _PASSING:
            self.close()

    def close(self) -> None:
        """Close the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(sqlite3.Error):
                connection.close()

    def _open(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        # One process at a time: the next must not move aside what this one has just begun.
        with locked(Path(f"{self._path}.lock"), TIMEOUT_SECONDS):
            try:
                connection = self._checked_connection()
            except sqlite3.Error as error:
                if _code(error) not in _DAMAGE:
                    raise
                self._move_aside(error)
                connection = self._checked_connection()
            self._connection, self._identity = connection, _identity(self._path)
            self._opened()

    def _checked_connection(self) -> sqlite3.Connection:
        self._make()
        connection = sqlite3.connect(
            self._path, timeout=TIMEOUT_SECONDS, isolation_level=None, check_same_thread=False
        )
        try:
            self._check(connection)
        except BaseException as error:
            connection.close()
            if isinstance(error, UnicodeDecodeError):  # a message of SQLite that quotes the damage
                raise sqlite3.DatabaseError("its schema cannot be read") from error
            raise
        return connection

    def _make(self) -> None:
        # SQLite would make it readable to all; its log gets the mode of the file.
        with suppress(FileExistsError):
            os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        if not self._path.is_file():
            raise FileExistsError(f"{self._path} is not a file")
        self._path.chmod(0o600)

    def _check(self, connection: sqlite3.Connection) -> None:
        # Whatever a damaged file holds for a text, reading it must not raise.
        connection.text_factory = lambda data: data.decode("utf-8", "replace")
        query = "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY rowid"
        found = [sql for (sql,) in connection.execute(query)]
        # Checked before anything is written: a foreign file is moved aside as it is.
        if found not in ([], self._schema):
            raise sqlite3.DatabaseError("it holds other tables than this version's")
        ((verdict,),) = connection.execute("PRAGMA integrity_check(1)").fetchall()
        if verdict != "ok":
            raise sqlite3.DatabaseError(str(verdict))
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        if not found:
            connection.executescript(";".join(["BEGIN IMMEDIATE", *self._schema, "COMMIT"]))

    def _move_aside(self, why: sqlite3.Error) -> None:
        aside = f"{self._path}.damaged"
        for ending in ("", "-wal"):  # the log too: replayed into the new file, it would damage that
            Path(aside + ending).unlink(missing_ok=True)
            with suppress(FileNotFoundError):
                Path(f"{self._path}{ending}").replace(aside + ending)
        Path(f"{self._path}-shm").unlink(missing_ok=True)
        event = {"event": "file_damaged", "path": str(self._path), "error": str(why), "moved_to": aside}
        self._log.warning(json.dumps(event, sort_keys=True))


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _code(error: Exception) -> int:
    # Python's own errors have none; SQLITE_ERROR is the least specific.
    code: int = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    return code & 0xFF
