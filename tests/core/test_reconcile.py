"""What an engine has to be told: one command, or none, for each pair of what should be and what is."""

import pytest

from eisbach.core.jobs.lifecycle import JobState
from eisbach.core.reconcile.diff import Desired, EngineCommand, diff

STARTING, RUNNING, STOPPING = JobState.STARTING, JobState.RUNNING, JobState.STOPPING


@pytest.mark.parametrize(
    ("desired", "is_known", "is_ended", "command"),
    [
        (STARTING, False, False, EngineCommand.START),
        (STARTING, True, False, None),
        (STARTING, True, True, None),
        (RUNNING, False, False, EngineCommand.RECORD_LOST),
        (RUNNING, True, False, None),
        (RUNNING, True, True, None),
        (STOPPING, False, False, EngineCommand.STOP),
        (STOPPING, True, False, EngineCommand.STOP),
        (STOPPING, True, True, None),
        (None, True, False, EngineCommand.STOP),
        (None, True, True, EngineCommand.FORGET),
        (None, False, False, None),
    ],
)
def test_each_difference_has_its_command(desired, is_known, is_ended, command):
    wanted = [Desired("att_1", desired)] if desired is not None else []
    known = {"att_1"} if is_known else set()
    ended = {"att_1"} if is_ended else set()
    assert diff(wanted, known, ended) == ([(command, "att_1")] if command is not None else [])


def test_commands_come_in_order_of_attempt_strangers_last():
    wanted = [Desired("b", STARTING), Desired("a", STARTING), Desired("c", STOPPING)]
    assert [attempt for _, attempt in diff(wanted, {"c", "z", "y"}, {"z"})] == ["a", "b", "c", "y", "z"]
