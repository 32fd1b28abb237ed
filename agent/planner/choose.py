"""Which planner: `embedded`, its model on a server, or any OpenAI-compatible server as `openai:URL#MODEL`."""

from __future__ import annotations

from agent.planner.protocol import Planner
from traces.errors import TandemError


def make_planner(spec: str) -> Planner:
    """Build a planner from its name. Heavy libraries are imported only by the one that is asked for.

    Raises:
        TandemError: `PLANNER_UNKNOWN`, or what the planner's own loading raises.
    """
    if spec == "embedded":
        from agent.planner.embedded import EmbeddedPlanner

        return EmbeddedPlanner()
    if spec.startswith("openai:"):
        from agent.planner.openai import OpenAIPlanner

        url, _, model = spec.removeprefix("openai:").partition("#")
        return OpenAIPlanner(url, model)
    if spec.startswith("served:"):
        from agent.planner.embedded import EmbeddedPlanner
        from agent.planner.served import ServedWriter

        url, _, model = spec.removeprefix("served:").partition("#")
        return EmbeddedPlanner(writer=ServedWriter(url, model))
    raise TandemError(
        "PLANNER_UNKNOWN",
        f"there is no planner {spec!r}",
        fix="use embedded, subgoal, served:URL#MODEL or openai:URL#MODEL, "
        "for example openai:http://127.0.0.1:8000/v1#planner",
    )
