"""A server of one's own as a generator: ``http:URL?version=2``.

The contract has three requests: POST URL/jobs, GET URL/jobs/ID and GET URL/jobs/ID/video. ``docs/http.md``
describes it and has a complete server. A request with the ``Idempotency-Key`` of an earlier one makes no
second job, so that what a crash or a lost answer leaves behind is taken up again.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from pydantic import Field, field_validator

from ..harness.core.errors import UsageError
from ..harness.core.items import Start
from ..harness.core.specs import parse_argument
from .base import Failure, Output
from .job_steps import JobState, Later
from .request import PROTOCOL, outcome_of, read_starts, request_of
from .service import ServiceGenerator, ServiceOptions, checked_video, job_id, read_key
from .service_client import Answer, ServiceClient, plain_address

if TYPE_CHECKING:
    from ..harness.core.items import Item
    from ..harness.core.keys import Json

__all__ = ["KEY_VARIABLE", "HttpGenerator", "HttpOptions", "make_http"]

KEY_VARIABLE: Final = "SCREENTEST_HTTP_KEY"
_PENDING: Final = frozenset({"queued", "running"})
_ENDED: Final = frozenset({"ok", "refused", "failed", "not_applicable"})


class HttpOptions(ServiceOptions):
    """What is declared of a server, and how its jobs are run."""

    version: str = Field(
        default="", description="what you call this state of the server; part of its identity"
    )
    name: str = Field(default="", description="stands for the address in the identity, so that it can move")
    starts: frozenset[Start] = Field(
        default=frozenset(), description="what it can start from beside text: [image,extend,...] or any"
    )

    @field_validator("starts", mode="before")
    @classmethod
    def _starts(cls, given: object) -> object:
        return read_starts(given)


class HttpGenerator(ServiceGenerator):
    """Make clips by the jobs of a server that keeps the contract.

    Args:
        address: of the server.
        options: see `HttpOptions`.
        spec: the user's spec.

    Raises:
        UsageError: the address is none, or the variable with the key is not set.
    """

    def __init__(self, address: str, options: HttpOptions | None = None, spec: str = "") -> None:
        options = options or HttpOptions()
        try:
            plain = plain_address(address)
        except ValueError as error:
            raise UsageError(f"the address of --generator http:... {error}") from None
        key = read_key(f"http:{plain}", options.key_env, KEY_VARIABLE)
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        client = ServiceClient(
            f"the server of http:{plain}", plain, lambda: headers, timeout_s=options.timeout or 60.0
        )
        super().__init__(spec or f"http:{plain}", options, client)
        self.options = options
        self.idempotent = True
        self.starts = options.starts

    def identity(self) -> Mapping[str, Json]:
        """List what is declared: the version, and the name or the address."""
        return {
            "kind": "http",
            "protocol": PROTOCOL,
            "server": self.options.name or self.client.base,
            "version": self.options.version,
            "starts": sorted(self.starts),
        }

    def check(self, items: Sequence[Item]) -> list[str]:
        """Refuse items that start from a missing file; warn where no version is declared."""
        warnings = super().check(items)
        if not self.options.version:
            warnings.append(
                f"nothing tells when the model behind {self.client.base} changes; say version=... and raise "
                "it"
            )
        return warnings

    def submit(self, item: Item, key: str) -> str | Output:
        """Make a job; see `JobService.submit`."""
        files = {"image": item.image, "video": item.video, "video_to": item.video_to}
        body = {**request_of(item), **{name: _inline(path) for name, path in files.items()}}
        answer = self.client.create("jobs", json=body, headers={"Idempotency-Key": key})
        outcome = self._outcome(answer)
        if outcome is not None:
            return outcome
        if not answer.ok:
            return Failure(f"the server does not take the item (HTTP {answer.status}): {answer.fault}")
        return job_id(answer)

    def poll(self, job: str) -> JobState:
        """Ask for a job's status; see `JobService.poll`."""
        answer = self.client.ask(f"jobs/{quote(job, safe='')}")
        if answer.status == 404:
            return "unknown"
        status = answer.body.get("status")
        if status in _PENDING:
            return "pending"
        if status not in _ENDED:
            raise Later(f"the server gave the status {self.client.clean(status, 40)!r}, which is unknown")
        self.ended(job, answer.body)
        return "ended"

    def fetch(self, job: str, item: Item, folder: Path) -> Output:
        """Download the clip of an ended job; see `JobService.fetch`."""
        body = self.answer_about(job) or {}
        outcome = self._outcome(Answer(200, body))
        if outcome is not None:
            return outcome
        path = folder / "clip.mp4"
        url = body.get("video")
        whole = isinstance(url, str) and url.startswith(("http://", "https://"))
        self.client.download(str(url) if whole else f"jobs/{quote(job, safe='')}/video", path)
        video = checked_video(path)
        self.book(job, usd=self.price(self.billed_seconds(item)))
        return video

    def _outcome(self, answer: Answer) -> Output | None:
        reason = answer.body.get("reason")
        return outcome_of(answer.body.get("status"), self.client.clean(reason or ""), "server")


def _inline(path: str | None) -> Json:
    """Give a file by its name and its bytes in base64."""
    if path is None:
        return None
    return {"name": Path(path).name, "data": base64.b64encode(Path(path).read_bytes()).decode("ascii")}


def make_http(argument: str) -> HttpGenerator:
    """Make the generator from what follows ``http:``.

    Raises:
        UsageError: the address or an option is wrong.
    """
    spec = parse_argument(argument, f"--generator http:{argument.partition('?')[0]}", path=True)
    address = spec.argument
    if address.startswith("//"):
        address = f"http:{address}"
    if not address:
        raise UsageError("name the server after the colon: --generator http:http://HOST:8000")
    return HttpGenerator(address, spec.settings(HttpOptions), f"http:{argument}")
