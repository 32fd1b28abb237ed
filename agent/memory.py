"""What is known of the world from one command to the next."""

from __future__ import annotations

from dataclasses import dataclass, field

from agent.affordance import Hands
from skills.scene import Scene


@dataclass(slots=True)
class Memory:
    """Empty in a new world. A robot that stays where it is keeps it for its next command.

    Attributes:
        hands: What is held, and how.
        scene: What was believed last; None before the first look.
    """

    hands: Hands = field(default_factory=Hands)
    scene: Scene | None = None
