import json
from dataclasses import replace

import numpy as np
import pytest
from attempts import CHUNK_S, episode, kept

from traces.errors import TandemError
from vla_low_level.monitor import Level
from vla_low_level.monitoring.calibration import ARRAYS, CARD, NEVER, Calibration, Fingerprint
from vla_low_level.monitoring.frames import ShiftFrom, reduced
from vla_low_level.monitoring.keep import load, load_all, save
from vla_low_level.monitoring.looks import Looks
from vla_low_level.monitoring.make import calibrate, moments, top
from vla_low_level.monitoring.motion import Motion, disagreement
from vla_low_level.monitoring.novelty import fit_novelty
from vla_low_level.monitoring.trial import first_above, score, split
from vla_low_level.monitoring.watch import ARM, Watch, finding

FINGERPRINT = Fingerprint(policy="test", cameras={"table": "a"}, controller="b")


@pytest.fixture(scope="module")
def calibration() -> Calibration:
    return calibrate([episode(k) for k in range(20)], [episode(100 + k) for k in range(40)], FINGERPRINT)


def scores(calibration: Calibration, attempt) -> list[float]:
    return [m.score for _, m in moments(attempt, calibration.card.channels, calibration.novelty)]


def test_good_attempts_go_on_and_shaky_ones_are_stopped_after_they_become_so(calibration):
    stopped = [max(scores(calibration, episode(1000 + k))) > calibration.act for k in range(60)]
    assert np.mean(stopped) <= 0.15
    for k in range(10):
        found = moments(episode(2000 + k, shaky=True), calibration.card.channels, calibration.novelty)
        alarms = [t for t, m in found if m.score > calibration.act]
        assert alarms
        assert alarms[0] >= 5 * CHUNK_S
        assert alarms[0] <= 7 * CHUNK_S


def test_the_bounds_are_ranks_of_the_scores_on_the_card(calibration):
    assert calibration.act == sorted(calibration.card.scores)[38]
    assert calibration.warn == sorted(calibration.card.scores)[32]
    assert calibration.act_pac is None


def test_an_alarm_names_the_channel_that_caused_it(calibration):
    found = moments(episode(5, shaky=True), calibration.card.channels, calibration.novelty)
    worst = next(m for _, m in found if m.score > calibration.act)
    told = finding(worst, calibration)
    assert told.level is Level.ALARM
    assert told.name == f"monitor_{worst.channel}"
    assert told.threshold == calibration.act
    assert worst.parts[worst.channel] == max(worst.parts.values())


def test_evidence_adds_up_over_channels_and_time(calibration):
    found = [m for _, m in moments(episode(5, shaky=True), calibration.card.channels, calibration.novelty)]
    added = np.diff([0.0, *(m.score for m in found)])
    assert (added >= 0).all()
    beyond = [sum(np.log(part) for part in m.parts.values() if part > 1) for m in found]
    np.testing.assert_allclose(added, beyond, atol=1e-9)


def test_one_good_attempt_that_jumps_once_does_not_blind_the_monitor():
    def bound(jump: float) -> float:
        others = [episode(100 + k) for k in range(40)]
        for k in (3, 4, 5):
            seen = list(others[k].seen)
            seen[2] = replace(seen[2], force_n=seen[2].force_n + jump)
            others[k] = replace(others[k], seen=seen)
        return calibrate([episode(k) for k in range(20)], others, FINGERPRINT).act

    # Only its logarithm counts.
    assert bound(1e4) < 20


def test_a_dark_camera_alarms_before_the_next_chunk_is_sent(calibration):
    found = moments(episode(6, dark_from=3), calibration.card.channels, calibration.novelty)
    first = next((t, m) for t, m in found if m.score > calibration.act)
    assert first[0] == pytest.approx(3 * CHUNK_S)
    assert first[1].channel == "blank_table"
    assert first[1].score == NEVER


def test_a_frame_that_repeats_is_frozen_only_if_the_hand_has_moved():
    looks, frame = Looks(), {"wrist": np.arange(192, dtype=np.uint8).reshape(12, 16)}
    assert looks.broken(frame, np.zeros(3)) is None
    assert looks.broken(frame, np.array([0.001, 0, 0])) is None
    found = looks.broken(frame, np.array([0.05, 0, 0]))
    assert found is not None
    assert found[0] == "frozen_wrist"


def test_a_camera_that_was_pushed_is_seen_to_have_shifted():
    rng = np.random.default_rng(0)
    wide = np.kron(rng.integers(0, 255, (16, 24)), np.ones((4, 4))).astype(np.uint8)
    shift = ShiftFrom(wide[:, :64])
    assert shift.px(wide[:, :64]) == 0.0
    assert shift.px(wide[:, 5:69]) == pytest.approx(5.0)


def test_the_second_stage_is_asked_only_where_the_first_finds_it_strange(calibration):
    asked = []

    def draw() -> float:
        asked.append(True)
        return 0.5

    for attempt in (episode(7), episode(8, shaky=True)):
        watch = Watch(calibration.card.channels, calibration.novelty, "pick", 0.0)
        strange = 0
        for seen, felt in zip(attempt.seen, attempt.felt, strict=True):
            before = len(asked)
            moment = watch.see(seen, draw=draw)
            strange += max(moment.parts.values()) > ARM
            assert (len(asked) > before) == ("draws" in moment.parts)
            watch.feel(felt)
        assert strange >= (1 if attempt.seen[-1].features["chunk_spread"].mean() > 0.003 else 0)
    assert asked


def test_a_policy_that_says_nothing_of_itself_is_watched_all_the_same():
    good = [episode(k, looks=False) for k in range(50)]
    made = calibrate(good[:20], good[20:], FINGERPRINT)
    assert made.novelty is None
    assert "tracking" in made.card.channels.channels
    assert "mahalanobis" not in made.card.channels.channels
    assert top(episode(9, shaky=True, looks=False), made.card.channels, None) > made.act


def test_a_calibration_that_was_read_back_gives_the_same_scores(calibration, tmp_path):
    calibration.save(tmp_path / "one")
    calibration.save(tmp_path / "two")
    read = Calibration.load(tmp_path / "one")
    for attempt in (episode(3), episode(4, shaky=True)):
        assert scores(read, attempt) == scores(calibration, attempt)
    for name in ("means", "whiten", "bank", "owner"):
        np.testing.assert_array_equal(getattr(read.novelty, name), getattr(calibration.novelty, name))
    assert (read.act, read.warn) == (calibration.act, calibration.warn)
    assert [(tmp_path / "one" / n).read_bytes() for n in (CARD, ARRAYS)] == [
        (tmp_path / "two" / n).read_bytes() for n in (CARD, ARRAYS)
    ]


def test_a_calibration_that_was_tampered_with_is_refused(calibration, tmp_path):
    calibration.save(tmp_path)
    arrays = bytearray((tmp_path / ARRAYS).read_bytes())
    arrays[-1] ^= 1
    (tmp_path / ARRAYS).write_bytes(bytes(arrays))
    with pytest.raises(TandemError, match="not the file it was saved with"):
        Calibration.load(tmp_path)
    card = json.loads((tmp_path / CARD).read_text())
    (tmp_path / CARD).write_text(json.dumps({**card, "scores": card["scores"][:5]}))
    with pytest.raises(TandemError):
        Calibration.load(tmp_path)
    with pytest.raises(TandemError) as missing:
        Calibration.load(tmp_path / "nowhere")
    assert missing.value.code == "CALIBRATION_MISSING"


def test_too_few_good_attempts_are_refused_before_anything_is_computed():
    with pytest.raises(TandemError) as few:
        calibrate([episode(0)], [episode(k) for k in range(18)], FINGERPRINT)
    assert few.value.code == "CALIBRATION_SMALL"


def test_what_differs_from_a_fingerprint_is_named():
    other = FINGERPRINT.model_copy(update={"policy": "another", "clock": "realtime"})
    assert FINGERPRINT.differences(other) == ("policy", "clock")
    assert FINGERPRINT.differences(FINGERPRINT) == ()


def test_chunks_that_agree_where_they_overlap_do_not_disagree():
    plan = np.arange(16 * 7, dtype=np.float32).reshape(16, 7)
    assert disagreement(plan, np.roll(plan, -4, 0), 4) == 0.0
    assert disagreement(plan, plan, 4) > 0.0
    assert np.isnan(disagreement(plan, plan, 16))


def test_an_embedding_unlike_all_others_is_far_by_both_measures():
    rng = np.random.default_rng(1)
    novelty = fit_novelty({"pick": [rng.normal(size=(200, 8)).astype(np.float32)]})
    near = novelty.scores(rng.normal(size=8).astype(np.float32), "pick")
    far = novelty.scores(np.full(8, 6, np.float32), "pick")
    assert all(far[name] > 2 * near[name] for name in near)
    assert novelty.scores(np.zeros(8, np.float32), "unknown") == {}


def test_attempts_are_read_back_as_they_were_kept(tmp_path):
    told = kept(4)
    path = tmp_path / "a.npz"
    save(path, told.label, told.episode)
    read = load(path)
    assert replace(read.label, onset_s=0.0) == replace(told.label, onset_s=0.0)
    assert read.episode.felt[3].time_s == told.episode.felt[3].time_s
    for a, b in zip(read.episode.seen, told.episode.seen, strict=True):
        np.testing.assert_array_equal(a.plan, b.plan)
        np.testing.assert_array_equal(a.frames["table"], b.frames["table"])
        np.testing.assert_array_equal(a.features["embedding"], b.features["embedding"])
    path.write_bytes(b"nothing")
    with pytest.raises(TandemError) as corrupt:
        load_all(tmp_path)
    assert corrupt.value.code == "ROLLOUT_CORRUPT"


def test_scenes_that_were_fitted_to_are_never_judged():
    everything = [kept(k) for k in range(60)] + [kept(k, shaky=True) for k in range(30, 80)]
    trial = split(sorted(everything, key=lambda item: item.label.seed), 20, 25)
    used = {item.label.seed for item in (*trial.fitting, *trial.calibration)}
    assert not used & {item.label.seed for item in trial.test}
    scored = score(trial)
    late = [
        first_above(s, scored.bound) for s, t in zip(scored.series, trial.test, strict=True) if t.label.fault
    ]
    assert np.isfinite(late).mean() > 0.9


def test_reduced_frames_are_a_quarter_of_the_pixels():
    assert reduced(np.zeros((8, 12, 3), np.uint8)).shape == (4, 6)


def test_a_standing_camera_is_compared_with_its_own_first_picture() -> None:
    rng = np.random.default_rng(4)
    picture = rng.integers(60, 200, (48, 64), np.uint8)
    for scale in (1.0, 0.5):
        looks, plain = Looks(), (scale * picture).astype(np.uint8)
        first = looks.see({"table": plain, "wrist": plain})
        assert first["contrast_table"] == first["sharpness_table"] == 0.0
        assert first["contrast_wrist"] > 1.0
        dark = looks.see({"table": (0.3 * plain).astype(np.uint8), "wrist": plain})
        assert dark["contrast_table"] < -0.8
        assert dark["sharpness_table"] < -0.8


def test_fingers_that_do_not_move_when_they_are_told_to_are_strange_and_others_are_not() -> None:
    def unmoved(openings: list[float], grips: list[float]) -> list[float | None]:
        motion, first = Motion(0.0), episode(1).seen[0]
        return [
            motion.see(replace(first, time_s=0.4 * k, opening=opening, grip=grip)).get("unmoved")
            for k, (opening, grip) in enumerate(zip(openings, grips, strict=True))
        ]

    told = [1.0, 0.0, 0.0, 0.0]
    stuck, grasps = unmoved([1.0, 1.0, 1.0, 1.0], told), unmoved([1.0, 0.9, 0.4, 0.4], told)
    assert stuck[:2] == grasps[:2] == [None, None]
    assert stuck[2] > grasps[2] + 3.0
    assert unmoved([0.4] * 4, [0.0] * 4) == [None] * 4
    assert unmoved([0.4, 0.4, 0.4], [0.0, 1.0, 1.0])[2] == stuck[2]
