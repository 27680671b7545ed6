"""A training: its control grids as a timeline, its curves, and how it stands at the moment."""

import threading
import time
from collections import OrderedDict
from typing import Any

import gradio as gr

from kerasgan import images, plots
from kerasgan.animation import caption_of
from kerasgan.errors import UserError
from kerasgan.pages.following import Following, Training, changed
from kerasgan.pages.shown import told
from kerasgan.pages.studio import Studio

EVERY = 3.0  # seconds between two looks at a training
PLAYED = 0.4  # seconds that each grid stays
# How what is shown by itself is called.
QUIET: dict[str, Any] = {
    "concurrency_limit": 4,
    "concurrency_id": "looking",
    "show_progress": "hidden",
}
AN_HOUR = 3600.0
HELD = 8  # trainings whose logs are held


class Followed:
    """The trainings that are looked at, each read once for all visitors.

    Args:
        studio: whose runs they are.
    """

    def __init__(self, studio: Studio) -> None:
        self._studio, self._lock = studio, threading.Lock()
        self._held: OrderedDict[str, Following] = OrderedDict()

    def look(self, name: Any) -> Training:
        """Returns how a training stands.

        Raises:
            UserError: there is none of that name.
        """
        run = self._studio.run(name)
        with self._lock:
            following = self._held.setdefault(str(run.folder), Following(run))
            self._held.move_to_end(str(run.folder))
            while len(self._held) > HELD:
                self._held.popitem(last=False)
        return following.look()

    def running(self) -> str:
        """Says which trainings run, a line each."""
        lines = []
        for name in self._studio.runs():
            if time.time() - changed(self._studio.run(name)) > AN_HOUR:
                continue  # its log need not be read
            try:
                training = self.look(name)
            except UserError:  # of another version, or gone
                continue
            if training.running:
                lines.append(f"{name}: {training.headline()}")
        return "\n".join(lines) or "No training is running."


def build(studio: Studio) -> list[Any]:
    """Builds the page.

    Args:
        studio: whose runs are shown.

    Returns:
        What is called, with its inputs and outputs, when a visitor comes.
    """
    followed = Followed(studio)
    seen = gr.State(None)
    with gr.Row():
        with gr.Column(scale=1, min_width=280):
            chosen = gr.Dropdown(studio.runs(), label="Training", elem_id="training")
            now = gr.Textbox(label="How it stands", lines=6, interactive=False, elem_id="stands")
            running = gr.Textbox(label="Running now", lines=2, interactive=False, elem_id="running")
            play = gr.Checkbox(False, label="Play the timeline", elem_id="play")
        with gr.Column(scale=2, min_width=320):
            when = gr.Slider(0, 1, 0, step=1, label="Timeline", elem_id="timeline")
            grid = gr.Image(
                label="Control grid", elem_id="control", elem_classes="picture",
                interactive=False, format="png", buttons=["download", "fullscreen"],
            )  # fmt: skip
        with gr.Column(scale=2, min_width=320):
            losses = gr.Plot(label="Losses", elem_id="losses")
            quality = gr.Plot(label="Quality", elem_id="quality", visible=False)
    ticks, beats = gr.Timer(EVERY), gr.Timer(PLAYED, active=False)

    @told
    def show(name: Any, place: float) -> Any:
        frames = followed.look(name).frames
        return _grid(frames, int(place)) if frames else None

    @told
    def begin(name: Any) -> list[Any]:
        if name is None:
            return [gr.skip()] * 7
        return refresh(name, None, 0)

    @told
    def refresh(name: Any, before: Any, place: float) -> list[Any]:
        if name is None:
            return [gr.skip()] * 7
        training = followed.look(name)
        frames, history = training.frames, training.history
        state = (name, training.iteration, len(frames), training.running)
        if state == before:
            return [gr.skip()] * 6 + [state]
        last = max(len(frames) - 1, 0)
        was = before[2] - 1 if before and before[0] == name else -1
        follows = was < 0 or place >= was  # who looks at an earlier grid goes on looking at it
        at = last if follows else min(int(place), last)
        plotted = plots.loss_figure(*history.losses.values()) if training.last else None
        evaluated = history.evaluations
        return [
            "\n".join(training.lines()),
            followed.running(),
            gr.update(maximum=max(last, 1), value=at),
            _grid(frames, at) if frames else None,
            plotted,
            gr.update(
                value=plots.quality_figure(evaluated, history.rollbacks) if evaluated else None,
                visible=bool(evaluated),
            ),
            state,
        ]

    @told
    def beat(name: Any, place: float) -> tuple[Any, Any]:
        frames = followed.look(name).frames
        if not frames:
            return gr.skip(), gr.skip()
        at = (int(place) + 1) % len(frames)
        return at, _grid(frames, at)

    looked = [now, running, when, grid, losses, quality, seen]
    chosen.input(begin, chosen, looked, **QUIET, api_name="training")
    ticks.tick(
        refresh, [chosen, seen, when], looked, **QUIET, api_visibility="private",
        trigger_mode="once",
    )  # fmt: skip
    when.input(
        show, [chosen, when], grid, **QUIET, api_name="control_grid", trigger_mode="always_last"
    )
    play.change(
        lambda plays: gr.Timer(active=plays), play, beats, queue=False, api_visibility="private"
    )
    beats.tick(
        beat, [chosen, when], [when, grid], **QUIET, api_visibility="private", trigger_mode="once"
    )

    @told
    def arrive() -> Any:
        names = studio.runs()
        return gr.update(choices=names, value=names[-1] if names else None)

    return [(arrive, [], [chosen]), (begin, [chosen], looked)]


def _grid(frames: list[Any], place: int) -> Any:
    """Returns a control grid with its iteration, or None where it cannot be read just now."""
    path = frames[max(0, min(place, len(frames) - 1))]
    image = images.read_png(path)
    if image is None:
        return gr.skip()
    return gr.update(value=image.convert("RGB"), label=f"Control grid: {caption_of(path)}")
