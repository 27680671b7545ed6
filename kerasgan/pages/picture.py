"""A visitor's own picture: fitted, repaired, enlarged, denoised, edited, and judged by D."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import gradio as gr

from kerasgan import data
from kerasgan.errors import UserError
from kerasgan.pages.painted import known_of
from kerasgan.pages.shown import EDITED, QUICK, Sliders, bar, enlarged, picture, told, whole_number
from kerasgan.pages.studio import Asked, Restored, Studio
from kerasgan.pages.turns import Steps, follow
from kerasgan.text import megabytes, printable

MAX_UPLOAD = 20 * 2**20  # bytes of a picture's file
FIT, REPAIR, ENLARGE, DENOISE = "Fit", "Repair", "Enlarge", "Denoise"
TASKS = {FIT: "invert", REPAIR: "inpaint", ENLARGE: "superres", DENOISE: "denoise"}
AS_TRAINED = "as the training pictures"
FACTORS = (2, 4, 8)
STEPS, MOST_STEPS = 200, 1000
BRUSH = "#ff3366"


@dataclass(frozen=True, eq=False)
class Upload:
    """A visitor's picture, which is held as long as the visitor stays.

    Attributes:
        raw: the file's bytes.
        name: of the file.
        restored: what was found for it last; None before.
    """

    raw: bytes
    name: str
    restored: Restored | None = None


def read_upload(path: str) -> Upload:
    """Reads an uploaded file.

    Raises:
        UserError: it is empty or too large.
    """
    size = os.path.getsize(path)
    if not 0 < size <= MAX_UPLOAD:
        raise UserError(
            f"A picture's file should have up to {megabytes(MAX_UPLOAD)}. Received: "
            f"{printable(Path(path).name)}, with {megabytes(size) if size else 'nothing in it'}."
        )
    return Upload(Path(path).read_bytes(), Path(path).name)


def build(studio: Studio, chosen: gr.Dropdown) -> list[Any]:
    """Builds the page.

    Args:
        studio: whose generators restore.
        chosen: which of them does.

    Returns:
        What is called, with its inputs and outputs, when a generator is chosen.
    """
    held = gr.State(None, time_to_live=3600)
    with gr.Row():
        with gr.Column(scale=1, min_width=300):
            file = gr.File(label="Your picture", type="filepath", elem_id="upload", height=110)
            crop = gr.Dropdown(
                [AS_TRAINED, *data.CROPS], value=AS_TRAINED, label="Cut",
                info="face finds the faces in a photograph",
            )  # fmt: skip
            which = gr.Dropdown([1], value=1, label="Which face", visible=False, elem_id="which")
            task = gr.Radio([*TASKS], value=FIT, label="What to do", elem_id="task")
            factor = gr.Radio(list(FACTORS), value=4, label="How many times", visible=False)
            sigma = gr.Slider(
                0, 100, 0, step=1, label="Noise, in grey levels", info="0: estimated", visible=False
            )
            steps = gr.Slider(20, MOST_STEPS, STEPS, step=10, label="Steps: more come closer")
            with gr.Row():
                go = gr.Button("Go", variant="primary", elem_id="go")
                stop = gr.Button("Stop", variant="stop", elem_id="stop")
            state = gr.HTML(elem_classes="work", elem_id="search-state")
        with gr.Column(scale=1, min_width=300):
            seen = gr.Image(
                label="As the generator sees it", elem_id="seen", elem_classes="picture",
                interactive=False, format="png", buttons=[],
            )  # fmt: skip
            with gr.Column(visible=False) as painting:
                gr.Markdown("Paint over what should be filled.")
                editor = gr.ImageEditor(
                    label="The brush", show_label=False, elem_id="editor", type="pil",
                    sources=(), transforms=(), layers=False, format="png",
                    canvas_size=(EDITED, EDITED), fixed_canvas=True, buttons=[],
                    brush=gr.Brush(
                        default_size=48, colors=[BRUSH], default_color=BRUSH, color_mode="fixed"
                    ),
                )  # fmt: skip
            about = gr.Textbox(label="What is seen", lines=2, interactive=False, elem_id="about")
        with gr.Column(scale=1, min_width=300):
            compared = gr.ImageSlider(
                label="Before and after", elem_id="compared", interactive=False, format="png",
                buttons=["download", "fullscreen"],
            )  # fmt: skip
            notes = gr.Textbox(label="What was found", lines=4, interactive=False, elem_id="notes")
            whole = gr.Image(
                label="In your picture", elem_id="whole", elem_classes="picture",
                interactive=False, format="png", buttons=["download", "fullscreen"],
            )  # fmt: skip
    with gr.Accordion("Edit what was found", open=True):
        with gr.Row():
            with gr.Column(scale=2, min_width=300):
                sliders = Sliders(studio, chosen)
            with gr.Column(scale=1, min_width=300):
                edited = gr.ImageSlider(
                    label="Found and edited", elem_id="edited", interactive=False, format="png",
                    buttons=["download", "fullscreen"],
                )  # fmt: skip
            with gr.Column(scale=1, min_width=300):
                edited_whole = gr.Image(
                    label="In your picture, edited", elem_id="edited-whole",
                    elem_classes="picture", interactive=False, format="png",
                    buttons=["download", "fullscreen"],
                )  # fmt: skip

    def looked_at(name: Any, upload: Upload | None, crop: str, which: Any) -> list[Any]:
        """Shows how a picture is seen, and forgets what was found for another."""
        if upload is None:
            return [None, None, "", gr.update(visible=False), None, None, "", None, None, None]
        loaded = studio.load(name)
        given, _ = studio.read(loaded, upload.raw, upload.name, _crop(crop), Asked("invert"))
        one = min(whole_number(which or 1, "Which face", 1, 1000), len(given))
        before = given[one - 1].reading.before
        many = gr.update(choices=list(range(1, len(given) + 1)), value=one, visible=len(given) > 1)
        about = "\n".join(studio.remarks(loaded, upload.raw, before))
        painted = {"background": enlarged(before), "layers": [], "composite": None}
        return [replace(upload, restored=None), picture(before), about, many, painted,
                None, "", None, None, None]  # fmt: skip

    shown = [held, seen, about, which, editor, compared, notes, whole, edited, edited_whole]

    @told
    def take(path: str | None, name: Any, crop: str) -> list[Any]:
        return looked_at(name, read_upload(path) if path else None, crop, 1)

    @told
    def look_again(upload: Upload | None, name: Any, crop: str, which: Any) -> list[Any]:
        return looked_at(name, upload, crop, which)

    @told
    def search(
        name: Any, upload: Upload | None, crop: str, which: Any, task: str, factor: Any,
        sigma: float, count: Any, editor: Any,
    ) -> Iterator[list[Any]]:  # fmt: skip
        if upload is None:
            raise UserError("A picture should be chosen first. Received: none. Choose one.")
        loaded = studio.load(name)
        asked = Asked(
            TASKS[task],
            factor=int(factor),
            sigma=float(sigma) or None,
            mask=known_of(editor, loaded.generator.height or 0) if task == REPAIR else None,
            steps=whole_number(count, "Steps", 20, MOST_STEPS),
        )
        given, options = studio.read(loaded, upload.raw, upload.name, _crop(crop), asked)
        one = given[min(whole_number(which or 1, "Which face", 1, 1000), len(given)) - 1]

        def work(steps: Steps) -> Restored:
            return studio.restore(loaded, one, options, asked, steps)

        for pulse in follow(work):
            if not pulse.finished:
                yield [bar(pulse), *[gr.skip()] * 6]
                continue
            found: Restored = pulse.result
            yield [
                "",
                replace(upload, restored=found),
                (enlarged(found.known), enlarged(found.result)),
                "\n".join(found.notes),
                picture(found.whole),
                None,
                None,
            ]

    @told
    def edit(name: Any, upload: Upload | None, *moves: Any) -> tuple[Any, Any]:
        if upload is None or upload.restored is None:
            return gr.skip(), gr.skip()
        loaded = studio.load(name)
        face, whole = studio.edit(loaded, upload.restored, sliders.read(*moves))
        return (enlarged(upload.restored.result), enlarged(face)), picture(whole)

    gr.on(
        [file.upload, file.clear],
        take,
        [file, chosen, crop],
        shown,
        **QUICK,
        api_name="picture",
        trigger_mode="always_last",
    )
    gr.on(
        [crop.input, which.input], look_again, [held, chosen, crop, which], shown, **QUICK,
        api_visibility="private", trigger_mode="always_last",
    )  # fmt: skip
    task.change(
        lambda task: [
            gr.update(visible=task == ENLARGE),
            gr.update(visible=task == DENOISE),
            gr.update(visible=task == REPAIR),
            gr.update(visible=task != REPAIR),
        ],
        task, [factor, sigma, painting, seen], queue=False, api_visibility="private",
    )  # fmt: skip
    searching = go.click(
        search, [chosen, held, crop, which, task, factor, sigma, steps, editor],
        [state, held, compared, notes, whole, edited, edited_whole], api_name="restore",
        concurrency_limit=1, concurrency_id="searching", show_progress="full",
        show_progress_on=state,
    )  # fmt: skip
    # Once it has stopped, lest its last words come behind ours.
    stopped = stop.click(None, cancels=[searching], api_visibility="private")
    stopped.then(lambda: "Stopped.", None, state, queue=False, api_visibility="private")
    moved: dict[str, Any] = {"inputs": [chosen, held, *sliders.inputs],
                             "outputs": [edited, edited_whole], **QUICK}  # fmt: skip
    gr.on(sliders.moved, edit, **moved, api_name="edit", trigger_mode="always_last")
    for event in sliders.rearranged:
        event.then(edit, **moved, api_visibility="private")
    return [
        (sliders.of, [chosen], sliders.inputs),
        (look_again, [held, chosen, crop, which], shown),
    ]


def _crop(crop: str) -> str | None:
    return None if crop == AS_TRAINED else crop
