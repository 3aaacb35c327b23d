"""``rerun``: repeat a run from its own record, into another folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from ..core.errors import UsageError
from ..core.mlflow_names import flat_params
from .one_run import ALL_FAILED, Job, nothing_came, print_summary
from .options import (
    AsJson,
    Cache,
    ClipsOption,
    Plugins,
    TrackingUri,
    check_address,
    load_plugins,
    settings,
    warn,
)

__all__ = ["rerun"]


def rerun(
    run: Annotated[Path, typer.Argument(help="The run to repeat.")],
    out: Annotated[Path | None, typer.Option(help="Folder of the new run; by default RUN-rerun.")] = None,
    plugin: Plugins = None,
    clips: ClipsOption = None,
    cache: Cache = "cache",
    tracking_uri: TrackingUri = None,
    as_json: AsJson = False,
) -> None:
    """Repeat a run from its run.json: the same suite, generator, device, dtype and threads.

    Its clips are stored where those of the run are, or in the new folder if those are in the run's own.
    """
    check_address(tracking_uri)
    from ...generators.identity import identity_of
    from ..matrix import NamedGenerator
    from ..run_folder.store import open_run
    from ..suites.suite import Suite

    store = open_run(run)
    record = store.record
    store.close()
    made: Mapping[str, Any] = record.get("made_with") or {}
    if not made:
        warn("warning: the run does not say its device, dtype and plug-ins; auto and float32 are taken")
    load_plugins([*(Path(path) for path in made.get("plugins", ())), *(plugin or [])])
    folder = out or run.with_name(f"{run.resolve().name}-rerun")
    if folder.resolve() == run.resolve():
        raise UsageError(f"--out {out} is the run itself; name another folder")
    device, dtype = str(made.get("device", "auto")), str(made.get("dtype", "float32"))
    threads = (record.get("threads") or {}).get("torch")
    how = settings(cache, device, dtype, threads if isinstance(threads, int) else None)
    how = replace(how, clips=clips or record.get("clips"))
    job = Job(Suite.model_validate(record["suite"]), how, device, dtype, tracking_uri)
    step = record.get("step")
    one = NamedGenerator(str(record["generator_spec"]), folder.name, step if isinstance(step, int) else None)
    for change in _changes(record["generator"], dict(identity_of(job.make(one)))):
        warn(f"warning: the generator is not what it was: {change}")
    notes = {"rerun_of": record.get("id"), "made_with": dict(made)}
    summary = job.run(one, folder, {**notes, **({"meta": record["meta"]} if "meta" in record else {})})
    print_summary(summary, as_json)
    warn(f"page: {folder / 'report.html'}")
    warn(f"'screentest compare {folder} {run} --same-seed' says whether the clips are the same")
    if nothing_came(summary, folder):
        raise typer.Exit(ALL_FAILED)


def _changes(there: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """List what differs between two identities of a generator."""
    old, new = flat_params("generator", dict(there)), flat_params("generator", dict(now))
    return [
        f"{name} was {_short(old.get(name))} and is {_short(new.get(name))}"
        for name in dict.fromkeys((*old, *new))
        if old.get(name) != new.get(name)
    ][:5]


def _short(value: str | None) -> str:
    return "not there" if value is None else value if len(value) < 64 else f"{value[:12]}..."
