"""Models of a Hugging Face hub: taken from the local cache, or downloaded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from .errors import MissingWeightsError, UsageError
from .specs import split_revision

__all__ = ["hub_snapshot"]


def hub_snapshot(
    source: str, patterns: Sequence[str], whole: Callable[[Path], bool], *, what: str, then: str
) -> Path:
    """Find a hub id on this machine, or download it; return its folder.

    Args:
        source: ``OWNER/NAME``, perhaps with ``@REVISION``.
        patterns: of the files that are needed.
        whole: whether a folder of the cache has them; it may hold a part.
        what: names the weights in messages.
        then: what to do with files from another machine, for messages.

    Raises:
        UsageError: the source is no hub id.
        MissingWeightsError: the files are not here and cannot be had.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import GatedRepoError, HFValidationError

    repo, revision = split_revision(source)

    def snapshot(*, local: bool) -> Path:
        return Path(
            snapshot_download(repo, revision=revision, allow_patterns=list(patterns), local_files_only=local)
        )

    try:
        try:
            path = snapshot(local=True)
            if whole(path):
                return path
        except OSError:  # not in the cache at all
            pass
        return snapshot(local=False)
    except HFValidationError:
        raise UsageError(
            f"{what}: {source!r} is neither a folder nor a hub id of the form OWNER/NAME"
        ) from None
    except GatedRepoError:
        raise MissingWeightsError(
            f"{what} are gated; accept their licence at https://huggingface.co/{repo} and set HF_TOKEN to a "
            "token of the account that did"
        ) from None
    except Exception as error:  # the client raises errors of several HTTP libraries: all mean "cannot be had"
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise MissingWeightsError(
            f"{what} are not in the local Hugging Face cache and cannot be downloaded from "
            f"https://huggingface.co/{repo} ({reason}); fetch them on a machine with access "
            f"(`hf download {repo}`) and {then}"
        ) from None
