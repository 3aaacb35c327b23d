"""Fit a stack of prompt classifiers: ``screentest train prompt-stack --data CSV --members A,B --out FOLDER``.

The labelled prompts should be ones that no member was trained on. Calibration and threshold come from scores
out of fold, so that the stack is not judged on prompts that its weights were fitted to.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, ValidationError

from ...harness.core.arrays import Bools, Floats
from ...harness.core.config import Config, explain
from ...harness.core.counts import counted
from ...harness.core.errors import UsageError
from ...harness.core.keys import file_sha256, seeded_rng
from ..calibration import fit_isotonic, fit_temperature, logit, sigmoid, threshold_at_fpr
from ..labelled import read_labelled
from ..prompts import load_classifier
from ..prompts.ensemble import EnsembleConfig, Stack

if TYPE_CHECKING:
    from ..prompts import PromptClassifier

__all__ = ["StackSettings", "fit_logistic", "fit_stack", "train_prompt_stack"]

_FOLDS = 5
FEWEST = 20
"""Fewer prompts of a class than this fit nothing."""


class StackSettings(Config):
    """What can be set when a stack is fitted."""

    data: Path = Field(description="CSV with the columns prompt and label")
    members: str = Field(description="classifiers, with commas between them")
    name: str = "stack"
    calibration: Literal["isotonic", "temperature"] = "isotonic"
    fpr: float = Field(0.01, gt=0, lt=0.5, description="false alarms allowed on the harmless prompts")
    l2: float = Field(1e-3, gt=0, description="pull of the weights to the members' mean")
    seed: int = 0


def train_prompt_stack(out: Path, overrides: Mapping[str, str]) -> Path:
    """Fit a stack and write it as ``classifier.yaml`` in the folder ``out``.

    Raises:
        UsageError: wrong options or data, or too few prompts of a class.
        MissingWeightsError: a member is not on this machine.
    """
    import yaml

    try:
        settings = StackSettings.model_validate(dict(overrides))
    except ValidationError as error:
        raise UsageError(f"train prompt-stack: {explain(error, StackSettings)}") from None
    names = tuple(name.strip() for name in settings.members.split(",") if name.strip())
    if len(names) < 2:
        raise UsageError("--members should be two classifiers or more, with commas between them")
    names = tuple(str(Path(name).resolve()) if Path(name).exists() else name for name in names)
    members = [load_classifier(name) for name in names]
    rows = read_labelled(settings.data, ("prompt", "text"))
    stack = fit_stack(members, rows.keys, np.array(rows.labels), settings)
    ensemble = EnsembleConfig(members=names, rule="stack", stack=stack)
    written = {
        "name": settings.name,
        "version": 1,
        "ensemble": ensemble.model_dump(mode="json", exclude_none=True),
    }
    out.mkdir(parents=True, exist_ok=True)
    file = out / "classifier.yaml"
    beside = file.with_suffix(".part")
    beside.write_text(yaml.safe_dump(written, sort_keys=False, allow_unicode=True), "utf-8")
    beside.replace(file)
    return file


def fit_stack(
    members: Sequence[PromptClassifier], prompts: Sequence[str], labels: Bools, settings: StackSettings
) -> Stack:
    """Fit a stack to labelled prompts (n,); those that a member cannot judge are left out.

    Raises:
        UsageError: fewer than `FEWEST` prompts of a class are left.
    """
    odds = np.stack([logit(member.classify(prompts).score) for member in members], 1)  # n, members
    known = ~np.isnan(odds).any(1)
    odds, y = odds[known], labels[known]
    for what, count in (("harmful", int(y.sum())), ("harmless", int((~y).sum()))):
        if count < FEWEST:
            raise UsageError(
                f"{settings.data} has {counted(count, f'{what} prompt')} that every member judges; a "
                f"stack needs {FEWEST}"
            )
    fold = _folds(y, settings.seed)
    z = np.empty(len(y))
    for k in range(_FOLDS):
        rows = fold == k
        weights, bias = fit_logistic(odds[~rows], y[~rows], settings.l2)
        z[rows] = odds[rows] @ weights + bias
    isotonic = temperature = None
    if settings.calibration == "isotonic":
        line = fit_isotonic(z, y)
        isotonic = (line.scores, line.probabilities)
    else:
        line = fit_temperature(z, y)
        temperature = 1.0 / line.slope
    weights, bias = fit_logistic(odds, y, settings.l2)
    return Stack(
        member_digests=tuple(member.digest for member in members),
        weights=tuple(weights.tolist()),
        bias=bias,
        isotonic=isotonic,
        temperature=temperature,
        threshold=min(1.0, threshold_at_fpr(line(z[~y]), settings.fpr)),
        fpr=settings.fpr,
        n=len(y),
        n_harmful=int(y.sum()),
        data_sha256=file_sha256(settings.data),
    )


def fit_logistic(odds: Floats, labels: Bools, l2: float) -> tuple[Floats, float]:
    """Fit weights of at least 0 and a bias by the mean log loss, pulled to equal weights that sum to 1.

    Args:
        odds: log-odds of the members (n, m).
        labels: (n,).
        l2: of half the squared distance of the weights from 1/m.
    """
    from scipy.optimize import minimize

    n, m = odds.shape
    centre = np.full(m, 1.0 / m)

    def objective(flat: Floats) -> tuple[float, Floats]:
        z = odds @ flat[:m] + flat[m]
        away = flat[:m] - centre
        loss = float(np.mean(np.logaddexp(0.0, z) - labels * z)) + 0.5 * l2 * float(away @ away)
        slope = (sigmoid(z) - labels) / n
        return loss, np.append(odds.T @ slope + l2 * away, slope.sum())

    bounds = [(0.0, None)] * m + [(None, None)]
    start = np.append(centre, 0.0)
    found: Any = minimize(
        objective, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"gtol": 1e-8}
    )
    return np.asarray(found.x[:m], np.float64), float(found.x[m])


def _folds(labels: Bools, seed: int) -> NDArray[np.int64]:
    """Deal each class over the folds in an order drawn from the seed."""
    fold = np.empty(len(labels), np.int64)
    for value in (False, True):
        rows = np.flatnonzero(labels == value)
        order = seeded_rng("prompt-stack", seed, value).permutation(len(rows))
        fold[rows[order]] = np.arange(len(rows)) % _FOLDS
    return fold
