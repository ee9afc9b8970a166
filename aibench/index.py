"""What records say, kept ready in a database on this machine's own disk, so that history is fast.

The records are the truth. The index can be deleted at any time, and is made anew where it is of
another version or damaged. It never lies beside the records: they may be on a network filesystem,
where databases lock badly.
"""

import hashlib
import json
import os
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from aibench import caches
from aibench.errors import RecordError

#: One more where the tables change.
_FORMAT = 1
_BUSY_S = 20
_TABLES = (
    "CREATE TABLE IF NOT EXISTS about (version TEXT NOT NULL)",
    (
        "CREATE TABLE IF NOT EXISTS record (name TEXT PRIMARY KEY, size INTEGER NOT NULL, "
        "changed_ns INTEGER NOT NULL, body TEXT, problem TEXT)"
    ),
)

Body = Mapping[str, Any]


def place(directory: str) -> Path:
    """Where the index of the records in ``directory`` lies: in the user's cache directory."""
    name = hashlib.sha256(os.path.realpath(directory).encode()).hexdigest()[:16]
    return caches.directory() / f"index-{name}.sqlite"


def bodies(
    directory: str, suffix: str, version: str, body: Callable[[str], Body]
) -> tuple[dict[str, Body], dict[str, str]]:
    """(name -> what ``body`` says of it, name -> why it can't be read) of all files there.

    A file is read again when its size or time of change is another one, or when ``version`` is; one
    that is gone is forgotten. Where no index can be kept everything is read each time.
    """
    files = _files(directory, suffix)
    for path in (str(place(directory)), ":memory:"):
        try:
            with closing(_opened(path, version)) as database:
                return _refreshed(database, directory, files, body)
        except (sqlite3.Error, OSError):
            if path != ":memory:":
                with suppress(OSError):
                    os.unlink(path)
    raise AssertionError("a database in memory can always be made")


def _files(directory: str, suffix: str) -> dict[str, tuple[int, int]]:
    """Name -> (size, time of change) of each record."""
    if not os.path.isdir(directory):
        return {}
    found = {}
    with os.scandir(directory) as entries:
        for entry in entries:
            if entry.name.endswith(suffix) and entry.is_file():
                status = entry.stat()
                found[entry.name] = (status.st_size, status.st_mtime_ns)
    return found


def _opened(path: str, version: str) -> sqlite3.Connection:
    """The database with tables of this version; what others wrote is dropped."""
    if path != ":memory:":
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    database = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None)
    try:
        database.execute("PRAGMA journal_mode=DELETE")
        database.execute("BEGIN IMMEDIATE")
        for table in _TABLES:
            database.execute(table)
        wanted = f"{_FORMAT} {version}"
        if database.execute("SELECT version FROM about").fetchall() != [(wanted,)]:
            database.execute("DELETE FROM about")
            database.execute("DELETE FROM record")
            database.execute("INSERT INTO about VALUES (?)", (wanted,))
        database.execute("COMMIT")
    except BaseException:
        database.close()
        raise
    return database


def _refreshed(
    database: sqlite3.Connection,
    directory: str,
    files: Mapping[str, tuple[int, int]],
    body: Callable[[str], Body],
) -> tuple[dict[str, Body], dict[str, str]]:
    rows = database.execute("SELECT name, size, changed_ns FROM record").fetchall()
    known = {name: (size, changed) for name, size, changed in rows}
    gone = [(name,) for name in known if files.get(name) != known[name]]
    read = [
        (name, *status, *_read(os.path.join(directory, name), body))
        for name, status in files.items()
        if known.get(name) != status
    ]
    if gone or read:
        database.execute("BEGIN IMMEDIATE")
        database.executemany("DELETE FROM record WHERE name = ?", gone)
        database.executemany("INSERT OR REPLACE INTO record VALUES (?, ?, ?, ?, ?)", read)
        database.execute("COMMIT")
    found: dict[str, Body] = {}
    problems: dict[str, str] = {}
    for name, text, problem in database.execute("SELECT name, body, problem FROM record"):
        if name not in files:
            continue
        if problem is None:
            found[name] = json.loads(text)
        else:
            problems[name] = problem
    return found, problems


def _read(path: str, body: Callable[[str], Body]) -> tuple[str | None, str | None]:
    """(what the record says as JSON, None), or (None, why it can't be read)."""
    try:
        return json.dumps(body(path), separators=(",", ":")), None
    except (RecordError, OSError) as error:
        return None, str(error)
