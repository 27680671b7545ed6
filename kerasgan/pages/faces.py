"""New faces: a grid of them, one of them large, sliders that move all, and a walk."""

import secrets
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
from PIL import Image

from kerasgan import images, movies
from kerasgan.pages.shown import QUICK, Sliders, bar, picture, told, whole_number
from kerasgan.pages.studio import Studio
from kerasgan.pages.turns import Steps, follow

COUNT, MOST = 16, 64  # faces in the grid
LARGEST_SEED = 2**31 - 1
KEYS, MOST_KEYS = 4, 12  # faces that a walk passes
LEG = 24  # frames from one face to the next
FPS = 20.0
LARGE = 1024  # pixels that a grid is wide, at least


def build(studio: Studio, chosen: gr.Dropdown, folder: Path) -> list[Any]:
    """Builds the page.

    Args:
        studio: whose generators draw.
        chosen: which of them does.
        folder: of temporary files, for walks.

    Returns:
        What is called, with its inputs and outputs, when a generator is chosen.
    """
    place = gr.State(0)
    with gr.Row():
        with gr.Column(scale=2, min_width=280):
            new = gr.Button("New faces", variant="primary")
            seed = gr.Number(
                0, label="Seed", precision=0, minimum=0, maximum=LARGEST_SEED,
                info="The same seed, the same faces",
            )  # fmt: skip
            count = gr.Slider(1, MOST, COUNT, step=1, label="How many")
            variety = gr.Slider(
                0.1, 1.5, 1.0, step=0.05, label="Variety", info="Below 1, tamer faces"
            )
            sliders = Sliders(studio, chosen)
        with gr.Column(scale=3, min_width=320):
            grid = _image("The faces: click one to see it large", "grid")
        with gr.Column(scale=2, min_width=280):
            face = _image("The face", "face")
            keys = gr.Slider(2, MOST_KEYS, KEYS, step=1, label="A walk past so many faces")
            with gr.Row():
                walk, stop = gr.Button("Walk"), gr.Button("Stop", variant="stop")
            state = gr.HTML(elem_classes="work", elem_id="walk-state")
            shown = gr.Image(
                label="The walk", elem_id="walk", elem_classes="picture", interactive=False,
                buttons=["download", "fullscreen"], format="gif", type="filepath",
            )  # fmt: skip

    asked = [chosen, seed, count, variety, place, *sliders.inputs]

    @told
    def draw(
        name: str, seed: Any, count: Any, variety: float, place: int, *moves: Any
    ) -> tuple[Any, Any]:
        pictures = studio.draw_faces(
            studio.load(name),
            whole_number(count, "How many", 1, MOST),
            whole_number(seed, "A seed", 0, LARGEST_SEED),
            variety,
            sliders.read(*moves),
        )
        one = pictures[min(place, len(pictures) - 1)]
        return _large(images.make_grid(pictures)), picture(one)

    @told
    def pick(count: Any, name: str, event: gr.SelectData) -> int:
        generator = studio.load(name).generator
        total = whole_number(count, "How many", 1, MOST)
        rows, columns = images.grid_shape(total)
        if generator.height is None or generator.width is None:
            return 0
        times = _times(columns * generator.width)
        row = event.index[1] // (times * generator.height)
        column = event.index[0] // (times * generator.width)
        return min(min(row, rows - 1) * columns + min(column, columns - 1), total - 1)

    @told
    def go(
        name: str, seed: Any, count: Any, variety: float, place: int, keys: Any, *moves: Any
    ) -> Iterator[Any]:
        loaded = studio.load(name)
        number = whole_number(seed, "A seed", 0, LARGEST_SEED)
        total = whole_number(keys, "The faces of a walk", 2, MOST_KEYS)
        edits = sliders.read(*moves)

        def work(steps: Steps) -> str:
            steps.begin("Walking", total * LEG)

            def frames() -> Iterator[np.ndarray]:
                for frame in studio.walk(loaded, total, LEG, number, variety, edits):
                    yield frame
                    steps()

            with tempfile.NamedTemporaryFile(suffix=".gif", dir=folder, delete=False) as file:
                pass
            movies.write(file.name, frames(), FPS)
            return file.name

        for pulse in follow(work):
            yield bar(pulse), pulse.result if pulse.finished else gr.skip()

    drawn: dict[str, Any] = {"inputs": asked, "outputs": [grid, face]}
    new.click(
        lambda: secrets.randbelow(10_000), None, seed, api_visibility="private", queue=False
    ).then(draw, **drawn, **QUICK, api_visibility="private")
    gr.on(
        [seed.submit, seed.blur, count.input, count.release, variety.input, variety.release,
         *sliders.moved],
        draw, **drawn, **QUICK, api_name="faces", trigger_mode="always_last",
    )  # fmt: skip
    for event in sliders.rearranged:
        event.then(draw, **drawn, **QUICK, api_visibility="private")
    grid.select(pick, [count, chosen], place, api_visibility="private").then(
        draw, **drawn, **QUICK, api_visibility="private"
    )
    walking = walk.click(
        go, [*asked[:5], keys, *sliders.inputs], [state, shown], api_name="walk",
        concurrency_limit=2, concurrency_id="walking", show_progress="minimal",
        show_progress_on=state,
    )  # fmt: skip
    # Once it has stopped, lest its last words come behind ours.
    stopped = stop.click(None, cancels=[walking], api_visibility="private")
    stopped.then(lambda: "Stopped.", None, state, queue=False, api_visibility="private")
    return [(sliders.of, [chosen], sliders.inputs), (draw, asked, [grid, face])]


def _times(width: int) -> int:
    """Returns how many times as large a grid is shown: no page tells a place in a larger one."""
    return -(-LARGE // width)


def _large(grid: np.ndarray) -> Image.Image:
    height, width = grid.shape[:2]
    times = _times(width)
    return picture(grid).resize((times * width, times * height), Image.Resampling.BICUBIC)


def _image(label: str, name: str) -> gr.Image:
    return gr.Image(
        label=label, elem_id=name, elem_classes="picture", interactive=False, format="png",
        buttons=["download", "fullscreen"],
    )  # fmt: skip
