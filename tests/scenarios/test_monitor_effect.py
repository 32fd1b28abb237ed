from dataclasses import replace

from scenarios.eval_monitor_effect import FAULTS, FEW, Effect, summarise
from sim.faults.spec import parse_fault
from sim.scene import SceneSpec


def effect(seed: int, monitor: str, *, knocks: int = 0, spoilt: int = 0, done: bool = True) -> Effect:
    return Effect(seed, monitor, done, "succeeded", "gain:1.7@2s", spoilt, knocks, ())


def test_what_the_monitor_saves_and_costs_is_told_by_pairs():
    pairs = [e for k in range(10) for e in (effect(k, "act", knocks=1), effect(k, "off", knocks=3, spoilt=1))]
    told = summarise(pairs)
    assert told["damage events fewer by"] == "75.0 % (95 % interval 75.0 to 75.0 %)"
    assert told["success lost"] == "0.0 % (95 % interval 0.0 to 0.0 %)"
    assert told["act"]["damage events"] == 10
    assert told["off"] == told["off"] | {"objects spoilt": 10, "hard contacts": 30}
    worse = [replace(e, done=e.monitor == "off" or e.seed > 0) for e in pairs]
    assert summarise(worse)["success lost"].startswith("10.0 %")


def test_where_nothing_is_damaged_no_share_is_claimed():
    assert summarise([effect(1, "act"), effect(1, "off")])["damage events fewer by"].startswith("no damage")


def test_the_faults_and_the_scene_can_be_read():
    assert [parse_fault(text).name for text in FAULTS]
    assert SceneSpec.load(str(FEW)).count == (1, 2)
