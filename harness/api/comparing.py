"""Compare runs and gate releases from Python."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..comparison.compare import compare as compare_stores
from ..comparison.result import Comparison as Document
from ..comparison.result import Difference
from ..core.counts import counted
from ..core.errors import unknown_name
from ..gates import gate as gates
from ..gates.gate import Verdict, write_verdict
from ..gates.release_record import keep_record
from ..gates.signatures import read_private
from ..policies.policy import Policy
from .options import plugins_loaded, read_policy
from .runs import Run, folder_of

if TYPE_CHECKING:
    import altair as alt
    import pandas as pd

__all__ = ["Comparison", "compare", "gate"]

_COLUMNS = (
    "measure", "tag", "a", "b", "difference", "low", "high", "direction", "p", "p_adjusted", "n", "clusters",
    "better", "unit", "reason",
)  # fmt: skip


class Comparison:
    """Run b against run a, item by item: paired differences with intervals.

    ``comparison["motion.flicker"]`` is one difference.

    Attributes:
        document: all of it, as ``screentest compare --json`` prints it.
    """

    def __init__(self, document: Document, folders: tuple[Path, Path]) -> None:
        self.document = document
        self._folders = folders

    def __getitem__(self, measure: str) -> Difference:
        found = self.document.get(measure)
        if found is None:
            raise unknown_name(
                "measure of these runs", measure, {d.measure for d in self.document.differences}
            )
        return found

    def frame(self) -> pd.DataFrame:
        """Return a row per measure and slice: both values, ``b - a`` with its interval, p and direction."""
        import pandas as pd

        rows = [{name: getattr(d, name) for name in _COLUMNS} for d in self.document.differences]
        numbers = dict.fromkeys(("a", "b", "difference", "low", "high", "p", "p_adjusted"), "float64")
        frame = pd.DataFrame(rows, columns=pd.Index(_COLUMNS)).astype(numbers)
        return frame.rename(columns={"clusters": "prompts", "tag": "slice"})

    def plot(self) -> alt.VConcatChart:
        """Draw the differences over all items with their intervals, a row a measure.

        Raises:
            UsageError: no measure has a difference.
        """
        from .plots import difference_rows

        overall = [d for d in self.document.differences if d.tag is None]
        return difference_rows(overall, f"{self.document.b.name} - {self.document.a.name}")

    def report(self, path: str | Path) -> Path:
        """Write one page about both runs.

        Raises:
            UsageError: a run is not scored to its end, or the file cannot be written.
        """
        from ...reports.build import build_report

        return build_report(list(self._folders), out=Path(path))

    def sync(self, tracking_uri: str | None = None) -> str:
        """Send the comparison to MLflow, and what it lacks of the runs; return the id of its run there.

        Args:
            tracking_uri: server or database; by default ``mlflow.db`` beside run a.

        Raises:
            TrackingError: MLflow cannot be reached, or refuses.
        """
        from ..core.mlflow_store import default_uri
        from ..tracking.comparison_tracking import sync_comparison

        uri = tracking_uri or default_uri(self._folders[0].resolve().parent)
        return sync_comparison(self._folders, self.document, uri).run_id

    def __repr__(self) -> str:
        return (
            f"Comparison({self.document.b.name!r} with {self.document.a.name!r}, "
            f"{counted(self.document.items, 'item')})"
        )

    def _repr_html_(self) -> str:
        frame = self.frame()
        shown = ["measure", "a", "b", "difference", "low", "high", "direction"]
        return str(frame.loc[frame["slice"].isna(), shown].to_html(index=False))


def compare(a: Run | str | Path, b: Run | str | Path, *, confidence: float = 0.95) -> Comparison:
    """Compare run ``b`` with run ``a``, item by item: every measure, over all items and by slice.

    Raises:
        UsageError: the runs are of different suites, or have no item in common.
    """
    folders = folder_of(a), folder_of(b)
    with Run(folders[0]).opened() as first, Run(folders[1]).opened() as second:
        return Comparison(compare_stores(first, second, confidence), folders)


def gate(
    run: Run | str | Path,
    policy: str | Path | Policy,
    baseline: Run | str | Path | None = None,
    *,
    clips: bool = True,
    model: str | None = None,
    sign: str | Path | None = None,
) -> Verdict:
    """Apply a policy to a run, and keep the verdict and its record, as ``screentest gate`` does.

    The verdict is kept in the run folder, and the record in ``records/`` beside it, chained to the last one.

    Args:
        run: to judge.
        policy: name, YAML file or `Policy`.
        baseline: the run to compare with, for rules with ``versus: baseline``.
        clips: whether the stored files are compared with the sha256 of what was scored.
        model: whose chain of records it belongs to; by default the generator's spec.
        sign: private key (PEM) that signs the record; ``screentest keygen`` makes one.

    Returns:
        The verdict: ``verdict.verdict`` is PASS, FAIL or INCONCLUSIVE, and ``rules`` have the evidence.

    Raises:
        UsageError: a run was changed after it was scored, or the policy cannot be applied to it; the
            key cannot be read; the chain of records was altered.
    """
    plugins_loaded()
    rules, folder = read_policy(policy), folder_of(run)
    before = None if baseline is None else folder_of(baseline)
    key = None if sign is None else read_private(Path(sign))
    with Run(folder).opened() as store:
        if before is None:
            verdict = gates.gate(store, rules, clips=clips)
        else:
            with Run(before).opened() as other:
                verdict = gates.gate(store, rules, other, clips=clips)
    write_verdict(folder, verdict)
    keep_record(folder, verdict, rules, model=model, baseline=before, key=key)
    return verdict
