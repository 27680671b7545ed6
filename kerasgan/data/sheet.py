"""A contact sheet: pictures under captions, to look at."""

import numpy as np
from PIL import Image, ImageDraw, ImageFont

COLUMNS = 12
CELL = 96  # pixels of a picture's side on the sheet
CAPTION = 26  # pixels of a line of text
MARGIN = 8


def contact_sheet(sections: dict[str, list[np.ndarray]]) -> np.ndarray:
    """Lays pictures out in rows under a caption for each section.

    Args:
        sections: captions, and uint8 pictures (H, W, C) of any size, C being 1 or 3.

    Returns:
        uint8, (H, W, 3), white where there is nothing.
    """
    rows = {caption: -(-len(pictures) // COLUMNS) for caption, pictures in sections.items()}
    height = sum(CAPTION + MARGIN + count * CELL for count in rows.values()) + MARGIN
    sheet = Image.new("RGB", (COLUMNS * CELL + 2 * MARGIN, height), "white")
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(15)
    top = MARGIN
    for caption, pictures in sections.items():
        draw.text((MARGIN, top + 4), caption, "black", font)
        top += CAPTION
        for number, picture in enumerate(pictures):
            row, column = divmod(number, COLUMNS)
            cell = _fitted(picture)
            sheet.paste(cell, (MARGIN + column * CELL, top + row * CELL))
        top += rows[caption] * CELL + MARGIN
    return np.asarray(sheet)


def _fitted(picture: np.ndarray) -> Image.Image:
    image = Image.fromarray(picture[..., 0] if picture.shape[-1] == 1 else picture)
    return image.convert("RGB").resize((CELL, CELL), Image.Resampling.LANCZOS)
