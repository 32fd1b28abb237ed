"""In trials a policy is pointed at what the agent's own eyes see, and that is where the thing is."""

import math

from agent.perception.detector import Detector
from scenarios.pointer import Pointer
from sim.demos.chain import draw_stage
from sim.demos.judge import look
from sim.demos.tasks import Kind, Task


def test_it_points_at_the_thing_that_is_meant() -> None:
    stage, _ = draw_stage(6_000_001, "panda", Kind.PICK)
    assert stage is not None
    try:
        point, items = Pointer(Detector.from_pretrained()), look(stage.world).scene.objects
        told = {item.id: point(stage, Task(Kind.PICK, item.id), "take it") for item in items}
        blind = point(stage, Task(Kind.OPEN_DRAWER), "open the drawer")
    finally:
        stage.close()
    seen = [item for item in items if (about := told[item.id].about) is not None]
    assert len(seen) >= 0.8 * len(items)
    for item in seen:
        about = told[item.id].about
        assert about is not None
        assert about.likeliest_m is not None
        assert math.dist(about.likeliest_m[:2], item.position_m[:2]) < 0.01
    assert {instruction.text for instruction in told.values()} == {"take it"}
    assert blind.about is None
