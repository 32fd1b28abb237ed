import pytest
from pydantic import ValidationError

from agent.ladder import Alarms, Ladder, Response
from vla_low_level.monitor import Finding, Level


def alarm(name: str = "monitor_tracking") -> Finding:
    return Finding(name, Level.ALARM, 3.0, 1.5)


def test_a_node_climbs_the_ladder_and_stays_on_the_last_rung():
    alarms = Alarms(Ladder(most=99))
    found = [alarms.response("pick", alarm()) for _ in range(6)]
    assert found == [Response.RETRY, Response.RETRY, Response.REPLAN, *[Response.ASK] * 3]


def test_every_node_begins_at_the_bottom():
    alarms = Alarms(Ladder())
    assert alarms.response("a", alarm()) is Response.RETRY
    assert alarms.response("a", alarm()) is Response.RETRY
    assert alarms.response("b", alarm()) is Response.RETRY
    assert alarms.response("a", alarm()) is Response.REPLAN


def test_what_was_stopped_is_tried_again_under_plain_limits():
    alarms = Alarms(Ladder())
    told = []
    for _ in range(3):
        told.append(alarms.believes("place"))
        alarms.response("place", alarm())
    assert told == [True, False, False]
    assert alarms.believes("another")


def test_trying_again_does_not_help_a_blind_camera_for_long():
    alarms = Alarms(Ladder())
    assert [alarms.response("a", alarm("monitor_frozen_wrist")) for _ in range(2)] == [
        Response.RETRY,
        Response.ASK,
    ]


def test_a_command_with_many_alarms_ends_at_a_person():
    alarms = Alarms(Ladder(rungs=(Response.RETRY,), most=3))
    assert [alarms.response(f"n{k}", alarm()) for k in range(4)] == [
        *[Response.RETRY] * 2,
        *[Response.ASK] * 2,
    ]


def test_a_stop_is_never_softened_to_a_question():
    assert Alarms(Ladder(rungs=(Response.STOP,), most=1)).response("a", alarm()) is Response.STOP


@pytest.mark.parametrize("rungs", [(), (Response.WARN,), (Response.CONTINUE, Response.ASK)])
def test_a_ladder_of_rungs_that_decide_nothing_is_refused(rungs):
    with pytest.raises(ValidationError):
        Ladder(rungs=rungs)
