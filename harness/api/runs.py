"""Run suites from Python, and read runs as data frames, charts and pages."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from typing_extensions import Unpack

from ...generators import make_generator
from ...generators.base import Generator as ClipGenerator
from .. import run as running
from ..core.errors import UsageError, unknown_name
from ..core.keys import slug
from ..results.export import aggregate_frame, score_frame
from ..results.summary import Aggregate, Summary, read_summary
from ..run_folder.store import RunStore
from ..run_folder.store import open_run as open_store
from ..suites.suite import Suite
from .options import RunOptions, check_options, chosen_suite, settings_of

if TYPE_CHECKING:
    import altair as alt
    import pandas as pd

__all__ = ["Run", "folder_of", "open_run", "run"]

_SUMMARY = (
    "value",
    "low",
    "high",
    "n",
    "clusters",
    "left_out",
    "better",
    "unit",
    "encoder",
    "reasons",
    "notes",
)


class Run:
    """A run that is scored: its numbers as data frames, as a chart and as a page.

    ``run["motion.flicker"]`` is one aggregate: its value, interval, n and what was left out.

    Attributes:
        path: the run folder.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    @contextmanager
    def opened(self) -> Generator[RunStore]:
        """Open the run folder for reading."""
        store = open_store(self.path)
        try:
            yield store
        finally:
            store.close()

    def aggregates(self) -> Summary:
        """Read all aggregates of the run, with the number of items by outcome.

        Raises:
            UsageError: the run is not scored to its end.
        """
        return read_summary(self.path)

    def __getitem__(self, measure: str) -> Aggregate:
        summary = self.aggregates()
        found = summary.get(measure)
        if found is None:
            raise unknown_name("measure of this run", measure, {a.measure for a in summary.aggregates})
        return found

    def summary(self) -> pd.DataFrame:
        """Return a row a measure, over the whole run: value, interval, n, prompts and what was left out.

        Raises:
            UsageError: the run is not scored to its end.
        """
        import pandas as pd

        overall = [a for a in self.aggregates().aggregates if a.tag is None]
        rows = [{name: getattr(a, name) for name in _SUMMARY} for a in overall]
        named = pd.Index([a.measure for a in overall], name="measure")
        numbers = dict.fromkeys(("value", "low", "high"), "float64")
        frame = pd.DataFrame(rows, index=named, columns=pd.Index(_SUMMARY)).astype(numbers)
        return frame.rename(columns={"clusters": "prompts"})

    def frame(self, of: Literal["clips", "measures"] = "clips") -> pd.DataFrame:
        """Return the score table: a row per clip and measure, or per measure and slice, with intervals.

        The columns are those of ``screentest export``, without and with ``--aggregates``.

        Raises:
            UsageError: aggregates are asked for, and the run is not scored to its end.
        """
        if of not in ("clips", "measures"):
            raise UsageError(f"a frame is of 'clips' or of 'measures', not of {of!r}")
        with self.opened() as store:
            return score_frame(store) if of == "clips" else aggregate_frame([store])

    def plot(self, *measures: str) -> alt.VConcatChart:
        """Draw the values with their intervals, a row a measure; of all measures that have a value, or these.

        Raises:
            UsageError: the run has no such measure, or none with a value.
        """
        from .plots import interval_rows

        summary = self.aggregates()
        chosen = [self[name] for name in measures] or [a for a in summary.aggregates if a.tag is None]
        return interval_rows(chosen, self.name)

    def report(self, path: str | Path | None = None) -> Path:
        """Write the run's page, one HTML file; by default ``report.html`` in the run folder.

        Raises:
            UsageError: the run is not scored to its end, or the file cannot be written.
        """
        from ...reports.build import build_report

        return build_report([self.path], out=None if path is None else Path(path))

    def sync(self, tracking_uri: str | None = None) -> str:
        """Send to MLflow what has not been sent yet, and return the id of the run there.

        Args:
            tracking_uri: server or database; by default ``mlflow.db`` beside the run.

        Raises:
            TrackingError: MLflow cannot be reached, or refuses.
        """
        from ..core.mlflow_store import default_uri
        from ..tracking.tracking import sync

        return sync(self.path, tracking_uri or default_uri(self.path.parent)).run_id

    @property
    def name(self) -> str:
        """The run's name: that of its folder, unless it was given one."""
        with self.opened() as store:
            return str(store.record.get("name") or self.path.name)

    def __repr__(self) -> str:
        return f"Run({str(self.path)!r})"

    def _repr_html_(self) -> str:
        return str(self.summary()[["value", "low", "high", "n", "left_out", "reasons"]].to_html())


def run(
    suite: str | Path | Suite,
    generator: str | ClipGenerator,
    out: str | Path | None = None,
    **options: Unpack[RunOptions],
) -> Run:
    """Run a suite on a generator and score it, as ``screentest run`` does; resume it if it was interrupted.

    Args:
        suite: name, YAML file or `Suite`.
        generator: a spec, such as ``reference:base`` or ``folder:clips``, or a `Generator`.
        out: the run folder; by default ``runs/SUITE-GENERATOR``, or ``runs/NAME`` for a name.
        options: see `RunOptions`.

    The page and MLflow are left to `Run.report` and `Run.sync`.

    Raises:
        UsageError: a name or option is wrong, weights are missing, or ``out`` holds another plan.
    """
    known = check_options(options)
    chosen = chosen_suite(suite, known)
    made = _generator(generator, known)
    named = slug(known["name"]) if "name" in known else f"{chosen.name}-{slug(made.spec)}"
    folder = Path("runs") / named if out is None else Path(out)
    running.run(chosen, made, folder, settings_of(known))
    return Run(folder)


def _generator(generator: Any, options: RunOptions) -> ClipGenerator:
    if isinstance(generator, ClipGenerator):
        return generator
    if not isinstance(generator, str):
        kind = type(generator).__name__
        raise UsageError(
            f"the generator is a {kind}; give a spec such as 'reference:base', a Generator, or a function "
            "under @st.generator"
        )
    return make_generator(
        generator, device=options.get("device", "auto"), dtype=options.get("dtype", "float32")
    )


def open_run(path: str | Path) -> Run:
    """Open a run folder.

    Raises:
        UsageError: there is no run, it is damaged, or a newer version wrote it.
    """
    found = Run(folder_of(path))
    with found.opened():
        return found


def folder_of(one: Any) -> Path:
    """Return the folder of a run, given as a `Run` or as its path.

    Raises:
        UsageError: it is neither.
    """
    if isinstance(one, Run):
        return one.path
    if isinstance(one, str | Path):
        return Path(one)
    raise UsageError(f"a {type(one).__name__} is no run; give a Run or the path of a run folder")
