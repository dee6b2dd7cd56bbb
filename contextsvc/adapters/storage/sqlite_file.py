"""SQLite file that threads and processes share. If it is damaged, an empty file replaces it.

The journal is a write-ahead log (WAL) with synchronous=NORMAL. A commit survives the death of the process at
any moment. A power cut may lose the last commits, but never the file. Rejected: a sync to disk after each
commit, because the request that queues a job would then wait for the disk. A WAL works on one machine only.
See decision 0006.
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
"""Longest wait for another process when the file is opened, and the longest wait in each transaction."""

_DAMAGE = (sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_TEMPORARY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL)


class SqliteFile:
    """One connection to an SQLite file, opened on first use. Calls must not overlap.

    A file that is damaged or has another schema is moved to NAME.damaged. An older file of that name is
    replaced.

    Args:
        path: The file; created with its folder if it does not exist, with mode 0600.
        schema: Statements that create the tables, exactly as SQLite stores them. A file with another schema
            counts as foreign, so a later version starts empty instead of migrating the data.
        opened: Called after each opening, while no other process can open the file.
        log: Receives one line of JSON when a file is moved.
    """

    def __init__(
        self, path: Path, schema: Sequence[str], opened: Callable[[], None], log: logging.Logger
    ) -> None:
        self._path, self._schema, self._opened, self._log = path, list(schema), opened, log
        self._connection: sqlite3.Connection | None = None
        self._identity: tuple[int, int] | None = None

    def connection(self) -> sqlite3.Connection:
        """Return the connection in autocommit mode, and open or create the file if necessary.

        Raises:
            sqlite3.Error: the file is locked, or cannot be read or written.
            OSError: the folder cannot be created, or another process held the lock for opening too long.
        """
        # If another process moved or removed the file, writes through the old connection would be lost.
        if self._connection is not None and _identity(self._path) != self._identity:
            self.close()
        if self._connection is None:
            self._open()
        assert self._connection is not None
        return self._connection

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Run a transaction that excludes other writers within the context. An exception rolls it back.

        Raises:
            sqlite3.Error: as in `connection`; nothing was written.
            OSError: as in `connection`.
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
        """Close the connection after an error, so that the next use opens and checks the file again.

        After a temporary error (a lock or a full disk) the connection stays open.
        """
        if _code(error) not in _TEMPORARY:
            self.close()

    def close(self) -> None:
        """Close the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(sqlite3.Error):
                connection.close()

    def _open(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        # Only one process at a time may open the file. Otherwise another process could move the file that
        # this process just created.
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
            if isinstance(error, UnicodeDecodeError):  # an error message of SQLite that quotes damaged bytes
                raise sqlite3.DatabaseError("its schema cannot be read") from error
            raise
        return connection

    def _make(self) -> None:
        # SQLite itself would make the file readable for everyone. The WAL gets the same mode as the file.
        with suppress(FileExistsError):
            os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        if not self._path.is_file():
            raise FileExistsError(f"{self._path} is not a regular file; expected a file or nothing")
        self._path.chmod(0o600)

    def _check(self, connection: sqlite3.Connection) -> None:
        # Wrong bytes are replaced, so that reading a damaged text does not raise.
        connection.text_factory = lambda data: data.decode("utf-8", "replace")
        query = "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY rowid"
        found = [sql for (sql,) in connection.execute(query)]
        # The tables are checked before anything is written, so that a foreign file is moved unchanged.
        if found not in ([], self._schema):
            raise sqlite3.DatabaseError("its tables differ from those of this version")
        ((verdict,),) = connection.execute("PRAGMA integrity_check(1)").fetchall()
        if verdict != "ok":
            raise sqlite3.DatabaseError(str(verdict))
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        if not found:
            connection.executescript(";".join(["BEGIN IMMEDIATE", *self._schema, "COMMIT"]))

    def _move_aside(self, why: sqlite3.Error) -> None:
        aside = f"{self._path}.damaged"
        for ending in ("", "-wal"):  # SQLite would replay the old WAL into the new file and damage it
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
    # Errors of Python itself have no code; SQLITE_ERROR is the most general one.
    code: int = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    return code & 0xFF
