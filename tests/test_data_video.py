"""A video's frames as a source: which of them, which way up, in which colours."""

import csv
import struct
from pathlib import Path

import av
import numpy as np
import pytest

from kerasgan import data
from kerasgan.cli import run
from kerasgan.data import __main__ as command
from kerasgan.errors import UserError

RED, BLUE = (220, 40, 40), (40, 40, 220)


def write_video(
    path: Path, count: int, rate: int = 25, size: tuple[int, int] = (64, 48), codec: str = "mpeg4"
) -> Path:
    """A video whose i-th frame has the grey value 2 i, but for a stripe of red on the left."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate)
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        stream.bit_rate = 4_000_000
        for number in range(count):
            pixels = np.full((size[1], size[0], 3), min(2 * number, 255), np.uint8)
            pixels[:, : size[0] // 4] = RED
            for packet in stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    return path


def load(path: Path, **options: object) -> data.Pictures:
    options = {"size": 32, "cache": path.parent / "cache", "crop": "none", **options}
    return data.load(str(path), **options)


def greys(pictures: data.Pictures) -> np.ndarray:
    return pictures.pixels[:, 16, 20].mean(axis=1)


@pytest.mark.parametrize("name", ["a.mp4", "a.MOV", "a.avi", "a.mkv"])
def test_a_short_video_gives_all_frames(tmp_path: Path, name: str) -> None:
    written = write_video(tmp_path / name.lower(), 20)
    path = written.rename(tmp_path / name)
    pictures = load(path)
    assert pictures.table.names == [f"{number:06d}" for number in range(20)]
    assert abs(greys(pictures) - 2 * np.arange(20)).max() <= 6
    assert abs(pictures.pixels[:, 16, 3].astype(int) - RED).max() <= 25  # the codec's own loss
    assert "all 20 frames" in data.describe(pictures)


def test_one_frame_a_second_of_a_long_one(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", 120 * 2, rate=2)  # two minutes
    pictures = load(path)
    assert len(pictures.pixels) in (119, 120)
    assert "of its 240 frames, at even distances" in data.describe(pictures)
    numbers = [int(name) for name in pictures.table.names]
    assert set(np.diff(numbers)) <= {2, 3} and numbers[0] == 0 and numbers[-1] >= 237


def test_a_limit_is_spread_over_the_video(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", 100)
    pictures = load(path, limit=4)
    assert pictures.table.names == ["000000", "000025", "000050", "000075"]
    assert abs(greys(pictures) - [0, 50, 100, 150]).max() <= 6
    assert len(load(path, limit=7).pixels) == 7


@pytest.mark.parametrize(("turn", "side"), [(90, "top"), (180, "right"), (270, "bottom")])
def test_frames_stand_upright(tmp_path: Path, turn: int, side: str) -> None:
    """A phone held upright notes a matrix; the angle is that by which a player turns clockwise."""
    path = write_video(tmp_path / "a.mp4", 3)
    content = bytearray(path.read_bytes())
    matrix = {90: (0, 1, -1, 0), 180: (-1, 0, 0, -1), 270: (0, -1, 1, 0)}[turn]
    a, b, c, d = (value * 65536 for value in matrix)
    place = content.index(b"tkhd") + 4 + 40
    assert content[place : place + 4] == struct.pack(">i", 65536)
    content[place : place + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(content)
    first = load(path).pixels[0].astype(int)
    middles = {"top": (3, 16), "right": (16, 28), "bottom": (28, 16), "left": (16, 3)}
    red = {name for name, place in middles.items() if abs(first[place] - RED).max() < 40}
    assert red == {side}
    source = data.open_source(str(path))
    shape = next(source.items()).fetch().shape
    assert shape == ((48, 64, 3) if turn == 180 else (64, 48, 3))


@pytest.mark.parametrize("lines", [48, 720])
def test_colours_that_are_not_told(tmp_path: Path, lines: int) -> None:
    """Old television's below 720 lines, BT.709's from there on: as players take them."""
    red, blue = (0.299, 0.114) if lines < 720 else (0.2126, 0.0722)
    r, g, b = 200, 60, 30
    luma = red * r + (1 - red - blue) * g + blue * b
    planes = (
        16 + 219 / 255 * luma,
        *(
            128 + 224 / 255 * (part - luma) / (2 * (1 - weight))
            for part, weight in ((b, blue), (r, red))
        ),
    )
    size = lines * 4 // 3
    yuv = np.concatenate(
        [np.full(size * lines // (1, 4, 4)[i], round(planes[i])) for i in range(3)]
    )
    frame = av.VideoFrame.from_ndarray(
        yuv.astype(np.uint8).reshape(lines * 3 // 2, size), format="yuv420p"
    )
    with av.open(str(tmp_path / "a.mp4"), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = size, lines, "yuv420p"
        for packet in [*stream.encode(frame), *stream.encode()]:
            container.mux(packet)
    assert abs(load(tmp_path / "a.mp4").pixels[0].astype(int) - (r, g, b)).max() <= 4


def test_it_is_kept_and_noticed_when_it_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_video(tmp_path / "a.mp4", 10)
    first = load(path)
    with monkeypatch.context() as context:
        context.setattr("kerasgan.data.video._frames", lambda _: pytest.fail("decoded again"))
        assert load(path).folder == first.folder
    write_video(path, 12)
    assert len(load(path).pixels) == 12


def test_a_cut_video_gives_what_is_there(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mkv", 60)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    pictures = load(path)
    assert 10 < len(pictures.pixels) + pictures.rejected < 60
    assert len(pictures.pixels) > 10


@pytest.mark.parametrize("content", [b"", b"dear diary", b"\0\0\0\x18ftypmp42" + bytes(99)])
def test_what_is_no_video_is_one_line(
    tmp_path: Path, content: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.mp4").write_bytes(content)
    words = [str(tmp_path / "a.mp4"), "--cache", str(tmp_path / "cache")]
    assert run(command.main, words) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "A video should be" in error


def test_a_playlist_is_not_followed(tmp_path: Path) -> None:
    write_video(tmp_path / "secret.mp4", 5)
    (tmp_path / "a.mp4").write_text("#EXTM3U\n#EXTINF:1,\nsecret.mp4\n#EXT-X-ENDLIST\n")
    (tmp_path / "b.mp4").write_text("ffconcat version 1.0\nfile secret.mp4\n")
    for name in ("a.mp4", "b.mp4"):
        with pytest.raises(UserError, match="A video should be"):
            load(tmp_path / name)


def test_the_check_tells_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_video(tmp_path / "a.mp4", 8)
    words = [str(path), "--check", "--size", "32", "--faces", "0"]
    assert run(command.main, [*words, "--cache", str(tmp_path / "cache")]) == 0
    told = capsys.readouterr().out
    assert "8 of 8 pictures can be used" in told and "all 8 frames" in told
    with open(tmp_path / "cache" / "check-a.csv", newline="") as file:
        assert all(row[0] != "broken" for row in csv.reader(file))
