"""The simulator's memory across restarts: JSON documents in one SQLite file, media beside it."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any


class Shelf:
    """Documents by kind and key; without a folder, only as long as the process lives."""

    def __init__(self, folder: Path | None) -> None:
        self._lock = threading.Lock()
        self._files: dict[str, bytes] = {}
        self._folder = folder
        if folder is not None:
            (folder / "media").mkdir(parents=True, exist_ok=True)
        place = ":memory:" if folder is None else str(folder / "simulator.sqlite")
        self._database = sqlite3.connect(place, check_same_thread=False, isolation_level=None)
        self._database.execute("PRAGMA journal_mode=WAL")
        # The writes survive a killed process; only a power failure could lose the last ones.
        self._database.execute("PRAGMA synchronous=OFF")
        self._database.execute(
            "CREATE TABLE IF NOT EXISTS document"
            " (kind TEXT, key TEXT, body TEXT, PRIMARY KEY (kind, key)) WITHOUT ROWID"
        )

    def put(self, kind: str, key: str, body: object) -> None:
        """Keep a JSON document, in place of the former one."""
        text = json.dumps(body, ensure_ascii=False)
        with self._lock:
            self._database.execute(
                "INSERT OR REPLACE INTO document VALUES (?, ?, ?)", (kind, key, text)
            )

    def drop(self, kind: str, key: str) -> None:
        """Forget a document."""
        with self._lock:
            self._database.execute("DELETE FROM document WHERE kind=? AND key=?", (kind, key))

    def all(self, kind: str) -> Iterator[tuple[str, Any]]:
        """Every document of a kind, by key."""
        with self._lock:
            rows = self._database.execute(
                "SELECT key, body FROM document WHERE kind=? ORDER BY key", (kind,)
            ).fetchall()
        for key, body in rows:
            yield key, json.loads(body)

    def get(self, kind: str, key: str) -> Any:
        """One document, or None."""
        with self._lock:
            row = self._database.execute(
                "SELECT body FROM document WHERE kind=? AND key=?", (kind, key)
            ).fetchone()
        return json.loads(row[0]) if row else None

    def put_file(self, name: str, data: bytes) -> None:
        """Keep the bytes of a media file; `name` is one that the platform made."""
        if self._folder is None:
            self._files[name] = data
        else:
            (self._folder / "media" / name).write_bytes(data)

    def file(self, name: str) -> bytes:
        """The bytes of a media file."""
        if self._folder is None:
            return self._files[name]
        return (self._folder / "media" / name).read_bytes()

    def close(self) -> None:
        """End the use of the file."""
        with self._lock:
            self._database.close()
