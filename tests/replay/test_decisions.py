"""Recorded decisions are made again exactly, a changed module is found, and a run goes on from inside."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from agent.affordance import Hands
from agent.executive import Company
from agent.modules import Modules
from agent.planner.protocol import History, Refusal
from api.assemble import load_modules, run_command
from api.options import RunOptions
from api.replay import make_fork, parse_overrides, recorded_options
from replay.decisions import replay_decisions
from replay.fork import Fork, fork
from replay.truth import true_moments
from skills.router import PolicyKind
from skills.scene import Scene
from traces import names
from traces.errors import TandemError
from traces.reader import read_run
from traces.run import Run
from traces.verify import verify
from traces.why import resolve_all

ONE_CUBE = "objects: [{category: cube, colour: red, position: [0.42, -0.15], yaw: 0.3}]\ndrawer: {}\n"


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A real run with both kinds of policy: the generalist opens the drawer; its noise is the run's."""
    folder = tmp_path_factory.mktemp("runs")
    (folder / "scene.yaml").write_text(ONE_CUBE)
    options = RunOptions(
        "open the drawer", str(folder / "scene.yaml"), 3, "subgoal", record=folder / "run", film=False
    )
    result = run_command(options, Company())
    assert result.chunks > 6
    return read_run(options.folder)


@pytest.fixture
def modules(run: Run) -> Modules:
    return load_modules(recorded_options(run))


def test_today_decides_as_then(run: Run, modules: Modules) -> None:
    report = replay_decisions(run, modules)
    assert report.first is None
    chunks = len(run.named(names.CHUNK))
    assert report.compared["policy"] == chunks
    assert report.equal == sum(report.compared.values())
    assert set(report.compared) == {"perception", "planner", "router", "policy"}


def test_one_changed_weight_is_found_at_the_first_chunk_of_its_policy(run: Run, modules: Modules) -> None:
    policy = modules.policies[PolicyKind.GENERALIST]
    network = copy.deepcopy(policy.network)  # type: ignore[attr-defined]
    weight = next(iter(network.parameters())).data.view(-1)
    weight[int(weight.abs().argmax())] *= 1.01
    policy.network = network  # type: ignore[attr-defined]
    first = replay_decisions(run, modules).first
    assert first is not None
    generalist = [s for s in run.named(names.CHUNK) if s.attributes[names.ROUTE] == "generalist"]
    assert (first.module, first.ref) == ("policy", generalist[0].ref)
    assert first.label == "execute_tool open_drawer > chunk 0"
    assert 0 < first.difference.distance < 1


def test_a_changed_scene_a_changed_plan_and_a_failing_planner_are_named(run: Run, modules: Modules) -> None:
    class Other:
        planner_id = "other"

        def plan(self, instruction: str, scene: Scene, history: Sequence[History]) -> Refusal:
            return Refusal("NO", "never")

    class Broken(Other):
        def plan(self, instruction: str, scene: Scene, history: Sequence[History]) -> Refusal:
            raise TandemError("LLM_TIMEOUT", "too slow")

    for planner, words in ((Other(), "plan is now refusal NO"), (Broken(), "LLM_TIMEOUT")):
        first = replay_decisions(run, replace(modules, planner=planner)).first
        assert first is not None
        assert first.module == "planner"
        assert words in str(first.difference)

    def blind(*_: object) -> Scene:
        return Scene(objects=(), places=())

    first = replay_decisions(run, replace(modules, perceiver=blind)).first
    assert first is not None
    assert (first.module, first.label) == ("perception", "tandem.perceive")
    assert "red_cube_1 gone" in str(first.difference)


def test_going_on_without_a_change_ends_in_the_same_state(run: Run, modules: Modules, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    report = fork(run, modules, Fork(5), tmp_path / "fork", lambda *at: told.append(at))
    assert report.same_end
    assert report.drifted == 0
    assert told[-1][0] == len(run.named(names.CHUNK))
    again = read_run(tmp_path / "fork")
    assert verify(tmp_path / "fork").ok
    assert resolve_all(again).dangling == ()
    (link,) = [link for link in again.roots[0].links if link.kind == "forked_from"]
    assert link.target == run.named(names.CHUNK)[5].ref
    assert again.attributes[names.PARENT_TRACE] == run.trace_id


def test_another_perception_and_planner_leave_the_policys_noise_alone(
    run: Run, modules: Modules, tmp_path: Path
) -> None:
    calls = []

    def perceiver(*seen: object) -> Scene:
        calls.append(seen)
        return modules.perceiver(*seen)  # type: ignore[arg-type]

    class Planner:
        planner_id = "the same words from another mouth"

        def plan(self, instruction: str, scene: Scene, history: Sequence[History]) -> object:
            return modules.planner.plan(instruction, scene, history)

    then = replace(modules, perceiver=perceiver, planner=Planner())  # type: ignore[arg-type]
    assert fork(run, modules, Fork(2, then), tmp_path / "fork").same_end
    assert calls


def test_another_seed_of_the_policy_changes_what_follows_and_nothing_before(
    run: Run, modules: Modules, tmp_path: Path
) -> None:
    options = recorded_options(run)
    change = make_fork(4, modules, options, parse_overrides(None, None, ["seed=99", "attempts=1"]))
    report = fork(run, modules, change, tmp_path / "fork")
    assert not report.same_end
    then, now = run.named(names.CHUNK), read_run(tmp_path / "fork").named(names.CHUNK)
    key = names.STATE_HASH
    assert [s.attributes[key] for s in now[:4]] == [s.attributes[key] for s in then[:4]]
    assert now[4].attributes[names.CHUNK_REF] != then[4].attributes[names.CHUNK_REF]
    assert now[4].attributes[names.PROPRIOCEPTION_REF] == then[4].attributes[names.PROPRIOCEPTION_REF]


def test_what_cannot_be_forked_or_overridden_is_named(run: Run, modules: Modules, tmp_path: Path) -> None:
    with pytest.raises(TandemError, match="FORK_CHUNK") as caught:
        fork(run, modules, Fork(999), tmp_path / "fork")
    assert "0 to" in caught.value.fix
    for pairs in (["colour=red"], ["seed="], ["seed=x"], ["attempts=many"]):
        with pytest.raises(TandemError, match="OVERRIDE_UNKNOWN"):
            make_fork(1, modules, recorded_options(run), parse_overrides(None, None, pairs))


def test_the_truth_of_a_run_can_be_looked_up_afterwards(run: Run) -> None:
    moments = true_moments(run)
    assert len(moments) == len(run.named(names.CHUNK))
    assert all(moment.exact for moment in moments)
    assert moments[0].truth.objects[0].position_m[:2] == pytest.approx((0.42, -0.15), abs=0.02)


def test_after_an_attempt_without_a_way_motion_still_leads_to_its_plan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = Hands.target
    monkeypatch.setattr(
        Hands,
        "target",
        lambda hands, skill, scene, attempt: None if attempt == 1 else found(hands, skill, scene, attempt),
    )
    (tmp_path / "scene.yaml").write_text(ONE_CUBE)
    told = ("pick up the red cube", str(tmp_path / "scene.yaml"), 3, "subgoal", "specialist")
    run_command(RunOptions(*told, record=tmp_path / "run", film=False), Company())
    run = read_run(tmp_path / "run")
    assert len(run.named(names.CHUNK)) > 3
    assert resolve_all(run).dangling == ()
