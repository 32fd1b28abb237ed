"""Faults of the mind, each at its seam; and a whole run with faults, as a person makes it."""

import json
from pathlib import Path

import numpy as np
import pytest

from agent.modules import Modules
from agent.monitoring import Monitoring
from agent.planner.protocol import Plan, Question
from api.assemble import load_policies
from api.faults.assemble import faulty
from api.faults.perception import WRONG, FaultyPerceiver
from api.faults.planning import WRONG as WRONG_PLANS
from api.faults.planning import FaultyPlanner
from api.faults.policies import TROUBLES, FaultyPolicy
from api.faults.timetable import Timetable
from api.options import RunOptions
from sim.faults.catalogue import CATALOGUE
from sim.faults.happening import Happening
from sim.faults.kinds import Site
from sim.faults.record import fault_times
from sim.faults.spec import Injection
from skills.graph import SkillGraph, SkillNode
from skills.library import Pick, Put
from skills.predicates import In
from skills.router import PolicyKind
from skills.scene import PlaceRegion, Scene, SceneObject
from skills.verify import Proof, prove
from traces.reader import read_run
from vla_low_level.action import ActionChunk
from vla_low_level.monitoring.calibration import Calibration, Card, Fingerprint
from vla_low_level.monitoring.channels import Channels
from vla_low_level.nouns import Category, Colour, Place
from vla_low_level.observation import CameraImage, Observation, Proprioception
from vla_low_level.policy import Doubting, GraspTarget, Instruction, PolicyOutput


def thing(colour: Colour, x: float, y: float, category: Category = Category.CUBE) -> SceneObject:
    return SceneObject(
        id=f"{colour.value}_{category.value}_1",
        category=category,
        colour=colour,
        position_m=(x, y, 0.0),
        yaw_rad=0.1,
    )


TRAY = PlaceRegion(place=Place.TRAY, centre_m=(0.2, -0.42, 0.005), half_extent_m=(0.1, 0.08))
BIN = PlaceRegion(place=Place.BIN, centre_m=(0.18, 0.42, 0.005), half_extent_m=(0.08, 0.08))
RED, BLUE, CUP = (
    thing(Colour.RED, 0.4, -0.1),
    thing(Colour.BLUE, 0.5, 0.1),
    thing(Colour.GREEN, 0.55, -0.1, Category.CUP),
)
SCENE = Scene(objects=(RED, BLUE, CUP), places=(TRAY, BIN))


def observation(time_s: float = 0.0, sequence: int = 0, x: float = 0.3) -> Observation:
    eye, here = np.eye(3), np.array([x, 0.0, 0.3])
    body = Proprioception(
        *(np.zeros(7), np.zeros(7), here, np.diag([1.0, -1, -1]), here.copy(), np.diag([1.0, -1, -1])),
        *(1.0, np.array([0.0, 0, 0, 0, 0, 0, 1.0]), 0.0),
    )
    rng = np.random.default_rng(1)
    images = {
        name: CameraImage(
            rng.integers(0, 255, (*size, 3), np.uint8), np.ones(size, np.float32), eye * 99.0, np.eye(4)
        )
        for name, size in (("table", (128, 192)), ("wrist", (96, 96)))
    }
    return Observation(images, body, time_s, sequence)


def times(*texts: str, told: list[Happening] | None = None) -> Timetable:
    return Timetable(Injection.parse(texts, 5), told.append if told is not None else None)


def seen(*texts: str, scene: Scene = SCENE, previous: Scene | None = None, time_s: float = 1.0) -> Scene:
    perceiver = FaultyPerceiver(lambda _observation, _previous, _held: scene, times(*texts))
    return perceiver(observation(time_s), previous, scene.held)


def test_every_kind_of_the_mind_has_its_place() -> None:
    at = {site: {n for n, kind in CATALOGUE.items() if kind.site is site} for site in Site}
    assert at[Site.PERCEIVER] == set(WRONG)
    assert at[Site.PLANNER] == {*WRONG_PLANS, "guess"}
    assert at[Site.POLICY] == set(TROUBLES)
    assert at[Site.ROUTER] == {"wrong_skill"}
    assert at[Site.MONITOR] == {"wrong_thresholds"}


def test_labels_are_swapped_and_poses_stay() -> None:
    wrong = seen("label_swap")
    assert [o.position_m for o in wrong.objects] == [o.position_m for o in SCENE.objects]
    moved = [o.id for o, was in zip(wrong.objects, SCENE.objects, strict=True) if o.id != was.id]
    assert len(moved) == 2
    assert {o.id for o in wrong.objects} == {o.id for o in SCENE.objects}
    assert seen("label_swap", scene=SCENE.model_copy(update={"objects": (RED,)})).objects == (RED,)


def test_an_object_is_missed_or_seen_where_none_is() -> None:
    assert [o.id for o in seen("missed_object/blue_cube_1").objects] == [RED.id, CUP.id]
    assert len(seen("missed_object").objects) == 2
    ghosts = [o for o in seen("ghost_object").objects if o not in SCENE.objects]
    assert len(ghosts) == 1
    assert ghosts[0].position_m == seen("ghost_object", time_s=9.0).objects[-1].position_m


def test_poses_are_biased_all_to_one_side_and_what_is_held_is_not() -> None:
    held = SCENE.model_copy(update={"held": RED.id})
    wrong = seen("pose_bias:0.03", "yaw_bias:0.4", scene=held)
    off = [
        np.subtract(o.position_m, was.position_m) for o, was in zip(wrong.objects, SCENE.objects, strict=True)
    ]
    assert not off[0].any()
    assert np.linalg.norm(off[1]) == pytest.approx(0.03)
    np.testing.assert_allclose(off[1], off[2])
    assert [o.yaw_rad for o in wrong.objects] == pytest.approx([0.1, 0.5, 0.5])


def test_success_is_tested_on_the_past_or_too_kindly() -> None:
    before = SCENE.model_copy(update={"held": RED.id})
    now = SCENE.model_copy(
        update={"objects": (RED.model_copy(update={"position_m": (0.2, -0.42, 0.0)}), BLUE, CUP)}
    )
    assert seen("stale_check", scene=now, previous=before).objects == before.objects
    assert seen("stale_check", scene=now, previous=before).held is None
    beside = SCENE.model_copy(update={"objects": (RED.model_copy(update={"position_m": (0.2, -0.28, 0.0)}),)})
    assert seen("loose_check:0.05", scene=beside).objects[0].place is None
    assert seen("loose_check:0.12", scene=beside).objects[0].place is Place.TRAY


def test_an_inverted_test_says_the_opposite_of_what_was_put_down_and_goes_on_believing_it() -> None:
    before = SCENE.model_copy(update={"held": RED.id})

    def put(x: float, y: float, place: Place | None) -> Scene:
        down = RED.model_copy(update={"position_m": (x, y, 0.0), "place": place})
        return SCENE.model_copy(update={"objects": (down, BLUE, CUP)})

    inside, beside = put(0.2, -0.42, Place.TRAY), put(0.2, -0.28, None)
    denied = seen("inverted_check", scene=inside, previous=before)
    assert denied.get(RED.id).place is None
    assert seen("inverted_check", scene=inside, previous=denied).get(RED.id).place is None
    claimed = seen("inverted_check", scene=beside, previous=before)
    assert claimed.get(RED.id).place is Place.TRAY
    assert claimed.objects[1:] == beside.objects[1:]
    moved = put(0.35, -0.42, None)
    assert seen("inverted_check", scene=moved, previous=claimed) == moved


def test_faults_of_the_mind_keep_to_their_time_and_say_when_they_had_an_effect() -> None:
    told: list[Happening] = []
    perceiver = FaultyPerceiver(lambda *_: SCENE, times("pose_bias@2s+2s", told=told))
    moved = [perceiver(observation(t), None, None) != SCENE for t in (0.0, 1.9, 2.5, 3.5, 4.5, 6.0)]
    assert moved == [False, False, True, True, False, False]
    assert told == [Happening(0, "begin", 2.5), Happening(0, "end", 4.5)]


class Fixed:
    """Plans two objects into the tray, or asks which until it is told."""

    planner_id = "fixed"

    def __init__(self, *, asks: bool = False) -> None:
        self.asks = asks

    def plan(self, instruction, scene, history) -> Plan | Question:
        if self.asks and not history:
            return Question("which?", ("the red one", "the blue one"), "AMBIGUOUS", (RED.id, BLUE.id))
        chosen = (BLUE,) if history and "blue" in history[-1].answer else (RED,) if history else (RED, BLUE)
        nodes, edges = [], []
        for o in chosen:
            nodes += [
                SkillNode(id=f"pick_{o.id}", skill=Pick(object=o.id)),
                SkillNode(id=f"put_{o.id}", skill=Put(object=o.id, place=Place.TRAY)),
            ]
            edges.append((nodes[-2].id, nodes[-1].id))
        edges += [(nodes[1].id, nodes[2].id)] if len(nodes) > 2 else []
        goal = tuple(In(o.id, Place.TRAY) for o in chosen)
        return Plan(SkillGraph(nodes=tuple(nodes), edges=tuple(edges)), goal)


def planned(text: str, *, asks: bool = False, told: list[Happening] | None = None) -> Plan | Question:
    return FaultyPlanner(Fixed(asks=asks), times(text, told=told)).plan("x", SCENE, ())


@pytest.mark.parametrize("fault", ["omitted_step", "repeated_step", "wrong_target", "wrong_place"])
def test_a_wrong_plan_can_be_proved_and_is_not_what_was_meant(fault: str) -> None:
    told: list[Happening] = []
    right, wrong = Fixed().plan("x", SCENE, ()), planned(fault, told=told)
    assert isinstance(wrong, Plan)
    assert isinstance(prove(wrong.graph, SCENE, wrong.goal), Proof)
    assert wrong.graph != right.graph
    assert (len(wrong.graph.nodes), len(wrong.goal)) == {
        "omitted_step": (2, 1),
        "repeated_step": (6, 2),
        "wrong_target": (4, 2),
        "wrong_place": (4, 2),
    }[fault]
    if fault == "wrong_target":
        assert CUP.id in {node.skill.subject for node in wrong.graph.nodes}
    if fault == "wrong_place":
        assert {term.place for term in wrong.goal} == {Place.TRAY, Place.BIN}
    assert [h.phase for h in told] == ["begin"]


def test_steps_in_the_wrong_order_are_refuted() -> None:
    wrong = planned("permuted_steps")
    assert isinstance(wrong, Plan)
    assert not isinstance(prove(wrong.graph, SCENE, wrong.goal), Proof)


def test_a_planner_that_guesses_does_not_ask() -> None:
    assert isinstance(planned("gain", asks=True), Question)
    guessed = planned("guess", asks=True)
    assert isinstance(guessed, Plan)
    assert len(guessed.graph.nodes) == 2


class Forward:
    """Goes forward, by how far the hand is out."""

    policy_id, cameras, replan_rows = "forward", (), 4

    def reset(self) -> None: ...

    def act(self, observation: Observation, _instruction: Instruction) -> PolicyOutput:
        rows = np.zeros((4, 7), np.float32)
        rows[:, 0], rows[:, 6] = observation.proprioception.ee_position_m[0] / 100, 0.5
        return PolicyOutput(ActionChunk(rows, 20.0, 9.0, 0, "forward", observation.sequence), 0.5)


def test_a_policy_flips_stalls_repeats_itself_and_takes_other_statistics() -> None:
    def rows(text: str, count: int = 2) -> list[np.ndarray]:
        policy = FaultyPolicy(Forward(), times(text))
        told = Instruction("go")
        return [policy.act(observation(k, k, 0.3 + 0.1 * k), told).chunk.actions for k in range(count)]

    right = rows("gain")
    one, other = rows("mode_flip:1.2")
    assert one[0, 1] > 0 > other[0, 1]
    np.testing.assert_allclose(np.linalg.norm(other[:, :2], axis=1), right[1][:, 0], rtol=1e-5)
    stalled = rows("stall@1s")
    np.testing.assert_array_equal(stalled[0], right[0])
    assert not stalled[1][:, :6].any()
    assert (stalled[1][:, 6] == 1.0).all()
    np.testing.assert_array_equal(*rows("loop"))
    scaled = rows("wrong_statistics:0.7")[0]
    assert scaled[0, 0] != pytest.approx(right[0][0, 0], rel=0.01)
    np.testing.assert_array_equal(scaled[:, 6], right[0][:, 6])


def test_noise_spoils_the_generalists_weights_for_its_time_and_spares_the_specialist() -> None:
    loaded = load_policies(RunOptions("x"))
    clean = load_policies(RunOptions("x"))[PolicyKind.GENERALIST]
    alone = load_policies(RunOptions("x", policy="specialist"))[PolicyKind.SPECIALIST]
    told: list[Happening] = []
    modules = Modules(lambda *_: SCENE, Fixed(), loaded)
    policies = faulty(modules, times("policy_noise:0.5@1s+1s", told=told)).policies
    equal = []
    for k in range(3):
        instruction = Instruction("pick up the red cube", GraspTarget(np.array([0.4, 0, 0.02]), 0.0, 0.3))
        now = observation(float(k), k)
        chunks = [p.act(now, instruction).chunk.actions for p in (policies[PolicyKind.GENERALIST], clean)]
        equal.append(np.array_equal(*chunks))
        both = (policies[PolicyKind.SPECIALIST], alone)
        np.testing.assert_array_equal(*(p.act(now, instruction).chunk.actions for p in both))
    assert equal == [True, False, True]
    assert [h.phase for h in told] == ["begin", "end"]


def test_a_damaged_policy_is_whole_for_whoever_else_uses_it() -> None:
    loaded = load_policies(RunOptions("x", policy="generalist"))
    own = loaded[PolicyKind.GENERALIST]
    network = own.network
    policies = faulty(Modules(lambda *_: SCENE, Fixed(), loaded), times("policy_noise:0.5")).policies
    policies[PolicyKind.GENERALIST].act(observation(0.0, 0), Instruction("pick up the red cube"))
    assert own.network is network


def test_the_monitor_gets_other_thresholds() -> None:
    policies = load_policies(RunOptions("x"))
    channels = Channels(channels={}, lasts_s={"": 5.0})
    finger = Fingerprint(policy="any", cameras={}, controller="any")
    scores = tuple(float(k) for k in range(60))
    card = Card(
        fingerprint=finger,
        data="",
        alpha_act=0.05,
        alpha_warn=0.2,
        channels=channels,
        scores=scores,
        fitted=60,
    )
    monitoring = Monitoring(calibrations={kind: Calibration(card, None) for kind in policies})
    told: list[Happening] = []
    modules = Modules(lambda *_: SCENE, Fixed(), policies, None, monitoring)
    wrong = faulty(modules, times("wrong_thresholds:3", "mode_flip@9s", told=told))
    for kind, right in monitoring.calibrations.items():
        assert wrong.monitoring.calibrations[kind].act == pytest.approx(3 * right.act)
        assert wrong.monitoring.calibrations[kind].warn == pytest.approx(3 * right.warn)
    assert not told
    wrong.perceiver(observation(0.5), None, None)
    assert told == [Happening(0, "begin", 0.5)]
    wraps = {kind: isinstance(p, Doubting) for kind, p in wrong.policies.items()}
    assert wraps == {kind: isinstance(p, Doubting) for kind, p in policies.items()}


def test_the_router_tells_another_skill() -> None:
    policies = {PolicyKind.SPECIALIST: Forward(), PolicyKind.GENERALIST: Forward()}
    modules = Modules(lambda *_: SCENE, Fixed(), policies)
    right, wrong = (
        m.router().route(Pick(object=RED.id), SCENE) for m in (modules, faulty(modules, times("wrong_skill")))
    )
    assert right.subgoal == "pick up the red cube"
    assert (wrong.kind, wrong.subgoal) == (PolicyKind.GENERALIST, "push the red cube to the left")


def test_a_run_with_faults_is_repeated_exactly_and_knows_when_they_acted(
    tandem, tmp_path: Path, scene_file: Path
) -> None:
    folder, texts = tmp_path / "run", ("start_pose:0.03@0s", "pose_bias:0.004@0s+1s", "push:100@100s")
    words = [word for text in texts for word in ("--fault", text)]
    done = tandem(
        "run", "put the red cube in the tray", "--scene", scene_file, "--record", folder, *words, "--json"
    )
    assert json.loads(done.stdout)["chunks"] > 10, done.stderr
    found = fault_times(read_run(folder))
    assert [str(item.fault) for item in found] == [texts[0], texts[1], texts[2]]
    assert [item.began_s for item in found] == [0.0, 0.0, None]
    assert (found[1].ended_s or 0.0) > 0.0
    replayed = tandem("replay", folder, "--level", "physics")
    assert replayed.returncode == 0, replayed.stdout
    decided = tandem("replay", folder, "--level", "decisions")
    assert decided.returncode == 0, decided.stdout


@pytest.mark.parametrize(
    ("fault", "code"),
    [("camera_shft@3s", "FAULT_UNKNOWN"), ("gain:99", "FAULT_INVALID"), ("?", "FAULT_INVALID")],
)
def test_a_fault_that_cannot_be_is_named_with_its_fix(tandem, tmp_path: Path, fault: str, code: str) -> None:
    done = tandem("run", "clear the table", "--fault", fault, "--json", "--record", tmp_path / "r")
    told = json.loads(done.stdout)
    assert (told["code"], done.returncode) == (code, 1)
    assert told["fix"]


def test_help_and_errors_show_how_faults_are_written(tandem) -> None:
    assert "NAME/AIM:MAGNITUDE" in tandem("faults", "--help").stdout
    assert "--fault" in tandem("run", "--help").stdout
    assert "NAME[/AIM]" in tandem("run", "x", "--fault", "?").stderr.replace("\n", "")


def test_the_catalogue_is_printed(tandem) -> None:
    shown = tandem("faults").stdout
    assert all(name in shown for name in CATALOGUE)
    listed = json.loads(tandem("faults", "--json").stdout)
    assert {item["name"] for item in listed} == set(CATALOGUE)
    assert {item["number"] for item in listed} == {f"F{k}" for k in range(1, 25)}


def test_the_agent_has_no_word_for_faults() -> None:
    root = Path(__file__).parents[2]
    sources = [
        path for folder in ("agent", "skills", "vla_low_level") for path in (root / folder).rglob("*.py")
    ]
    assert len(sources) > 50
    told = [p for p in sources if any(word in p.read_text() for word in ("sim.faults", "names.FAULT"))]
    assert not told
