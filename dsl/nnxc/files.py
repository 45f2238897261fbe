"""Files in and out: bounded reads, and writes that all happen or none does."""

from __future__ import annotations

import os
import signal
import stat
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress

from .fresh import LIMIT

STDIN = "-"
written: list[str] = []  # by this process so far, for who is interrupted
_TEMPORARY, _JOURNAL = ".tmp", ".journal"


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

    A reader sees each file as it was or as it is to be. Where the process is killed while it
    renames, `recover` finishes. Raises OSError.
    """
    change = _Change()
    try:
        for path, data in contents.items():
            change.prepare(path, data)
        with undisturbed():
            change.commit()
    except BaseException:
        with undisturbed():
            change.undo()
        raise


def recover(folder: str) -> None:
    """Finish what writes into a folder were killed at, and remove what others left there."""
    try:
        names = os.listdir(folder or ".")
    except (OSError, ValueError):
        return
    leftover = [n for n in names if n.startswith(".") and _is_left_over(n)]
    for name in leftover:
        if name.endswith(_JOURNAL):
            _finish(os.path.join(folder, name))
    for name in leftover:
        _remove(os.path.join(folder, name))


def _is_left_over(name: str) -> bool:
    """Whether a name is that of a file beside, of a process that is no more."""
    parts = name.rsplit(".", 3)
    if len(parts) < 4 or f".{parts[3]}" not in (_TEMPORARY, _JOURNAL):
        return False
    return parts[1].isdecimal() and not _runs(int(parts[1]))


def _runs(process: int) -> bool:
    if os.name != "posix":
        return True  # asking by a signal would end it there
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        return True
    return True


def _finish(journal: str) -> None:
    """Do the renames that a journal lists and that are not done."""
    folder = os.path.dirname(journal)
    with suppress(OSError, UnicodeDecodeError):
        pairs = read(journal).decode("utf-8", "surrogateescape").split("\0")
        for new, name in zip(pairs[::2], pairs[1::2], strict=False):
            # A journal is trusted no further than names in its own folder.
            if os.path.basename(new) == new and os.path.basename(name) == name:
                with suppress(FileNotFoundError):
                    os.replace(os.path.join(folder, new), os.path.join(folder, name))


class _Change:
    """A set of files on its way to disk, with all that it takes to go back."""

    def __init__(self) -> None:
        self.folders: list[str] = []
        self.temporary: dict[str, str] = {}  # target -> new content
        self.backups: dict[str, str | None] = {}  # target -> old content
        self.journals: list[str] = []  # of the renames in each folder

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

    def _note(self) -> None:
        """Write down which renames are to come, where there are several."""
        by_folder: dict[str, list[str]] = {}
        for path, name in self.temporary.items():
            pair = os.path.basename(name), os.path.basename(path)
            by_folder.setdefault(os.path.dirname(path), []).extend(pair)
        for folder, pairs in by_folder.items():
            if len(self.temporary) > 1:
                journal = _beside(os.path.join(folder, "nnxc"), _JOURNAL)
                unfinished = _beside(journal)
                self.journals += (unfinished, journal)
                with open(unfinished, "xb") as file:
                    file.write("\0".join(pairs).encode("utf-8", "surrogateescape"))
                    file.flush()
                    os.fsync(file.fileno())
                os.replace(unfinished, journal)
                _sync(folder or ".")

    def commit(self) -> None:
        self._note()
        for path, name in self.temporary.items():
            self._back_up(path)
            os.replace(name, path)
        for folder in {os.path.dirname(path) or "." for path in self.temporary}:
            _sync(folder)
        written.extend(self.temporary)
        done: list[str | None] = [*self.journals, *self.backups.values()]
        self.folders, self.temporary, self.backups = [], {}, {}  # no way back from here
        for leftover in done:
            _remove(leftover)

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
        for name in (*self.journals, *self.temporary.values()):
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


def _beside(path: str, ending: str = _TEMPORARY) -> str:
    """A new name in the same folder, which tells the process that it belongs to."""
    folder, name = os.path.split(path)
    made = f".{name[:80]}.{os.getpid()}.{os.urandom(4).hex()}{ending}"
    return os.path.join(folder, made)


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
def undisturbed() -> Iterator[None]:
    """Put off Ctrl-C and a request to end, for an instant: a renaming, the start of processes."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    held = {signal.SIGINT, signal.SIGTERM}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, held)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
