"""The detector's network: one pass over an RGB-D frame, a heat-map of what is where.

Objects are points (Zhou et al. 2019, "Objects as Points"): a peak per centre, and at the peak the
properties of the thing. Positions are regressed in metres relative to where the peak's ray meets the
table, so the camera may move without retraining.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from vla_low_level.nouns import Category, Colour, Furniture, Place
from vla_low_level.vla.vision import Residual

STRIDE = 4
CLASSES = (*Category, *Place, *Furniture)
N_CLASSES = len(CLASSES)
N_COLOURS = len(Colour)
# Offsets of the channel groups in the property map.
XYZ = slice(0, 3)
YAW2 = slice(3, 5)
YAW4 = slice(5, 7)
COLOUR = slice(7, 7 + N_COLOURS)
# How far the drawer is out, in units of its travel, at its handle; whether the lamp shines, at its button.
STATE = 7 + N_COLOURS
N_PROPERTIES = STATE + 1


class Network(nn.Module):
    """Input [B, 6, H, W]; heat-map logits [B, 12, H/4, W/4] and properties [B, 15, H/4, W/4] out.

    Input channels: red, green, blue (0..1), height above the table / 0.2 m, and the ground point's x
    and y (m) of every pixel's ray.
    """

    def __init__(self, width: int = 48) -> None:
        super().__init__()
        self.stem = nn.Conv2d(6 * STRIDE * STRIDE, width, 1)
        self.fine = nn.Sequential(Residual(width))
        self.down = nn.Conv2d(width, 2 * width, 3, stride=2, padding=1)
        self.middle = nn.Sequential(Residual(2 * width))
        self.deeper = nn.Conv2d(2 * width, 3 * width, 3, stride=2, padding=1)
        self.coarse = nn.Sequential(Residual(3 * width), Residual(3 * width))
        self.up_middle = nn.Conv2d(3 * width, 2 * width, 1)
        self.up_fine = nn.Conv2d(2 * width, width, 1)
        self.fuse = nn.Sequential(Residual(width))
        self.heat = nn.Sequential(
            nn.SiLU(), nn.Conv2d(width, width, 1), nn.SiLU(), nn.Conv2d(width, N_CLASSES, 1)
        )
        self.properties = nn.Sequential(
            nn.SiLU(), nn.Conv2d(width, 2 * width, 1), nn.SiLU(), nn.Conv2d(2 * width, N_PROPERTIES, 1)
        )
        last = self.heat[-1]
        if isinstance(last, nn.Conv2d) and last.bias is not None:
            # Peaks are rare: start from a low prior, or the first steps are spent on unlearning.
            nn.init.constant_(last.bias, -4.0)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Heat-map logits and properties, both at a quarter of the resolution."""
        fine = self.fine(self.stem(functional.pixel_unshuffle(image, STRIDE)))
        middle = self.middle(self.down(fine))
        coarse = self.coarse(self.deeper(middle))
        middle = middle + _twice(self.up_middle(coarse), middle)
        fine = self.fuse(fine + _twice(self.up_fine(middle), fine))
        return self.heat(fine), self.properties(fine)


def _twice(small: Tensor, like: Tensor) -> Tensor:
    """Upsample to the size of `like`."""
    return functional.interpolate(small, size=like.shape[-2:], mode="nearest")
