"""The command `gate`: apply a policy to a run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..core.errors import UsageError
from ..core.files import check_outputs
from .one_run import after_scoring
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

__all__ = ["gate"]


def gate(
    policy: Annotated[
        str, typer.Option(help="A policy's name or YAML file; see 'screentest list policies'.")
    ],
    run: Annotated[
        Path | None, typer.Argument(help="The run to judge; with --plan, a pilot run or none.")
    ] = None,
    baseline: Annotated[
        str | None,
        typer.Option(
            metavar="RUN",
            help="The run to compare with, or models:/NAME@ALIAS for the one behind an alias in MLflow.",
        ),
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="Registered model of MLflow that gets the verdict.")
    ] = None,
    alias: Annotated[str | None, typer.Option(help="Alias of --model to move here, on PASS only.")] = None,
    clips: Annotated[
        bool, typer.Option(help="Hold the stored clips to the sha256 of what was scored.")
    ] = True,
    sign: Annotated[
        Path | None,
        typer.Option(
            metavar="KEY.pem", help="Sign the record of the verdict; 'screentest keygen' makes a key."
        ),
    ] = None,
    junit: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the verdict as JUnit XML, a test a rule.")
    ] = None,
    sarif: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the verdict as SARIF 2.1.0, as for GitHub's code scanning."),
    ] = None,
    markdown: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Append the verdict as Markdown, as to $GITHUB_STEP_SUMMARY."),
    ] = None,
    plan: Annotated[
        bool, typer.Option("--plan", help="Judge nothing: count the prompts that each rule needs to pass.")
    ] = False,
    suite: Annotated[
        str | None,
        typer.Option(help="With --plan: the suite to run; exit code 3 if it decides not all rules."),
    ] = None,
    seeds: Annotated[
        int | None, typer.Option(min=1, max=1000, help="With --plan: clips a prompt; by default the suite's.")
    ] = None,
    power: Annotated[
        float | None,
        typer.Option(min=0.5, max=0.999, help="With --plan: probability to pass (0.8)."),
    ] = None,
    expect: Annotated[
        list[str] | None,
        typer.Option(metavar="RULE=VALUE", help="With --plan: the value you expect; may be repeated."),
    ] = None,
    plugin: Plugins = None,
    tracking_uri: TrackingUri = None,
    as_json: AsJson = False,
) -> None:
    """Apply a policy to a run. Exit code 0: PASS, 1: FAIL, 3: INCONCLUSIVE; with --plan 0 or 3."""
    check_address(tracking_uri)
    load_plugins(plugin)
    if plan:
        from .gate_plan import PlanOptions
        from .gate_plan import plan as plan_gate

        judging = {
            "--sign": sign,
            "--junit": junit,
            "--sarif": sarif,
            "--markdown": markdown,
            "--model": model,
        }
        idle = [option for option, given in {**judging, "--alias": alias}.items() if given is not None]
        if idle:
            raise UsageError(f"--plan judges nothing, so that there is no verdict for {' and '.join(idle)}")
        more = PlanOptions(suite, seeds, power or 0.8, expect or [])
        before = _baseline(baseline, run or Path("runs/planned"), tracking_uri)
        raise typer.Exit(plan_gate(run, policy, before, more, as_json))
    if run is None:
        raise UsageError("name the run to judge, or add --plan to count the prompts that the policy needs")
    alone = {"--suite": suite, "--seeds": seeds, "--power": power, "--expect": expect}
    lonely = [option for option, given in alone.items() if given is not None]
    if lonely:
        one = len(lonely) == 1
        raise UsageError(
            f"{' and '.join(lonely)} {'is' if one else 'are'} for --plan; add it, or leave "
            f"{'it' if one else 'them'} out"
        )
    check_outputs(
        {"--junit": junit, "--sarif": sarif, "--markdown": markdown}, (policy, sign, *(plugin or ()))
    )
    from ...reports.tables import verdict_table
    from ..gates.gate import exit_code, load_policy, write_verdict
    from ..gates.gate import gate as apply_policy
    from ..gates.release_record import keep_record
    from ..gates.signatures import read_private
    from ..run_folder.store import open_run

    if alias is not None and model is None:
        raise UsageError("--alias needs --model, the registered model that has the alias")
    if model is not None and tracking_uri == "none":
        raise UsageError(
            "--model puts the verdict on a model of MLflow, and --tracking-uri none turns MLflow off; "
            "leave one of them out"
        )
    key = read_private(sign) if sign is not None else None
    rules = load_policy(policy)
    store = open_run(run)
    before = _baseline(baseline, run, tracking_uri)
    verdict = apply_policy(store, rules, None if before is None else open_run(before), clips=clips)
    write_verdict(run, verdict)
    record = keep_record(run, verdict, rules, model=model, baseline=before, key=key)
    from ...reports.verdict_files import append_markdown, write_junit

    if sarif is not None:
        from ...reports.sarif import write_sarif

        write_sarif(verdict, policy, sarif)
    if junit is not None:
        write_junit(verdict, junit)
    if markdown is not None:
        append_markdown(verdict, markdown)
    for told in verdict.notes:
        warn(f"warning: {told}")
    if as_json:
        print_json(verdict.model_dump(mode="json"))
    else:
        print_table(verdict_table(verdict))
        signed = "" if record.signature is None else ", signed"
        say(f"record {record.number} of {record.model}{signed}: {run / 'record.json'}")
        rests = f" with waivers for {', '.join(verdict.waived)}" if verdict.waived else ""
        unseen = "" if verdict.clips_checked else "; clips not checked"
        say(f"{verdict.verdict}{rests}: policy {verdict.policy}, evidence in {run / 'verdict.json'}{unseen}")
    after_scoring(run, tracking_uri)
    if model is not None:
        _mark(run, tracking_uri, model, alias)
    raise typer.Exit(exit_code(verdict))


def _baseline(given: str | None, run: Path, tracking_uri: str | None) -> Path | None:
    """Find the run folder of a baseline, which may be named by an alias of MLflow."""
    from ..tracking.aliases import alias_run, is_alias

    if given is None or not is_alias(given):
        return None if given is None else Path(given)
    if tracking_uri == "none":
        raise UsageError(f"the baseline {given} is in MLflow, and --tracking-uri none turns MLflow off")
    from ..core.mlflow_store import default_uri

    return alias_run(given, tracking_uri or default_uri(run.parent), run)


def _mark(run: Path, tracking_uri: str | None, model: str, alias: str | None) -> None:
    """Put the verdict on a registered model. If MLflow cannot be reached, warn; the verdict stands."""
    from ..core.mlflow_store import default_uri
    from ..tracking.tracking import TrackingError, mark_verdict

    uri = tracking_uri or default_uri(run.parent)
    try:
        marked = mark_verdict(run, uri, model=model, alias=alias)
    except TrackingError as error:
        warn(f"the verdict is not on the model {model}: {error}; the same command tries again")
        return
    moved = f", {alias} moved to it" if marked.alias_moved else f", {alias} not moved" if alias else ""
    warn(f"MLflow: {marked.model} version {marked.version} is marked {marked.verdict.verdict}{moved}")
