import json

import pytest
from attempts import kept
from typer.testing import CliRunner

from api.cli import app
from api.monitoring import load_monitoring
from api.options import RunOptions
from api.stale import watch_runs
from skills.router import PolicyKind
from traces import names
from traces.errors import TandemError
from traces.recorder import Recorder
from vla_low_level.monitoring.calibration import Calibration
from vla_low_level.monitoring.keep import save
from vla_low_level.policies.specialist import SpecialistPolicy

POLICY = SpecialistPolicy()
POLICIES = {PolicyKind.SPECIALIST: POLICY}


@pytest.fixture(scope="module")
def rollouts(tmp_path_factory):
    """Good attempts, and some that a fault made fail."""
    folder = tmp_path_factory.mktemp("rollouts")
    for seed in range(70):
        told = kept(seed, policy=POLICY.policy_id)
        save(folder / f"specialist-{seed}-1.npz", told.label, told.episode)
    for seed in range(100, 115):
        told = kept(seed, shaky=True, policy=POLICY.policy_id)
        save(folder / f"specialist-{seed}-gain-1.npz", told.label, told.episode)
    return folder


@pytest.fixture(scope="module")
def calibration(rollouts, tmp_path_factory):
    out = tmp_path_factory.mktemp("calibration")
    said = CliRunner().invoke(app, ["calibrate", str(rollouts), "--out", str(out), "--policy", "specialist"])
    assert said.exit_code == 0, said.output
    assert "35 good attempts, bounds from 35 others" in " ".join(said.output.split())
    return out


def test_a_calibration_watches_the_policy_that_it_is_of(calibration):
    options = RunOptions("", policy="specialist", calibration=calibration)
    monitoring = load_monitoring(options, POLICIES)
    assert set(monitoring.calibrations) == {PolicyKind.SPECIALIST}
    assert not monitoring.degraded


@pytest.mark.parametrize(
    ("changed", "named"), [({"arm": "xarm6"}, "controller"), ({"clock": "realtime"}, "clock")]
)
def test_on_another_robot_it_is_left_out_loudly_or_refused(calibration, changed, named):
    options = RunOptions("", calibration=calibration, **changed)
    monitoring = load_monitoring(options, POLICIES)
    assert not monitoring.calibrations
    assert named in monitoring.degraded[PolicyKind.SPECIALIST]
    with pytest.raises(TandemError, match=named) as refused:
        load_monitoring(RunOptions("", calibration=calibration, monitor="strict", **changed), POLICIES)
    assert refused.value.code == "CALIBRATION_MISMATCH"


def test_attempts_of_another_policy_are_no_calibration(rollouts, tmp_path):
    told = kept(500, policy="somebody")
    save(tmp_path / "specialist-500-1.npz", told.label, told.episode)
    said = CliRunner().invoke(
        app, ["calibrate", str(tmp_path), "--out", str(tmp_path / "out"), "--policy", "specialist"]
    )
    assert said.exit_code == 1
    assert "somebody" in said.output
    assert not (tmp_path / "out").exists()


def test_too_few_attempts_are_refused_with_what_is_lacking(tmp_path):
    for seed in range(5):
        told = kept(seed, policy=POLICY.policy_id)
        save(tmp_path / f"specialist-{seed}-1.npz", told.label, told.episode)
    said = CliRunner().invoke(
        app, ["calibrate", str(tmp_path), "--out", str(tmp_path / "out"), "--policy", "specialist"]
    )
    assert said.exit_code == 1
    assert "it takes 19" in " ".join(said.output.split())


@pytest.mark.parametrize(
    "wrong", [{"monitor": "sometimes"}, {"on_alarm": ("dance",)}, {"on_alarm": ("warn",)}]
)
def test_a_mode_or_rung_that_there_is_not_is_refused(wrong):
    with pytest.raises(TandemError) as refused:
        load_monitoring(RunOptions("", **wrong), POLICIES)
    assert refused.value.code == "OPTION_INVALID"
    assert refused.value.fix


def test_runs_that_score_as_ever_are_no_reason_for_doubt_and_others_are(calibration, tmp_path):
    scores = Calibration.load(calibration / "specialist").card.scores
    for name, told in (("usual", scores), ("strange", [max(scores) + 1.0] * 40)):
        with Recorder.open(tmp_path / name / "run", {}) as recorder:
            for score in told:
                facts = {names.ROUTE: "specialist", names.SKILL_SUCCEEDED: True, names.MONITOR_EPISODE: score}
                with recorder.span("execute_tool pick", facts):
                    pass
    usual = watch_runs([tmp_path / "usual"], calibration)["specialist"]
    assert (usual.attempts, usual.stale) == (35, False)
    assert watch_runs([tmp_path / "strange" / "run"], calibration)["specialist"].stale
    said = CliRunner().invoke(
        app, ["monitor", "stale", str(tmp_path / "strange"), "--calibration", str(calibration)]
    )
    assert said.exit_code == 1
    assert "tandem calibrate" in said.output


def test_the_report_is_a_page_with_its_pictures(rollouts, tmp_path):
    said = CliRunner().invoke(app, ["monitor", "report", str(rollouts), "--out", str(tmp_path / "report")])
    assert said.exit_code == 0, said.output
    page = (tmp_path / "report" / "index.html").read_text()
    shown = {path.name for path in (tmp_path / "report").glob("*.png")}
    assert shown == {f"specialist-{name}.png" for name in ("roc", "bands", "delays", "help")}
    assert all(name in page for name in shown)
    assert all((tmp_path / "report" / name).read_bytes().startswith(b"\x89PNG") for name in shown)
    assert "15 of them failed" in page


def test_a_folder_without_attempts_says_how_to_get_some(tmp_path):
    said = CliRunner().invoke(app, ["monitor", "report", str(tmp_path)])
    assert said.exit_code == 1
    assert "monitor_rollouts" in " ".join(said.output.split())


def test_the_shipped_calibration_is_whole_and_says_what_it_is_of():
    from api.monitoring import SHIPPED

    for folder in sorted(path.parent for path in SHIPPED.glob("*/calibration.json")):
        made = Calibration.load(folder)
        assert made.warn <= made.act < 1e6
        assert len(made.card.data) == 64
        assert json.loads((folder / "calibration.json").read_text())["fingerprint"]["policy"]
