"""Workers on Ray: actors that generate or score, fed by the driver, which alone writes.

Ray places the actors by the resources that they ask for, and carries what goes between them. An actor has
one unit of work at a time and gets the next when the driver has taken the last one over: so what is in flight
is bounded, however slow the disk. A unit whose actor is lost (a killed process, a machine that is gone) is
given to another, and a new actor is asked for in its stead. What a unit holds is fixed by the plan, so none
of this changes a number.
"""

from __future__ import annotations

import os
import socket
from collections import deque
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import Any, Generic, NamedTuple, TypeVar

from ..core.errors import ScreentestError, UsageError, describe
from ..core.progress import note
from .workers import Host, Role, Worker, WorkerJob, Workers

__all__ = ["Done", "connected", "refuse_unreachable", "spread"]

ATTEMPTS = 4
"""How often a unit of work is begun, each time in another process, before it counts as failed."""
STARTS = 3
"""How many workers in a row may be lost while they start before the run ends."""
_OBJECT_STORE = 256 * 2**20
_WAIT_S = 15.0
_CLOSE_S = 5.0
_WAITS = 4
"""How often it is waited in vain before the run says for what."""
_ANSWER_S = 10.0

C = TypeVar("C")


class Done(NamedTuple, Generic[C]):
    """A unit of work and its result; the result is None where every worker that began it was lost."""

    call: C
    result: Any


@contextmanager
def connected(workers: Workers, threads: int) -> Generator[None]:
    """Connect to the cluster, or start Ray here; a connection that the caller made is used as it is.

    Raises:
        UsageError: Ray is not installed, the cluster cannot be reached, or it runs other versions.
    """
    ray = _ray()
    if ray.is_initialized():
        yield
        return
    refuse_unreachable(workers)
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "error"}
    try:
        if workers.address is None:
            ray.init(
                address="local",
                num_cpus=max(os.cpu_count() or 1, workers.number * threads),
                object_store_memory=_OBJECT_STORE,
                include_dashboard=False,
                **quiet,
            )
        else:
            ray.init(address=workers.address, **quiet)
    except (Exception, SystemExit) as error:
        where = "this machine" if workers.address is None else f"--ray-address {workers.address}"
        raise UsageError(
            f"Ray could not be started or reached at {where}: {_short(error)}; the driver and the cluster "
            "need the same versions of Ray and Python, and the driver runs on a machine of the cluster"
        ) from None
    try:
        yield
    finally:
        ray.shutdown()


def spread(
    job: WorkerJob,
    workers: Workers,
    role: Role,
    calls: Sequence[C],
    arguments: Callable[[C, Host], Any],
) -> Generator[Done[C]]:
    """Give calls to workers, one at a time each, and yield results as they come.

    Args:
        job: what the workers build.
        workers: how many, and with how many GPUs each.
        role: the method of `Worker` that is called.
        calls: units of work, in the order in which they are begun.
        arguments: makes the argument of a call for the worker that gets it.

    Raises:
        ScreentestError: a worker cannot do its part, or no worker can be started.
    """
    ray = _ray()
    from ray.exceptions import RayError, RayTaskError

    actor_class = ray.remote(Worker).options(
        num_cpus=job.threads, num_gpus=workers.gpus, max_restarts=0, scheduling_strategy="SPREAD"
    )
    reference = ray.put(job)
    waiting = deque(range(len(calls)))
    begun = [0] * len(calls)
    starting: dict[Any, Any] = {}
    idle: list[tuple[Any, Host]] = []
    busy: dict[Any, tuple[Any, Host, int]] = {}
    lost_starts = 0
    waits = 0
    try:
        while waiting or busy:
            wanted = min(workers.number, len(waiting) + len(busy))
            while len(starting) + len(idle) + len(busy) < wanted:
                actor = actor_class.remote(reference)
                starting[actor.ready.remote(role)] = actor
            while idle and waiting:
                (actor, host), number = idle.pop(), waiting.popleft()
                begun[number] += 1
                work = getattr(actor, role).remote(arguments(calls[number], host))
                busy[work] = (actor, host, number)
            finished, _ = ray.wait([*busy, *starting], num_returns=1, timeout=_WAIT_S)
            waits = 0 if finished else waits + 1
            if waits == _WAITS and not busy:
                note(_no_room(ray.cluster_resources(), job.threads, workers.gpus))
            for one in finished:
                if one in starting:
                    actor = starting.pop(one)
                    try:
                        idle.append((actor, ray.get(one)))
                        lost_starts = 0
                    except RayTaskError as error:
                        raise _of_worker(error) from None
                    except RayError as error:
                        lost_starts += 1
                        if lost_starts >= STARTS:
                            raise _no_worker(error) from None
                    continue
                actor, host, number = busy.pop(one)
                try:
                    result = ray.get(one)
                except RayTaskError as error:
                    raise _of_worker(error, host) from None
                except RayError:
                    given_up = begun[number] >= ATTEMPTS
                    fate = f"given up after {ATTEMPTS} tries" if given_up else "given to another"
                    note(f"warning: the worker {host.process} on {host.name} was lost; its work is {fate}")
                    if given_up:
                        yield Done(calls[number], None)
                    else:
                        waiting.appendleft(number)
                    continue
                idle.append((actor, host))
                yield Done(calls[number], result)
    finally:
        closing = [actor.close.remote() for actor, _ in idle]
        ray.wait(closing, num_returns=len(closing), timeout=_CLOSE_S) if closing else None
        for actor in (*starting.values(), *(a for a, _ in idle), *(a for a, *_ in busy.values())):
            ray.kill(actor)


def refuse_unreachable(workers: Workers) -> None:
    """Refuse workers without Ray, or at an address at which nothing answers, without starting anything.

    Raises:
        UsageError: the extra is not installed, or the cluster does not answer.
    """
    _ray()
    if workers.address is not None:
        _refuse_deaf(workers.address)


def _ray() -> Any:
    try:
        import ray
    except ImportError:
        raise UsageError(
            "more than one worker, or a cluster, needs Ray; install the extra: pip install 'screentest[ray]'"
        ) from None
    return ray


def _refuse_deaf(address: str) -> None:
    """Refuse an address at which nothing answers; Ray itself would try for minutes."""
    if address == "auto":
        return
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if not colon or not port.isdigit() or not host:
        raise UsageError(f"--ray-address {address!r} should be HOST:PORT, ray://HOST:PORT or auto")
    try:
        socket.create_connection((host, int(port)), _ANSWER_S).close()
    except (OSError, OverflowError) as error:
        raise UsageError(
            f"nothing answers at --ray-address {address} ({error}); start a cluster with 'ray start --head', "
            "or mend the address"
        ) from None


def _no_room(resources: dict[str, float], threads: int, gpus: float) -> str:
    has = f"{resources.get('CPU', 0):g} CPUs and {resources.get('GPU', 0):g} GPUs"
    return (
        f"no worker is ready yet: each asks for {threads} CPUs and {gpus:g} GPUs, and the cluster has {has} "
        "in all; waiting"
    )


def _of_worker(error: Any, host: Host | None = None) -> BaseException:
    """Turn an error in a worker into the sentence that it carries; another error stays as it is."""
    cause = error.cause
    where = "" if host is None else f" on {host.name}"
    if isinstance(cause, ScreentestError):
        return type(cause)(f"a worker{where} cannot do its part: {cause}")
    return error


def _no_worker(error: BaseException) -> ScreentestError:
    text = str(error)
    if "No module named" in text or "failed to be imported" in text or "failed to import" in text:
        return UsageError(
            "no worker could be started, as screentest is not installed on the cluster's machines; install "
            f"the same version, with the same extras, on every one ({_short(error)})"
        )
    return ScreentestError(f"{STARTS} workers in a row were lost while they started: {_short(error)}")


def _short(error: BaseException) -> str:
    text = describe(error)
    return text if len(text) <= 300 else f"{text[:300]}..."
