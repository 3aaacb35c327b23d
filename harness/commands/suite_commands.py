"""The commands ``suite new|check|show|diff|translate|loss``: write a suite, and see what it holds."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from ..core.counts import counted
from ..core.errors import UsageError
from ..core.files import check_output
from ..core.presentation import MISSING, Table, estimate_text, level, number, p_value
from .gate_plan import UNDECIDED
from .options import (
    AsJson,
    Confidence,
    Plugins,
    files_named,
    load_plugins,
    print_tables,
    refuse_other_ending,
    say,
    warn,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ..suites.suite import Suite

__all__ = ["NEW_SUITE", "suite_app"]

suite_app = typer.Typer(
    name="suite",
    help="Write a suite, check it, and see what it loses in other languages.",
    no_args_is_help=True,
)
_SHOWN: Final = 10
_UNTAKEN: Final = "no measure of the suite"
_TOO_FEW: Final = "too few prompts"
NEW_SUITE: Final = """\
# yaml-language-server: $schema=suite.schema.json
# The schema for editors: screentest schema suite > suite.schema.json
# Check it before you run it: screentest suite check {file} --policy smoke
name: {name}
version: 1               # raise it when the prompts or settings change
description: what the clips of this suite show, in a sentence
seeds: 2                 # clips a prompt; more prompts make intervals narrower, more seeds hardly
clip: {{frames: 16, height: 64, width: 64, fps: 8}}
measures: [motion.flicker, safety.flash, refusal.rate, failure.rate]
prompts:
  - a red ball falls
  - text: a blue square moves left
    tags: [motion]
    labels: {{category: shapes, id: shapes-1}}
    expect:              # facts that measures hold the clip to: screentest schema expect
      objects: [{{shape: square, color: blue}}]
      motion: left
      questions: [{{ask: Does a blue square move to the left?, answer: yes}}]   # for judge.vlm
templates:               # one entry, many prompts
  - text: a {{color}} {{shape}} {{way.say}}
    with:
      color: [green, white]
      shape: [ball, triangle]
      way: [{{say: rises, is: rise}}, {{say: stays still, is: stay}}]
    labels: {{category: "{{way.is}}"}}
    expect: {{objects: [{{shape: "{{shape}}", color: "{{color}}"}}], motion: "{{way.is}}"}}
"""


@suite_app.command()
def new(file: Annotated[Path, typer.Argument(help="The .yaml file to write.")]) -> None:
    """Write a suite to start from, with a prompt, an expectation and a template."""
    from ..core.keys import slug

    refuse_other_ending(file)
    if file.exists():
        raise UsageError(f"{file} is there already; name another file, or delete it")
    try:
        file.write_text(NEW_SUITE.format(file=file, name=slug(file.stem).lower() or "mine"), "utf-8")
    except OSError as error:
        raise UsageError(f"{file} cannot be written: {error.strerror or error}") from None
    say(f"suite: {file}")


@suite_app.command()
def show(
    suite: Annotated[str, typer.Argument(help="A suite's name, a YAML file, or NAME:PATH of a benchmark.")],
    as_json: AsJson = False,
) -> None:
    """Show what a suite holds: settings, counts by tag and label, dimensions of a benchmark."""
    from ..suites.loading import load_suite

    loaded = load_suite(suite)
    print_tables(_shown(suite, loaded), {"suite": loaded.model_dump(mode="json")} if as_json else None)


def _shown(name: str, suite: Suite) -> Iterator[Table]:
    from ..suites.benchmarks.loading import benchmark_of, dimension_rows
    from ..suites.checks import counts_by_slice
    from ..suites.purpose import NOT_MEASURED

    clip = suite.clip
    rows = [
        ("version", str(suite.version)),
        ("about", suite.description or MISSING),
        ("prompts", str(len(suite.prompts) or "from the folder")),
        ("clips", str(sum(prompt.seeds or suite.seeds for prompt in suite.prompts) or MISSING)),
        ("clip", f"{counted(clip.frames, 'frame')} of {clip.width}x{clip.height} at {clip.fps:g} a second"),
        ("measures", ", ".join(suite.measures)),
        ("encoders", ", ".join(f"{role}={source}" for role, source in suite.encoders.items()) or MISSING),
    ]
    yield Table(f"suite {suite.name}", ("", "what"), rows)
    if suite.purpose is not None:
        asked = [
            (one.what, ", ".join(one.by) or NOT_MEASURED, one.how or MISSING) for one in suite.purpose.asks
        ]
        yield Table(suite.purpose.use, ("asked for", "measured by", "how surely"), asked)
    benchmark = benchmark_of(name)
    if benchmark is not None:
        notes = (
            "measures with an encoder are taken with --measures NAME --encoder ROLE=SOURCE",
            "none of them is the benchmark's own code: numbers are not those of a published table",
        )
        yield Table(
            "what it asks for",
            ("dimension", "measured by", "needs"),
            list(dimension_rows(benchmark[0])),
            notes,
        )
    counts = counts_by_slice(suite)
    if counts:
        yield Table(
            "prompts by tag and label",
            ("slice", "prompts", "clips"),
            [(n, str(p), str(c)) for n, p, c in counts],
        )


@suite_app.command()
def check(
    suite: Annotated[str, typer.Argument(help="A suite's name, a YAML file, or NAME:PATH of a benchmark.")],
    policy: Annotated[
        list[str] | None,
        typer.Option(metavar="POLICY", help="A policy that its runs are to pass; may be repeated."),
    ] = None,
    filters: Annotated[bool, typer.Option(help="Ask the packaged prompt filter, too.")] = True,
    plugin: Plugins = None,
    as_json: AsJson = False,
) -> None:
    """Check a suite: prompts that a policy needs, expectations no measure reads, near-duplicates, filters.

    Exit code 3 if it cannot decide a rule of --policy, as gate --plan; 0 whatever else is found.
    """
    load_plugins(plugin)
    from ..suites.loading import load_suite
    from ..suites.suite import measures_named

    try:
        loaded = load_suite(suite)
    except UsageError as error:
        raise UsageError("; ".join([str(error), *_unknown_measures(measures_named(suite))])) from None
    needed = [*_needed(loaded, policy or [])]
    undecided = [str(row[0]) for table in needed for row in table.rows if row[-1] in (_UNTAKEN, _TOO_FEW)]
    tables = [
        *needed,
        *_findings(loaded, filters, "nothing else was found" if undecided else "nothing was found"),
    ]
    payload = {table.title: table.records() for table in tables} if as_json else None
    print_tables(iter(tables), payload)
    unknown = _unknown_measures(loaded.measures)
    if unknown:
        raise UsageError("; ".join(unknown))
    if undecided:
        rules = sum(len(table.rows) for table in needed)
        named = ", ".join(undecided[:3]) + (", ..." if len(undecided) > 3 else "")
        warn(
            f"{len(undecided)} of {counted(rules, 'rule')} cannot be decided with this suite ({named}; see "
            f"'enough' above), so the exit code is {UNDECIDED}"
        )
        raise typer.Exit(UNDECIDED)


def _unknown_measures(names: Iterable[str]) -> list[str]:
    """Say of each measure that there is none of its name, with the nearest names."""
    from ..catalog import MEASURES

    told: list[str] = []
    for name in names:
        try:
            _ = MEASURES.get(name)
        except UsageError as error:
            told.append(str(error))
    return told


def _needed(suite: Suite, policies: list[str]) -> Iterator[Table]:
    from ..gates.gate import load_policy, needed_items

    for name in policies:
        chosen = load_policy(name)
        needed = needed_items(chosen)
        rows = []
        for rule in chosen.rules:
            least = needed.get(rule.label)
            taken = rule.measure in suite.measures or any(
                m == rule.measure.rpartition(".")[0] for m in suite.measures
            )
            told = _UNTAKEN if not taken else "" if least is None else "yes"
            # Prompts that come with a generator are not counted here.
            if taken and least is not None and 0 < len(suite.prompts) < least:
                told = _TOO_FEW
            rows.append((rule.label, MISSING if least is None else str(least), str(len(suite.prompts)), told))
        note = "prompts without a failure; gate --plan --suite takes slices and power into account"
        yield Table(f"policy {chosen.name}", ("rule", "needs", "has", "enough"), rows, (note,))


def _findings(suite: Suite, filters: bool, none: str) -> Iterator[Table]:
    from ..suites.checks import flagged_prompts, near_duplicates, unread_expectations

    unknown = _unknown_measures(suite.measures)
    rows = [("unknown measure", str(len(unknown)), told) for told in unknown]
    for keys, n in unread_expectations(suite):
        rows.append(("expectation that no measure of the suite reads", str(n), keys))
    bare = sum(not prompt.expect for prompt in suite.prompts)
    if bare:
        rows.append(("prompts without an expectation", str(bare), "measures of any clip speak of them alone"))
    for kind, pairs in (("near-duplicates", near_duplicates(suite)), ("alike in file names", suite.alike())):
        rows += [(kind, str(len(pairs)), f"{one} | {two}") for one, two in pairs[:_SHOWN]]
    if filters:
        flagged = flagged_prompts(suite)
        rows += [("flagged by the filter ngram", str(len(flagged)), p.text) for p in flagged[:_SHOWN]]
    notes = () if rows else (none,)
    yield Table(
        f"suite {suite.name}: {counted(len(suite.prompts), 'prompt')}", ("finding", "n", "what"), rows, notes
    )


@suite_app.command()
def diff(
    one: Annotated[str, typer.Argument(help="A suite.")],
    two: Annotated[str, typer.Argument(help="Another, such as its next version.")],
    as_json: AsJson = False,
) -> None:
    """Compare two suites: settings, prompts that came, went or changed."""
    from dataclasses import asdict

    from ..suites.checks import difference
    from ..suites.loading import load_suite

    before, after = load_suite(one), load_suite(two)
    found = difference(before, after)
    rows = [("setting", name, was, now) for name, was, now in found.settings]
    rows += [("removed", text, "", "") for text in found.removed]
    rows += [("added", text, "", "") for text in found.added]
    rows += [("changed", text, "", "") for text in found.changed]
    note = f"{counted(found.same, 'prompt is', 'prompts are')} the same"
    if (found.removed or found.added or found.changed) and before.version == after.version:
        warn("warning: prompts differ, and both say the same version; raise it in the newer one")
    table = Table(
        f"{before.name} v{before.version} and {after.name} v{after.version}",
        ("", "what", "was", "is"),
        rows,
        (note,),
    )
    print_tables(iter([table]), asdict(found) if as_json else None)


@suite_app.command()
def translate(
    suite: Annotated[str, typer.Argument(help="A suite's name or YAML file.")],
    to: Annotated[
        list[str],
        typer.Option(metavar="LANGUAGE", help="A language, such as de or zh-Hant; may be repeated."),
    ],
    by: Annotated[str, typer.Option(help="A function (text, language) -> text: file.py:name.")],
    out: Annotated[Path, typer.Option(help="The .yaml file of the suite in all languages.")],
) -> None:
    """Add a suite's prompts in other languages, by your function; they are paired by the label base."""
    from ..core.source_files import run_file
    from ..suites.loading import load_suite, write_suite
    from ..suites.translation import translated

    refuse_other_ending(out)
    place, _, name = by.rpartition(":")
    if not place.endswith(".py") or not name:
        raise UsageError(f"--by {by!r} should be file.py:name of a function of a text and a language")
    check_output("--out", out, [*files_named(suite), place])
    function = getattr(run_file(Path(place).expanduser(), "translation"), name, None)
    if not callable(function):
        raise UsageError(f"there is no function {name!r} in {place}")
    made = translated(load_suite(suite), function, to)
    write_suite(made, out)
    say(f"{counted(len(made.prompts), 'prompt')}: {out}")


@suite_app.command()
def loss(
    run: Annotated[Path, typer.Argument(help="A run of a suite that 'suite translate' wrote.")],
    first: Annotated[str, typer.Option(help="The language that others are compared with.")] = "en",
    measure: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="A measure; may be repeated. All by default.")
    ] = None,
    confidence: Confidence = 0.95,
    as_json: AsJson = False,
) -> None:
    """Say what a run loses in other languages: differences paired by base prompt and seed."""
    from dataclasses import asdict

    from ..results.language_loss import language_losses
    from ..run_folder.store import open_run, read_run

    found = language_losses(read_run(open_run(run)), measure, first, confidence)
    rows = [
        (
            *(one.measure, one.language, number(one.first), number(one.value)),
            " ".join(estimate_text(one.change, one.low, one.high, signed=True)),
            f"{one.pairs} ({one.prompts})",
            str(one.missing),
            MISSING if one.p is None else p_value(one.p),
        )
        for one in found
    ]
    heads = ("measure", "language", first, "there", "change", "pairs (prompts)", "left out", "p")
    note = f"{level(confidence)} intervals by base prompt; p of a sign-flip test, not corrected for several"
    print_tables(
        iter([Table(f"languages of {run.name}", heads, rows, (note,))]),
        {"losses": [asdict(one) for one in found]} if as_json else None,
    )


class StartsOf(StrEnum):
    """The suites whose clips start from files that are rendered."""

    modes = "modes"
    edits = "edits"
    goals = "goals"


@suite_app.command()
def starts(
    suite: Annotated[
        StartsOf, typer.Argument(help="The suite: modes and edits have the same files; goals needs MuJoCo.")
    ] = StartsOf.modes,
    out: Annotated[Path, typer.Option(help="Folder; the suites read starts/.")] = Path("starts"),
) -> None:
    """Render the images and videos that clips of the suites modes, edits and goals start from."""
    from ..suites.starts import write_goal_starts, write_starts

    written = write_goal_starts(out) if suite == StartsOf.goals else write_starts(out)
    say(f"{counted(len(written), 'file')}: {out}")
