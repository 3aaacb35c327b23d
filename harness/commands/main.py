"""The command line; each command calls the module that does the work.

Exit codes: 0 pass, 1 gate failed or every item of a run failed, 2 wrong usage, 3 inconclusive, 70 internal
error, 75 a service is down, 130 interrupted. Results go to stdout, progress and warnings to stderr. Each
command imports the heavy libraries that it uses.
"""

from __future__ import annotations

import errno
import inspect
import os
import sqlite3
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Protocol, TypeAlias, runtime_checkable

import typer

from ..core.counts import counted
from ..core.errors import ScreentestError, ServiceDown, UsageError, unknown_name
from ..core.files import check_output
from .options import (
    AsJson,
    Plugins,
    TrackingUri,
    check_address,
    load_plugins,
    print_json,
    print_table,
    say,
    warn,
)
from .strict import make_strict

__all__ = ["COMMANDS", "GROUPS", "application", "main", "run_cli"]

KINDS = ("suites", "benchmarks", "generators", "measures", "encoders", "policies", "runs")
Schema: TypeAlias = Literal["suite", "policy", "expect"]
Debug = Annotated[bool, typer.Option("--debug", help="Show tracebacks.")]


def _print_version(asked: bool) -> None:
    if asked:
        import importlib.metadata

        say(f"screentest {importlib.metadata.version('screentest')}")
        raise typer.Exit


Version = Annotated[
    bool,
    typer.Option("--version", is_eager=True, callback=_print_version, help="Print the version and exit."),
]


def _all_commands(debug: Debug = False, version: Version = False) -> None:
    """Give a video generator a screen test."""
    del debug, version  # the one is read by main(), which sees errors of every command


def report(
    runs: Annotated[list[Path], typer.Argument(help="Run folders, shown side by side.")],
    out: Annotated[
        Path | None, typer.Option(help="The page; by default report.html in the first run.")
    ] = None,
    items: Annotated[int, typer.Option(min=0, max=2000, help="Items whose clips are shown.")] = 24,
    megabytes: Annotated[float, typer.Option(min=0, max=500, help="Size of all clips on the page.")] = 25.0,
) -> None:
    """Write one self-contained HTML page about one or more runs."""
    from ...reports.build import ReportOptions, build_report

    check_output("--out", out)
    options = ReportOptions(items=items, megabytes=megabytes)
    say(f"page: {build_report(runs, out=out, options=options)}")
    from ..execution.warnings import count_absent_clips
    from ..run_folder.store import open_run

    for folder in runs:
        with closing(open_run(folder)) as store:
            if told := count_absent_clips(store):
                warn(f"warning: {told}")


def view(
    what: Annotated[
        Path, typer.Argument(metavar="DIR|RUN|PAGE", help="A folder of runs, a run folder, or a page.")
    ] = Path("runs"),
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 for any free one.")] = 8765,
) -> None:
    """Serve runs on this machine until interrupted: list, compare, every clip, progress."""
    from ...reports.serve import serve
    from ...reports.site import Site

    if what.suffix == ".html":
        if not what.is_file():
            raise UsageError(f"there is no page {what}")
        shown: Site | Path = what
    elif (what / "run.json").is_file():
        page = what / "report.html"
        if not page.is_file():
            from ...reports.build import build_report

            page = build_report([what])
        shown = Site(what, page)
    elif what.is_dir():
        shown = Site(what)
        if not shown.runs():
            raise UsageError(f"there is no run in {what}; name a folder of runs, a run folder or a page")
    else:
        raise UsageError(f"there is no folder {what}; name a folder of runs, a run folder or a page")
    serve(shown, port, on_ready=lambda url: say(f"serving {what} at {url} (Ctrl-C ends it)"))


def list_names(
    kind: Annotated[str, typer.Argument(help=f"What to list: {', '.join(KINDS)}.")],
    folder: Annotated[Path, typer.Option("--in", metavar="DIR", help="Where 'list runs' looks.")] = Path(
        "runs"
    ),
    plugin: Plugins = None,
    as_json: AsJson = False,
) -> None:
    """List suites, generators, measures, encoders, policies by name, or the runs in a folder."""
    if kind not in KINDS:
        raise unknown_name("kind of list", kind, KINDS)
    load_plugins(plugin)
    from .listing import listing, measure_records, runs_table

    if kind == "measures" and as_json:
        print_json(measure_records())
        return
    table = runs_table(folder) if kind == "runs" else listing(kind)
    print_table(table, as_json)


def schema(what: Annotated[Schema, typer.Argument(help="Which of them.")]) -> None:
    """Print the JSON schema of suites, of policies, or of the key 'expect' of a prompt."""
    if what == "suite":
        from ..suites.suite import Suite

        print_json(Suite.model_json_schema())
    elif what == "expect":
        from ...metrics.expectation import Expectation

        print_json(Expectation.model_json_schema())
    else:
        from ..gates.gate import Policy

        print_json(Policy.model_json_schema())


def doctor(as_json: AsJson = False) -> None:
    """Check what is installed, which weights are here and what is missing."""
    load_plugins(None)
    from .doctor import examine

    table = examine()
    print_table(table, as_json)


def sync(
    run: Annotated[Path, typer.Argument(help="A run folder.")],
    tracking_uri: TrackingUri = None,
    attack_prompts: Annotated[bool, typer.Option(help="Send what prompts of attacks say, too.")] = False,
    as_json: AsJson = False,
) -> None:
    """Send to MLflow what has not been sent yet; repeating it changes nothing."""
    check_address(tracking_uri)
    from ..core.mlflow_store import default_uri
    from ..run_folder.store import open_run
    from ..tracking.tracking import sync as send

    open_run(run).close()
    done = send(run, tracking_uri or default_uri(run.parent), attacks=attack_prompts)
    if as_json:
        print_json(asdict(done))
        return
    say(f"MLflow: run {done.run_id} in {done.uri}")


def export(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Run folders.")],
    out: Annotated[Path, typer.Option(help="A .parquet or .csv file; .json with --format vbench.")],
    aggregates: Annotated[
        bool,
        typer.Option("--aggregates", help="A row per run, measure and slice, with intervals, instead."),
    ] = False,
    form: Annotated[
        Literal["table", "vbench"],
        typer.Option("--format", help="A table, or the dimensions that VBench shares, in its form."),
    ] = "table",
) -> None:
    """Write the score tables of runs as Parquet or CSV: a row per run, item and measure."""
    check_output("--out", out)
    if form == "vbench":
        if aggregates or len(runs) > 1:
            raise UsageError("--format vbench is of one run, without --aggregates")
        from ..results.vbench import export_vbench
        from ..run_folder.store import open_run

        found = export_vbench(open_run(runs[0]), out)
        say(f"{', '.join(name for name, why in found.items() if not why)}: {out}")
        for name, why in found.items():
            if why:
                warn(f"{name} has no value, and is null: {why}")
        return
    from ..results.export import export_aggregates, export_scores

    rows = export_aggregates(runs, out) if aggregates else export_scores(runs, out)
    say(f"{counted(rows, 'row')}: {out}")


_Function: TypeAlias = Callable[..., None]
COMMANDS: Final[Mapping[str, str | _Function]] = {
    "run": "run",
    "score": "run",
    "rerun": "rerun",
    "compare": "compare",
    "against": "against",
    "gate": "gate",
    "keygen": "records",
    "rate": "rate",
    "votes": "rate",
    "verify-record": "records",
    "report": report,
    "view": view,
    "list": list_names,
    "schema": schema,
    "doctor": doctor,
    "sync": sync,
    "export": export,
    "train": "train",
    "transform": "prompts",
    "expand": "expand",
    "classify": "prompts",
    "assess": "prompts",
    "detect": "detect",
    "assess-detector": "detect",
    "safety": "safety",
    "audit": "audit",
    "memorisation-card": "memorisation_card",
    "correct": "correct",
    "reader-error": "reader_error",
    "physics-iq": "physics_iq",
    "surprise": "surprise",
    "validate": "validate",
    "extrapolate": "extrapolate",
}
"""Commands in the order of the help: name -> its function, or the module that has it under that name."""
GROUPS: Final = {
    "provenance": ("provenance", "provenance"),
    "world": ("world", "world"),
    "import": ("imports", "imports"),
    "suite": ("suite_commands", "suite_app"),
}
"""Groups of commands: name -> its module, and the name of the group there."""
_LENIENT: Final = {"train": {"allow_extra_args": True, "ignore_unknown_options": True}}
"""Commands that hand options on."""


def application(word: str | None = None) -> typer.Typer:
    """Build the command line for what is asked, as loading every command takes most of a short one's time.

    Args:
        word: the command or group that is called. It alone is in what is built; where there is none of that
            name, all are there by name and help.
    """
    app = typer.Typer(
        name="screentest",
        help="Give a video generator a screen test: run suites, measure, compare checkpoints, gate releases.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )
    app.callback()(_all_commands)
    if word in COMMANDS:
        app.command(name=word, context_settings=_LENIENT.get(word))(_function(word))
    elif word in GROUPS:
        app.add_typer(_group(word), name=word)
    else:
        for name in COMMANDS:
            app.command(name=name, help=inspect.getdoc(_function(name)))(_named_alone)
        for name in GROUPS:
            app.command(name=name, help=str(_group(name).info.help))(_named_alone)
    make_strict(app)
    return app


def _function(name: str) -> _Function:
    found = COMMANDS[name]
    return _attribute(found, name.replace("-", "_")) if isinstance(found, str) else found


def _group(name: str) -> typer.Typer:
    return _attribute(*GROUPS[name])


def _attribute(module: str, name: str) -> Any:
    return getattr(import_module(f".{module}", __package__), name)


def _named_alone() -> None:
    """Stand for a command in the list of all."""


def main() -> None:
    """Run the command line and exit with its code."""
    code = run_cli(sys.argv[1:])
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        code = _BROKEN_PIPE
    if code == _BROKEN_PIPE:  # or the interpreter would report it again when it exits
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(code)


_SERVICE_DOWN = 75  # EX_TEMPFAIL of sysexits.h: the same command may succeed later
_INTERRUPTED, _BROKEN_PIPE = 130, 141  # 128 plus the signal's number, as in shells: never a pass


@runtime_checkable
class _Complaint(Protocol):
    """The error of the command-line library for wrong usage; its class depends on Typer's version."""

    exit_code: int

    def show(self) -> None: ...


def run_cli(arguments: Sequence[str]) -> int:
    """Run the command line with these arguments (without the program's name) and return the exit code.

    Results are printed; an error is one sentence on stderr. With ``--debug`` exceptions are raised.
    """
    debug = "--debug" in arguments
    try:
        given = [one for one in arguments if one != "--debug"]
        word = next((one for one in given if not one.startswith("-")), None)
        code = application(word)(given, standalone_mode=False, prog_name="screentest")
    except (typer.Abort, KeyboardInterrupt):
        code = _INTERRUPTED
    except SystemExit:  # Typer's answer to a pipe whose reader has gone
        code = _BROKEN_PIPE
    except ScreentestError as error:
        if debug:
            raise
        warn(f"error: {error}")
        return _SERVICE_DOWN if isinstance(error, ServiceDown) else 2
    except BaseException as error:  # also what is no Exception, such as a panic of Rust
        if isinstance(error, _Complaint):
            error.show()
            return error.exit_code
        if debug:
            raise
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            warn("error: the disk is full; free some space, and the same command continues from here")
            return 2
        if isinstance(error, OSError) and error.errno is not None and error.filename is not None:
            name = str(error.filename)
            shown = name if len(name) <= 200 else f"{name[:100]}...{name[-60:]}"
            warn(f"error: {shown} cannot be written or read: {error.strerror}")
            return 2
        if isinstance(error, sqlite3.OperationalError):
            warn(
                f"error: a database cannot be read or written ({error}); the same command continues from here"
            )
            return 2
        message = " ".join(str(error).split()) or "no message"
        warn(f"internal error: {type(error).__name__}: {message} (the same command with --debug shows where)")
        return 70
    if code == _INTERRUPTED:
        warn("interrupted; the same command continues from here")
    return code if isinstance(code, int) else 0
