"""The validity card in words: Markdown of what `card` measured."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ...harness.core.estimate import Estimate
from ..laws.evaluation import LAWS
from ..laws.thresholds import ANY, LEAST, LEAST_OF, SourceThresholds
from .law_card import EVERYDAY, MEDIUM, SEVERITIES, Alarms, LawCard, LawCell
from .law_trials import VARIETIES
from .looks import DEGRADED, RECONSTRUCTED

__all__ = ["write_text"]

_GOAL_AUC: Final = 0.95
_GOAL_ALARMS: Final = 0.02
_GOAL_MS: Final = 20.0
_EVERYWHERE: Final = "all but reconstructed"


def write_text(card: LawCard, limits: SourceThresholds) -> str:
    """Write a card as Markdown."""
    parts = [
        _head(card, limits),
        _summary(card),
        _grades(card),
        _conditions(card, "Other looks", [(look, "native") for look in (*DEGRADED, RECONSTRUCTED)]),
        _conditions(
            card, "Other distributions", [("plain", v) for v in VARIETIES if v not in ("native", EVERYDAY)]
        ),
        _everyday(card),
        _floors(card, limits),
        _short(card),
        _left_out(card, limits),
    ]
    return "\n\n".join(parts) + "\n"


def _head(card: LawCard, limits: SourceThresholds) -> str:
    made, source = card.settings, card.settings["source"]
    track, laws, both = (card.milliseconds[name] for name in ("tracks", "laws", "both"))
    least = ", ".join(f"{law} {value:g}" for law, value in LEAST_OF.items())
    name = " ".join(str(source[key]) for key in ("source", "version") if key in source)
    return f"""# Validity card of the probes of physical laws

How well the measures `physics.*` tell clips that break a law from clips that keep it, for tracks of the
source `{name}`. Written by `screentest validate --probes --n {made["n"]} --seed {made["seed"]}`:
{card.clips} clips of the reference world, at seeds, colors, sizes and severities that no threshold has seen.
Intervals are at 95 %, over scenes. A claim about clips from elsewhere does not follow from it.

- Thresholds: digest `{made["thresholds"]["digest"][:12]}`, from {limits.laws[ANY].n} lawful clips; for each
  law the largest, over five looks, of the quantile that at most {100 * limits.settings["alarms"]:g} % of
  lawful clips exceed, and none below {LEAST:g} ({least}), which no viewer would see.
- Processor time of a clip of 16 x 64 x 64 on one core, in ms, as the median and the 95 % quantile: tracks
  {track[0]:.1f} and {track[1]:.1f}, all laws {laws[0]:.1f} and {laws[1]:.1f}, both {both[0]:.1f} and
  {both[1]:.1f}."""


def _summary(card: LawCard) -> str:
    rows: list[tuple[str, ...]] = []
    for law in LAWS:
        cell = _one(card, law, "plain", "native", MEDIUM)
        plain, all_looks = (_alarms(card, law, look) for look in ("plain", _EVERYWHERE))
        rows.append(
            (
                law,
                "-" if cell is None else str(cell.n),
                "-" if cell is None else _interval(cell.auc),
                "-" if cell is None else _interval(cell.found),
                _rate(plain),
                _rate(all_looks),
            )
        )
    rows.append((ANY, "", "", "", _rate(_alarms(card, ANY, "plain")), _rate(_alarms(card, ANY, _EVERYWHERE))))
    head = ("law", "n", "AUC", "found", "false alarms, plain", "false alarms, five looks")
    text = f"""## At medium severity ({MEDIUM:g}), and on lawful clips

AUC: the share of pairs of a broken and a lawful clip in which the broken one is the more severe. Found: the
share of the broken ones above the threshold. False alarms: lawful clips above it, of how many to which the
law applies."""
    return f"{text}\n\n{_table(head, rows)}"


def _grades(card: LawCard) -> str:
    rows: list[tuple[str, ...]] = []
    for law in LAWS:
        cells = [_one(card, law, "plain", "native", severity) for severity in SEVERITIES]
        rows.append((law, *("-" if c is None else f"{_interval(c.auc)}; {_percent(c.found)}" for c in cells)))
    text = "## By severity\n\nAUC, and the share found. `LAWS` of the world and `PLANTS` say what 1 is."
    return f"{text}\n\n{_table(('law', *(f'{s:g}' for s in SEVERITIES)), rows)}"


def _conditions(card: LawCard, title: str, named: Sequence[tuple[str, str]]) -> str:
    heads = [look if variety == "native" else variety for look, variety in named]
    rows: list[tuple[str, ...]] = []
    for law in (*LAWS, ANY):
        cells: list[str] = [law]
        for look, variety in named:
            cell = _one(card, law, look, variety, MEDIUM)
            lawful = _alarms(card, law, look, variety)
            said = "" if cell is None else f"{_value(cell.auc)}; {_percent(cell.found)}; "
            cells.append(f"{said}{_rate(lawful)}")
        rows.append(tuple(cells))
    text = f"## {title}\n\nAt severity {MEDIUM:g}: AUC; share found; false alarms of lawful clips."
    if title == "Other distributions":
        text += " " + " ".join(f"**{v}**: {VARIETIES[v]}." for _, v in named)
    return f"{text}\n\n{_table(('law', *heads), rows)}"


def _everyday(card: LawCard) -> str:
    rows = [
        (
            part.name,
            str(part.n),
            str(part.discarded),
            ", ".join(f"{law} {count}" for law, count in part.broken.items()) or "none",
        )
        for part in card.phenomena
    ]
    rates = [(law, _rate(_alarms(card, law, _EVERYWHERE, EVERYDAY))) for law in (*LAWS, ANY)]
    text = """## Lawful everyday motion

Clips that keep every law and are unlike the scenes that the thresholds were made from, in five looks. Their
`expect` states what is true of them, such as `drag: true`, or leaves it out; a law whose conditions are not
stated, or not seen, does not apply. How many clips break which law:"""
    head = ("phenomenon", "clips", "no law applies", "broken")
    return f"{text}\n\n{_table(head, rows)}\n\n{_table(('law', 'false alarms'), rates)}"


def _floors(card: LawCard, limits: SourceThresholds) -> str:
    rows: list[tuple[str, ...]] = []
    for law in LAWS:
        row = [law, f"{limits.laws[law].threshold:.3g}" if law in limits.laws else "-"]
        for look in ("plain", RECONSTRUCTED):
            floor = next((f for f in card.floors if f.law == law and f.look == look), None)
            row.append(
                "-" if floor is None else f"{floor.median:.2g}; {floor.q95:.2g}; {floor.q99:.2g} ({floor.n})"
            )
        rows.append(tuple(row))
    text = f"""## The floor of each probe

Severity that lawful clips seem to have: median; 95 % quantile; 99 % quantile (clips). What is drawn by the
world, and what the autoencoder of the reference generator makes of it (weights
`{card.settings["autoencoder"][:12]}`): a generator in its latent space cannot look more lawful than that."""
    return f"{text}\n\n{_table(('law', 'threshold', 'drawn', 'reconstructed'), rows)}"


def _short(card: LawCard) -> str:
    """List what misses the goals, worst first."""
    poor = [c for c in card.cells if c.severity >= MEDIUM and (c.auc.value or 1.0) < _GOAL_AUC]
    loud = [a for a in card.alarms if (a.rate.value or 0.0) > _GOAL_ALARMS]
    lines: list[str] = []
    for c in sorted(poor, key=lambda c: c.auc.value or 0.0):
        kinds = ", ".join(f"{kind} {100 * share:.0f} %" for kind, share in c.families.items() if share < 0.9)
        where = f"{c.law}, {_where(c.look, c.variety)}, severity {c.severity:g}"
        lines.append(f"- {where}: AUC {_interval(c.auc)} (n {c.n}); found {kinds or 'nearly everywhere'}")
    for a in sorted(loud, key=lambda a: -(a.rate.value or 0.0)):
        rate = _interval(a.rate, percent=True)
        lines.append(f"- {a.law}, {_where(a.look, a.variety)}: false alarms {rate} ({a.alarms} of {a.n})")
    slow = card.milliseconds["both"][0]
    if slow > _GOAL_MS:
        lines.append(f"- {slow:.1f} ms a clip in the median")
    text = f"""## Where it falls short

Goals: AUC of at least {_GOAL_AUC:g} from severity {MEDIUM:g} on, at most {100 * _GOAL_ALARMS:g} % false
alarms, under {_GOAL_MS:g} ms a clip. Every condition above that misses one, by its estimate:"""
    return f"{text}\n\n" + ("\n".join(lines) or "None.")


def _left_out(card: LawCard, limits: SourceThresholds) -> str:
    lines = [
        f"- {where}: {reason} ({count} lawful clips)"
        for where, reasons in card.left_out.items()
        for reason, count in reasons.items()
    ]
    reasons: dict[tuple[str, str], int] = {}
    for cell in card.cells:
        for reason, count in cell.left_out.items():
            reasons[cell.law, reason] = reasons.get((cell.law, reason), 0) + count
    lines += [f"- {law}: no threshold: {reason}" for law, reason in limits.missing.items()]
    lines += [f"- {law}: {reason} ({count} broken clips)" for (law, reason), count in sorted(reasons.items())]
    return "## Left out\n\nClips of which the probes say nothing, and why:\n\n" + (
        "\n".join(lines) or "None."
    )


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


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
