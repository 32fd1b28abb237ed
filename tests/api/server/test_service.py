"""The real thing: server, mind, body and stop listener, and what is left of them after a kill."""

from __future__ import annotations

import random

import pytest

from scenarios.kills import kill_once
from scenarios.service import Service


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_killed_server_finds_the_robot_again_and_a_stop_holds_it() -> None:
    with Service.start() as service:
        mind = service.process_id("mind")
        kill = kill_once(service, "server", random.Random(0))
        assert service.process_id("mind") == mind, "the robot is the same"
        assert not kill.faults
        service.post("/v1/commands", {"instruction": "put the bottle in the sink"})
        service.wait_until_it_moves()
        assert service.timed_stop() < 5.0
        service.free()
        assert service.robot()["state"] == "ready"
