"""Which planner: `embedded`, its model on a server, or any OpenAI-compatible server as `openai:URL#MODEL`.

`openai+camera:URL#MODEL` sends the overhead camera's frame along, for a model that takes images.
"""

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
    if spec.startswith(("openai:", "openai+camera:")):
        from agent.planner.openai import OpenAIPlanner

        kind, _, address = spec.partition(":")
        url, _, model = address.partition("#")
        return OpenAIPlanner(url, model, camera=kind.endswith("+camera"))
    if spec.startswith("served:"):
        from agent.planner.embedded import EmbeddedPlanner
        from agent.planner.served import ServedWriter

        url, _, model = spec.removeprefix("served:").partition("#")
        return EmbeddedPlanner(writer=ServedWriter(url, model))
    raise TandemError(
        "PLANNER_UNKNOWN",
        f"there is no planner {spec!r}",
        fix="use embedded, subgoal, served:URL#MODEL, openai:URL#MODEL or openai+camera:URL#MODEL, "
        "for example openai:http://127.0.0.1:8000/v1#planner",
    )
