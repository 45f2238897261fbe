"""Files in and out: bounded reads, and writes that all happen or none does."""

from __future__ import annotations

import os
import signal
import stat
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress

LIMIT = 64_000_000  # bytes; no spec and no generated file comes near
STDIN = "-"


class FileError(OSError):
    """A file that cannot be read or written; `strerror` says why, `filename` which."""

    def __init__(self, path: str, why: str):
        super().__init__(0, why, path)


def reason(error: OSError) -> str:
    """Why a file could not be read or written, as a clause."""
    return (error.strerror or str(error)).lower()


def read(path: str) -> bytes:
    """The bytes of a regular file, or of standard input for `-`. Raises OSError."""
    if path == STDIN:
        return sys.stdin.buffer.read(LIMIT + 1)
    if "\0" in path:
        raise FileError(path, "a path has no null characters")
    # O_NONBLOCK: opening a pipe that nobody writes to must not wait.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    with open(os.open(path, flags), "rb") as file:
        mode = os.fstat(file.fileno()).st_mode
        if stat.S_ISDIR(mode):
            raise FileError(path, "is a directory")
        if not stat.S_ISREG(mode):
            raise FileError(path, "is not a regular file")
        data = file.read(LIMIT + 1)
    if len(data) > LIMIT:
        raise FileError(path, f"is larger than {LIMIT:,} bytes")
    return data


def existing(path: str) -> bytes | None:
    """What a file to be written holds now, None where there is none.

    Raises OSError where something is in the way that must not be replaced.
    """
    if "\0" in path:
        raise FileError(path, "a path has no null characters")
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return None
    if stat.S_ISLNK(mode):
        raise FileError(path, "is a symbolic link")
    return read(path)


def write_all(contents: Mapping[str, bytes]) -> None:
    """Write all files or, where anything fails or interrupts, none.

    A reader sees each file as it was or as it is to be. Raises OSError.
    """
    change = _Change()
    try:
        for path, data in contents.items():
            change.prepare(path, data)
        with _undisturbed():
            change.commit()
    except BaseException:
        with _undisturbed():
            change.undo()
        raise


class _Change:
    """A set of files on its way to disk, with all that it takes to go back."""

    def __init__(self) -> None:
        self.folders: list[str] = []
        self.temporary: dict[str, str] = {}  # target -> new content
        self.backups: dict[str, str | None] = {}  # target -> old content

    def prepare(self, path: str, data: bytes) -> None:
        """Put the new content beside the old. Raises FileError."""
        try:
            self._make_folder(os.path.dirname(path) or ".")
            mode = _mode(path)
            name = self.temporary[path] = _beside(path)
            with open(name, "xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            if mode is not None:
                os.chmod(name, mode)
        except FileError:
            raise
        except OSError as error:
            raise FileError(path, reason(error)) from error

    def _make_folder(self, folder: str) -> None:
        if os.path.isdir(folder):
            return
        if os.path.lexists(folder):
            raise FileError(folder, "is not a folder")
        parent = os.path.dirname(folder)
        if parent:
            self._make_folder(parent)
        self.folders.append(folder)
        os.makedirs(folder, exist_ok=True)  # another build may be making it, too

    def commit(self) -> None:
        for path, name in self.temporary.items():
            self._back_up(path)
            os.replace(name, path)
        for folder in {os.path.dirname(path) or "." for path in self.temporary}:
            _sync(folder)
        backups = list(self.backups.values())
        self.folders, self.temporary, self.backups = [], {}, {}  # no way back from here
        for backup in backups:
            _remove(backup)

    def _back_up(self, path: str) -> None:
        if not os.path.lexists(path):
            self.backups[path] = None
            return
        backup = self.backups[path] = _beside(path)
        try:
            os.link(path, backup)
        except OSError:  # a file system without links
            import shutil

            shutil.copy2(path, backup)

    def undo(self) -> None:
        for name in self.temporary.values():
            _remove(name)
        for path, backup in self.backups.items():
            with suppress(OSError):
                os.unlink(path) if backup is None else os.replace(backup, path)
            _remove(backup)  # renaming a file to a link of itself leaves both
        for folder in reversed(self.folders):
            with suppress(OSError):
                os.rmdir(folder)


def _mode(path: str) -> int | None:
    try:
        mode = stat.S_IMODE(os.stat(path).st_mode)
    except FileNotFoundError:
        return None
    if not mode & 0o222:
        raise FileError(path, "is read-only")
    return mode


def _beside(path: str) -> str:
    folder, name = os.path.split(path)
    return os.path.join(folder, f".{name[:80]}.{os.urandom(4).hex()}.tmp")


def _remove(path: str | None) -> None:
    if path is not None:
        with suppress(OSError):
            os.unlink(path)


def _sync(folder: str) -> None:
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Put off Ctrl-C and a request to end, for the instant that renaming takes."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    held = {signal.SIGINT, signal.SIGTERM}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, held)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
