import numpy as np
import pytest

from scenarios.monitor_baselines import baselines
from scenarios.monitor_false_alarms import _over_scenes, _stopped
from scenarios.monitor_faults import BENIGN, FAULTS, HELD_OUT, faults_for, name_of
from scenarios.monitor_rollouts import Job, collect, jobs
from skills.router import PolicyKind
from vla_low_level.monitoring.keep import load_all

SPECIALIST = PolicyKind.SPECIALIST


def test_no_scene_is_played_twice_and_whatever_is_played_first_is_a_share_of_all():
    nominal = jobs([SPECIALIST], [100, 200], 3)
    assert [job.seed for job in nominal] == [100, 200, 101, 201, 102, 202]
    faulty = jobs(list(PolicyKind), [8_200_000], 2, [])
    assert len({job.slug for job in faulty}) == len(faulty)
    assert len({(job.seed, job.kind) for job in faulty}) == len(faulty)
    first = [job.fault for job in faulty if job.kind is SPECIALIST][: len(faults_for(SPECIALIST))]
    assert set(first) == set(faults_for(SPECIALIST))
    assert [job.fault for job in jobs([SPECIALIST], [7], 2, ["slip"])] == ["slip"] * 2


def test_six_faults_of_every_policy_are_held_out_and_none_of_them_is_benign():
    assert {name_of(fault) for fault in FAULTS} >= HELD_OUT
    for kind in PolicyKind:
        assert len(HELD_OUT & {name_of(fault) for fault in faults_for(kind)}) >= 6
    assert not HELD_OUT & set(BENIGN)


def test_a_scene_with_a_fault_is_kept_with_what_the_monitor_would_have_seen(tmp_path):
    job = Job(SPECIALIST, 8_500_004, "resized:0.85")
    said = collect(job, tmp_path)
    kept = load_all(tmp_path)
    assert job.mark(tmp_path).read_text() == f"{len(kept)}\n"
    assert len(said.splitlines()) == len(kept) == 1
    label = kept[0].label
    assert (label.seed, label.fault, label.skill) == (8_500_004, "resized:0.85", "pick")
    assert label.onset_s <= 0.0
    methods = baselines([kept[0].episode])
    assert set(methods) == {"logpZO", "RND", "kNN", "time"}
    for parts in methods.values():
        scores = parts[0](kept[0].episode)
        assert scores.shape == (len(kept[0].episode.seen),)
        assert np.isfinite(scores).all()


def test_the_exact_rank_stops_no_more_than_it_promises_and_the_plain_quantile_does():
    rng = np.random.default_rng(3)
    tops, seeds = rng.standard_normal(400), np.repeat(np.arange(200), 2)
    exact, plain = _stopped(tops, seeds, 10, 0.1)
    assert exact.mean() < 0.12 < plain.mean()
    mean, low, high = _over_scenes(seeds, exact)
    assert mean == pytest.approx(exact.mean())
    assert low < mean < high
