"""Frames that tests write, and animations that they read back."""

from PIL import Image

# Steps of grey far enough apart to be told after the palette.
GREYS = [10, 60, 110, 160, 210, 250]


def write_frames(folder, names, size=(32, 24)):
    """Writes one grey frame a name, each darker than the next one."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, grey in zip(names, GREYS, strict=False):
        Image.new("RGB", size, (grey,) * 3).save(folder / name)
    return folder


def numbered(count, step=50):
    return [f"{step * (index + 1):06d}.png" for index in range(count)]


def read(path):
    """Each frame's upper left corner, as the nearest of `GREYS`, and its milliseconds."""
    greys, durations = [], []
    with Image.open(path) as animation:
        for index in range(animation.n_frames):
            animation.seek(index)
            corner = animation.convert("RGB").getpixel((0, 0))[0]
            greys.append(min(GREYS, key=lambda grey: abs(grey - corner)))
            durations.append(animation.info["duration"])
    return greys, durations
