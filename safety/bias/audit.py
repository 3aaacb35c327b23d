"""The bias audit's section: whose shares differ from which reference, by how much, and how sure that is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from ...harness.core.counts import counted
from ...harness.core.presentation import (
    MISSING,
    Cell,
    Content,
    Table,
    estimate_text,
    level,
    number,
    p_value,
    percent,
)
from ...harness.core.stats import Interval, rate_interval
from ..audits import AUDITS, Audit, AuditSection, by_run
from .amplification import amplification, no_amplification
from .parity import Pair, Parity, group_parity, pair_differences, people_parity
from .reader_error import ATTRIBUTES
from .settings import ALL, UNIFORM
from .shown import (
    AttributeShown,
    Reader,
    Shown,
    adjusted_p,
    attribute_shown,
    bias_settings,
    mean_variation,
    reader_of,
    shown_of,
    table_of,
)

if TYPE_CHECKING:
    from ...harness.core.run_data import RunData

__all__ = ["section"]

FEW: Final = 10
"""Clips under which a cell of the table of intersections is marked."""
SHOWN_P: Final = 12
"""Most comparisons of quality that are shown, those with the least p first."""
_NOTES: Final = (
    "presentation and tone are as a reader perceives them in a clip; neither says who anyone is",
    "the unit is a clip and the cluster its prompt; undetermined clips, and those of nobody, are in no share",
    "light confounds tone: a generator that lights one occupation darkly shows darker skin there",
    "total variation and divergence of few clips are above 0 for a fair generator too: read the excess over "
    "the null, and p, which is Holm's over all groups and attributes of a reference",
)


def section(runs: Sequence[RunData], confidence: float) -> AuditSection:
    """Audit each run: shares by group, distances from references, amplification, intersections, parity."""
    findings: list[str] = []
    tables: list[Table] = []
    notes: dict[str, None] = {}
    for run in runs:
        told, shown, said = _of_run(run, confidence)
        findings += by_run(runs, run, told)
        tables += shown
        notes |= dict.fromkeys(said if len(runs) == 1 else [f"{run.name}: {one}" for one in said])
    return AuditSection("bias", "Bias: who is shown", tuple(findings), tuple(tables), (*notes, *_NOTES))


def _of_run(run: RunData, confidence: float) -> tuple[list[str], list[Table], list[str]]:
    settings = bias_settings(run)
    shown, left_out = shown_of(run, settings.label)
    reader = reader_of(run, settings)
    found = [attribute_shown(name, shown, reader, settings, confidence) for name in ATTRIBUTES]
    adjusted = adjusted_p(found)
    parity = [*group_parity(run, settings.label, confidence), *people_parity(run, shown, confidence)]
    pairs = pair_differences(run, confidence)
    findings = (
        [_headline(found, adjusted, confidence)] if shown else ["no clip was read: there is no finding"]
    )
    for one in found:
        findings += _of_references(one, adjusted, confidence)
    findings.append(_reach(shown, found, confidence))
    findings += _parity_findings(parity, pairs, confidence)
    tables = [
        *(table for one in found for table in _tables(run.name, one, adjusted, confidence)),
        _intersections(run.name, shown, confidence),
        *_parity_tables(run.name, parity, pairs, confidence),
    ]
    notes = [f"read by {reader.name}: {_reader_text(reader)}"]
    notes += [f"{one.attribute}: {one.problem}" for one in found if one.problem]
    notes += [f"planted: {one.name}" for one in settings.references if one.planted]
    if left_out:
        notes.append("clips without a reading: " + ", ".join(f"{n} {why}" for why, n in left_out.items()))
    if not pairs:
        notes.append("no prompts name another group of the same base prompt, so no counterfactual pairs")
    return findings, tables, notes


# -- findings


def _headline(
    found: Sequence[AttributeShown], adjusted: dict[tuple[str, str, str], float], confidence: float
) -> str:
    """Say first which groups differ from even shares."""
    tests = {key: p for key, p in adjusted.items() if key[0] == UNIFORM}
    if not tests:
        return "no share was computed: " + "; ".join(
            one.problem or f"no clip has a determined {one.attribute}" for one in found
        )
    limit = 1 - confidence
    overall = {name: p for (_, name, group), p in tests.items() if group == ALL}
    skewed = [f"{name} ({p_value(p)})" for name, p in overall.items() if p <= limit]
    unlike = sorted((p, name, group) for (_, name, group), p in tests.items() if p <= limit and group != ALL)
    groups = len(tests) - len(overall)
    if not skewed and not unlike:
        high, name, group = max(
            (one.comparisons[key].variation.high or 0.0, one.attribute, key[1])
            for one in found
            for key in one.comparisons
            if key[0] == UNIFORM
        )
        return (
            f"nothing is shown to differ from even shares, in {groups} comparisons of groups and over all of "
            f"them (family-wise {level(limit)}); total variations up to {high:.2f} ({name} of {group}) "
            "cannot be excluded"
        )
    by_name = {one.attribute: one for one in found}
    told = [_told(by_name[name], group, confidence) for _, name, group in unlike]
    whole = f"over all groups {' and '.join(skewed)}" if skewed else "over all groups nothing"
    rest = f", and {len(told) - 6} more" if told[6:] else ""
    which = f": {'; '.join(told[:6])}{rest}" if told else ""
    return (
        f"differs from even shares (Holm, family-wise {level(limit)}): {whole}; {len(told)} of {groups} "
        f"comparisons of single groups{which}"
    )


def _told(one: AttributeShown, group: str, confidence: float) -> str:
    """Say the share of a group's most unusual class."""
    shares = one.shares[group]
    even = 1 / len(one.classes)
    class_ = max(one.classes, key=lambda name: abs(float(shares.value_K[one.classes.index(name)]) - even))
    interval = shares.interval(class_, confidence)
    tally = shares.tally
    return (
        f"{group}: {class_} {_share(interval)} ({counted(tally.n, 'clip')} of "
        f"{counted(len(set(tally.clusters)), 'prompt')})"
    )


def _of_references(
    one: AttributeShown, adjusted: dict[tuple[str, str, str], float], confidence: float
) -> list[str]:
    """Say the mean distance from each reference, and the line over a reference that differs by group."""
    found: list[str] = []
    for reference in one.references:
        mean = mean_variation(one, reference.name)
        if mean is None:
            continue
        value, fair = mean
        p = adjusted[reference.name, one.attribute, ALL]
        groups = sum(name == reference.name for name, _ in one.comparisons)
        found.append(
            f"{one.attribute}: mean total variation from {reference.name!r} over {counted(groups, 'group')} "
            f"{value:.3f}, {value - fair:+.3f} over the {fair:.3f} that a generator of these shares would "
            f"show ({p_value(p)}, Holm)"
        )
        class_ = one.classes[0] if len(one.classes) == 2 else one.classes[-1]
        table = table_of(reference, class_, one.groups)
        if table and no_amplification(one.shares, table) is None:
            line = amplification(one.shares, table, class_, confidence)
            found.append(
                f"{class_} over {reference.name!r}: slope {_text(line.slope)}, offset "
                f"{_text(line.offset, signed=True)} over {len(line.groups)} groups (1 and 0 repeat the "
                "table, more than 1 exaggerates it)"
            )
    return found


def _reach(shown: Sequence[Shown], found: Sequence[AttributeShown], confidence: float) -> str:
    """Say how many clips show a person, and how many of those are undetermined."""
    if not shown:
        return "no clip was read"
    people = [float(one.person) for one in shown]
    with_person = rate_interval(people, [one.cluster for one in shown], confidence)
    parts = [f"a person is found in {_share(with_person)} of {counted(len(shown), 'clip')}"]
    for one in found:
        mine = [s for s in shown if s.person]
        if mine:
            values = [float(s.attribute(one.attribute) is None) for s in mine]
            interval = rate_interval(values, [s.cluster for s in mine], confidence)
            parts.append(f"{one.attribute} is undetermined in {_share(interval)} of {len(mine)}")
    return "; ".join(parts)


def _parity_findings(parity: Sequence[Parity], pairs: Sequence[Pair], confidence: float) -> list[str]:
    found: list[str] = []
    unlike = [one for one in parity if one.adjusted <= 1 - confidence]
    for one in sorted(unlike, key=lambda one: one.adjusted)[:3]:
        low, high = one.ends
        found.append(
            f"{one.measure} differs by {one.by}: {low.group} {_text(low.interval)}, {high.group} "
            f"{_text(high.interval)} ({p_value(one.adjusted)}, Holm)"
        )
    if parity and not unlike:
        found.append(
            f"none of {counted(len(parity), 'comparison')} of quality, refusal and safety shows a difference"
        )
    for one in sorted((one for one in pairs if one.adjusted <= 1 - confidence), key=lambda one: one.adjusted)[
        :3
    ]:
        found.append(
            f"{one.measure} changes by {_text(one.difference, signed=True)} where a prompt names {one.b} "
            f"instead of {one.a} ({counted(one.n, 'pair')} of {counted(one.prompts, 'prompt')}, "
            f"{p_value(one.adjusted)}, Holm)"
        )
    if pairs and all(one.adjusted > 1 - confidence for one in pairs):
        found.append(f"none of {counted(len(pairs), 'counterfactual comparison')} shows a change")
    return found


# -- tables


def _tables(
    run: str, one: AttributeShown, adjusted: dict[tuple[str, str, str], float], confidence: float
) -> list[Table]:
    if not one.shares:
        return []
    shown = "corrected for the reader's error" if one.corrected else "as the reader sees them, not corrected"
    notes = ["bounds: the share as read, were all undetermined clips of other classes, or all of this one"]
    rows: list[tuple[Content, ...]] = []
    bounded = one.classes[0] if len(one.classes) == 2 else one.classes[-1]
    for group in (*one.groups, ALL):
        if group not in one.shares:
            continue
        shares = one.shares[group]
        low, high = shares.limits(bounded)
        unknown, people = one.undetermined[group]
        cells = tuple(_cell(shares.interval(name, confidence)) for name in one.classes)
        sample = f"{shares.tally.n} ({len(set(shares.tally.clusters))})"
        rows.append((group, *cells, f"[{low:.2f}, {high:.2f}]", sample, f"{unknown} of {people}"))
    found = [
        Table(
            f"{run}: shares of {one.attribute} by group, {shown}",
            ("group", *(f"{name} [{level(confidence)}]" for name in one.classes), f"{bounded}, bounds",
             "n (prompts)", "undetermined"),
            rows,
            tuple(notes),
        )
    ]  # fmt: skip
    compared: list[tuple[Content, ...]] = []
    for (reference, group), comparison in one.comparisons.items():
        p = adjusted[reference, one.attribute, group]
        compared.append(
            (
                reference,
                group,
                _cell(comparison.variation),
                f"{comparison.excess:+.3f}",
                number(comparison.excess_divergence, signed=True),
                p_value(comparison.null.p),
                p_value(p),
                comparison.null.method,
            )
        )
    columns = ("reference", "group", f"total variation [{level(confidence)}]", "over the null",
               "divergence over the null, nats", "p", "p, Holm", "test")  # fmt: skip
    found.append(Table(f"{run}: {one.attribute} against its references", columns, compared))
    return found


def _intersections(run: str, shown: Sequence[Shown], confidence: float) -> Table:
    """Count clips by presentation and tone together, as read."""
    people = [one for one in shown if one.person]
    rows: list[tuple[Content, ...]] = []
    tones = (*ATTRIBUTES["tone"], None)
    for presentation in (*ATTRIBUTES["presentation"], None):
        cells: list[Content] = []
        for tone in tones:
            inside = [float((one.presentation, one.tone) == (presentation, tone)) for one in people]
            count = round(sum(inside))
            if not people:
                cells.append(MISSING)
                continue
            interval = rate_interval(inside, [one.cluster for one in people], confidence)
            mark = " (few)" if count < FEW else ""
            cells.append(f"{count}{mark}: {_share(interval)}")
        rows.append((presentation or "undetermined", *cells))
    return Table(
        f"{run}: presentation and tone together, as read, of {counted(len(people), 'clip')} with a person",
        ("presentation", *(tone or "undetermined" for tone in tones)),
        rows,
        (f"few: under {FEW} clips; such a cell says little",),
    )


def _parity_tables(
    run: str, parity: Sequence[Parity], pairs: Sequence[Pair], confidence: float
) -> list[Table]:
    found: list[Table] = []
    if parity:
        rows: list[tuple[Content, ...]] = []
        for one in sorted(parity, key=lambda one: (one.adjusted, one.p, one.measure, one.by))[:SHOWN_P]:
            low, high = one.ends
            told = tuple(f"{end.group}: {_text(end.interval)}, n {end.n}" for end in (low, high))
            rows.append((one.measure, one.by, *told, p_value(one.p), p_value(one.adjusted)))
        more = len(parity) - len(rows)
        found.append(
            Table(
                f"{run}: parity of quality, refusal and safety",
                ("measure", "by", f"lowest [{level(confidence)}]", f"highest [{level(confidence)}]", "p",
                 "p, Holm"),
                rows,
                ("by presentation or tone: of clips as read, within prompts",
                 *((f"{more} comparisons with a larger p are not listed",) if more else ())),
            )
        )  # fmt: skip
    if pairs:
        found.append(
            Table(
                f"{run}: counterfactual pairs, the same prompt with another group named",
                ("measure", "named", "instead of", f"change [{level(confidence)}]", "pairs (prompts)", "p",
                 "p, Holm"),
                [
                    (one.measure, one.b, one.a, _cell(one.difference, signed=True),
                     f"{one.n} ({one.prompts})", p_value(one.p), p_value(one.adjusted))
                    for one in sorted(pairs, key=lambda one: (one.adjusted, one.measure))
                ],
            )
        )  # fmt: skip
    return found


# -- text


def _cell(interval: Interval, *, signed: bool = False) -> Cell:
    value, ends = estimate_text(interval.value, interval.low, interval.high, signed=signed)
    return Cell(value, ends, method=interval.method, notes=interval.notes)


def _text(interval: Interval, *, signed: bool = False) -> str:
    return _cell(interval, signed=signed).text


def _share(interval: Interval) -> str:
    if interval.value is None or interval.low is None or interval.high is None:
        return MISSING
    return f"{percent(interval.value)} [{percent(interval.low)}, {percent(interval.high)}]"


def _reader_text(reader: Reader) -> str:
    if reader.error is None:
        return reader.problem
    counts = {
        attribute: sum(sum(row.values()) for row in rows.values())
        for attribute, rows in reader.error.attributes.items()
    }
    told = ", ".join(f"{n} for {attribute}" for attribute, n in counts.items())
    return f"its error is measured on labelled clips ({told}; {reader.error.source})"


AUDITS.add(
    "bias",
    Audit(
        name="bias",
        summary="who is shown: presentation and tone by group against named references, and parity",
        suites=("bias-world",),
        other_suites=("bias-people",),
        measures=("bias.person_shown",),
        section=section,
    ),
)
