"""Evaluate video generators: score videos, run suites, compare runs, gate releases.

    import screentest as st

    scores = st.score(videos, prompts)                   # tensors, arrays, images or files
    run = st.run("reference", "reference:base", "runs/base")
    comparison = st.compare("runs/early", run)
    verdict = st.gate(run, "release", baseline="runs/early")

Importing this module is cheap: each name is loaded at first use. What goes wrong by a user's doing is a
`ScreentestError` of one sentence.
"""

# Installed as screentest/__init__.py, beside the folders that it names; in the source tree it lies elsewhere.
# pyright: reportMissingImports=false

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .generators.base import Failure, Frames, NotApplicable, Refusal, VideoFile
    from .generators.decorator import generator
    from .generators.functions import Refused
    from .harness.api.callback import Callback, Evaluation, StopRule
    from .harness.api.comparing import Comparison, compare, gate
    from .harness.api.metric import MeasureMetric, metric
    from .harness.api.options import Policy, RunOptions, ScoreOptions, Suite
    from .harness.api.runs import Run, open_run, run
    from .harness.api.scoring import score
    from .harness.core.errors import (
        MediaError,
        MissingWeightsError,
        ScreentestError,
        ServiceDown,
        TrackingError,
        UsageError,
    )
    from .harness.gates.gate import Verdict

    __version__: str

__all__ = [
    "Callback",
    "Comparison",
    "Evaluation",
    "Failure",
    "Frames",
    "MeasureMetric",
    "MediaError",
    "MissingWeightsError",
    "NotApplicable",
    "Policy",
    "Refusal",
    "Refused",
    "Run",
    "RunOptions",
    "ScoreOptions",
    "ScreentestError",
    "ServiceDown",
    "StopRule",
    "Suite",
    "TrackingError",
    "UsageError",
    "Verdict",
    "VideoFile",
    "__version__",
    "compare",
    "gate",
    "generator",
    "metric",
    "open_run",
    "run",
    "score",
]

_MODULES = {
    "generators.base": ("Failure", "Frames", "NotApplicable", "Refusal", "VideoFile"),
    "generators.decorator": ("generator",),
    "generators.functions": ("Refused",),
    "harness.api.callback": ("Callback", "Evaluation", "StopRule"),
    "harness.api.comparing": ("Comparison", "compare", "gate"),
    "harness.api.metric": ("MeasureMetric", "metric"),
    "harness.api.options": ("Policy", "RunOptions", "ScoreOptions", "Suite"),
    "harness.api.runs": ("Run", "open_run", "run"),
    "harness.api.scoring": ("score",),
    "harness.core.errors": (
        "MediaError",
        "MissingWeightsError",
        "ScreentestError",
        "ServiceDown",
        "TrackingError",
        "UsageError",
    ),
    "harness.gates.gate": ("Verdict",),
}


def __getattr__(name: str) -> Any:
    import importlib

    if name == "__version__":
        import importlib.metadata

        return importlib.metadata.version("screentest")
    for module, names in _MODULES.items():
        if name in names:
            found = getattr(importlib.import_module(f".{module}", __name__), name)
            globals()[name] = found
            return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
