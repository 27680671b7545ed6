"""What the pages share: one line for a user's mistake, sliders, pictures as they are shown."""

import functools
import html
import inspect
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import gradio as gr
import numpy as np
from PIL import Image

from kerasgan import images
from kerasgan.directions import MAX_STRENGTH
from kerasgan.errors import UserError
from kerasgan.pages.studio import Studio
from kerasgan.pages.turns import Pulse

SLIDERS = 8  # attributes that are moved at once
STRENGTH = min(4.0, MAX_STRENGTH)  # standard deviations to either side
EDITED = 512  # pixels of the side of a picture that is painted on
# How what takes no time is called: many at once, which take turns.
QUICK: dict[str, Any] = {
    "concurrency_limit": 8,
    "concurrency_id": "drawing",
    "show_progress": "minimal",
}

CSS = """
footer { display: none !important }
[data-testid="block-label"] { position: static !important; width: fit-content }
.picture img { width: 100% !important; height: auto !important; object-fit: contain }
.picture .image-frame, .picture button { width: 100%; height: auto }
.work { min-height: 3em }
.work progress { width: 100%; accent-color: var(--primary-500) }
"""


def told(function: Callable[..., Any]) -> Callable[..., Any]:
    """Shows a user's mistake, or the system's trouble, as one line, and no traceback."""

    def line(error: Exception) -> gr.Error:
        return gr.Error(html.escape(str(error)), duration=None, print_exception=False)

    @functools.wraps(function)
    def call(*args: Any, **named: Any) -> Any:
        try:
            return function(*args, **named)
        except (UserError, OSError) as error:
            raise line(error) from error

    @functools.wraps(function)
    def iterate(*args: Any, **named: Any) -> Iterator[Any]:
        try:
            yield from function(*args, **named)
        except (UserError, OSError) as error:
            raise line(error) from error

    return iterate if inspect.isgeneratorfunction(function) else call


def bar(pulse: Pulse) -> str:
    """Returns how a long work stands, as HTML."""
    if pulse.finished:
        return ""
    words = html.escape(pulse.words)
    return f'<label>{words}<progress max="1" value="{pulse.done:.3f}"></progress></label>'


def picture(pixels: np.ndarray) -> Image.Image:
    """Returns a picture, uint8 (H, W, C), as it is shown."""
    return images.to_image(pixels)


def enlarged(pixels: np.ndarray, side: int = EDITED) -> Image.Image:
    """Returns a picture, uint8 (S, S, C), as large as one that is painted on or compared."""
    if len(pixels) >= side:
        return picture(pixels)
    return picture(pixels).convert("RGB").resize((side, side), Image.Resampling.BICUBIC)


def whole_number(value: Any, what: str, least: int, most: int) -> int:
    """Reads a whole number that a visitor typed.

    Raises:
        UserError: it is none, or out of range.
    """
    number = value if isinstance(value, int | float) and math.isfinite(value) else math.nan
    if not least <= number <= most or number != int(number):
        shown = "nothing" if value is None else str(value)[:40]
        raise UserError(f"{what} should be a whole number, {least} to {most:,}. Received: {shown}.")
    return int(number)


class Sliders:
    """Sliders of a generator's attributes: those that were chosen, as many as there are places.

    Args:
        studio: whose generators they are of.
        chosen: the generator.

    Attributes:
        names: which attributes have a slider.
        sliders: as many as there can be, those without an attribute hidden.
        inputs: all of these, for `read`.
        moved: triggers of what follows a slider that was moved.
        rearranged: events after which all sliders stand differently.
    """

    def __init__(self, studio: Studio, chosen: gr.Dropdown) -> None:
        self._studio = studio
        self.names = gr.Dropdown(
            [], multiselect=True, max_choices=SLIDERS, label="Attributes", interactive=True,
            info="Which of them have a slider; more come from python -m kerasgan.edit",
        )  # fmt: skip
        with gr.Row():
            self.sliders = [
                gr.Slider(
                    -STRENGTH, STRENGTH, 0, step=0.1, visible=False, min_width=150,
                    label=f"attribute {place}",
                )
                for place in range(1, SLIDERS + 1)
            ]  # fmt: skip
        reset = gr.Button("All back to 0", size="sm")
        self.inputs = [self.names, *self.sliders]
        self.moved = [moved for one in self.sliders for moved in (one.input, one.release)]
        quick: dict[str, Any] = {"queue": False, "api_visibility": "private"}
        self.rearranged = [
            reset.click(lambda: [0] * SLIDERS, None, self.sliders, **quick),
            self.names.input(_arranged, self.names, self.sliders, **quick),
        ]

    def of(self, name: str) -> list[Any]:
        """Returns updates of `inputs` for a generator."""
        known = [*self._studio.load(name).knobs]
        shown = known[:SLIDERS]
        return [gr.update(choices=known, value=shown), *_labelled(shown, [0.0] * len(shown))]

    @staticmethod
    def read(names: Sequence[str] | None, *values: float) -> list[tuple[str, float]]:
        """Returns the edits that sliders ask for."""
        return [
            (str(name), float(np.clip(value or 0.0, -STRENGTH, STRENGTH)))
            for name, value in zip(names or [], values, strict=False)
        ]


def _arranged(names: Sequence[str] | None) -> list[Any]:
    """Gives each attribute a slider, at 0."""
    shown = list(names or [])[:SLIDERS]
    return _labelled(shown, [0.0] * len(shown))


def _labelled(names: Sequence[str], values: Sequence[float]) -> list[Any]:
    used = [
        gr.update(label=name, value=value, visible=True)
        for name, value in zip(names, values, strict=True)
    ]
    return used + [gr.update(value=0, visible=False)] * (SLIDERS - len(used))
