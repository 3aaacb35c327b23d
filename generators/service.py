"""What the generators of video services share: their running options, their key, and a check of each file."""

from __future__ import annotations

import base64
import json
import math
import mimetypes
import os
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

from pydantic import Field, field_validator

from ..harness.core.config import Config
from ..harness.core.counts import counted
from ..harness.core.errors import MediaError, UsageError
from ..harness.core.media import open_clip
from .base import VideoFile
from .job_steps import Later, Uncertain
from .jobs import JobGenerator
from .service_client import Answer, ServiceClient, plain_address

if TYPE_CHECKING:
    from ..harness.core.items import Item
    from ..harness.core.keys import Json

__all__ = [
    "ServiceGenerator",
    "ServiceOptions",
    "VideoOptions",
    "checked_video",
    "job_id",
    "read_key",
    "read_object",
    "type_of",
    "write_base64",
]


class ServiceOptions(Config):
    """How jobs are run; none of it changes a clip, so none is part of the generator's identity."""

    key_env: str | None = Field(default=None, min_length=1, description="variable with the key; must be set")
    parallel: int = Field(default=4, ge=1, le=64, description="jobs at once")
    poll: float = Field(default=5.0, gt=0, le=600, description="seconds between two looks at a job")
    wait: float = Field(default=3600.0, gt=0, description="seconds that a run waits for one job")
    timeout: float | None = Field(default=None, gt=0, le=86_400, description="seconds of one request")
    patience: float = Field(default=600.0, gt=0, description="seconds without an answer that end the run")
    usd_per_second: float | None = Field(default=None, ge=0, description="price of a second of video")


class VideoOptions(ServiceOptions):
    """What services of video models are asked for, beside the prompt."""

    uncertain: Literal["leave", "resubmit"] = Field(
        default="leave", description="what becomes of a job whose answer was lost"
    )
    base: str | None = Field(default=None, description="the service's address, up to the version")
    seconds: int | None = Field(default=None, ge=1, description="length; by default the suite's")
    negative: str | None = Field(default=None, min_length=1, description="what the clip should not show")
    extra: str | None = Field(default=None, description="a JSON object of further fields, in brackets")

    @field_validator("base")
    @classmethod
    def _plain(cls, value: str | None) -> str | None:
        return None if value is None else plain_address(value)

    @field_validator("extra")
    @classmethod
    def _an_object(cls, value: str | None) -> str | None:
        if value is not None:
            read_object(value)
        return value

    @property
    def further(self) -> dict[str, Any]:
        """The object ``extra``; empty without one."""
        return read_object(self.extra) if self.extra else {}

    def named(self, *others: str) -> dict[str, Json]:
        """List the options of the identity: all but those of the running, the address and ``others``."""
        kept = set(type(self).model_fields) - {*ServiceOptions.model_fields, "uncertain", "base", "extra"}
        settings = self.model_dump(mode="json", include=kept - {*others}, exclude_none=True)
        return {**settings, "extra": None if self.extra is None else self.further}

    def length(self, asked: float, *, whole: bool) -> float:
        """Give the seconds of video to ask for, where a suite asks for so many; ``whole`` rounds these up."""
        if self.seconds is not None:
            return float(self.seconds)
        return float(math.ceil(asked)) if whole else asked


class ServiceGenerator(JobGenerator):
    """Base of generators at a service: its client, and the last answer about each ended job."""

    def __init__(self, spec: str, options: ServiceOptions, client: ServiceClient) -> None:
        self.spec = spec
        self.name = spec.partition("?")[0]
        self.client = client
        self.parallel = options.parallel
        self.poll_every_s = options.poll
        self.timeout_s = options.wait
        self.patience_s = options.patience
        # Of a service that makes one job of two requests with one key, no answer is uncertain.
        self.resubmit_uncertain = isinstance(options, VideoOptions) and options.uncertain == "resubmit"
        self.usd_per_second = options.usd_per_second
        self._ended: dict[str, Mapping[str, Any]] = {}
        self._accounts: dict[str, Mapping[str, Json]] = {}
        self._lock = threading.Lock()

    def why_not(self, item: Item) -> str:
        """Say why an item cannot be given to the service; empty if it can."""
        if not (item.prompt or "").strip():
            return f"{self.name} needs a prompt"
        return super().why_not(item)

    def check(self, items: Sequence[Item]) -> list[str]:
        """Refuse items that start from a missing file; tell what they will cost, if a price is given.

        Raises:
            UsageError: a file is missing.
        """
        starts = {path for item in items for path in (item.image, item.video) if path is not None}
        missing = sorted(path for path in starts if not Path(path).is_file())
        if missing:
            raise UsageError(
                f"{len(missing)} of the files that prompts of this suite start from are missing, such as "
                f"{missing[0]}; put them there, or run where they are"
            )
        if self.usd_per_second is None:
            return []
        usd = sum(self.billed_seconds(item) for item in items) * self.usd_per_second
        cost = f"{counted(len(items), 'clip')} {'costs' if len(items) == 1 else 'cost'}"
        return [f"the service's {cost} about {usd:.2f} USD by usd_per_second"]

    def billed_seconds(self, item: Item) -> float:
        """Return the seconds of video that are asked for."""
        return item.clip.frames / item.clip.fps

    def price(self, seconds: float) -> float | None:
        """Return what seconds of video cost, in USD; None without a price."""
        return None if self.usd_per_second is None else round(self.usd_per_second * seconds, 6)

    def account(self, job: str) -> Mapping[str, Json]:
        """List the cost of an ended job as far as it is known, and what is left of the quota."""
        with self._lock:
            self._ended.pop(job, None)
            account = dict(self._accounts.pop(job, {}))
        return {**account, "quota": self.client.quota} if self.client.quota else account

    def ended(self, job: str, body: Mapping[str, Any]) -> None:
        """Keep the answer about an ended job until it is fetched."""
        with self._lock:
            self._ended[job] = body

    def answer_about(self, job: str) -> Mapping[str, Any] | None:
        """Return the kept answer about an ended job; None without one."""
        with self._lock:
            return self._ended.get(job)

    def book(self, job: str, **account: Json) -> None:
        """Keep what is known of a job's cost; None is not kept."""
        with self._lock:
            self._accounts[job] = {name: value for name, value in account.items() if value is not None}


def job_id(answer: Answer) -> str:
    """Read the id of a job that was made.

    Raises:
        Uncertain: there is none, so that nobody can ask for the job.
    """
    job = answer.body.get("id")
    if not isinstance(job, str) or not job.strip() or len(job) > 500:
        raise Uncertain("its answer has no id of a job")
    return job


def checked_video(path: Path) -> VideoFile:
    """Decode a downloaded file from end to end, while the service still has it.

    Raises:
        Later: it is not a whole video.
    """
    try:
        for _ in open_clip(path).windows():
            pass
    except MediaError as error:
        reason = str(error).replace(str(path), "the file")
        raise Later(f"what the service sent is not a whole video: {reason}") from None
    return VideoFile(path)


def read_key(spec: str, variable: str | None, default: str) -> str | None:
    """Read a key from the environment: a variable that is named must be set, the default one need not be.

    Raises:
        UsageError: the variable that is named is not set.
    """
    key = os.environ.get(variable or default, "").strip()
    if variable is not None and not key:
        raise UsageError(
            f"{spec} needs a key in the environment variable {variable}, which is not set; set it"
        )
    return key or None


def read_object(text: str) -> dict[str, Any]:
    """Read an option that is a JSON object.

    Raises:
        ValueError: it is none.
    """
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise ValueError('should be a JSON object in brackets, such as [{"flow_shift": 3}]')
    return cast("dict[str, Any]", found)


def type_of(path: Path) -> str:
    """Return the media type that a file's name says."""
    return mimetypes.guess_type(path.name)[0] or "application/octet-stream"


def write_base64(text: object, path: Path) -> None:
    """Write a file from base64 text.

    Raises:
        Later: it is none.
    """
    try:
        path.write_bytes(base64.b64decode(str(text), validate=True))
    except ValueError:
        raise Later("the service sent a video that is not base64") from None
