"""What must be so after `kill -9` of a part of the service in the middle of a command."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass
from typing import Any

from scenarios.service import REPLY_S, START_S, STILL_M, Service, apart_m
from scenarios.stand_in_model import PLACES, WORDS, StandIn
from traces.verify import verify

# There and back again, so that there is always something to do.
THERE, BACK = (WORDS.format(place=place) for place in PLACES)
# Either takes longer, so the kill finds it at work.
LATEST_S = 6.0
STILL_S = 0.5
NO_MODEL = ("LLM_UNAVAILABLE", "LLM_TIMEOUT", "LLM_BAD_RESPONSE")


@dataclass(frozen=True, slots=True)
class Kill:
    """What came of one.

    Attributes:
        back_s: How long until the robot was back, or the command that lost its model had ended, s.
        ended: How the command ended: its state, or why it was aborted.
        faults: What was wrong.
    """

    back_s: float
    ended: str
    faults: list[str]


def kill_once(service: Service, who: str, pick: random.Random) -> Kill:
    """Kill a process of the service in the middle of a command."""
    given = service.post("/v1/commands", {"instruction": THERE})
    time.sleep(pick.uniform(0.0, LATEST_S))
    back_s = service.kill(who)
    faults = _arm_faults(service)
    command = service.ask("GET", f"/v1/commands/{given['id']}")
    ended = _word(command)
    # Who notices first that the body has gone decides between the two.
    if ended not in ("interrupted", "BODY_LOST"):
        faults.append(f"the command is {ended}")
    return Kill(back_s, ended, [*faults, *_record_faults(service, given), *_following_faults(service)])


def kill_model(service: Service, model: StandIn, pick: random.Random) -> Kill:
    """Kill the language model in the middle of a command.

    What was planned before is carried out; what was not ends by saying that nobody answers.
    """
    given = service.post("/v1/commands", {"instruction": THERE})
    time.sleep(pick.uniform(0.0, LATEST_S))
    model.kill()
    began = time.monotonic()
    command = _end_of(service, given)
    ended, took_s = _word(command), time.monotonic() - began
    faults = _arm_faults(service)
    if ended not in ("succeeded", *NO_MODEL):
        faults.append(f"the command is {ended}: {(command['result'] or {}).get('message')}")
    faults += _record_faults(service, given)
    model.begin()
    return Kill(took_s, ended, [*faults, *_following_faults(service)])


def _word(command: dict[str, Any]) -> str:
    return str(command["result"]["code"] if command["state"] == "aborted" else command["state"])


def _arm_faults(service: Service) -> list[str]:
    here = service.robot()["ee_position_m"]
    time.sleep(STILL_S)
    return ["the arm moves"] if apart_m(service.robot()["ee_position_m"], here) > STILL_M else []


def _record_faults(service: Service, given: dict[str, Any]) -> list[str]:
    """The record is closed and whole; there is none of a command that had not begun."""
    run = service.runs / (given["run"] or given["id"])
    service.wait(lambda: not run.is_dir() or (run / "result.json").exists(), REPLY_S)
    if not run.is_dir() or (found := verify(run)).ok:
        return []
    return [f"the record is damaged: {found.findings[:1]}"]


def _following_faults(service: Service) -> list[str]:
    ended = _end_of(service, service.post("/v1/commands", {"instruction": BACK}))
    if ended["state"] == "succeeded":
        return []
    return [f"the next command is {ended['state']}: {ended['result']['code']}: {ended['result']['message']}"]


def _end_of(service: Service, given: dict[str, Any]) -> dict[str, Any]:
    service.wait(lambda: service.ask("GET", f"/v1/commands/{given['id']}")["terminal"], START_S)
    return service.ask("GET", f"/v1/commands/{given['id']}")
