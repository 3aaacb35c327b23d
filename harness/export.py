"""Export the score table as a file for pandas, DuckDB and spreadsheets."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from .core.errors import UsageError
from .core.text import well_formed
from .store import RunStore, open_run

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["export_scores", "score_frame"]


def score_frame(store: RunStore) -> pd.DataFrame:
    """Build the score table: a row per item and measure, in the order of the plan.

    Columns: item, cluster, prompt, seed, group, tags and labels (JSON), outcome, file, measure, status, value
    (missing unless status is ok), reason, evidence (JSON).
    """
    import pandas as pd

    items = {item.id: item for item in store.items()}
    clips = store.clips()
    rows = [
        {
            "item": score.item,
            "cluster": items[score.item].cluster,
            "prompt": well_formed(items[score.item].prompt or "") or None,  # old runs may hold any text
            "seed": items[score.item].seed,
            "group": items[score.item].label("group"),
            "tags": json.dumps(items[score.item].tags),
            "labels": json.dumps(items[score.item].labels),
            "outcome": clips[score.item].outcome,
            "file": clips[score.item].file,
            "measure": score.measure,
            "status": score.status,
            "value": score.value,
            "reason": score.reason,
            "evidence": json.dumps(dict(score.evidence)),
        }
        for score in store.scores()
    ]
    columns = (
        "item cluster prompt seed group tags labels outcome file measure status value reason evidence".split()  # noqa: SIM905
    )
    return pd.DataFrame(rows, columns=pd.Index(columns)).astype({"value": "float64"})


def export_scores(folder: Path, out: Path) -> int:
    """Write a run's score table as Parquet or CSV, by the file's suffix; return the number of rows.

    Raises:
        UsageError: there is no run, the suffix is another, or the file cannot be written.
    """
    if out.suffix not in (".parquet", ".csv"):
        raise UsageError(f"the export {out} should end in .parquet or .csv")
    frame = score_frame(open_run(folder))
    beside = out.with_name(f".{out.name}.{os.getpid()}.tmp")
    try:
        if out.suffix == ".csv":
            frame.to_csv(beside, index=False)
        else:
            frame.to_parquet(beside, index=False)
        beside.replace(out)
    except OSError as error:
        raise UsageError(f"{out} cannot be written: {error.strerror or error}") from None
    finally:
        beside.unlink(missing_ok=True)
    return len(frame)
