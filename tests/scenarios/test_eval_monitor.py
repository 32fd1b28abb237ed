import pytest
from attempts import kept

from scenarios.eval_monitor import evaluate
from skills.router import PolicyKind
from traces.errors import TandemError
from vla_low_level.monitoring.keep import save

GENERALIST = PolicyKind.GENERALIST


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Made-up attempts: good ones to calibrate with; others, and shaky ones that failed, to judge."""
    found = tmp_path_factory.mktemp("calibration"), tmp_path_factory.mktemp("test")
    for folder, seeds, shaky in (
        (0, range(60), False),
        (1, range(100, 112), False),
        (1, range(200, 208), True),
    ):
        for seed in seeds:
            told = kept(seed, shaky=shaky)
            save(found[folder] / f"generalist-{seed}-1.npz", told.label, told.episode)
    return found


def test_every_method_is_judged_on_the_same_attempts(folders):
    figures = evaluate(*folders, GENERALIST)
    found = figures["detection"]
    assert found["attempts"]["calibrated"] == 30
    assert found["attempts"]["test, failed of a fault"] == 8
    assert found["ours"]["balanced accuracy"][0] > 0.9
    for name in ("logpZO", "RND", "kNN", "time", "STAC, single sample", "FIPER-style AND"):
        better, low, high = found[name]["ours better by"]
        assert low <= better <= high
    assert found["delay, s"]["erratic, contact, tracking"]["noticed after the onset"] == 8
    assert found["delay, s"]["erratic, contact, tracking"]["median"] < 1.5
    assert found["by fault"]["gain:1.7"]["noticed"] == 8
    assert figures["false alarms"]["n=20, alpha=0.05"]["exact"][0] < 0.1


def test_a_test_on_scenes_that_calibrated_is_refused(folders):
    with pytest.raises(TandemError, match="scene 0 is in both"):
        evaluate(folders[0], folders[0], GENERALIST)
