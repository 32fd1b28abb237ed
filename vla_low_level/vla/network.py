"""The whole network: two cameras, a close look, the arm's state and words, brought to one condition."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from vla_low_level.action import ACTION_DIM
from vla_low_level.state import STATE_DIM
from vla_low_level.vla.choice import Choice, Chosen
from vla_low_level.vla.config import TEXT_DIM, VLAConfig
from vla_low_level.vla.flow import FlowHead, sample, schedule
from vla_low_level.vla.pointing import Pointed, gained, kept_within
from vla_low_level.vla.vision import (
    CameraEncoder,
    CloseLook,
    Layout,
    Seen,
    around,
    hottest,
    settle,
    unproject,
)

WORDS, LOOK, LAYOUT = 128, 128, 128
NARROW = 16
# Distances to the target are shown at these scales, m: for crossing the table, and for the last millimetres.
SCALES_M = (0.30, 0.06, 0.012)
HEIGHT_SCALE_M = 0.1
NEAR_SCALE_M = 0.05
AWAY_DIM = 3 * len(SCALES_M) + 3
OFFSET_PX = 8.0
EMBODIMENT_DIM = 16
FELT_DIM = STATE_DIM + 4


class Inputs(NamedTuple):
    """A batch of what the policy is given.

    Attributes:
        table: [B, 3, H, W], 0..1.
        wrist: [B, 3, h, w], 0..1.
        state: [B, 15], as it is measured.
        text: [B, 384], sentence features.
        camera: [B, 16], calibration of the table camera.
        embodiment: [B], indices.
    """

    table: Tensor
    wrist: Tensor
    state: Tensor
    text: Tensor
    camera: Tensor
    embodiment: Tensor


class Understanding(NamedTuple):
    """What the network makes of it, before it draws a chunk.

    Attributes:
        condition: [B, c], for the flow head, and the embedding that a monitor watches.
        table: The table camera.
        wrist: The wrist camera.
        chosen: Places in the table camera that could be meant.
        target_m: [B, 3], where the subgoal ends, world.
        near_m: [B, 3], the same as the wrist camera has it, which sees it when the hand hides it.
        target_yaw: [B, 2], cosine and sine of twice the finger axis' angle.
        done: [B], logit.
    """

    condition: Tensor
    table: Seen
    wrist: Seen
    chosen: Chosen
    target_m: Tensor
    near_m: Tensor
    target_yaw: Tensor
    done: Tensor


class VLANetwork(nn.Module):
    """5 M parameters; `understand`, then draw chunks with `flow`."""

    state_mean: Tensor
    state_std: Tensor
    action_mean: Tensor
    action_std: Tensor
    text_mean: Tensor
    text_std: Tensor
    text_known: Tensor

    def __init__(self, config: VLAConfig) -> None:
        super().__init__()
        self.config = config
        self._keep_statistics()
        # Which of several ways is right depends on where the hand is already: looking is told that too.
        self.told = nn.Sequential(
            nn.Linear(TEXT_DIM + FELT_DIM + EMBODIMENT_DIM, 2 * WORDS),
            nn.SiLU(),
            nn.Linear(2 * WORDS, WORDS),
            nn.SiLU(),
        )
        self.table = CameraEncoder(config.table_px, config.fine, config.middle, WORDS)
        self.wrist = CameraEncoder(config.wrist_px, 32, config.middle, WORDS)
        self.choice = Choice(config.crop_px, TEXT_DIM)
        self.look = CloseLook(config.crop_px, WORDS, LOOK)
        self.layout = Layout(config.wrist_px, config.middle, NARROW, LAYOUT)
        self.embodiment = nn.Embedding(len(config.embodiments), EMBODIMENT_DIM)
        seen = LOOK + config.fine + 2 * config.middle + 32 + LAYOUT + WORDS
        self.aim = nn.Sequential(nn.Linear(seen + FELT_DIM, 256), nn.SiLU(), nn.Linear(256, 5))
        relative = AWAY_DIM + 4 + 3
        self.near = nn.Sequential(
            nn.Linear(9 * 32 + LAYOUT + 3 + WORDS + FELT_DIM, 256), nn.SiLU(), nn.Linear(256, 3)
        )
        total = seen + relative + FELT_DIM + EMBODIMENT_DIM + AWAY_DIM
        self.join = nn.Sequential(
            nn.Linear(total, 512),
            nn.SiLU(),
            nn.Linear(512, config.condition),
            nn.SiLU(),
            nn.Linear(config.condition, config.condition),
        )
        self.done = nn.Sequential(nn.SiLU(), nn.Linear(config.condition, 1))
        self.flow = FlowHead(config.horizon, ACTION_DIM, config.condition, config.blocks)

    def _keep_statistics(self) -> None:
        for name in ("state_mean", "state_std", "action_mean", "action_std"):
            self.register_buffer(name, torch.tensor(getattr(self.config, name)), persistent=False)
        self.register_buffer("text_mean", torch.zeros(TEXT_DIM))
        self.register_buffer("text_std", torch.ones(TEXT_DIM))
        self.register_buffer("text_known", torch.zeros(self.config.known_sentences, TEXT_DIM))

    def understand(
        self,
        given: Inputs,
        look_px: Tensor | None = None,
        rough_m: Tensor | None = None,
        remembered: Tensor | None = None,
        pointed: Pointed | None = None,
    ) -> Understanding:
        """Look and decide where.

        Args:
            given: What the policy is given.
            look_px: [B, 2], where to look closely; the heat-map decides when None.
            rough_m: [B, 3], added to the hand's position that looking is told. In training it keeps the
                network from finding the target where the hand is, instead of where it sees it.
            remembered: [B, h, w], where the table camera had the target before; None for a first look.
            pointed: Where somebody points; None when nobody does.
        """
        text = self.scaled(given.text)
        felt, arm = self._felt(given.state), self.embodiment(given.embodiment)
        rough = felt
        if rough_m is not None:
            rough = torch.cat([felt[:, :3] + rough_m / self.state_std[:3], felt[:, 3:]], 1)
        words = self._heard(text, rough, arm)
        maps, near_maps = self.table(given.table, words), self.wrist(given.wrist, words)
        led = maps
        if pointed is not None:
            led = maps._replace(heat=maps.heat + gained(pointed, given.camera, self.config.heat_cells))
        chosen = self.choice(given.table, led.heat, text, remembered)
        spot = hottest(near_maps.heat)
        # The heat of its own is kept: a monitor asks how sure it is by itself.
        table = settle(led, chosen.best())._replace(heat=maps.heat)
        wrist = settle(near_maps, spot)
        centre = (table.uv.detach() if look_px is None else look_px).floor()
        close = self.look(given.table, centre, words).float()
        layout, words = self.layout(near_maps.coarse).float(), words.float()
        seen = torch.cat([close, table.peak, table.mean, wrist.peak, wrist.mean, layout, words], 1)
        target, yaw = self._target(torch.cat([seen, rough], 1), centre, given.camera)
        if pointed is not None:
            target = kept_within(target, pointed)
        where = self._in_wrist(wrist)
        beside = around(near_maps.features.float(), spot)
        near = self._near(torch.cat([beside, layout, where, words, rough], 1), given.state)
        here = given.state[:, 0:3]
        condition = self.join(
            torch.cat(
                [seen, _away(target - here), _turn(yaw, given.state), where, felt, arm, _away(near - here)],
                1,
            )
        )
        done = self.done(condition).squeeze(1)
        return Understanding(condition, table, wrist, chosen, target, near, yaw, done)

    def heat(self, given: Inputs) -> Tensor:
        """The table camera's heat-map alone [B, h, w]."""
        felt, arm = self._felt(given.state), self.embodiment(given.embodiment)
        words = self._heard(self.scaled(given.text), felt, arm)
        heat: Tensor = self.table(given.table, words).heat
        return heat

    def draw(self, condition: Tensor, noise: Tensor) -> Tensor:
        """Chunks [B, D, H, 7], in their units, for conditions [B, c], from standard noise [B, D, H, 7]."""
        told = schedule(self.flow, condition, self.config.euler_steps)
        return self.denormalise(sample(self.flow, told, self.config.noise * noise))

    def scaled(self, text: Tensor) -> Tensor:
        """Sentence features [n, 384] about zero, with unit variance."""
        return (text - self.text_mean) / self.text_std

    def normalise(self, chunk: Tensor) -> Tensor:
        """Chunks in their units to unit variance."""
        return (chunk - self.action_mean) / self.action_std

    def denormalise(self, chunk: Tensor) -> Tensor:
        """And back."""
        return chunk * self.action_std + self.action_mean

    def _heard(self, text: Tensor, felt: Tensor, arm: Tensor) -> Tensor:
        """The words as looking is told them, [B, WORDS]."""
        words: Tensor = self.told(torch.cat([text, felt, arm], 1))
        return words

    def _felt(self, state: Tensor) -> Tensor:
        """The normalised state, and which way the fingers point, alike for both ends and for four sides."""
        angle = torch.atan2(state[:, 7], state[:, 6])[:, None]
        turns = [f(k * angle) for k in (2, 4) for f in (torch.cos, torch.sin)]
        return torch.cat([(state - self.state_mean) / self.state_std, *turns], 1)

    def _target(self, seen: Tensor, centre_px: Tensor, camera: Tensor) -> tuple[Tensor, Tensor]:
        said = self.aim(seen)
        uv = centre_px + OFFSET_PX * said[:, 0:2]
        return unproject(uv, HEIGHT_SCALE_M * said[:, 2], camera), said[:, 3:5]

    def _near(self, seen: Tensor, state: Tensor) -> Tensor:
        """Said in the hand's frame, where the wrist camera stays the same, and told in the world's."""
        first, second = state[:, 3:6], state[:, 6:9]
        axes = torch.stack([first, second, torch.linalg.cross(first, second)], 2)
        measured = state[:, 0:3] + state[:, 9:12]
        offset = NEAR_SCALE_M * self.near(seen).float()
        near: Tensor = measured + (axes * offset[:, None]).sum(2)
        return near

    def _in_wrist(self, wrist: Seen) -> Tensor:
        """Where the wrist camera sees the target, -1..1, and how sure it is."""
        size = torch.tensor([self.config.wrist_px[1], self.config.wrist_px[0]], device=wrist.uv.device)
        sure = functional.softplus(wrist.heat.flatten(1).amax(1, keepdim=True) * 0.1)
        return torch.cat([2 * wrist.uv / size - 1, sure], 1)


def _away(offset_m: Tensor) -> Tensor:
    """An offset [B, 3] at every scale, [B, AWAY_DIM]."""
    return torch.cat([*(torch.tanh(offset_m / scale) for scale in SCALES_M), offset_m / 0.2], 1)


def _turn(yaw: Tensor, state: Tensor) -> Tensor:
    """A finger angle [B, 2] as the hand has it, and as the world has it, [B, 4]."""
    # The second column of the commanded rotation is the finger axis.
    cosine, sine = state[:, 6], state[:, 7]
    cos2, sin2 = cosine**2 - sine**2, 2 * cosine * sine
    return torch.stack(
        [yaw[:, 0] * cos2 + yaw[:, 1] * sin2, yaw[:, 1] * cos2 - yaw[:, 0] * sin2, yaw[:, 0], yaw[:, 1]], 1
    )
