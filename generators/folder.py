"""A folder of clips as a generator: ``folder:PATH``, or ``folder:s3://BUCKET/PREFIX`` (`clip_sources`).

The clip of a prompt and seed is found, in this order, by

- ``manifest.csv`` or ``manifest.jsonl`` with the columns ``file``, ``prompt``, ``seed`` and, where wanted,
  ``expect`` (a JSON object), ``tags`` (in CSV with ``;`` or ``|`` between them) and ``group``;
- the names of the files, if every one of them is ``{prompt}-{k}.ext`` as VBench has it, ``k`` being the seed;
- nothing: then every file is an item without a prompt.

A prompt is found by a file name after `comparable` has been applied to both, and a name whose prompt has at
least `TRUNCATED_FROM` characters also stands for a longer prompt that begins with it.

A subfolder of numbered pictures is one clip, at the suite's frame rate (`frame_folders`). A file with the
name of a video that cannot be read as one is listed with the reason.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from ..harness.core.counts import counted
from ..harness.core.errors import MediaError, UsageError
from ..harness.core.files import VIDEO_SUFFIXES, Survey
from ..harness.core.items import make_item
from .base import ANY_START, Failure, Frames, Generator, Output, VideoFile
from .clip_sources import source_at
from .manifest import MANIFESTS, Entry, read_manifest
from .worlds.rendered import REQUEST, rendered_world

if TYPE_CHECKING:
    from ..harness.core.items import ClipSettings, Item
    from ..harness.core.keys import Json
    from ..harness.core.storage import Place

__all__ = ["TRUNCATED_FROM", "FolderGenerator", "comparable"]


TRUNCATED_FROM = 100

_VBENCH = re.compile(r"(?P<prompt>.*\S.*)-(?P<k>[0-9]{1,18})", re.DOTALL)
_UNNAMEABLE = re.compile(r'[\x00-\x1f/\\:*?"<>|_\s]+')


def comparable(text: str) -> str:
    """Normalize a prompt, or the prompt part of a file name, for comparison.

    Characters that file systems refuse (``/ \\ : * ? " < > |`` and control characters), underscores and white
    space become one space; Unicode is composed (NFC); spaces and dots at the ends go.
    """
    return _UNNAMEABLE.sub(" ", unicodedata.normalize("NFC", text)).strip(" .")


class FolderGenerator(Generator):
    """Return the clips of a folder, unchanged; how they were made is the user's affair."""

    starts = ANY_START

    def __init__(self, folder: Place) -> None:
        self.spec = f"folder:{folder}"
        self.clips = source_at(folder)
        self.sources = (self.clips.place,)
        self.world = rendered_world(self.clips.read(REQUEST))

    def identity(self) -> Mapping[str, Json]:
        """List the digest of names and contents of the manifest and the clips; the path is not part of it."""
        named = {*MANIFESTS, *self._names}
        for name in self._names & self._frame_folders.keys():
            named.update(f"{name}/{frame}" for frame in self._frame_folders[name])
        return {"kind": "folder", "digest": self.clips.digest(named)}

    def own_items(self, clip: ClipSettings) -> tuple[Item, ...]:
        """List the manifest's rows; without one, the files, with prompts if all names are sentences.

        Raises:
            UsageError: there is no such folder, it has no video, or the manifest is wrong.
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
                labels=entry.labels,
                expect=entry.expect,
                source=entry.file,
            )
            for entry in self._entries
        )

    def check(self, items: Sequence[Item]) -> list[str]:
        """Compare the items with the folder's clips; return a sentence on each difference.

        Raises:
            UsageError: none of the clips is there, or neither a manifest nor the file names give prompts.
        """
        found = [self._find(item) for item in items]
        if items and not any(found):
            if self._manifest is None and not any(entry.prompt for entry in self._entries):
                raise UsageError(
                    f"nothing says which prompts the clips in {self.clips} are for; add a manifest.csv with "
                    "the columns file, prompt, seed, or name the files '{prompt}-{seed}.mp4'"
                )
            left_out = self._left_out()
            raise UsageError(
                f"not one of {counted(len(items), 'clip')} asked for is in {self.clips}"
                + (f" (left out: {left_out})" if left_out else "")
            )
        self._refuse_shared(items, found)
        missing = [
            self._wanted(item) or f"{item.prompt!r} with seed {item.seed}"
            for item, name in zip(items, found, strict=True)
            if name is None
        ]
        used = {name for name in found if name is not None}
        surplus = sorted(set(self._videos) - used)
        warnings = [] if self._manifest is None else list(self._manifest[1])
        warnings += self._about_frames(used, items)
        left_out = self._left_out()
        if left_out:
            count = len(self._survey.left_out)
            what = counted(count, "entry", "entries")
            warnings.append(f"{what} of {self.clips} left out: {left_out}")
        if self._manifest is None and any(item.source and item.prompt for item in items):
            prompts = len({item.cluster for item in items})
            warnings.append(
                f"without a manifest, the file names were read as '{{prompt}}-{{seed}}': "
                f"{counted(prompts, 'prompt')}"
            )
        if missing:
            warnings.append(f"{len(missing)} of {counted(len(items), 'clip')} missing: {_some(missing)}")
        if surplus:
            verb = "file is" if len(surplus) == 1 else "files are"
            warnings.append(f"{len(surplus)} {verb} not asked for and will not be scored: {_some(surplus)}")
        return warnings

    def file_of(self, item: Item) -> str | None:
        """Name the file that the folder has, or should have, for an item."""
        return self._wanted(item)

    def generate(self, items: Sequence[Item]) -> list[Output]:
        """Return each item's file, or a `Failure` if the folder has none.

        A file that is fetched from a store is there until the next call.
        """
        self.clips.release()
        return [self._output(item) for item in items]

    def _output(self, item: Item) -> Output:
        name = self._find(item)
        if name is None:
            wanted = self._wanted(item)
            if wanted is None:
                return Failure("no file for this prompt and seed")
            return Failure(f"{wanted} is {self.clips.why_left_out(wanted)}")
        try:
            if name not in self._frame_folders:
                return VideoFile(self.clips.file(name))
            return Frames(self.clips.frames(name, self._frame_folders[name]), item.clip.fps)
        except MediaError as error:
            return Failure(str(error))

    def _left_out(self) -> str:
        """List the files named like videos that cannot be read, each with its reason."""
        return "; ".join(f"{name} is {reason}" for name, reason in self._survey.left_out.items())

    def _about_frames(self, used: set[str], items: Sequence[Item]) -> list[str]:
        """Say which subfolders are read as clips, and what is assumed for them."""
        names = sorted(used & self._frame_folders.keys())
        if not names:
            return []
        rates = " and ".join(f"{rate:g}" for rate in sorted({item.clip.fps for item in items}))
        verb = "folder of pictures is" if len(names) == 1 else "folders of pictures are"
        said = [f"{len(names)} {verb} read at {rates} frames a second, as the suite asks: {_some(names)}"]
        clear = [n for n in names if self.clips.is_transparent(f"{n}/{self._frame_folders[n][0]}")]
        if clear:
            said.append(f"transparent parts of the pictures are composed over white: {_some(clear)}")
        return said

    def _refuse_shared(self, items: Sequence[Item], found: Sequence[str | None]) -> None:
        """Refuse a file name that fits two prompts, because of truncation or replaced characters."""
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
        """Names of the clips, relative to the folder: files, and folders of frames."""
        return tuple(sorted((*self._survey.videos, *self._frame_folders)))

    @cached_property
    def _survey(self) -> Survey:
        """The video files, and what is left out; folders of frames and their pictures are not left out."""
        seen = self.clips.survey()
        frames = {f"{name}/{frame}" for name, frames in self._frame_folders.items() for frame in frames}
        known = frames | self._frame_folders.keys()
        return Survey(seen.videos, {n: reason for n, reason in seen.left_out.items() if n not in known})

    @cached_property
    def _frame_folders(self) -> dict[str, tuple[str, ...]]:
        found = self.clips.frame_folders()
        if "." in found:
            raise UsageError(
                f"{self.clips} holds the frames of one clip; give the {self.clips.kind} that it lies in"
            )
        return found

    @cached_property
    def _manifest(self) -> tuple[tuple[Entry, ...], tuple[str, ...]] | None:
        return read_manifest(str(self.clips), self.clips.read)

    @cached_property
    def _entries(self) -> tuple[Entry, ...]:
        videos = self._videos
        if self._manifest is not None:
            return self._manifest[0]
        if not videos:
            left_out = self._left_out()
            looked = f"looked for {' '.join(sorted(VIDEO_SUFFIXES))} and folders of numbered pictures"
            raise UsageError(
                f"there is no video in {self.clips} ({f'left out: {left_out}' if left_out else looked})"
            )
        matches = ((name, _VBENCH.fullmatch(self._title(name))) for name in videos)
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
                    f"{files[key]} and {entry.file} in {self.clips} are both for {entry.prompt!r} "
                    f"with seed {entry.seed}; say in a manifest.csv which clip is which"
                )
            files[key] = entry.file
        return files

    def _key(self, prompt: str) -> str:
        return comparable(prompt) if self._manifest is None else unicodedata.normalize("NFC", prompt).strip()

    def _title(self, name: str) -> str:
        """Remove the suffix of a file name; a folder name has none."""
        return Path(name).name if name in self._frame_folders else Path(name).stem

    def _wanted(self, item: Item) -> str | None:
        """Return the name that the item's clip should have, even if it is missing."""
        if item.source is not None or item.prompt is None:
            return item.source
        key = self._key(item.prompt)
        return self._by_prompt.get((key, item.seed)) or self._truncated(key, item.seed)

    def _find(self, item: Item) -> str | None:
        """Return the name of the item's clip; None if the folder has no readable one."""
        name = self._wanted(item)
        if name is None or name not in self._names:
            return None
        return name if name in self._frame_folders or not self.clips.why_left_out(name) else None

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
    """Distinguish the prompt in 'a cat runs-0.mp4' from the stem in 'clip-1.mp4'."""
    return prompt is not None and len(prompt.split()) > 1


def _some(names: Sequence[str], few: int = 8) -> str:
    """List the first names, and how many more there are."""
    if len(names) <= few:
        return ", ".join(names)
    return f"{', '.join(names[:few])} and {len(names) - few} more"
