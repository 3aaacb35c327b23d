"""The validity card in words: Markdown of what `card` measured."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final, TypeAlias

from ...harness.core.estimate import Estimate
from ...harness.core.templates import render_markdown
from ..laws.evaluation import LAWS
from ..laws.thresholds import ANY, LEAST, LEAST_OF, SourceThresholds
from .law_card import EVERYDAY, MEDIUM, SEVERITIES, Alarms, LawCard, LawCell
from .law_fitness import kind_of, tracker_of
from .law_trials import VARIETIES
from .looks import DEGRADED, RECONSTRUCTED

__all__ = ["write_text"]

_TEMPLATE: Final = Path(__file__).parent / "templates" / "law_card.md.j2"
_GOAL_AUC: Final = 0.95
_GOAL_ALARMS: Final = 0.02
_GOAL_MS: Final = 20.0
_EVERYWHERE: Final = "all but reconstructed"

_Rows: TypeAlias = list[tuple[str, ...]]


def write_text(card: LawCard, limits: SourceThresholds) -> str:
    """Write a card as Markdown."""
    flat = "world" not in card.settings
    looks = (*DEGRADED, RECONSTRUCTED)
    varieties = {name: what for name, what in VARIETIES.items() if name not in ("native", EVERYDAY)}
    return render_markdown(
        _TEMPLATE,
        card=card,
        limits=limits,
        source=tracker_of(card),
        kind=kind_of(card),
        flat=flat,
        lawful=limits.laws[ANY].n,
        least=LEAST,
        least_of=", ".join(f"{law} {value:g}" for law, value in LEAST_OF.items()),
        medium=MEDIUM,
        severities=[f"{severity:g}" for severity in SEVERITIES],
        looks=looks,
        varieties=varieties,
        summary=[row if flat else row[:-1] for row in _summary(card)],
        grades=_grades(card),
        by_look=_conditions(card, [(look, "native") for look in looks]),
        by_variety=_conditions(card, [("plain", name) for name in varieties]),
        phenomena=_phenomena(card),
        everyday=[(law, _rate(_alarms(card, law, _EVERYWHERE, EVERYDAY))) for law in (*LAWS, ANY)],
        floors=[row if flat else row[:-1] for row in _floors(card, limits)],
        goal_auc=_GOAL_AUC,
        goal_alarms=_GOAL_ALARMS,
        goal_ms=_GOAL_MS,
        short=_short(card),
        left_out=_left_out(card, limits),
    )


def _summary(card: LawCard) -> _Rows:
    rows: _Rows = []
    for law in LAWS:
        cell = _one(card, law, "plain", "native", MEDIUM)
        measured = (
            ("-", "-", "-") if cell is None else (str(cell.n), _interval(cell.auc), _interval(cell.found))
        )
        plain, all_looks = (_rate(_alarms(card, law, look)) for look in ("plain", _EVERYWHERE))
        rows.append((law, *measured, plain, all_looks))
    rows.append((ANY, "", "", "", *(_rate(_alarms(card, ANY, look)) for look in ("plain", _EVERYWHERE))))
    return rows


def _grades(card: LawCard) -> _Rows:
    rows: _Rows = []
    for law in LAWS:
        cells = [_one(card, law, "plain", "native", severity) for severity in SEVERITIES]
        rows.append((law, *("-" if c is None else f"{_interval(c.auc)}; {_percent(c.found)}" for c in cells)))
    return rows


def _conditions(card: LawCard, named: Sequence[tuple[str, str]]) -> _Rows:
    rows: _Rows = []
    for law in (*LAWS, ANY):
        cells: list[str] = [law]
        for look, variety in named:
            cell = _one(card, law, look, variety, MEDIUM)
            lawful = _alarms(card, law, look, variety)
            said = "" if cell is None else f"{_value(cell.auc)}; {_percent(cell.found)}; "
            cells.append(f"{said}{_rate(lawful)}")
        rows.append(tuple(cells))
    return rows


def _phenomena(card: LawCard) -> _Rows:
    return [
        (
            part.name,
            str(part.n),
            str(part.discarded),
            ", ".join(f"{law} {count}" for law, count in part.broken.items()) or "none",
        )
        for part in card.phenomena
    ]


def _floors(card: LawCard, limits: SourceThresholds) -> _Rows:
    rows: _Rows = []
    for law in LAWS:
        row = [law, f"{limits.laws[law].threshold:.3g}" if law in limits.laws else "-"]
        for look in ("plain", RECONSTRUCTED):
            floor = next((f for f in card.floors if f.law == law and f.look == look), None)
            row.append(
                "-" if floor is None else f"{floor.median:.2g}; {floor.q95:.2g}; {floor.q99:.2g} ({floor.n})"
            )
        rows.append(tuple(row))
    return rows


def _short(card: LawCard) -> list[str]:
    """List what misses the goals, worst first."""
    poor = [c for c in card.cells if c.severity >= MEDIUM and (c.auc.value or 1.0) < _GOAL_AUC]
    loud = [a for a in card.alarms if (a.rate.value or 0.0) > _GOAL_ALARMS]
    lines: list[str] = []
    for c in sorted(poor, key=lambda c: c.auc.value or 0.0):
        kinds = ", ".join(f"{kind} {100 * share:.0f} %" for kind, share in c.families.items() if share < 0.9)
        where = f"{c.law}, {_where(c.look, c.variety)}, severity {c.severity:g}"
        lines.append(f"{where}: AUC {_interval(c.auc)} (n {c.n}); found {kinds or 'nearly everywhere'}")
    for a in sorted(loud, key=lambda a: -(a.rate.value or 0.0)):
        rate = _interval(a.rate, percent=True)
        lines.append(f"{a.law}, {_where(a.look, a.variety)}: false alarms {rate} ({a.alarms} of {a.n})")
    slow = card.milliseconds["both"][0]
    if slow > _GOAL_MS:
        lines.append(f"{slow:.1f} ms a clip in the median")
    return lines


def _left_out(card: LawCard, limits: SourceThresholds) -> list[str]:
    lines = [
        f"{where}: {reason} ({count} lawful clips)"
        for where, reasons in card.left_out.items()
        for reason, count in reasons.items()
    ]
    reasons: dict[tuple[str, str], int] = {}
    for cell in card.cells:
        for reason, count in cell.left_out.items():
            reasons[cell.law, reason] = reasons.get((cell.law, reason), 0) + count
    lines += [f"{law}: no threshold: {reason}" for law, reason in limits.missing.items()]
    lines += [f"{law}: {reason} ({count} broken clips)" for (law, reason), count in sorted(reasons.items())]
    return lines


def _one(card: LawCard, law: str, look: str, variety: str, severity: float) -> LawCell | None:
    wanted = (law, look, variety, severity)
    return next((c for c in card.cells if (c.law, c.look, c.variety, c.severity) == wanted), None)


def _alarms(card: LawCard, law: str, look: str, variety: str = "native") -> Alarms | None:
    return next((a for a in card.alarms if (a.law, a.look, a.variety) == (law, look, variety)), None)


def _where(look: str, variety: str) -> str:
    return look if variety == "native" else f"{look}, {variety}"


def _value(estimate: Estimate) -> str:
    return "-" if estimate.value is None else f"{estimate.value:.3f}"


def _percent(estimate: Estimate) -> str:
    return "-" if estimate.value is None else f"{100 * estimate.value:.0f} %"


def _interval(estimate: Estimate, *, percent: bool = False) -> str:
    if estimate.value is None:
        return "-"
    scale, unit, digits = (100.0, " %", 1) if percent else (1.0, "", 3)
    value = f"{scale * estimate.value:.{digits}f}{unit}"
    if estimate.low is None or estimate.high is None:
        return value
    return f"{value} [{scale * estimate.low:.{digits}f}, {scale * estimate.high:.{digits}f}]"


def _rate(alarms: Alarms | None) -> str:
    return "-" if alarms is None else f"{_interval(alarms.rate, percent=True)} of {alarms.n}"
