"""Lists of what there is by name: suites, generators, measures, encoders and policies."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ..core.errors import UsageError
from ..core.presentation import MISSING, Table
from ..run_folder.store import RunStore, open_run

if TYPE_CHECKING:
    from ..suites.suite import Suite

__all__ = ["listing", "measure_records", "runs_table"]

FITNESS: Final = (
    "fitness: of laws, with a tracker on a kind of clips, and of signs and puzzles, by fault: fit, blunt "
    "(falls short) or none (no threshold). "
    "Elsewhere, on footage too, it is not measured. --json has the intervals."
)


def _prompts(suite: Suite) -> str:
    if suite.disguised is not None:
        return f"of {suite.disguised.suite}"
    return str(len(suite.prompts) or "from the folder")


def runs_table(folder: Path) -> Table:
    """Build the table of the runs in a folder, the newest first; what cannot be read is a note.

    Raises:
        UsageError: there is no such folder.
    """
    if not folder.is_dir():
        raise UsageError(f"there is no folder {folder}; name the one that the runs are in with --in")
    rows: list[tuple[str, ...]] = []
    problems: list[str] = []
    for path in sorted(folder.glob("*/run.json")):
        try:
            store = open_run(path.parent)
            rows.append(_run_row(store))
            store.close()
        except UsageError as error:
            problems.append(str(error))
    rows.sort(key=lambda row: (row[-1], row[0]), reverse=True)
    columns = (
        "run",
        "suite",
        "generator",
        "step",
        "items",
        "ok",
        "refused",
        "failed",
        "verdict",
        "policy",
        "created",
    )
    note = () if rows else (f"there is no run in {folder}",)
    return Table(f"runs in {folder}", columns, rows, (*note, *problems))


def _run_row(store: RunStore) -> tuple[str, ...]:
    from ..tracking.projection import read_verdict

    record, folder = store.record, store.folder
    outcomes = Counter(clip.outcome for clip in store.clips().values())
    verdict = policy = MISSING
    if (folder / "verdict.json").exists():
        card = read_verdict(folder)
        verdict, policy = "stale" if card.stale else card.verdict, card.policy
    return (
        folder.name,
        f"{record['suite']['name']} v{record['suite']['version']}",
        str(record["generator_spec"]),
        MISSING if record.get("step") is None else str(record["step"]),
        str(len(store.items())),
        *(str(outcomes[outcome]) for outcome in ("ok", "refused", "failed")),
        verdict,
        policy,
        str(record.get("created", ""))[:16].replace("T", " ") or MISSING,
    )


def listing(kind: str) -> Table:
    """List suites, generators, measures, encoders or policies with a line about each."""
    rows: list[tuple[str, ...]]
    if kind == "suites":
        from ..suites.suite import packaged_suites, read_suite

        suites = [read_suite(name) for name in packaged_suites()]
        rows = [(s.name, str(s.version), _prompts(s), s.description) for s in suites]
        return Table("suites", ("name", "version", "prompts", "about"), rows)
    if kind == "benchmarks":
        from ..suites.benchmarks.described import BENCHMARKS

        rows = [
            (f"{name}:PATH", b.title, ", ".join(b.files[:2]) or "your export", b.licence, b.where)
            for name, b in BENCHMARKS.items()
        ]
        return Table(
            "benchmarks",
            ("suite", "benchmark", "file", "licence", "offered at"),
            rows,
            (
                "nothing is fetched: PATH is your own copy; 'screentest suite show NAME:PATH' says what is "
                "measured of it",
            ),
        )
    if kind == "policies":
        from ..gates.gate import load_policy, needed_items, packaged_policies

        policies = [load_policy(name) for name in packaged_policies()]
        rows = [
            (
                p.name,
                str(p.version),
                str(len(p.rules)),
                str(max(needed_items(p).values(), default=1)),
                p.description,
            )
            for p in policies
        ]
        return Table("policies", ("name", "version", "rules", "prompts needed", "about"), rows)
    if kind == "generators":
        from ...generators import GENERATORS

        rows = [(name, GENERATORS.get(name).summary) for name in GENERATORS]
        return Table("generators", ("kind", "about"), rows)
    if kind == "encoders":
        from ..catalog import ENCODERS

        entries = {name: ENCODERS.get(name) for name in ENCODERS}
        rows = [(name, one.settings if one.takes_source else "built in") for name, one in entries.items()]
        return Table("encoders", ("name", "source"), rows)
    from ..catalog import MEASURES

    measures = [MEASURES.get(name) for name in MEASURES]
    fit = _fitness()
    rows = [
        (
            m.name,
            str(m.version),
            m.kind,
            m.better,
            _range(m.bounds),
            ", ".join(m.needs) or MISSING,
            _told(fit.get(m.name, ())),
            m.summary,
        )
        for m in measures
    ]
    columns = ("name", "version", "kind", "better", "range", "needs", "fitness", "about")
    return Table("measures", columns, rows, (FITNESS,) if any(row[-2] for row in rows) else ())


def measure_records() -> list[dict[str, Any]]:
    """List the measures for JSON; ``fitness`` has an object a card and fault, and is empty for others."""
    fit = _fitness()
    return [{**row, "fitness": list(fit.get(row["name"], ()))} for row in listing("measures").records()]


def _fitness() -> dict[str, list[dict[str, Any]]]:
    """Say what the packaged cards make of the measures of laws, signs and puzzles: name -> objects."""
    from ...metrics.laws.evaluation import LAWS
    from ...metrics.validation.fault_fitness import goal_records, sign_records
    from ...metrics.validation.law_fitness import records
    from ...metrics.validation.packaged_cards import law_cards

    laws = {f"physics.{law}": records(law_cards(), law) for law in LAWS}
    return {**laws, **sign_records(), **goal_records()}


def _told(found: Sequence[Mapping[str, Any]]) -> str:
    return "; ".join(str(one["text"]) for one in found)


def _range(bounds: tuple[float | None, float | None]) -> str:
    low, high = ("" if end is None else f"{end:g}" for end in bounds)
    return f"{low}..{high}"
