"""One run of the command line: its generator, its folder, what is said of it, and what is done with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.counts import counted
from ..core.errors import ScreentestError, ServiceDown
from .options import print_json, print_table, say, warn

if TYPE_CHECKING:
    from ...generators.base import Generator
    from ..matrix import NamedGenerator
    from ..plan import Plan
    from ..results.summary import Summary
    from ..run import Settings
    from ..scoring.instruments import Instruments
    from ..suites.suite import Suite

__all__ = ["ALL_FAILED", "Job", "after_scoring", "made_with", "nothing_came", "print_summary", "say_plan"]

ALL_FAILED = 1
"""Exit code of a run in which every item failed."""


@dataclass(frozen=True)
class Job:
    """A suite to run, how, and what to do with each run."""

    suite: Suite
    how: Settings
    device: str
    dtype: str
    tracking_uri: str | None

    def make(self, one: NamedGenerator) -> Generator:
        """Make a generator.

        Raises:
            UsageError: there is no such generator.
        """
        from ...generators import make_generator

        return make_generator(one.spec, device=self.device, dtype=self.dtype)

    def run(self, one: NamedGenerator, folder: Path, notes: Mapping[str, Any] | None = None) -> Summary:
        """Run the suite on a generator into a folder, write the page and send the run to MLflow."""
        from ..run import run as run_suite

        step = {} if one.step is None else {"step": one.step}
        how = replace(self.how, notes={**self.how.notes, **(notes or {}), **step})
        summary = run_suite(self.suite, self.make(one), folder, how)
        after_scoring(folder, self.tracking_uri)
        return summary

    def outlook(self, one: NamedGenerator, folder: Path) -> dict[str, Any]:
        """List what a run would do, after its checks."""
        from ..execution.warnings import warn_of_unasked
        from ..run import check_items, plan_run
        from ..scoring.instruments import instruments

        made = self.make(one)
        planned = plan_run(self.suite, made)
        warn_of_unasked(planned.items, self.suite.measures)
        for warning in check_items(made, planned.items):
            warn(f"warning: {warning}")
        tools = instruments(self.suite, self.how.cache, self.how.options)
        return _outlook(self.suite, made, planned, tools, folder)


def made_with(device: str, dtype: str, plugins: list[Path] | None) -> dict[str, Any]:
    """List what a run needs beside its suite and generator, so that it can be repeated from its record."""
    return {"device": str(device), "dtype": str(dtype), "plugins": [str(path) for path in plugins or []]}


def nothing_came(summary: Summary, folder: Path) -> bool:
    """Say on stderr that every item failed, if so."""
    if not summary.items or summary.outcomes["failed"] != summary.items:
        return False
    which = "the only item" if summary.items == 1 else f"all {summary.items} items"
    warn(f"error: {which} failed; {folder / 'run.log'} and the page say why")
    return True


def after_scoring(folder: Path, tracking_uri: str | None) -> None:
    """Write the page, unless it shows the run as it is, and send the run to MLflow.

    A failure is a warning and changes no result.
    """
    from ...reports.page_source import page_is_current

    try:
        if not page_is_current(folder):
            from ...reports.build import build_report

            build_report([folder])
    except ScreentestError as error:
        warn(f"no page: {error}")
    if tracking_uri == "none":
        return
    from ..core.mlflow_store import default_uri
    from ..tracking.tracking import TrackingError, sync

    try:
        sync(folder, tracking_uri or default_uri(folder.parent))
    except (TrackingError, ServiceDown) as error:
        warn(f"not sent to MLflow: {error}")


def _outlook(
    suite: Suite, generator: Generator, plan: Plan, tools: Instruments, folder: Path
) -> dict[str, Any]:
    """List what a run would do: the plan, its tools, and what is there already."""
    from ..run_folder.store import open_run

    there = 0
    if (folder / "run.json").exists():
        store = open_run(folder)
        if store.record["plan"] == plan.digest:
            there = len(store.clips())
        else:
            warn(f"warning: {folder} holds a run of another plan, so this run would be refused")
        store.close()
    asked = dict.fromkeys(item.clip for item in plan.items)
    sizes = [
        f"{counted(clip.frames, 'frame')} of {clip.width}x{clip.height} at {clip.fps:g} a second"
        for clip in asked
    ]
    return {
        "suite": f"{suite.name} v{suite.version}",
        "generator": generator.spec,
        "out": str(folder),
        "plan": plan.digest,
        "items": len(plan.items),
        "prompts": len({item.cluster for item in plan.items}),
        "units": len(plan.units),
        "clips there": there,
        "clip": "as its file is" if suite.prompts_from_generator else "; ".join(sizes),
        "measures": [measure.name for measure in tools.measures],
        "encoders": dict(tools.sources),
    }


def say_plan(outlook: dict[str, Any], as_json: bool) -> None:
    """Print what a run would do."""
    if as_json:
        print_json(outlook)
        return
    for name, value in outlook.items():
        if isinstance(value, dict):
            value = [f"{role}={source}" for role, source in value.items()]
        say(f"{name}: {', '.join(value) or 'none' if isinstance(value, list) else value}")


def print_summary(summary: Summary, as_json: bool) -> None:
    """Print the table of a run, or its summary as JSON."""
    from ...reports.tables import summary_table

    if as_json:
        print_json(summary.model_dump())
    else:
        print_table(summary_table(summary))
