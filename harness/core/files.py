"""Files: safe names, atomic writing, locks, and finding the videos of a folder."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from .errors import UsageError

__all__ = [
    "HEAD",
    "NO_TEXT",
    "STILL",
    "VIDEO_SUFFIXES",
    "Survey",
    "check_output",
    "check_outputs",
    "is_animated_webp",
    "is_still",
    "is_unicode",
    "is_webp",
    "kind_of_file",
    "list_videos",
    "only_one",
    "safe_name",
    "survey_videos",
    "user_cache",
    "why_left_out",
    "write_atomic",
]


_NO_LOCKS = frozenset({errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP})


def write_atomic(path: Path, text: str, *, durable: bool = True) -> None:
    """Write a file atomically: a reader sees the old file or the new one, never a part.

    If not ``durable``, a loss of power (a killed process is none) can leave an empty or torn file.

    Raises:
        OSError: it cannot be written; the error names ``path``, and nothing is left beside it.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with beside.open("w", encoding="utf-8", errors="surrogatepass") as file:
            file.write(text)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        beside.replace(path)
    except OSError as error:
        with suppress(OSError):
            beside.unlink(missing_ok=True)
        error.filename, error.filename2 = str(path), None  # the one that the user knows
        raise


def user_cache() -> Path:
    """Give this program's folder in the user's cache; it may not be there yet."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "screentest"


@contextmanager
def only_one(path: Path, wait_s: float = 0) -> Generator[None]:
    """Hold a lock that one process can hold at a time; the system lets go of it when its process ends.

    Args:
        path: the lock's file.
        wait_s: how long to wait for another process that holds it.

    The file stays. There is no lock by the mere presence of a file in its stead: one that a killed process
    leaves behind would keep a run from being taken up again.

    Raises:
        filelock.Timeout: another process holds it.
        OSError: the file cannot be written, or its file system has no locks.
    """
    from filelock import FileLock  # here, so that commands that lock nothing start fast

    lock = FileLock(path, timeout=wait_s, fallback_to_soft=False)
    try:
        lock.acquire()
    except OSError as error:
        if error.errno in _NO_LOCKS:
            why = "its file system has no file locks (flock), by which one writer is kept from another"
            raise OSError(error.errno, f"{why}; use a folder on another one", str(path)) from None
        raise
    try:
        yield
    finally:
        lock.release()


_RUN_RECORDS = frozenset(
    (
        *("budget.json", "digests.json", "finished.json", "jobs.jsonl", "mlflow.lock", "record.json"),
        *("run.json", "run.lock", "run.log", "run.sqlite", "run.sqlite-journal", "run.sqlite-shm"),
        *("run.sqlite-wal", "summary.json", "verdict.json", "votes.jsonl", "votes.lock"),
    )
)
"""The files of a run folder that commands read back."""
_RUN_FOLDERS = frozenset(("clips", "verdicts"))


def check_output(option: str, out: Path | None, inputs: Iterable[str | Path | None] = ()) -> None:
    """Refuse to write over what a command reads, or over a file of a run's own record.

    A run folder is one that holds ``run.json``. Pages and tables may be written into it, and again; its
    record is the files that commands read back, and all that lies in ``clips`` and ``verdicts``.

    Args:
        option: that names the file, such as ``--out``.
        out: the file to write; None is none.
        inputs: files that the command reads; a name that is no file, such as a packaged suite's, is none.

    Raises:
        UsageError: the file is one of the inputs or a file of a run's record.
    """
    if out is None:
        return
    for one in inputs:
        if one is not None and _is_same_file(out, Path(one)):
            raise UsageError(f"{option} {out} is a file that this command reads; name another file")
    for path in (out.parent.resolve() / out.name, out.resolve()):  # where the link lies, and where it leads
        for folder in path.parents:
            if not (folder / "run.json").is_file():
                continue
            first = path.relative_to(folder).parts[0].lower()
            at_top = path.parent == folder
            if (at_top and first in _RUN_RECORDS) or (not at_top and first in _RUN_FOLDERS):
                raise UsageError(
                    f"{option} {out} belongs to the record of the run {folder}; name another file"
                )


def check_outputs(outputs: Mapping[str, Path | None], inputs: Sequence[str | Path | None] = ()) -> None:
    """Refuse files to write as `check_output` does, and two options that name one file.

    Args:
        outputs: option -> the file that it names; None is none.
        inputs: files that the command reads.

    Raises:
        UsageError: a file is one of the inputs, a file of a run's record, or is named twice.
    """
    seen: dict[Path, str] = {}
    for option, path in outputs.items():
        check_output(option, path, inputs)
        if path is None:
            continue
        other = seen.setdefault(path.resolve(), option)
        if other != option:
            raise UsageError(f"{other} and {option} name the same file, {path}; name two files")


def _is_same_file(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except (OSError, ValueError):
        return False


def safe_name(folder: Path | str, name: str, *, links: bool = True) -> str:
    """Return the normalized name of a file inside ``folder``.

    Args:
        folder: the folder that should hold the file; without ``links``, it is only named in messages.
        name: the name as given.
        links: whether to resolve links, and refuse one that leads out of the folder.

    Raises:
        UsageError: the name leads out of the folder (absolute, ``..``, a link) or is not text.
    """
    plain = PurePosixPath(name)
    if "\0" in name or not is_unicode(name):
        raise UsageError(f"the file name {name!r} in {folder} has characters that are not text; rename it")
    if not plain.parts:
        raise UsageError(f"{name!r} is not the name of a file in {folder}")
    try:
        inside = not links or (Path(folder) / plain).resolve().is_relative_to(Path(folder).resolve())
    except (OSError, RuntimeError) as error:  # too long, or links that go in a circle
        raise UsageError(f"{name!r} cannot be a file of {folder}: {error}") from None
    if plain.is_absolute() or ".." in plain.parts or not inside:
        raise UsageError(f"{name!r} leads out of {folder}; a folder's clips lie inside it")
    return plain.as_posix()


def is_unicode(text: str) -> bool:
    """Check that a text has no lone surrogates, so that it can be written as UTF-8."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


HEAD = 32
"""Bytes of the beginning of a file that tell a still image from a video."""
STILL = "a still image"
NO_TEXT = "named in characters that are not text; rename it"
"""Reasons to leave a file out, to follow "it is ..."."""

VIDEO_SUFFIXES = frozenset(
    f".{name}"
    for name in (
        *("264", "265", "3g2", "3gp", "apng", "asf", "avi", "avif", "flv", "gif", "h264", "h265", "hevc"),
        *("ivf", "m2ts", "m2v", "m4v", "mjpeg", "mjpg", "mkv", "mov", "mp4", "mpeg", "mpg", "mts", "mxf"),
        *("obu", "ogg", "ogv", "ts", "vob", "webm", "webp", "wmv", "y4m"),
    )
)


def kind_of_file(path: Path) -> str | None:
    """Describe a ``path`` that is not a file, to follow "it is ..."; None if it is a file."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return "a link to a file that is not there" if path.is_symlink() else "missing"
    except (OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno == errno.ELOOP:
            return "a link that leads back to itself"
        return f"a name that cannot be read ({_reason(error)})"
    if stat.S_ISREG(mode):
        return None
    kinds = {
        stat.S_IFDIR: "a folder",
        stat.S_IFIFO: "a named pipe (fifo)",
        stat.S_IFSOCK: "a socket",
        stat.S_IFCHR: "a device",
        stat.S_IFBLK: "a device",
    }
    return kinds.get(stat.S_IFMT(mode), "not a file")


def _reason(error: OSError | ValueError) -> str:
    return getattr(error, "strerror", None) or str(error)


@dataclass(frozen=True)
class Survey:
    """The videos of a folder, as relative names, and the files left out: name -> reason."""

    videos: tuple[str, ...] = ()
    left_out: Mapping[str, str] = field(default_factory=dict[str, str])


def survey_videos(folder: Path, *, outside: bool = False) -> Survey:
    """Find the videos of a folder and its subfolders by file name, without hidden files.

    A name of a video that is a folder, a pipe, a broken link or a still image is left out with the reason.
    So is a link that leads out of the folder, unless ``outside`` allows it.
    """
    videos: list[str] = []
    left_out: dict[str, str] = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if any(part.startswith(".") for part in name.split("/")):
            continue
        kind = kind_of_file(path)
        if kind == "a folder" and path.is_symlink():
            left_out[name] = "a link to a folder, which is not followed"
        elif path.suffix.lower() in VIDEO_SUFFIXES:
            reason = why_left_out(folder, name, outside=outside)
            if reason is None:
                videos.append(name)
            else:
                left_out[name] = reason
    return Survey(tuple(videos), left_out)


def list_videos(paths: Sequence[Path]) -> dict[Path, str | None]:
    """List the videos that paths name, each once: files as they are, and those of folders.

    Returns:
        Path -> why it cannot be read as a video, which is known only of files of folders (see
        `survey_videos`); None if it is to be read.

    Raises:
        UsageError: there is no video in a folder.
    """
    found: dict[Path, str | None] = {}
    for path in paths:
        if not path.is_dir():
            found[path] = None
            continue
        seen = survey_videos(path)
        if not seen.videos and not seen.left_out:
            raise UsageError(f"there is no video in the folder {path}")
        found |= {path / name: None for name in seen.videos}
        found |= {path / name: f"{path / name} is {why}" for name, why in seen.left_out.items()}
    return found


def why_left_out(folder: Path, name: str, *, outside: bool = False) -> str | None:
    """Say why a file is not read as a video, to follow "it is ..."; None if it is read."""
    path = folder / name
    if not is_unicode(name):
        return NO_TEXT
    kind = kind_of_file(path)
    if kind is not None:
        return kind
    if not outside and not path.resolve().is_relative_to(folder.resolve()):
        return "a link to a file outside of the folder; copy the file into it"
    try:
        with path.open("rb") as file:
            head = file.read(HEAD)
    except OSError as error:
        return f"a file that cannot be read ({_reason(error)})"
    return STILL if is_still(name, head) else None


def is_still(name: str, head: bytes) -> bool:
    """Check whether a file with the name of a video that begins with ``head`` is a still image."""
    suffix = PurePosixPath(name).suffix.lower()
    return (suffix == ".webp" and not is_animated_webp(head)) or (suffix == ".avif" and head[8:12] == b"avif")


def is_webp(head: bytes) -> bool:
    """Check whether a file that begins with these bytes (at least 21) is WebP."""
    return head[:4] == b"RIFF" and head[8:12] == b"WEBP"


def is_animated_webp(head: bytes) -> bool:
    """Check whether a WebP file that begins with these bytes is animated, by its extended header."""
    return is_webp(head) and head[12:16] == b"VP8X" and len(head) > 20 and bool(head[20] & 0x02)
