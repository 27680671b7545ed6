"""Keeps visitors to what the pages offer, where Gradio by itself would let them do more.

Gradio fetches files from addresses for whoever asks, and keeps what its editor sends, of any size.
"""

import io
from collections.abc import Callable
from typing import Any

import gradio as gr
from PIL import Image

from kerasgan.errors import UserError
from kerasgan.files import Damaged, reading

FORMATS = ("PNG", "WEBP", "JPEG")  # of what an editor sends
MAX_SIDE = 2048  # pixels of it
MAX_BYTES = 16 * 2**20  # of it
MAX_LAYERS = 4
MAX_WAITING = 64  # pictures painted on, whose visitors have not yet asked for anything
REFUSED = ("/gradio_api/proxy=", "/gradio_api/file=http", "/gradio_api/file/http", "/proxy=",
           "/file=http", "/file/http")  # fmt: skip


class LocalOnly:
    """An ASGI application in front of Gradio's, which gives nothing from other hosts.

    Args:
        app: Gradio's.
    """

    def __init__(self, app: Callable[..., Any]) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answers a request; those for what lies elsewhere with 404."""
        path = scope.get("path", "").lower()
        if scope["type"] == "http" and any(part in path for part in REFUSED):
            start = {"type": "http.response.start", "status": 404, "headers": []}
            await send(start)
            await send({"type": "http.response.body", "body": b"There is no such page."})
            return
        await self._app(scope, receive, send)


def guard(demo: gr.Blocks) -> None:
    """Takes from the components of a demo what no visitor should be able to do."""
    for block in demo.blocks.values():
        if hasattr(block, "async_move_resource_to_block_cache"):
            _refuse_addresses(block)
        if isinstance(block, gr.ImageEditor):
            _bound(block)


def _refuse_addresses(block: Any) -> None:
    """Lets a component take files that were uploaded, and none from an address."""
    move = block.async_move_resource_to_block_cache

    async def local(path: Any) -> Any:
        if path is not None and "://" in str(path):
            raise gr.Error(
                "A file should be uploaded. Received: an address.", print_exception=False
            )
        return await move(path)

    block.async_move_resource_to_block_cache = local


def _bound(editor: gr.ImageEditor) -> None:
    """Bounds what an editor keeps and decodes of what visitors send."""
    accept = editor.accept_blobs

    def accept_some(data: Any) -> Any:
        sent = data.data
        index = int(sent["index"]) if str(sent.get("index")).isdecimal() else 0
        if index >= MAX_LAYERS or len(data.files[0][1]) > MAX_BYTES:
            raise gr.Error("What is painted should be smaller.", print_exception=False)
        while len(editor.blob_storage) >= MAX_WAITING:
            editor.blob_storage.pop(next(iter(editor.blob_storage)))
        return accept(data)

    accept_some._is_server_fn = True  # type: ignore[attr-defined]
    own: Any = editor
    own.accept_blobs = accept_some
    own.convert_and_format_image = lambda file, *_, **__: decoded(file)


def decoded(file: Any) -> Image.Image | None:
    """Opens a layer that was painted.

    Args:
        file: bytes, a file of Gradio's with a path, or None.

    Raises:
        gr.Error: it is no picture, or too large a one.
    """
    if file is None:
        return None
    source = io.BytesIO(file) if isinstance(file, bytes | bytearray) else file.path
    try:
        with reading():
            image = Image.open(source, formats=FORMATS)
        if max(image.size) > MAX_SIDE:
            raise UserError(f"{image.width}x{image.height} pixels")
        with reading():
            image.load()
    except (Damaged, UserError) as error:
        raise gr.Error(
            "What is painted should be a picture of up to "
            f"{MAX_SIDE}x{MAX_SIDE} pixels. Received: another file.",
            print_exception=False,
        ) from error
    return image
