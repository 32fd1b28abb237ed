"""Faults of the table and of what is on it."""

from __future__ import annotations

from sim.faults.kinds import FailureClass as Class
from sim.faults.kinds import Kind, Site, Size, Targets

TABLE = (
    Kind(
        "object_moved",
        19,
        Class.ENVIRONMENT,
        Site.BODY,
        Size("m", 0.06, 0.02, 0.25),
        "The object under the approaching hand is moved aside, once the hand is within 9 cm.",
        "the object was never moved",
        lasts_s=0.0,
        targets=Targets.OBJECT,
    ),
    Kind(
        "object_pulled",
        19,
        Class.ENVIRONMENT,
        Site.BODY,
        Size("m/s", 0.05, 0.005, 0.3),
        "The object under the approaching hand is pulled away, once the hand is within 9 cm.",
        "nobody pulls",
        lasts_s=2.0,
        targets=Targets.OBJECT,
    ),
    Kind(
        "slippery",
        20,
        Class.ENVIRONMENT,
        Site.BODY,
        Size("x", 0.01, 0.0, 0.6),
        "Objects have this share of their friction.",
        "objects have their friction",
    ),
    Kind(
        "heavy",
        20,
        Class.ENVIRONMENT,
        Site.BODY,
        Size("x", 60.0, 1.5, 100.0),
        "Objects weigh this many times as much.",
        "objects have their weight",
    ),
    Kind(
        "friction_shift",
        20,
        Class.BENIGN,
        Site.BODY,
        Size("x", 0.9, 0.9, 1.1),
        "Objects are a little more or less slippery.",
        "objects have their friction",
    ),
    Kind(
        "mass_shift",
        20,
        Class.BENIGN,
        Site.BODY,
        Size("x", 1.2, 0.7, 1.3),
        "Objects are a little heavier or lighter.",
        "objects have their weight",
    ),
    Kind(
        "distractor",
        20,
        Class.BENIGN,
        Site.BODY,
        Size("m", 0.02, 0.005, 0.04),
        "A grey ball of this radius lies on the free part of the table.",
        "the ball is gone",
    ),
    Kind(
        "obstacle",
        24,
        Class.ENVIRONMENT,
        Site.BODY,
        Size("m", 0.05, 0.02, 0.2),
        "A post stands in the moving hand's way, this far from where the hand reaches.",
        "the post is gone",
    ),
)
