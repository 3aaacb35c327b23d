"""What the terminal's tables say of a service."""

from __future__ import annotations

from screentest.harness.run_folder.jobs import ServiceUse
from screentest.reports.tables import service_text


def test_a_service_without_a_clip_has_no_time_to_a_clip():
    use = ServiceUse(sent=1, declined=0, jobs=1, ended=1, uncertain=0)
    assert service_text(use) == "1 job, 1 with a stored outcome"


def test_counts_agree_with_their_nouns():
    one = ServiceUse(sent=3, declined=1, jobs=2, ended=2, uncertain=1, seconds=1.25)
    assert service_text(one) == (
        "2 jobs, 2 with a stored outcome, 1 request turned down and repeated, 1 of which it is uncertain "
        "whether it was taken, median 1.2 s from submission to clip"
    )
