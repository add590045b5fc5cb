"""Work that several processes share: whose results, in what order, and what a death means."""

import multiprocessing
import os
from pathlib import Path

import pytest

from monitor.assess.crew import Work, share
from monitor.errors import MeasureError
from tests import working
from tests.working import Meeting


@pytest.fixture(autouse=True)
def _nobody_stays() -> None:
    """No test begins with processes of another."""
    assert multiprocessing.active_children() == []


@pytest.mark.parametrize("processes", [0, 1, 2, 9])
def test_results_come_in_the_order_of_jobs(processes: int) -> None:
    """However many share it: every job is done once, its steps are told, nobody stays."""
    told: list[int] = []
    assert share(working.square, [3, 1, 2], processes, told.append) == [9, 1, 4]
    assert sorted(told) == [1, 1, 1, 1, 2, 3]
    assert multiprocessing.active_children() == []


@pytest.mark.parametrize("processes", [1, 4])
def test_without_jobs_there_are_no_results(processes: int) -> None:
    """Nothing to do is done at once."""
    assert share(working.square, [], processes, print) == []


@pytest.mark.parametrize(("jobs", "processes"), [([1, 2], 1), ([7], 4)])
def test_one_process_or_one_job_stays_here(jobs: list[int], processes: int) -> None:
    """Where nothing can be shared no other process is started, and the first job comes first."""
    told: list[int] = []
    found = share(working.number, jobs, processes, told.append)
    assert (set(found), told) == ({os.getpid()}, jobs)


def test_jobs_are_under_way_at_once(tmp_path: Path) -> None:
    """Two processes have two jobs in hand; the first result is that of the first job, still."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    jobs = [Meeting(pipe, reads=True), Meeting(pipe, reads=False)]
    assert share(working.meet, jobs, 2, lambda _: None) == ["read", "wrote"]


@pytest.mark.parametrize(
    ("work", "jobs", "said"),
    [
        (working.leave, [0, 3, 0], "a process died at job 2 of 3, exit code 3: its error"),
        (working.kill, [0, 0], r"a process died at job [12] of 2, exit code -9: too little"),
        (working.fail, [0, 0], r"a process died at job [12] of 2, exit code 1: its error"),
    ],
)
def test_a_process_that_dies_is_noticed(
    work: Work[int, int], jobs: list[int], said: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """Its job and exit code are told, a bug's own words stand on stderr, and the others end."""
    with pytest.raises(MeasureError, match=f"^{said}"):
        share(work, jobs, 2, lambda _: None)
    assert multiprocessing.active_children() == []
    assert ("ZeroDivisionError" in capfd.readouterr().err) is (work is working.fail)


def test_who_gives_up_leaves_nobody_behind() -> None:
    """An interrupt while others work ends them, too."""

    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        share(working.square, [1, 2, 3], 2, interrupt)
    assert multiprocessing.active_children() == []


def test_an_error_of_a_job_that_is_done_here_is_its_own() -> None:
    """Without other processes there is no death to tell of, only the bug."""
    with pytest.raises(ZeroDivisionError):
        share(working.fail, [0, 0], 1, lambda _: None)
