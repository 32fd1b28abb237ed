"""The generalist as a `Policy`: pictures, the arm's state and words in; a chunk and its doubts out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from traces.errors import TandemError
from vla_low_level.action import ActionChunk
from vla_low_level.observation import CameraImage, Observation
from vla_low_level.policy import Instruction, PolicyOutput
from vla_low_level.state import state_vector
from vla_low_level.vla.flow import sample
from vla_low_level.vla.network import Inputs, Understanding, VLANetwork
from vla_low_level.vla.pretrained import SHIPPED, load_pretrained
from vla_low_level.vla.text import SentenceEncoder
from vla_low_level.vla.vision import entropy

EXPIRY_S = 1.0
# Rows carried out before it looks again.
REPLAN_ROWS = 4
# Chunks drawn from one observation: the first is carried out, all of them say how sure it is.
DRAWS = 4
MAX_TEXT = 200
DONE = 0.5


class VLAPolicy:
    """Runs a trained network for one arm. Keeps words and a counter between calls, no pictures.

    Attributes:
        policy_id: Name and the beginning of the weights' sha256.
        cameras: Pictures that it needs.
        replan_rows: Rows to carry out before it looks again.
    """

    cameras = ("table", "wrist")

    def __init__(
        self,
        network: VLANetwork,
        name: str,
        embodiment: str,
        *,
        seed: int = 0,
        replan_rows: int = REPLAN_ROWS,
    ) -> None:
        """Wrap a network.

        Args:
            network: In evaluation mode.
            name: For traces.
            embodiment: The arm's name.
            seed: Of the noise that chunks begin as; with the subgoal's and chunk's number it fixes them.
            replan_rows: Rows to carry out before it looks again.

        Raises:
            TandemError: `ARM_UNKNOWN` when the network was not trained on this arm.
        """
        known = network.config.embodiments
        if embodiment not in known:
            raise TandemError(
                "ARM_UNKNOWN",
                f"the policy was not trained on {embodiment}; it knows {', '.join(known)}",
                fix="record demonstrations with it and train, see docs/embodiments.md",
            )
        self.policy_id = name
        self.replan_rows = min(replan_rows, network.config.horizon)
        self._network = network
        self._encoder = SentenceEncoder()
        self._embodiment = torch.tensor([known.index(embodiment)])
        self._seed, self._subgoals, self._chunks = seed, 0, 0

    @classmethod
    def from_pretrained(cls, folder: Path | None = None, *, embodiment: str = "panda", seed: int = 0) -> Self:
        """Load a folder, by default the shipped one. Raises `TandemError` as `load_pretrained` does."""
        network, digest = load_pretrained(folder or SHIPPED)
        return cls(network, f"vla-{digest[:12]}", embodiment, seed=seed)

    def reset(self) -> None:
        """A new subgoal begins."""
        self._subgoals, self._chunks = self._subgoals + 1, 0

    @torch.inference_mode()
    def act(self, observation: Observation, instruction: Instruction) -> PolicyOutput:
        """Choose the next chunk.

        Raises:
            TandemError: `POLICY_INPUT` when a picture or a number is not what it was trained on,
                `SUBGOAL_UNCLEAR` as `told` does.
        """
        inputs = self._inputs(observation, instruction.text)
        seen = self._network.understand(inputs)
        chunks = self._chunks_of(seen)
        rows = chunks[0]
        rows[:, 6] = rows[:, 6].clip(0.0, 1.0)
        done = float(torch.sigmoid(seen.done[0]))
        chunk = ActionChunk(
            actions=rows,
            rate_hz=self._network.config.rate_hz,
            expires_s=observation.time_s + EXPIRY_S,
            chunk_id=self._chunks,
            policy_id=self.policy_id,
            observation_sequence=observation.sequence,
        )
        self._chunks += 1
        return PolicyOutput(chunk, 1.0 if done > DONE else done, _features(seen, chunks))

    def _inputs(self, observation: Observation, text: str) -> Inputs:
        config = self._network.config
        table = _picture(observation.images, "table", config.table_px)
        wrist = _picture(observation.images, "wrist", config.wrist_px)
        state = state_vector(observation.proprioception)
        if not np.isfinite(state).all():
            raise TandemError("POLICY_INPUT", "the arm's state holds numbers that are not finite")
        return Inputs(
            _tensor(table),
            _tensor(wrist),
            torch.from_numpy(state)[None],
            self.told(text),
            torch.from_numpy(observation.images["table"].calibration())[None],
            self._embodiment,
        )

    def told(self, text: str) -> Tensor:
        """Features of the words [1, 384], when they sound like a subgoal.

        Raises:
            TandemError: `SUBGOAL_UNCLEAR` when they are empty, too many, or like none it was trained on.
        """
        words = " ".join(text.split())
        if not words:
            raise TandemError("SUBGOAL_UNCLEAR", "the subgoal is empty", fix="say what to do")
        if len(words) > MAX_TEXT:
            why = f"the subgoal has {len(words)} characters, the most is {MAX_TEXT}"
            raise TandemError("SUBGOAL_UNCLEAR", why, fix="say less")
        features = self._encoder.encode([words])
        likeness = float((self._network.text_known @ features[0]).max())
        if likeness < self._network.config.least_known:
            raise TandemError(
                "SUBGOAL_UNCLEAR",
                f"{words!r} is like no subgoal that the policy was trained on ({likeness:.2f})",
                fix='name an action and a thing, as in "pick up the red cup"',
            )
        return features

    def _chunks_of(self, seen: Understanding) -> NDArray[np.float32]:
        """Chunks [DRAWS, H, 7] from noise of this subgoal's and chunk's own stream."""
        rng = np.random.default_rng([self._seed, 0xF70, self._subgoals, self._chunks])
        shape = (DRAWS, *self._network.flow.shape)
        noise = torch.from_numpy(rng.standard_normal(shape, dtype=np.float32)) * self._network.config.noise
        condition = seen.condition.expand(DRAWS, -1)
        drawn = sample(self._network.flow, condition, noise, self._network.config.euler_steps)
        chunks: NDArray[np.float32] = self._network.denormalise(drawn).numpy()
        return chunks


def _picture(images: Mapping[str, CameraImage], name: str, size: tuple[int, int]) -> CameraImage:
    image = images.get(name)
    if image is None:
        raise TandemError(
            "POLICY_INPUT", f"the policy needs a picture of the {name} camera, and there is none"
        )
    if image.rgb.shape[:2] != size:
        got = "x".join(str(n) for n in image.rgb.shape[:2])
        raise TandemError(
            "POLICY_INPUT",
            f"the {name} camera's picture is {got} px, the policy was trained on {size[0]}x{size[1]}",
        )
    return image


def _tensor(image: CameraImage) -> Tensor:
    pixels = torch.from_numpy(image.rgb.copy()).permute(2, 0, 1)[None].float() / 255.0
    return pixels.contiguous(memory_format=torch.channels_last)


def _features(seen: Understanding, chunks: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
    """What a monitor watches, from the same forward pass.

    `embedding` [c]; `heatmap_entropy` [table, wrist], nats; `chunk_spread` [7], standard deviation between
    chunks drawn from the same observation, averaged over rows, m, rad and gripper; `target_m` [3].
    """
    unsure = torch.cat([entropy(seen.table.heat), entropy(seen.wrist.heat)])
    return {
        "embedding": seen.condition[0].numpy(),
        "heatmap_entropy": unsure.numpy(),
        "chunk_spread": chunks.std(0).mean(0),
        "target_m": seen.target_m[0].numpy(),
    }
