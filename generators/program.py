"""Run a program of the user: in a process group of its own, with a time limit, and stopped as a whole."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import tempfile
import time
import weakref
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, Final

__all__ = ["Ended", "Program"]

_GRACE_S: Final = 3.0
"""Seconds between asking a process group to end and ending it."""
_TAIL: Final = 400
"""Characters of stderr that are told."""
_LONGEST_LINE: Final = 1 << 20


@dataclass(frozen=True)
class Ended:
    """What came of one line that a program was given.

    Attributes:
        answer: its last line of output.
        code: its exit code, negative for a signal; 0 for a program that stays.
        errors: the end of its stderr.
        problem: why there is no answer; ``time`` if it did not come in time.
    """

    answer: str = ""
    code: int = 0
    errors: str = ""
    problem: str = ""


class Program:
    """A program that is given a line of text at a time, as UTF-8.

    It inherits the environment and the working folder. Whatever it started is ended with it, at the time
    limit, when an exception or Ctrl-C comes, and when this object goes.

    Args:
        words: the program and its arguments; there is no shell.
        stay: whether it stays for the next line; else it is started for each line, which is all its input.
    """

    def __init__(self, words: Sequence[str], *, stay: bool) -> None:
        self._words = list(words)
        self._stay = stay
        self._process: subprocess.Popen[bytes] | None = None
        self._errors: IO[bytes] | None = None
        self._rest = b""

    def ask(self, line: str, timeout: float) -> Ended:
        """Give it a line, and wait for its end, or for its answer if it stays."""
        text = line.encode("utf-8", "backslashreplace") + b"\n"
        try:
            return self._exchange(text, timeout) if self._stay else self._once(text, timeout)
        except OSError as error:
            self._stop()
            return Ended(problem=f"the program could not be run: {error.strerror or error}")
        except BaseException:
            self._stop()
            raise

    def _once(self, text: bytes, timeout: float) -> Ended:
        with (
            tempfile.TemporaryFile() as given,
            tempfile.TemporaryFile() as out,
            tempfile.TemporaryFile() as err,
        ):
            given.write(text)
            given.seek(0)
            process = self._start(given, out, err)
            try:
                code = process.wait(timeout)
                return Ended(_last_line(out), code, _tail(err))
            except subprocess.TimeoutExpired:
                return Ended(errors=_tail(err), problem="time")
            finally:
                self._stop()

    def _exchange(self, text: bytes, timeout: float) -> Ended:
        process = self._process
        if process is None:
            self._errors, self._rest = tempfile.TemporaryFile(), b""  # noqa: SIM115 (closed with the process)
            process = self._start(subprocess.PIPE, subprocess.PIPE, self._errors)
        err = self._errors
        assert process.stdin is not None
        assert err is not None
        began = err.seek(0, os.SEEK_END)
        with suppress(BrokenPipeError):  # it has ended, which the end of its output tells
            process.stdin.write(text)
            process.stdin.flush()
        answer = self._read_line(process, time.monotonic() + timeout)
        errors = _tail(err, began)
        if answer is None:
            self._stop()
            return Ended(errors=errors, problem="time")
        if answer:
            return Ended(answer, 0, errors)
        with suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE_S)
        code, errors = process.poll(), _tail(err, began)
        self._stop()
        if code:
            return Ended(code=code, errors=errors)
        return Ended(
            errors=errors,
            problem="the program that should stay ended, or closed its output, without an answer",
        )

    def _read_line(self, process: subprocess.Popen[bytes], deadline: float) -> str | None:
        """Read the next line that begins with a brace: None at the deadline, empty at the output's end."""
        assert process.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            while True:
                line, ended, rest = self._rest.partition(b"\n")
                if ended:
                    self._rest = rest
                    if line.lstrip().startswith(b"{"):
                        return line.decode("utf-8", "replace").strip()
                    continue
                left = deadline - time.monotonic()
                if left <= 0 or not selector.select(left):
                    return None
                part = os.read(process.stdout.fileno(), 1 << 16)
                if not part:
                    return ""
                self._rest = (self._rest + part)[-_LONGEST_LINE:]

    def _start(self, given: IO[bytes] | int, out: IO[bytes] | int, err: IO[bytes]) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(self._words, stdin=given, stdout=out, stderr=err, start_new_session=True)
        self._process = process
        self._finalizer = weakref.finalize(self, _end_group, process, err)
        return process

    def _stop(self) -> None:
        """End the process and all that it started."""
        if self._process is not None:
            self._finalizer()
        self._process = None
        self._rest = b""


def _end_group(process: subprocess.Popen[bytes], err: IO[bytes]) -> None:
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with suppress(OSError):
                pipe.close()
    running = process.poll() is None
    if running:
        _signal(process, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE_S)
    _signal(process, signal.SIGKILL)  # also what it left running in its group
    process.wait()
    err.close()


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


def _last_line(out: IO[bytes]) -> str:
    size = out.seek(0, os.SEEK_END)
    out.seek(max(0, size - _LONGEST_LINE))
    lines = out.read().decode("utf-8", "replace").strip().splitlines()
    return lines[-1].strip() if lines else ""


def _tail(err: IO[bytes], began: int = 0) -> str:
    """Give the end of what a program wrote to stderr, on one line."""
    size = err.seek(0, os.SEEK_END)
    err.seek(max(began, size - 8 * _TAIL))
    text = " ".join(err.read().decode("utf-8", "replace").split())
    return text if len(text) <= _TAIL else f"...{text[-_TAIL:]}"
