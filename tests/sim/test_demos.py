"""Demonstrations: the teacher does what it shows, and says it in words that are kept apart for testing."""

from dataclasses import replace

import numpy as np
import pytest

from sim.demos.chain import bases_for, draw_stage, draw_tasks, scatter
from sim.demos.episode import play
from sim.demos.glance import _chain, draw_glances
from sim.demos.judge import SUPPORTS, look
from sim.demos.phrases import means, phrasebook, plain, some_sentences, wording
from sim.demos.tasks import Kind, Task
from vla_low_level.nouns import Category, Switch


def shown(kind: Kind, seed: int):
    """Frames of the first task of this kind that comes up, from this seed on."""
    for s in range(seed, seed + 60):
        stage, rng = draw_stage(s, None, kind)
        if stage is None:
            continue
        try:
            tasks = draw_tasks(stage, rng)
            if kind not in {task.kind for task in tasks}:
                continue
            for task in tasks:
                if task.kind not in (Kind.PLACE_IN, Kind.PLACE_ON):
                    scatter(stage, task, rng)
                frames = play(stage, task, rng, noise=False)
                if task.kind is kind:
                    return frames
                if frames is None:
                    break
        finally:
            stage.close()
    return None


@pytest.mark.parametrize("kind", Kind)
def test_the_teacher_shows_every_skill(kind) -> None:
    frames = next(filter(None, (shown(kind, 1_600_000 + 100 * k) for k in range(3))))
    assert frames.done[-1]
    assert not frames.done[0]
    assert len(frames.table) == len(frames.action) == len(frames.state)
    assert np.abs(np.array(frames.action)[:, :3]).max() < 0.03


@pytest.mark.parametrize("kind", Kind)
def test_what_is_imagined_is_what_comes(kind) -> None:
    frames = next(filter(None, (shown(kind, 1_600_000 + 100 * k) for k in range(3))))
    ahead, rows = np.array(frames.ahead), np.array(frames.action)
    off = [
        np.linalg.norm((ahead[k, :n, :3] - rows[k : k + n, :3]).sum(0))
        for k in range(len(rows))
        for n in (min(8, len(rows) - k),)
    ]
    np.testing.assert_array_equal(ahead[:, 0], rows)
    # After 0.8 s most are where they would have been; some begin the next stage a row earlier or later.
    assert np.median(off) < 0.001
    assert np.mean(np.array(off) > 0.015) < 0.25
    assert np.mean(np.abs(ahead[:-8, :8, 6] - [rows[k : k + 8, 6] for k in range(len(rows) - 8)])) < 0.02


def test_nothing_is_put_on_what_carries_something() -> None:
    for seed in range(1_600_000, 1_600_050):
        stage, _ = draw_stage(seed, "panda", Kind.PLACE_ON)
        if stage is None:
            continue
        now = look(stage.world)
        item = next((o for o in now.scene.objects if bases_for(o, stage, now)), None)
        others = [o for o in now.scene.objects if item and o.id != item.id]
        bases = bases_for(item, stage, now) if item else []
        load = next((o for o in others if o not in bases), None)
        if item is None or load is None:
            stage.close()
            continue
        x, y, z = bases[0].position_m
        top = z + SUPPORTS[bases[0].category]
        moved = load.model_copy(update={"position_m": (x, y, top)})
        objects = tuple(moved if o is load else o for o in now.scene.objects)
        full = replace(now, scene=now.scene.model_copy(update={"objects": objects}))
        left = [base.id for base in bases_for(item, stage, full)]
        stage.close()
        assert bases[0].id not in left
        return
    pytest.fail("no scene where something could be put on something")


def test_a_driver_leads_away_and_the_teacher_corrects() -> None:
    stage, rng = draw_stage(1_600_003, "panda")
    task = next(t[0] for t in (draw_tasks(stage, rng) for _ in range(20)) if t[0].kind is Kind.PICK)
    away = np.array([0.0, 0.0, 0.02, 0.0, 0.0, 0.0, 1.0], np.float32)
    frames = play(stage, task, rng, noise=False, driver=lambda _, k: away if k < 6 else None)
    assert frames is not None
    assert frames.followed[:6] == [False] * 6
    assert all(frames.followed[6:])
    assert look(stage.world).held == task.object
    stage.close()


def test_who_drives_into_failure_shows_what_would_have_been_right() -> None:
    stage, rng = draw_stage(1_600_003, "panda")
    task = next(t[0] for t in (draw_tasks(stage, rng) for _ in range(20)) if t[0].kind is Kind.PICK)
    still = np.array([0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0], np.float32)
    frames = play(stage, task, rng, noise=False, driver=lambda _, _k: still)
    stage.close()
    assert not frames.done[-1]
    # It was never done as the teacher would have, at any frame.
    assert not any(frames.followed)
    assert np.linalg.norm(np.array(frames.ahead)[:, :, :3].sum(1), axis=1).min() > 0.02


def test_a_glance_asks_for_everything_that_could_be_done_there() -> None:
    glances = [shown for seed in range(1_600_010, 1_600_016) for shown in draw_glances(seed, arm="panda")]
    assert {shown.task.kind for shown in glances} >= {Kind.PICK, Kind.PLACE_IN, Kind.PUSH, Kind.PRESS}
    for shown in glances:
        assert (len(shown.frames.table), shown.frames.followed, len(shown.texts)) == (1, [False], 1)
    pictures: dict[bytes, set[str]] = {}
    for shown in glances:
        pictures.setdefault(shown.frames.table[0].rgb.tobytes(), set()).add(shown.texts[0])
    assert max(len(texts) for texts in pictures.values()) >= 4


def test_glances_leave_a_scene_as_it_was() -> None:
    stage, rng = draw_stage(1_600_012, "panda")
    before = look(stage.world).scene
    for _ in range(3):
        list(_chain(stage, rng, None))
    after = look(stage.world).scene
    stage.close()
    for a, b in zip(before.objects, after.objects, strict=True):
        np.testing.assert_allclose(a.centre_m, b.centre_m, atol=1e-9)
        assert a.yaw_rad == pytest.approx(b.yaw_rad)


def test_a_glance_is_the_same_from_the_same_seed() -> None:
    one, other = (list(draw_glances(1_600_012, arm="panda")) for _ in range(2))
    assert [shown.texts for shown in one] == [shown.texts for shown in other]
    for a, b in zip(one, other, strict=True):
        np.testing.assert_array_equal(a.frames.table[0].rgb, b.frames.table[0].rgb)
        np.testing.assert_array_equal(a.frames.action[0], b.frames.action[0])


def test_held_out_sentences_are_never_trained() -> None:
    rng = np.random.default_rng(0)
    assert not set(some_sentences(3000, rng)) & set(some_sentences(3000, rng, "held_out"))
    for words in phrasebook().templates.values():
        assert not set(words.train) & set(words.held_out)
    for item in phrasebook().objects.values():
        assert not set(item.train) & set(item.held_out)


def test_every_kind_has_many_ways_to_be_said() -> None:
    for kind in Kind:
        words = phrasebook().templates[kind]
        assert len(words.train) >= 30
        assert len(words.held_out) >= 8
        assert len(set(words.train)) == len(words.train)
    assert all("{" not in text for text in some_sentences(500, np.random.default_rng(0)))


def test_what_is_said_means_the_task_and_no_other() -> None:
    on, off = (Task(Kind.PRESS, switch=switch) for switch in (Switch.ON, Switch.OFF))
    assert plain(on, []) == "press the button to turn the lamp on"
    rng = np.random.default_rng(0)
    for _ in range(60):
        said = wording(on, [], rng)
        assert means(said.upper(), on, [])
        assert not means(said, off, [])


def test_every_category_comes_up() -> None:
    seen = set()
    for seed in range(1_600_000, 1_600_012):
        stage, _ = draw_stage(seed, "panda")
        seen |= {o.category for o in look(stage.world).scene.objects}
        stage.close()
    assert seen == set(Category)
