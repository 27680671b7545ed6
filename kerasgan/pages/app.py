"""All pages in one, and the server that serves them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import gradio as gr
from starlette.middleware import Middleware

from kerasgan.pages import faces, picture, training
from kerasgan.pages.guard import LocalOnly, guard
from kerasgan.pages.shown import CSS, told
from kerasgan.pages.studio import Studio

CACHE_AGE = 1800  # seconds after which temporary files of the pages are deleted
LOOK = 60  # seconds between two looks for them
QUEUE = 64  # visitors that wait for one thing, at most
SESSIONS = 200  # visitors whose pictures are held at once
FONT = ["ui-sans-serif", "system-ui", "sans-serif"]  # those of the visitor's own system
MONO = ["ui-monospace", "Consolas", "monospace"]


def build(studio: Studio, folder: Path) -> gr.Blocks:
    """Builds the pages.

    Args:
        studio: of what is shown.
        folder: of temporary files.
    """
    names = studio.generators()
    with gr.Blocks(
        title="kerasgan", analytics_enabled=False, delete_cache=(LOOK, CACHE_AGE), fill_width=True
    ) as demo:
        gr.Markdown("# People who do not exist")
        chosen = gr.Dropdown(
            names, value=names[0] if names else None, label="Generator", elem_id="generator"
        )
        calls: list[Any] = []
        with gr.Tabs():
            with gr.Tab("New faces"):
                calls += faces.build(studio, chosen, folder)
            with gr.Tab("Your picture"):
                calls += picture.build(studio, chosen)
            with gr.Tab("Training"):
                arrivals = training.build(studio)

        @told
        def arrive(name: Any) -> Any:
            known = studio.generators()
            value = name if name in known else (known[0] if known else None)
            return gr.update(choices=known, value=value)

        if names:
            _chain(demo.load(arrive, chosen, chosen, **QUIET), calls)
            _chain(None, calls, chosen.input)
        _chain(None, arrivals, demo.load)
    guard(demo)
    demo.queue(max_size=QUEUE)
    return demo


QUIET: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}


def _chain(event: Any, calls: list[Any], first: Any = None) -> None:
    """Makes calls follow one another, after an event."""
    for function, inputs, outputs in calls:
        event = (event.then if event is not None else first)(function, inputs, outputs, **QUIET)


@contextmanager
def served(demo: gr.Blocks, host: str, port: int) -> Iterator[str]:
    """Serves the pages, and gives their address.

    Args:
        demo: as `build` returns it.
        host: the address that is listened at.
        port: likewise.
    """
    theme = gr.themes.Soft(font=FONT, font_mono=MONO)
    try:
        _, url, _ = demo.launch(
            server_name=host,
            server_port=port,
            theme=theme,
            css=CSS,
            share=False,
            quiet=True,
            inline=False,
            prevent_thread_lock=True,
            max_file_size=picture.MAX_UPLOAD,
            state_session_capacity=SESSIONS,
            enable_monitoring=False,
            run_history=False,
            ssr_mode=False,
            pwa=False,
            mcp_server=False,
            num_workers=0,
            footer_links=[],
            app_kwargs={"middleware": [Middleware(LocalOnly)]},
        )
        yield url
    finally:
        demo.close(verbose=False)
