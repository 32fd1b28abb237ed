"""The numbers that make a network; they lie in `config.json` beside its weights."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from vla_low_level.action import ACTION_DIM, SHOWN_ROWS
from vla_low_level.state import STATE_DIM

TYPE = "tandem-vla"
TEXT_DIM = 384
# Pixels to a cell of a heat-map.
STRIDE = 4


class VLAConfig(BaseModel):
    """Architecture, and how chunks are drawn from it.

    Attributes:
        type: Always `tandem-vla`; tells this folder from others.
        horizon: Rows of a chunk.
        rate_hz: Rows a second.
        table_px: Height and width of the `table` camera's picture.
        wrist_px: The same of the `wrist` camera's.
        crop_px: Side of the close look at the target.
        fine: Channels at a quarter of the resolution.
        middle: Channels at an eighth.
        condition: Width of the vector that everything seen, felt and told is brought down to.
        blocks: Residual blocks of the flow head.
        embodiments: Names of the arms it was trained on, in the order of its embedding.
        euler_steps: Steps from noise to a chunk.
        noise: Standard deviation of the noise that the flow starts from; 0 makes it a regression from zero.
        known_sentences: Trained sentences that new ones are compared with.
        least_known: Cosine to the nearest of them below which a sentence is no subgoal.
        scale_text: Whether sentence features are centred and scaled to unit variance.
        state_mean: [15], of the training data.
        state_std: [15].
        action_mean: [7].
        action_std: [7].
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: str = Field(default=TYPE, pattern=f"^{TYPE}$")
    horizon: int = Field(default=SHOWN_ROWS, ge=1, le=SHOWN_ROWS)
    rate_hz: float = 10.0
    table_px: tuple[int, int] = (128, 192)
    wrist_px: tuple[int, int] = (96, 96)
    crop_px: int = 32
    fine: int = 40
    middle: int = 64
    condition: int = 384
    blocks: int = 3
    embodiments: tuple[str, ...] = ("panda", "kuka_iiwa", "xarm6")
    euler_steps: int = Field(default=2, ge=1, le=64)
    noise: float = Field(default=1.0, ge=0.0)
    known_sentences: int = Field(default=256, ge=1)
    least_known: float = Field(default=0.55, ge=-1.0, le=1.0)
    scale_text: bool = True
    state_mean: tuple[float, ...] = (0.0,) * STATE_DIM
    state_std: tuple[float, ...] = (1.0,) * STATE_DIM
    action_mean: tuple[float, ...] = (0.0,) * ACTION_DIM
    action_std: tuple[float, ...] = (1.0,) * ACTION_DIM

    @property
    def heat_cells(self) -> tuple[int, int]:
        """Rows and columns of the table camera's heat-map."""
        return self.table_px[0] // STRIDE, self.table_px[1] // STRIDE
