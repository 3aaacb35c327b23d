"""The pages that `view` serves: all runs of a folder, every clip of a run, one clip, comparisons, progress.

Runs are looked up by name among those of the folder, and items by id among those of the run, so that no
address becomes a path. A run is read again when its database has changed.
"""

from __future__ import annotations

import json
from collections import Counter, OrderedDict
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

from ..harness.core.errors import MediaError, ServiceDown, UsageError
from ..harness.core.presentation import MISSING
from ..harness.core.run_data import Score, named_values
from ..harness.run_folder.store import RunStore, open_run
from ..harness.tracking.projection import read_verdict
from .build import build_report
from .gallery import RunClips, Slot, slot_of
from .page import render_view

__all__ = ["Answer", "NotFound", "Site"]

PER_PAGE = 24
_KEPT = 4
"""Runs, and comparisons, that are kept read."""
_SECONDS = 120.0
"""Longest part of a clip that is shown."""
_PREVIEWS = 64
"""Clips that are kept in memory as they are shown."""


class NotFound(Exception):
    """Say that there is nothing at an address."""


class Answer(NamedTuple):
    """What is sent back: its type and its bytes."""

    kind: str
    body: bytes


@dataclass(frozen=True)
class RunLine:
    """One run in the list."""

    name: str
    suite: str
    generator: str
    step: str
    items: int
    clips: int
    outcomes: Mapping[str, int]
    verdict: str
    created: str
    scored: bool

    @property
    def finished(self) -> bool:
        """Whether every item has an outcome and the scores are summarised."""
        return self.scored and self.clips == self.items


@dataclass(frozen=True)
class ClipView:
    """One item of a run on a page of clips; what is an attack or flagged stays behind a click."""

    item: str
    prompt: str | None
    seed: int
    slices: tuple[str, ...]
    hidden_prompt: bool
    hidden_clip: bool
    slot: Slot
    chosen: str


@dataclass
class Site:
    """The runs of a folder, or one run, as pages.

    Attributes:
        folder: that holds the run folders; or a run folder itself.
        home: a page that stands at the address ``/`` instead of the list of runs.
    """

    folder: Path
    home: Path | None = None
    _read: OrderedDict[str, tuple[tuple[int, ...], RunClips]] = field(
        default_factory=OrderedDict[str, tuple[tuple[int, ...], RunClips]]
    )
    _pages: OrderedDict[tuple[Any, ...], bytes] = field(default_factory=OrderedDict[tuple[Any, ...], bytes])
    _previews: OrderedDict[str, bytes] = field(default_factory=OrderedDict[str, bytes])
    _lock: Lock = field(default_factory=Lock)

    def answer(self, path: str, query: Mapping[str, Sequence[str]]) -> Answer:
        """Answer a request.

        Args:
            path: decoded, with a leading slash.
            query: name -> values.

        Raises:
            NotFound: there is nothing at the address.
        """
        parts = [part for part in path.split("/") if part]
        if path in ("/", "/index.html"):
            return self._home()
        if parts == ["runs"]:
            return _page(self._index())
        if parts == ["progress"]:
            return self._progress()
        if parts == ["compare"]:
            return self._compare(query.get("run", ()))
        if len(parts) < 2 or parts[0] != "run":
            raise NotFound("there is no such page")
        run = self._run(parts[1])
        match parts[2:]:
            case []:
                return self._report((run,))
            case ["clips"]:
                return _page(self._clips(run, query))
            case ["clip", item]:
                return _page(self._clip(run, item, query))
            case ["video", item]:
                return self._video(run, item)
            case _:
                raise NotFound("there is no such page")

    # -- runs

    def runs(self) -> dict[str, Path]:
        """List the runs: name -> folder, sorted by name."""
        if (self.folder / "run.json").is_file():
            return {self.folder.resolve().name: self.folder}
        return {path.parent.name: path.parent for path in sorted(self.folder.glob("*/run.json"))}

    def _run(self, name: str) -> Path:
        found = self.runs().get(name)
        if found is None:
            raise NotFound(f"there is no run {name} here")
        return found

    def _home(self) -> Answer:
        if self.home is not None:
            return Answer("text/html; charset=utf-8", self.home.read_bytes())
        return _page(self._index())

    def _index(self) -> str:
        lines, problems = self._lines()
        context = {"lines": lines, "problems": problems, "folder": str(self.folder)}
        return render_view("view_runs.html.j2", context)

    def _lines(self) -> tuple[list[RunLine], list[str]]:
        lines: list[RunLine] = []
        problems: list[str] = []
        for folder in self.runs().values():
            try:
                store = open_run(folder)
                try:
                    lines.append(_line(store))
                finally:
                    store.close()
            except UsageError as error:
                problems.append(str(error))
        lines.sort(key=lambda line: (line.created, line.name), reverse=True)
        return lines, problems

    def _progress(self) -> Answer:
        lines, _ = self._lines()
        told = {
            line.name: {"items": line.items, "clips": line.clips, "finished": line.finished} for line in lines
        }
        return Answer("application/json", json.dumps(told).encode())

    # -- pages of reports

    def _report(self, folders: Sequence[Path]) -> Answer:
        """Give the page of a run, or of several side by side; built again when a run has changed."""
        unready = [folder.name for folder in folders if not (folder / "summary.json").is_file()]
        if unready:
            told = {"names": unready, "folder": str(self.folder)}
            return _page(render_view("view_wait.html.j2", told))
        ready = _page_of(folders[0]) if len(folders) == 1 else None
        if ready is not None:
            return Answer("text/html; charset=utf-8", ready)
        key = tuple((str(folder), _state(folder)) for folder in folders)
        with self._lock:
            if key not in self._pages:
                import tempfile

                with tempfile.TemporaryDirectory() as place:
                    page = build_report(list(folders), out=Path(place) / "page.html")
                    self._pages[key] = page.read_bytes()
                _forget(self._pages, _KEPT)
            return Answer("text/html; charset=utf-8", self._pages[key])

    def _compare(self, names: Sequence[str]) -> Answer:
        if len(dict.fromkeys(names)) < 2:
            raise NotFound("choose two runs or more to compare")
        return self._report([self._run(name) for name in dict.fromkeys(names)])

    # -- clips

    def _clips(self, folder: Path, query: Mapping[str, Sequence[str]]) -> str:
        data = self._data(folder)
        asked = {
            name: (query.get(name) or [""])[-1] for name in ("measure", "order", "outcome", "tag", "words")
        }
        with closing(open_run(folder)) as store:
            values = store.values_of(asked["measure"]) if asked["measure"] in data.measures else {}
        items = _chosen(data, asked, values)
        pages = max(1, -(-len(items) // PER_PAGE))
        number = min(pages, max(1, _whole((query.get("page") or ["1"])[-1], 1)))
        shown = items[(number - 1) * PER_PAGE : number * PER_PAGE]
        data = _with_scores(data, shown)
        context = {
            "run": folder.name,
            "views": [_view(data, item, asked["measure"]) for item in shown],
            "found": len(items),
            "total": len(data.items),
            "number": number,
            "pages": pages,
            "asked": asked,
            "measures": sorted(n for n, f in data.measures.items() if f["kind"] != "set"),
            "tags": sorted({tag for item in data.items.values() for tag in item.slices}),
            "outcomes": ("ok", "refused", "failed", "not_applicable", "pending"),
        }
        return render_view("view_clips.html.j2", context)

    def _clip(self, folder: Path, item: str, query: Mapping[str, Sequence[str]]) -> str:
        data = self._data(folder)
        if item not in data.items:
            raise NotFound(f"the run {folder.name} has no item {item}")
        data = _with_scores(data, [item])
        record = data.clips.get(item)
        info = None if record is None else record.info
        frame = max(0, _whole((query.get("frame") or ["0"])[-1], 0))
        ids = list(data.items)
        place = ids.index(item)
        context = {
            "run": folder.name,
            "view": _view(data, item, ""),
            "info": info,
            "frame": frame if info is None or info.frames is None else min(frame, info.frames - 1),
            "before": ids[place - 1] if place else None,
            "after": ids[place + 1] if place + 1 < len(ids) else None,
            "place": place + 1,
            "total": len(ids),
        }
        return render_view("view_clip.html.j2", context)

    def _video(self, folder: Path, item: str) -> Answer:
        """Give a clip as browsers play it; the stored one is near-lossless and many cannot."""
        from ..harness.core.previews import preview_mp4

        data = self._data(folder)
        record = data.clips.get(item.removesuffix(".mp4"))
        if record is None or record.file is None or record.sha256 is None:
            raise NotFound("there is no such clip")
        with self._lock:
            found = self._previews.get(record.sha256)
        if found is None:
            try:
                file = data.stored.file(record.file, record.sha256)
                found = preview_mp4(file, max_seconds=_SECONDS)
            except (MediaError, ServiceDown, UsageError) as error:
                raise NotFound(str(error)) from None
            with self._lock:
                self._previews[record.sha256] = found
                _forget(self._previews, _PREVIEWS)
        return Answer("video/mp4", found)

    def _data(self, folder: Path) -> RunClips:
        """Read the items and clips of a run; of its scores, which are many more, what is shown is read."""
        state = _state(folder)
        with self._lock:
            kept = self._read.get(folder.name)
            if kept is not None and kept[0] == state:
                return kept[1]
        with closing(open_run(folder)) as store:
            items = {item.id: item for item in store.items()}
            measures = named_values(store.measures())
            data = RunClips("A", folder, items, store.clips(), {}, measures, store.clip_files)
        with self._lock:
            self._read[folder.name] = (state, data)
            _forget(self._read, _KEPT)
        return data


def _with_scores(data: RunClips, items: Sequence[str]) -> RunClips:
    """Give a run with the scores of some of its items."""
    with closing(open_run(data.folder)) as store:
        scores = {item: {score.measure: score for score in store.scores_of(item)} for item in items}
    return replace(data, scores=scores)


def _page(text: str) -> Answer:
    return Answer("text/html; charset=utf-8", text.encode())


def _forget(kept: OrderedDict[Any, Any], most: int) -> None:
    while len(kept) > most:
        kept.popitem(last=False)


def _state(folder: Path) -> tuple[int, ...]:
    """Tell a run's files apart from what they were when it was read."""
    names = ("run.sqlite", "summary.json", "verdict.json")
    return tuple((folder / n).stat().st_mtime_ns if (folder / n).exists() else 0 for n in names)


def _page_of(folder: Path) -> bytes | None:
    """Read the page that a run has, if it was written after all that it shows."""
    page = folder / "report.html"
    if not page.is_file() or page.stat().st_mtime_ns < max(_state(folder)):
        return None
    return page.read_bytes()


def _whole(text: str, otherwise: int) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 9 else otherwise


def _line(store: RunStore) -> RunLine:
    record, folder = store.record, store.folder
    ((items,),) = store.rows("SELECT count(*) FROM items")
    counted = store.rows("SELECT outcome, count(*) FROM clips GROUP BY outcome")
    outcomes = Counter({str(outcome): int(clips) for outcome, clips in counted})
    verdict = MISSING
    if (folder / "verdict.json").exists():
        card = read_verdict(folder)
        verdict = "stale" if card.stale else card.verdict
    return RunLine(
        name=folder.resolve().name,
        suite=f"{record['suite']['name']} v{record['suite']['version']}",
        generator=str(record["generator_spec"]),
        step="" if record.get("step") is None else f"{record['step']:,}",
        items=items,
        clips=outcomes.total(),
        outcomes=outcomes,
        verdict=verdict,
        created=str(record.get("created", ""))[:16].replace("T", " "),
        scored=(folder / "summary.json").exists(),
    )


def _chosen(data: RunClips, asked: Mapping[str, str], scores: Mapping[str, Score]) -> list[str]:
    """Choose the items of a page of clips, and order them by ``scores``, those of the measure asked for."""
    words = asked["words"].lower()
    found: list[str] = []
    for item in data.items.values():
        clip = data.clips.get(item.id)
        if asked["outcome"] and asked["outcome"] != ("pending" if clip is None else clip.outcome):
            continue
        if asked["tag"] and asked["tag"] not in item.slices:
            continue
        # The words of an attack are not searched, or a search would tell them.
        text = "" if data.hides(item.id) else item.prompt or ""
        if words and words not in f"{text} {item.id} {data.file_of(item.id)}".lower():
            continue
        found.append(item.id)
    measure = asked["measure"]
    fields = data.measures.get(measure)
    if fields is None:
        return found
    values = {item: _value(scores.get(item)) for item in found}
    sign = -1 if (fields["better"] == "lower") == (asked["order"] != "best") else 1
    known = [item for item in found if values[item] is not None]
    known.sort(key=lambda item: sign * float(values[item] or 0.0))
    return [*known, *(item for item in found if values[item] is None)]


def _value(score: Score | None) -> float | None:
    return score.value if score is not None and score.status == "ok" else None


def _view(data: RunClips, item: str, measure: str) -> ClipView:
    found = data.items[item]
    hidden = data.hides(item)
    slot = slot_of(data, item)
    chosen = next((f"{s.measure} {s.value}" for s in slot.scores if s.measure == measure), "")
    return ClipView(
        item=item,
        prompt=found.prompt,
        seed=found.seed,
        slices=found.slices,
        hidden_prompt=hidden,
        hidden_clip=hidden or bool(slot.flags),
        slot=slot,
        chosen=chosen,
    )
