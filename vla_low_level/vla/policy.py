"""The generalist as a `Policy`: pictures, the arm's state and words in; a chunk and its doubts out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self
from weakref import WeakKeyDictionary

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from traces.errors import TandemError
from vla_low_level.action import ActionChunk
from vla_low_level.observation import CameraImage, Observation
from vla_low_level.policy import Instruction, PolicyOutput, Whereabouts
from vla_low_level.state import state_vector
from vla_low_level.vla.fast import DRAWS, Fast, fits
from vla_low_level.vla.forward import Drawn, Forward
from vla_low_level.vla.network import Inputs, VLANetwork
from vla_low_level.vla.pointing import Pointed, nowhere
from vla_low_level.vla.pretrained import SHIPPED, load_pretrained
from vla_low_level.vla.text import SentenceEncoder

EXPIRY_S = 1.0
# Rows carried out before it looks again.
REPLAN_ROWS = 4
MAX_TEXT = 200
DONE = 0.5


class VLAPolicy:
    """Runs a trained network for one arm. Keeps words and a counter between calls, no pictures.

    Attributes:
        policy_id: Name and the beginning of the weights' sha256.
        cameras: Pictures that it needs.
        replan_rows: Rows to carry out before it looks again.
        network: The weights. Another network may take their place; changed in place they are not noticed.
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
        self.network = network
        self._fast = WeakKeyDictionary[VLANetwork, Fast | None]()
        self._quick()
        self._encoder = SentenceEncoder()
        self._embodiment = torch.tensor([known.index(embodiment)])
        self._seed, self._subgoals, self._chunks = seed, 0, 0
        # Where the target was taken to be, and by which words.
        self._remembered, self._words = torch.zeros(0), tuple[str, ...]()
        # Where it was pointed at when the subgoal began.
        self._pointed = nowhere(0)

    @classmethod
    def from_pretrained(cls, folder: Path | None = None, *, embodiment: str = "panda", seed: int = 0) -> Self:
        """Load a folder, by default the shipped one. Raises `TandemError` as `load_pretrained` does."""
        network, digest = load_pretrained(folder or SHIPPED)
        return cls(network, f"vla-{digest[:12]}", embodiment, seed=seed)

    def reset(self) -> None:
        """A new subgoal begins."""
        self._subgoals, self._chunks, self._words = self._subgoals + 1, 0, ()

    def act(self, observation: Observation, instruction: Instruction) -> PolicyOutput:
        """Choose the next chunk. Raises `TandemError` as `act_batch` does."""
        return self.act_batch([observation], [instruction])[0]

    @torch.inference_mode()
    def act_batch(
        self, observations: Sequence[Observation], instructions: Sequence[Instruction]
    ) -> list[PolicyOutput]:
        """Choose the next chunk for many robots of this arm in one pass.

        Raises:
            TandemError: `POLICY_INPUT` when a picture or a number is not what it was trained on,
                `SUBGOAL_UNCLEAR` as `told` does.
        """
        given = [self._inputs(o, i.text) for o, i in zip(observations, instructions, strict=True)]
        if self._words != (words := tuple(i.text for i in instructions)):
            self._remembered = torch.zeros(len(words), *self.network.config.heat_cells)
            self._pointed = _pointed([i.about for i in instructions])
            self._words = words
        drawn = self._drawn(Inputs(*(torch.cat(parts) for parts in zip(*given, strict=True))))
        self._remembered = drawn.remembered
        chunks, done = drawn.chunks.numpy(), torch.sigmoid(drawn.done)
        outputs = [
            PolicyOutput(
                self._chunk(chunks[k, 0], observation),
                1.0 if done[k] > DONE else float(done[k]),
                {
                    # From the same pass, for a monitor. Between chunks drawn from one observation, averaged
                    # over rows: standard deviation, m, rad and gripper.
                    "chunk_spread": chunks[k].std(0).mean(0),
                    "embedding": drawn.condition[k].numpy(),
                    # How far from noise one step back along the flow leads.
                    "flow_novelty": drawn.strange[k : k + 1].numpy(),
                    "heatmap_entropy": drawn.unsure[k].numpy(),
                    # The whole chunk, also the rows that will not be carried out.
                    "planned": chunks[k, 0].copy(),
                    "target_m": drawn.target_m[k].numpy(),
                },
            )
            for k, observation in enumerate(observations)
        ]
        self._chunks += 1
        return outputs

    def _chunk(self, rows: NDArray[np.float32], observation: Observation) -> ActionChunk:
        rows[:, 6] = rows[:, 6].clip(0.0, 1.0)
        return ActionChunk(
            actions=rows,
            rate_hz=self.network.config.rate_hz,
            expires_s=observation.time_s + EXPIRY_S,
            chunk_id=self._chunks,
            policy_id=self.policy_id,
            observation_sequence=observation.sequence,
        )

    def _inputs(self, observation: Observation, text: str) -> Inputs:
        config = self.network.config
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
            torch.from_numpy(table.calibration())[None],
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
        likeness = float((self.network.text_known @ features[0]).max())
        if likeness < self.network.config.least_known:
            raise TandemError(
                "SUBGOAL_UNCLEAR",
                f"{words!r} is like no subgoal that the policy was trained on ({likeness:.2f})",
                fix='name an action and a thing, as in "pick up the red cup"',
            )
        return features

    @torch.inference_mode()
    def spread(self, embedding: NDArray[np.float32], draws: int) -> NDArray[np.float32]:
        """How far chunks drawn from one condition lie apart: standard deviation [7], averaged over rows.

        Dearer than what `act` says of itself, and steadier. The same embedding gives the same answer.

        Args:
            embedding: [d], as it stands among the features of an output.
            draws: How many chunks.
        """
        rng, flow = np.random.default_rng([self._seed, 0x5B6, draws]), self.network.flow
        noise = torch.from_numpy(rng.standard_normal((1, draws, *flow.shape), dtype=np.float32))
        condition = torch.from_numpy(np.array(embedding, np.float32))[None]
        apart: NDArray[np.float32] = self.network.draw(condition, noise)[0].numpy().std(0).mean(0)
        return apart

    def _drawn(self, given: Inputs) -> Drawn:
        """A pass, from noise of this subgoal's and chunk's own stream."""
        rng, flow = (
            np.random.default_rng([self._seed, 0xF70, self._subgoals, self._chunks]),
            self.network.flow,
        )
        noise = rng.standard_normal((len(given.state), DRAWS, *flow.shape), dtype=np.float32)
        start = torch.from_numpy(noise) * self.network.config.noise
        quick = self._quick() if len(start) == 1 else None
        drawn: Drawn = (quick or Forward(self.network))(given, start, self._remembered, self._pointed)
        return drawn

    def _quick(self) -> Fast | None:
        """The quick pass of the present network, prepared once for each."""
        if self.network not in self._fast:
            self._fast[self.network] = Fast(self.network) if fits(self.network.config) else None
        return self._fast[self.network]


def _pointed(told: Sequence[Whereabouts | None]) -> Pointed:
    """What each of them has been told besides words."""
    pointed = nowhere(len(told))
    for k, about in enumerate(told):
        if about is not None and about.likeliest_m is not None:
            pointed.centre_m[k] = torch.from_numpy(about.likeliest_m)
            pointed.about_m[k], pointed.told[k] = about.about_m, 1.0
    return pointed


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
    return torch.from_numpy(np.ascontiguousarray(image.rgb.transpose(2, 0, 1)))[None].float() / 255.0
