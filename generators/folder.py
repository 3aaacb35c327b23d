"""A folder of clips in the place of a generator: ``folder:PATH``.

Which clip belongs to which prompt and seed is said, in this order, by

- ``manifest.csv`` or ``manifest.jsonl`` with the columns ``file``, ``prompt``, ``seed`` and, where wanted,
  ``expect`` (a JSON object), ``tags`` (in CSV with ``;`` or ``|`` between them) and ``group``;
- the names of the files, if every one of them is ``{prompt}-{k}.ext`` as VBench has it, ``k`` being the seed;
- nothing: then every file is an item without a prompt.

A prompt is found by a file name after `comparable` has been applied to both, and a name whose prompt has at
least `TRUNCATED_FROM` characters also stands for a longer prompt that begins with it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from ..harness.core.errors import UsageError
from ..harness.core.files import VIDEO_SUFFIXES, safe_name
from ..harness.core.items import make_item
from ..harness.core.keys import folder_digest
from .base import Failure, Generator, Output, VideoFile
from .manifest import MANIFESTS, Entry, read_manifest

if TYPE_CHECKING:
    from ..harness.core.items import ClipSettings, Item
    from ..harness.core.keys import Json

__all__ = ["TRUNCATED_FROM", "FolderGenerator", "comparable"]


TRUNCATED_FROM = 100

_VBENCH = re.compile(r"(?P<prompt>.*\S.*)-(?P<k>[0-9]{1,18})", re.DOTALL)
_UNNAMEABLE = re.compile(r'[\x00-\x1f/\\:*?"<>|_\s]+')


def comparable(text: str) -> str:
    """Reduce a prompt, or the prompt part of a file name, to what survives in a file name.

    Characters that file systems refuse (``/ \\ : * ? " < > |`` and control characters), underscores and white
    space become one space; Unicode is composed (NFC); spaces and dots at the ends go.
    """
    return _UNNAMEABLE.sub(" ", unicodedata.normalize("NFC", text)).strip(" .")


class FolderGenerator(Generator):
    """Serve the clips of a folder, as they are."""

    def __init__(self, folder: str | Path) -> None:
        self.spec = f"folder:{folder}"
        self.folder = Path(folder)
        self.sources = (self.folder,)

    def identity(self) -> Mapping[str, Json]:
        """List the digest of the manifest's and the clips' names and contents; the path has no part in it."""
        names = {*MANIFESTS, *self._names}
        there = sorted(name for name in names if (self.folder / name).is_file())
        return {"kind": "folder", "digest": folder_digest(self.folder, there)}

    def own_items(self, clip: ClipSettings) -> tuple[Item, ...]:
        """List the manifest's rows; without one, the files, with prompts where all names hold a sentence.

        Raises:
            UsageError: no such folder, no video in it, or the manifest is wrong.
        """
        if self._manifest is None and not all(_is_sentence(entry.prompt) for entry in self._entries):
            return tuple(make_item(None, 0, clip, source=name) for name in self._videos)
        _ = self._by_prompt  # refuses two clips for one prompt and seed
        return tuple(
            make_item(
                entry.prompt,
                entry.seed,
                clip,
                tags=entry.tags,
                expect=entry.expect,
                group=entry.group,
                source=entry.file,
            )
            for entry in self._entries
        )

    def check(self, items: Sequence[Item]) -> list[str]:
        """Compare what is asked for with what is there; return a sentence on each difference.

        Raises:
            UsageError: not one of the clips is there, or neither a manifest nor the file names say prompts.
        """
        found = [self._find(item) for item in items]
        if items and not any(found):
            if self._manifest is None and not any(entry.prompt for entry in self._entries):
                raise UsageError(
                    f"nothing says which prompts the clips in {self.folder} are for; add a manifest.csv with "
                    "the columns file, prompt, seed, or name the files '{prompt}-{seed}.mp4'"
                )
            raise UsageError(f"not one of the {len(items)} clips asked for is in {self.folder}")
        self._refuse_shared(items, found)
        missing = [
            item.source or f"{item.prompt!r} with seed {item.seed}"
            for item, name in zip(items, found, strict=True)
            if name is None
        ]
        surplus = sorted(set(self._videos) - {name for name in found if name is not None})
        warnings = [] if self._manifest is None else list(self._manifest[1])
        if self._manifest is None and any(item.source and item.prompt for item in items):
            prompts = len({item.cluster for item in items})
            warnings.append(
                f"without a manifest, the file names were read as '{{prompt}}-{{seed}}': {prompts} prompts"
            )
        if missing:
            warnings.append(f"{len(missing)} of {len(items)} clips are missing: {_some(missing)}")
        if surplus:
            verb = "file is" if len(surplus) == 1 else "files are"
            warnings.append(f"{len(surplus)} {verb} not asked for and will not be scored: {_some(surplus)}")
        return warnings

    def generate(self, items: Sequence[Item]) -> list[Output]:
        """Return each item's file, or a `Failure` where the folder has none."""
        names = [self._find(item) for item in items]
        return [
            VideoFile(self.folder / name) if name else Failure("no file for this prompt and seed")
            for name in names
        ]

    def _refuse_shared(self, items: Sequence[Item], found: Sequence[str | None]) -> None:
        """Refuse a file name that two prompts lead to, by truncation or by characters it cannot hold."""
        owner: dict[str, Item] = {}
        for item, name in zip(items, found, strict=True):
            if name is None or item.source is not None:
                continue
            other = owner.setdefault(name, item)
            if self._manifest is None and other.prompt != item.prompt:
                raise UsageError(
                    f"{name} could be for {other.prompt!r} or {item.prompt!r}; say which in a manifest.csv"
                )

    @cached_property
    def _videos(self) -> tuple[str, ...]:
        """Names of the video files, relative to the folder; hidden files and folders are left out."""
        if not self.folder.is_dir():
            raise UsageError(f"there is no folder {self.folder}")
        names = (path.relative_to(self.folder) for path in self.folder.rglob("*"))
        shown = (n for n in names if n.suffix.lower() in VIDEO_SUFFIXES and not _hidden(n))
        videos = [n for n in shown if (self.folder / n).is_file()]
        return tuple(sorted(safe_name(self.folder, n.as_posix()) for n in videos))

    @cached_property
    def _manifest(self) -> tuple[tuple[Entry, ...], tuple[str, ...]] | None:
        return read_manifest(self.folder)

    @cached_property
    def _entries(self) -> tuple[Entry, ...]:
        videos = self._videos
        if self._manifest is not None:
            return self._manifest[0]
        if not videos:
            raise UsageError(
                f"there is no video in {self.folder} (looked for {' '.join(sorted(VIDEO_SUFFIXES))})"
            )
        matches = ((name, _VBENCH.fullmatch(Path(name).stem)) for name in videos)
        return tuple(
            Entry(name, match["prompt"], int(match["k"])) if match else Entry(name, None, 0)
            for name, match in matches
        )

    @cached_property
    def _by_prompt(self) -> dict[tuple[str, int], str]:
        """(prompt, seed) -> file; of file names the prompt is in its comparable form."""
        files: dict[tuple[str, int], str] = {}
        for entry in self._entries:
            if entry.prompt is None:
                continue
            key = (self._key(entry.prompt), entry.seed)
            if key in files:
                raise UsageError(
                    f"{files[key]} and {entry.file} in {self.folder} are both for {entry.prompt!r} "
                    f"with seed {entry.seed}; say in a manifest.csv which clip is which"
                )
            files[key] = entry.file
        return files

    def _key(self, prompt: str) -> str:
        return comparable(prompt) if self._manifest is None else unicodedata.normalize("NFC", prompt).strip()

    def _find(self, item: Item) -> str | None:
        """Return the name of the item's file, or None where the folder has none."""
        name = item.source
        if name is None and item.prompt is not None:
            key = self._key(item.prompt)
            name = self._by_prompt.get((key, item.seed)) or self._truncated(key, item.seed)
        return name if name in self._names and (self.folder / str(name)).is_file() else None

    @cached_property
    def _names(self) -> frozenset[str]:
        return frozenset({*self._videos, *(entry.file for entry in self._entries)})

    def _truncated(self, key: str, seed: int) -> str | None:
        """Find the one file whose name is the beginning of a long prompt."""
        if self._manifest is not None:
            return None
        files = [
            file
            for (start, k), file in self._by_prompt.items()
            if k == seed and len(start) >= TRUNCATED_FROM and key.startswith(start)
        ]
        return files[0] if len(files) == 1 else None


def _is_sentence(prompt: str | None) -> bool:
    """Tell the prompt of 'a cat runs-0.mp4' from the counter's stem of 'clip-1.mp4'."""
    return prompt is not None and len(prompt.split()) > 1


def _hidden(name: Path) -> bool:
    return any(part.startswith(".") for part in name.parts)


def _some(names: Sequence[str], few: int = 8) -> str:
    """List all names where they are few, and the first of many."""
    if len(names) <= few:
        return ", ".join(names)
    return f"{', '.join(names[:few])} and {len(names) - few} more"
