"""The clips of a run against reference clips: those of another run, or of a folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from ...metrics.against import FrameDistance, compare_clips
from ...metrics.base import NotApplicable
from ..core.config import Document
from ..core.errors import MediaError, UsageError
from ..core.estimate import Estimate
from ..core.files import VIDEO_SUFFIXES
from ..core.items import Item
from ..core.media import open_clip
from ..core.pairing import pair_runs
from ..core.progress import track
from ..core.run_data import ClipRecord
from ..core.stats import cluster_bootstrap_mean
from ..core.storage import File, opened
from ..run_folder.store import RunStore, open_run, read_run

__all__ = ["VALUES", "AgainstItem", "AgainstReference", "against"]

VALUES: Final[Mapping[str, tuple[float | None, float | None]]] = {
    "psnr": (0.0, None),
    "ssim": (-1.0, 1.0),
    "ms_ssim": (-1.0, 1.0),
    "lpips": (0.0, None),
}
"""What is measured -> its range."""


class AgainstItem(Document):
    """One clip against its reference; ``reason`` says why there is no value."""

    item: str
    prompt: str | None
    frames: int = 0
    alone: int = 0
    psnr: float | None = None
    ssim: float | None = None
    ms_ssim: float | None = None
    lpips: float | None = None
    equal: bool = False
    worst_frame: int | None = None
    reason: str = ""


class AgainstReference(Document):
    """A run against reference clips.

    Attributes:
        estimates: value -> its mean over clips with the interval over prompts. Clips that equal their
            reference have no PSNR and are left out of its mean, as ``equal``.
        items: clip by clip.
    """

    run: str
    reference: str
    estimates: dict[str, Estimate]
    items: tuple[AgainstItem, ...]


def against(
    run: RunStore, reference: Path, *, lpips: FrameDistance | None = None, confidence: float = 0.95
) -> AgainstReference:
    """Hold the clips of a run against reference clips.

    Args:
        run: the run.
        reference: another run of items that both have, or a folder of videos named as the clips of the run
            are in their own folder, or by the ids of its items.
        lpips: also takes this distance.
        confidence: of the intervals.

    Raises:
        UsageError: there is no such folder, or nothing in it belongs to an item of the run.
    """
    data = read_run(run)
    others = _clips_of_run(run, reference) if (reference / "run.json").is_file() else _files(run, reference)
    wanted = [item for item in data.items.values() if item.id in others]
    if not wanted:
        raise UsageError(
            f"nothing in {reference} belongs to an item of {data.name}; name the videos as the run's own "
            "folder does, or by the ids of the items ('screentest export' lists them)"
        )
    found: list[AgainstItem] = []
    with track("clips compared", len(wanted)) as ticker:
        for item in wanted:
            found.append(_item(run, item, data.clips.get(item.id), others[item.id], lpips))
            ticker.advance()
    clusters = {item.id: item.cluster for item in wanted}
    estimates = {
        name: _estimate(name, found, clusters, confidence)
        for name in VALUES
        if name != "lpips" or lpips is not None
    }
    return AgainstReference(run=data.name, reference=str(reference), estimates=estimates, items=tuple(found))


def _clips_of_run(run: RunStore, reference: Path) -> dict[str, File]:
    other = open_run(reference)
    pairing = pair_runs(read_run(run), read_run(other), any_suite=True)
    records = pairing.b.clips
    return {
        item.id: other.clip_file(records[item.id])
        for item in pairing.items
        if item.id in records and records[item.id].outcome == "ok"
    }


def _files(run: RunStore, folder: Path) -> dict[str, File]:
    if not folder.is_dir():
        raise UsageError(f"{folder} is neither a run nor a folder of videos")
    files = {
        path.relative_to(folder).as_posix(): path
        for path in sorted(folder.rglob("*"))
        if path.suffix.lower() in VIDEO_SUFFIXES
    }
    by_stem = {name.rsplit(".", 1)[0]: path for name, path in files.items()}
    found: dict[str, File] = {}
    for item in run.items():
        own = item.file or item.source
        if own is not None and own in files:
            found[item.id] = files[own]
        elif item.id in by_stem:
            found[item.id] = by_stem[item.id]
    return found


def _item(
    run: RunStore, item: Item, record: ClipRecord | None, reference: File, lpips: FrameDistance | None
) -> AgainstItem:
    about: dict[str, Any] = {"item": item.id, "prompt": item.prompt}
    if record is None or record.outcome != "ok":
        why = "no clip yet" if record is None else f"{record.outcome.replace('_', ' ')}: {record.reason}"
        return AgainstItem(**about, reason=why)
    try:
        with opened(run.clip_file(record)) as path, opened(reference) as other:
            made = compare_clips(open_clip(path), open_clip(other), lpips)
    except (NotApplicable, MediaError) as why:
        return AgainstItem(**about, reason=str(why))
    return AgainstItem(**about, **asdict(made), equal=made.psnr is None)


def _estimate(
    name: str, items: list[AgainstItem], clusters: Mapping[str, str], confidence: float
) -> Estimate:
    there = [(getattr(one, name), clusters[one.item]) for one in items if getattr(one, name) is not None]
    interval = cluster_bootstrap_mean(
        [value for value, _ in there],
        [cluster for _, cluster in there],
        confidence,
        seed=["against", name],
        bounds=VALUES[name],
    )
    equal = sum(one.equal and getattr(one, name) is None for one in items)
    missing = len(items) - len(there) - equal
    left_out = {key: count for key, count in (("equal", equal), ("not_applicable", missing)) if count}
    reasons = dict.fromkeys(one.reason for one in items if one.reason)
    return Estimate.of(
        interval,
        confidence,
        n=len(there),
        clusters=len({cluster for _, cluster in there}),
        left_out=left_out,
        reasons={reason: sum(one.reason == reason for one in items) for reason in reasons},
    )
