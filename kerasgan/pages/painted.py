"""What a visitor painted on a picture, as the mask of a repair."""

from typing import Any

import numpy as np
from PIL import Image

from kerasgan.errors import UserError

COVERED = 0.25  # of a pixel of the generator's, from which on it counts as painted


def known_of(painted: Any, size: int) -> np.ndarray:
    """Returns which pixels of a picture were not painted on.

    Args:
        painted: what Gradio's editor gives: layers, of Pillow's RGBA pictures.
        size: of the generator's pictures.

    Returns:
        bool, (size, size), True where a pixel is known.

    Raises:
        UserError: nothing was painted, or everything.
    """
    covered = np.zeros((size, size), bool)
    for layer in (painted or {}).get("layers") or []:
        alpha = layer.convert("RGBA").getchannel("A").resize((size, size), Image.Resampling.BOX)
        covered |= np.asarray(alpha) >= 255 * COVERED
    if not covered.any() or covered.all():
        fact = "no paint" if not covered.any() else "paint all over"
        raise UserError(
            "For a repair, what should be filled should be painted over, and the rest not. "
            f"Received: {fact}. Paint with the brush."
        )
    return ~covered
