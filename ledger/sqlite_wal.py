"""Copy a write-ahead log back into its SQLite file beside the commits that go on, so that hardly any of them waits for that.

Of itself SQLite copies within the commit that comes to so many pages: some 30 ms of CPU and two syncs, for which everything waits that
comes meanwhile. Here a thread does so, by a connection of its own, and the little that was committed while it did it copies behind the
writing lock, for which commits wait, of whatever process. Then nothing is left, and the log begins anew. Where somebody reads for long, so
that their pages must be left, the log grows, to ``PATIENCE`` times so many pages; from then on commits copy.

Source: the format of the log, https://www.sqlite.org/fileformat2.html#the_write_ahead_log
"""

import os
import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path

import structlog

PATIENCE = 4
PASSES = 3  # of the thread, at most: each copies what was committed during the one before
PART = 8  # that part of the pages is little: for so much commits may wait, and so much comes before what had to be left is tried again
LOCK_TIMEOUT_S, LOCK_RETRY_S = 0.5, 0.001  # how long it tries to get the log for itself, and between two tries
PAGE_BYTES = 4_096
HEADER_BYTES, FRAME_HEADER_BYTES = 32, 24  # of the log, and of each page in it
HEADER_SALT, FRAME_SALT = slice(16, 24), slice(8, 16)  # a page whose salt is not the log's is of a time before that began anew

log = structlog.get_logger()


class Copier:
    """Copies the log of the SQLite file at ``path``, which has pages of 4 KiB, whenever it has come to ``pages``.

    Whoever commits calls ``look`` then, whichever connection it has. Any thread may call anything.
    """

    def __init__(self, path: Path, pages: int) -> None:
        self._path, self._pages, self._due = path, pages, pages
        self._descriptor: int | None = None
        self._thread: threading.Thread | None = None
        self.idle = threading.Lock()  # held while the log is copied; who takes it has the log for itself

    def look(self) -> None:
        """Begin to copy in a thread if it is time; some 3 us where it is not."""
        if self.idle.locked():
            return
        if self._due > self._pages and not self._reaches(self._pages):
            self._due = self._pages  # the log has begun anew
        if self._reaches(self._due):
            self._thread = threading.Thread(target=self._copy, name=f"copies {self._path.name}")
            self._thread.start()

    def close(self) -> None:
        """Wait for the thread. To be called while a connection is open."""
        if self._thread is not None:
            self._thread.join()
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _reaches(self, pages: int) -> bool:
        """Whether the log holds so many pages."""
        if self._descriptor is not None and not os.fstat(self._descriptor).st_nlink:  # of a log that is gone
            os.close(self._descriptor)
            self._descriptor = None
        if self._descriptor is None:
            try:
                self._descriptor = os.open(f"{self._path}-wal", os.O_RDONLY | os.O_CLOEXEC)
            except FileNotFoundError:
                return False
        header = os.pread(self._descriptor, HEADER_BYTES, 0)
        frame = os.pread(self._descriptor, FRAME_HEADER_BYTES, HEADER_BYTES + (pages - 1) * (FRAME_HEADER_BYTES + PAGE_BYTES))
        return len(frame) == FRAME_HEADER_BYTES and header[HEADER_SALT] == frame[FRAME_SALT]

    def _copy(self) -> None:
        """Copy, several times until little is left, and then what is left, unless that is for somebody who reads."""
        left, passes, before, more = self._pages, PASSES, 0, True
        self._due += self._pages // PART
        try:
            with self.idle, closing(sqlite3.connect(self._path, isolation_level=None, timeout=0)) as connection:
                connection.execute("PRAGMA synchronous = FULL")
                connection.execute("PRAGMA fullfsync = ON")
                while passes and more and left > self._pages // PART:
                    busy, length, copied = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
                    if busy:
                        return  # another process is at it
                    left, passes, before, more = length - copied, passes - 1, copied, copied > before
                    self._due = max(self._pages, length) + self._pages // PART
                if more:
                    _begin_anew(connection)
        except sqlite3.Error as error:  # a full disk: commits will say so
            log.debug("log.uncopied", path=str(self._path), error=str(error))


def _begin_anew(connection: sqlite3.Connection) -> None:
    """Copy what is left while nobody commits, and let the next commit begin the log anew; two who never pause give no other occasion."""
    deadline = time.monotonic() + LOCK_TIMEOUT_S
    while connection.execute("PRAGMA wal_checkpoint(RESTART)").fetchone()[0] and time.monotonic() < deadline:
        time.sleep(LOCK_RETRY_S)
