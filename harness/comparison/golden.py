"""Golden clips: does a run still make the clips of an earlier one, item by item and frame by frame?

A run with the same suite and seeds is held against one that is kept, after an upgrade of an engine, a library
or a driver. Without tolerances, only equal frames are the same clip.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from ...metrics.similarity import similarity
from ..core.config import Document
from ..core.counts import counted
from ..core.errors import MediaError, UsageError
from ..core.media import all_frames
from ..core.pairing import pair_runs
from ..core.progress import track
from ..core.run_data import ClipRecord, RunSide
from ..core.storage import File, opened
from ..run_folder.store import RunStore, read_run

__all__ = ["GoldenItem", "SameSeed", "exit_code", "same_seed"]

Same: TypeAlias = Literal["same", "different", "unknown"]


class GoldenItem(BaseModel):
    """One item in both runs.

    Attributes:
        same: ``unknown`` where a run has no outcome that can be compared; ``reason`` says why.
        frames, equal_frames: of the clips; 0 without two clips of one size.
        psnr: in dB; None for equal clips.
        scales: of MS-SSIM; see `metrics.similarity`.
    """

    model_config = ConfigDict(frozen=True)

    item: str
    prompt: str | None
    seed: int
    same: Same
    reason: str = ""
    frames: int = 0
    equal_frames: int = 0
    psnr: float | None = None
    ms_ssim: float | None = None
    scales: int = 0


class SameSeed(Document):
    """A run held against golden clips.

    Attributes:
        verdict: ``PASS`` if every golden item is the same, ``FAIL`` if one differs, else ``INCONCLUSIVE``.
        missing: golden items that the run does not have; ``extra``: items that only the run has.
        least_psnr, least_ms_ssim: what a clip that differs must reach; None for no such tolerance.
        changes: what differs between the records: versions, hardware, the generator.
    """

    run: RunSide
    golden: RunSide
    verdict: Literal["PASS", "FAIL", "INCONCLUSIVE"]
    items: tuple[GoldenItem, ...]
    missing: int
    extra: int
    least_psnr: float | None
    least_ms_ssim: float | None
    changes: tuple[str, ...]

    def count(self, same: Same) -> int:
        """Count the items that are the same, different or unknown."""
        return sum(item.same == same for item in self.items)

    @property
    def identical(self) -> int:
        """Number of items whose frames are all equal."""
        return sum(bool(item.frames) and item.equal_frames == item.frames for item in self.items)


def same_seed(
    run: RunStore, golden: RunStore, least_psnr: float | None = None, least_ms_ssim: float | None = None
) -> SameSeed:
    """Hold a run against golden clips of the same suite and seeds.

    Args:
        run: the run.
        golden: the run whose clips are golden.
        least_psnr, least_ms_ssim: a clip that differs is still the same if it reaches all that are given.

    Raises:
        UsageError: the runs are of different suites, or have no item in common.
    """
    if run.folder.resolve() == golden.folder.resolve():
        raise UsageError(f"{run.folder} is the same run twice; give the run and the golden run")
    pairing = pair_runs(read_run(run), read_run(golden))
    items: list[GoldenItem] = []
    with track("clips compared", len(pairing.items)) as ticker:
        for item in pairing.items:
            records = pairing.a.clips.get(item.id), pairing.b.clips.get(item.id)
            found = _item(records, (run, golden), least_psnr, least_ms_ssim)
            items.append(GoldenItem(item=item.id, prompt=item.prompt, seed=item.seed, **found))
            ticker.advance()
    missing = len(pairing.b.items) - len(items)
    differs = any(item.same == "different" for item in items)
    unknown = missing > 0 or any(item.same == "unknown" for item in items)
    return SameSeed(
        run=pairing.a.about(),
        golden=pairing.b.about(),
        verdict="FAIL" if differs else "INCONCLUSIVE" if unknown else "PASS",
        items=tuple(items),
        missing=missing,
        extra=len(pairing.a.items) - len(items),
        least_psnr=least_psnr,
        least_ms_ssim=least_ms_ssim,
        changes=tuple(_changes(golden.record, run.record)),
    )


def exit_code(found: SameSeed) -> int:
    """Give the exit code of a verdict, as `gate` has them: 0 PASS, 1 FAIL, 3 INCONCLUSIVE."""
    return {"PASS": 0, "FAIL": 1, "INCONCLUSIVE": 3}[found.verdict]


def _item(
    records: tuple[ClipRecord | None, ClipRecord | None],
    stores: tuple[RunStore, RunStore],
    least_psnr: float | None,
    least_ms_ssim: float | None,
) -> dict[str, Any]:
    mine, golden = records
    if golden is None or golden.outcome == "failed":
        return {"same": "unknown", "reason": "the golden run has no clip of it"}
    if mine is None:
        return {"same": "unknown", "reason": "the run has no clip of it yet"}
    if mine.outcome != golden.outcome:
        words = (mine.outcome.replace("_", " "), golden.outcome.replace("_", " "))
        why = f" ({mine.reason})" if mine.reason else ""
        return {"same": "different", "reason": f"{words[0]}{why}, and the golden item is {words[1]}"}
    if mine.outcome != "ok":
        return {"same": "same", "reason": f"both are {mine.outcome.replace('_', ' ')}"}
    try:
        a, b = (_frames(store.clip_file(one)) for store, one in zip(stores, (mine, golden), strict=True))
    except (MediaError, OSError) as error:
        return {"same": "unknown", "reason": f"a clip cannot be read: {error}"}
    if a.shape != b.shape:
        return {"same": "different", "reason": f"it has {_shape(a)}, and the golden clip {_shape(b)}"}
    found = similarity(a, b)
    numbers = {
        "frames": found.frames,
        "equal_frames": found.equal,
        "psnr": found.psnr,
        "ms_ssim": found.ms_ssim,
        "scales": found.scales,
    }
    if found.equal == found.frames:
        return {"same": "same", **numbers}
    short = _short_of(found.psnr, least_psnr, "PSNR", " dB") + _short_of(
        found.ms_ssim, least_ms_ssim, "MS-SSIM", ""
    )
    if least_psnr is None and least_ms_ssim is None:
        short = [f"{found.frames - found.equal} of {counted(found.frames, 'frame')} not equal"]
    return {"same": "different" if short else "same", "reason": "; ".join(short), **numbers}


def _short_of(value: float | None, least: float | None, what: str, unit: str) -> list[str]:
    """Say where a value does not reach a tolerance; a value that there is none of does not."""
    if least is None or (value is not None and value >= least):
        return []
    return [f"{what} is {'not known' if value is None else f'{value:.4g}{unit}'}, below {least:g}{unit}"]


def _frames(file: File) -> NDArray[np.uint8]:
    with opened(file) as path:
        if not path.exists():
            raise MediaError(
                f"{file} was deleted; restore it, or let the 'screentest run' that made it, with "
                "--retry-failed, make it again"
            )
        return all_frames(path)


def _shape(frames: NDArray[np.uint8]) -> str:
    return f"{counted(frames.shape[0], 'frame')} of {frames.shape[2]}x{frames.shape[1]}"


def _changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """List what differs between two records, the golden one first."""
    found: list[str] = []
    for part in ("versions", "hardware", "threads"):
        old, new = before.get(part) or {}, now.get(part) or {}
        found += [
            f"{name}: {old.get(name)} before, {new.get(name)} now"
            for name in dict.fromkeys((*old, *new))
            if old.get(name) != new.get(name)
        ]
    if before.get("generator") != now.get("generator"):
        found.append("the generator's identity")
    return found
