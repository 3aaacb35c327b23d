"""Any program as a generator: ``command:PROGRAM ARGUMENTS?version=2,timeout=600``.

The program gets one line of JSON for an item and writes a video to the path that the line names; no shell is
involved. ``docs/command.md`` has the contract and a complete example. By default the program is started for
each item, and reads one line and the end of its input. With ``stay=yes`` it is started once, reads a line an
item, and answers each with a line, so that weights are loaded once.
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
import tempfile
import weakref
from collections.abc import Mapping, Sequence
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from pydantic import Field, field_validator

from ..harness.core.config import Config
from ..harness.core.errors import UsageError
from ..harness.core.files import VIDEO_SUFFIXES
from ..harness.core.items import Start
from ..harness.core.keys import file_sha256
from ..harness.core.specs import parse_argument
from .base import Failure, Generator, Output, Refusal, VideoFile
from .program import Ended, Program
from .request import PROTOCOL, STATUSES, outcome_of, paths_of, read_starts, request_of

if TYPE_CHECKING:
    from ..harness.core.items import Item
    from ..harness.core.keys import Json

__all__ = ["REFUSED", "CommandGenerator", "CommandOptions", "make_command"]

REFUSED: Final = 77
"""Exit code of a refusal: EX_NOPERM of sysexits.h."""


_SCRIPTS: Final = frozenset({".py", ".sh", ".bash", ".zsh", ".pl", ".rb", ".js", ".mjs", ".lua", ".jl", ".R"})
_CODE_NEXT: Final = re.compile(r"-[A-Za-z]*c")
_ELSEWHERE: Final = frozenset(
    {"apptainer", "docker", "enroot", "kubectl", "nerdctl", "podman", "singularity", "ssh", "udocker"}
)
"""Programs whose arguments name files in a container or on another machine."""


class CommandOptions(Config):
    """How a program is run, and what is declared of it."""

    version: str = Field(
        default="", description="what you call this state of the program; part of its identity"
    )
    starts: frozenset[Start] = Field(
        default=frozenset(), description="what it can start from beside text: [image,extend,...] or any"
    )
    timeout: float = Field(default=600.0, gt=0, le=86_400, description="seconds for one item")
    stay: bool = Field(default=False, description="whether it reads a line an item until its input ends")
    suffix: str = Field(default=".mp4", description="of the path that it writes to, such as .gif")

    @field_validator("starts", mode="before")
    @classmethod
    def _starts(cls, given: object) -> object:
        return read_starts(given)

    @field_validator("suffix")
    @classmethod
    def _suffix(cls, given: str) -> str:
        if given not in VIDEO_SUFFIXES:
            raise ValueError(f"it should be one of {' '.join(sorted(VIDEO_SUFFIXES))} and is {given}")
        return given


class CommandGenerator(Generator):
    """Run a program for each item; it writes the clip to a path that it is given.

    Args:
        words: the program and its arguments.
        options: how it is run, and what is declared of it.
        spec: the user's spec.

    Raises:
        UsageError: there is no such program, or no such script among its arguments.
    """

    def __init__(self, words: Sequence[str], options: CommandOptions | None = None, spec: str = "") -> None:
        self.spec = spec or f"command:{shlex.join(words)}"
        self.options = options or CommandOptions()
        self.starts = self.options.starts
        self._words = _found(words, self.spec)
        self._named = tuple(words)
        self._program: Program | None = None

    def identity(self) -> Mapping[str, Json]:
        """List the words of the command, with digests in the place of files, and the declared version.

        A program that is found on the PATH is listed by its name alone, and a folder by the name that it has
        in the command.
        """
        return {
            "kind": "command",
            "protocol": PROTOCOL,
            "version": self.options.version,
            "words": [_identity_of(word) for word in self._named],
            "starts": sorted(self.starts),
            "suffix": self.options.suffix,
        }

    def check(self, items: Sequence[Item]) -> list[str]:
        """Warn where nothing would tell another state of the program from this one."""
        if self.options.version or any(isinstance(word, dict) for word in map(_identity_of, self._named)):
            return []
        return [
            f"nothing tells when {self._named[0]} changes, as it is found by its name; name its file, or say "
            "?version=... and raise it"
        ]

    def generate(self, items: Sequence[Item]) -> list[Output]:
        """Run the program for each item; what it wrote is kept until the next call."""
        for old in self._scratch.iterdir():
            shutil.rmtree(old, ignore_errors=True)
        return [self._one(item) for item in items]

    def _one(self, item: Item) -> Output:
        folder = Path(tempfile.mkdtemp(dir=self._scratch))
        target = folder / f"clip{self.options.suffix}"
        line = json.dumps({**request_of(item), **paths_of(item), "output": str(target)}, ensure_ascii=False)
        if self._program is None:
            self._program = Program(self._words, stay=self.options.stay)
        return _output(self._program.ask(line, self.options.timeout), target, self.options.timeout)

    @cached_property
    def _scratch(self) -> Path:
        folder = tempfile.mkdtemp(prefix="screentest-command-")
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        return Path(folder)


def _output(ended: Ended, target: Path, timeout: float) -> Output:
    """Read what came of an item, from the answer, the exit code and the file."""
    said = f"; it said: {ended.errors}" if ended.errors else ""
    if ended.problem == "time":
        return Failure(f"the program did not end within {timeout:g} s and was stopped{said}")
    if ended.problem:
        return Failure(f"{ended.problem}{said}")
    answer = _read_answer(ended.answer)
    if isinstance(answer, Failure):
        return answer
    status, reason = answer
    outcome = outcome_of(status, reason, "program")
    if outcome is not None:
        return outcome
    if status is None and ended.code == REFUSED:
        return Refusal(ended.errors or "the program refuses, and gives no reason")
    if ended.code:
        how = (
            f"was killed by signal {-ended.code}" if ended.code < 0 else f"ended with exit code {ended.code}"
        )
        return Failure(f"the program {how}{said}")
    if not target.is_file():
        return Failure(f"the program ended well and wrote no file to the path 'output'{said}")
    if target.stat().st_size == 0:
        return Failure(f"the program wrote an empty file{said}")
    return VideoFile(target)


def _read_answer(line: str) -> tuple[str | None, str] | Failure:
    """Read the status and the reason; a line that does not begin with a brace is no answer."""
    if not line.startswith("{"):
        return None, ""
    try:
        answer = cast("dict[str, Any]", json.loads(line))
    except (ValueError, RecursionError) as error:
        return Failure(f"the program's answer {line[:80]!r} is not JSON: {error}")
    status, reason = answer.get("status"), answer.get("reason", "")
    if status not in STATUSES or not isinstance(reason, str):
        return Failure(
            f"the program's answer {line[:80]!r} should be a JSON object with a 'status' "
            f"({', '.join(STATUSES)}) and a 'reason' in words"
        )
    return str(status), " ".join(reason.split())[:500]


def _found(words: Sequence[str], whose: str) -> list[str]:
    """Find the program, so that a wrong name is known before anything is generated."""
    if not words:
        raise UsageError("name the program after the colon: --generator 'command:python make_clip.py'")
    program = shutil.which(words[0])
    if program is not None:
        missing = _missing_script(words)
        if missing is not None:
            raise UsageError(
                f"{whose}: there is no file {missing}; name the script by its path from {Path.cwd()}"
            )
        return [str(Path(program).absolute()), *words[1:]]
    if Path(words[0]).is_file():
        raise UsageError(
            f"{whose}: {words[0]} cannot be executed; run 'chmod +x' on it, or name its interpreter"
        )
    raise UsageError(f"{whose}: there is no program {words[0]!r} here or on the PATH")


def _missing_script(words: Sequence[str]) -> str | None:
    """Find an argument that is named like a script and is no file; None without one.

    Options, addresses and code after ``-c`` are no names of files, and what runs in a container or on
    another machine has its files there.
    """
    if not _ELSEWHERE.isdisjoint(Path(word).name for word in words):
        return None
    for before, word in pairwise(words):
        named = (
            not _CODE_NEXT.fullmatch(before)
            and not word.startswith("-")
            and "=" not in word
            and "://" not in word
        )
        if named and Path(word).suffix in _SCRIPTS and not Path(word).is_file():
            return word
    return None


def _identity_of(word: str) -> Json:
    """Give a word of the command; if it names a file, or is NAME=FILE, the file's digest in its place."""
    head, _, value = word.rpartition("=")
    path = Path(value)
    if "\0" in value or not value or not path.is_file():
        return word
    return {"option": head, "sha256": file_sha256(path)}


def make_command(argument: str, device: str, dtype: str) -> CommandGenerator:
    """Make the generator from what follows ``command:``.

    Raises:
        UsageError: there is no such program, or an option is wrong.
    """
    del device, dtype
    whose = f"--generator command:{argument}"
    spec = parse_argument(argument, whose, path=True)
    try:
        words = shlex.split(spec.argument)
    except ValueError as error:
        raise UsageError(f"{whose}: the words of the command cannot be told apart: {error}") from None
    return CommandGenerator(words, spec.settings(CommandOptions), f"command:{argument}")
