"""Measures what a generator is good for on pictures that it has not seen, against baselines.

    python benchmarks/applications.py outputs/000-fast unseen/ --out outputs/applications

Each row of the table is a way to do one thing, measured on the same pictures: how far its results
are from the originals in grey levels (within the hole, where there is one), in decibels, and in the
features of a network that knows faces; in how many a detector finds a face; and how long the search
takes, for all pictures. `--out` keeps a sheet of each and the figures as JSON.

A row more is a function in `ROWS`, of a `Bench`, that yields its `Result`s.
"""

import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import machine
import numpy as np

from kerasgan import cli, data, images, restore, saved
from kerasgan.errors import required
from kerasgan.saved import SavedGenerator

SHEET = 12  # pictures on a sheet, at most
INVERT_STEPS = (50, 100, 200, 400)
FACTORS = (4, 8)
SIGMAS = (25.5, 51.0)  # grey levels: 0.2 of [-1, 1] and of [0, 1]


@dataclass(frozen=True, eq=False)
class Result:
    """What one way gave for all pictures.

    Attributes:
        what: was done, "superres x4" for example.
        how: by which way.
        pictures: uint8, (N, S, S, C).
        where: bool, (S, S), the pixels that count for the error; all of them unless given.
        seconds: that it took for all pictures.
        others: more figures, by name.
    """

    what: str
    how: str
    pictures: np.ndarray
    where: np.ndarray | None = None
    seconds: float | None = None
    others: dict[str, float] = field(default_factory=dict)


class Bench:
    """A generator, pictures, and what measures them.

    Args:
        generator: whose pictures are square.
        pictures: uint8, (N, S, S, C), that no network has seen.
        seed: of all that is drawn.
        steps: of searches.
    """

    def __init__(
        self, generator: SavedGenerator, pictures: np.ndarray, seed: int, steps: int
    ) -> None:
        from kerasgan import encoder, restoration, searching
        from kerasgan.metrics import networks, perceptual
        from kerasgan.metrics.detection import Detector

        self.generator, self.pictures, self.seed, self.steps = generator, pictures, seed, steps
        self.size = pictures.shape[1]
        self.ways: dict[str, dict[str, Any]] = {
            "latent": {"features": False, "steps": max(2, steps // 4)},
            "both stages": {},
        }
        self.floats = images.to_float(pictures)
        self.guess = encoder.of(generator)
        self.tasks = restoration.TASKS
        self._helpers = {
            restoration.LOOKS: {"likeness": perceptual.load_if_there()},
            restoration.REALISM: {"critic": searching.load_critic(generator)},
            None: {},
        }
        self._features = networks.load("face")
        self._detect = Detector()
        self._original_features = self._features(pictures, quiet=True)

    def options(self, **options: Any) -> Any:
        """Returns a task's options."""
        from kerasgan import restoration

        channels = self.generator.channels
        return restoration.Options(size=self.size, channels=channels, crop="none", **options)

    def search(self, task: str, known: np.ndarray, options: Any = None, **settings: Any) -> Any:
        """Searches as the command does.

        Args:
            task: of `restoration.TASKS`.
            known: of all pictures.
            options: of the task.
            **settings: of `inversion.Search`, instead of the command's.

        Returns:
            The search, what it found, and the seconds for all but its first, which is compiled.
        """
        from kerasgan.inversion import BATCH, Search

        row = self.tasks[task]
        settings = {"guess": self.guess, "steps": self.steps, "seed": self.seed} | settings
        search = Search(
            self.generator,
            row.degradation(options or self.options()),
            **self._helpers[row.helper],
            **settings,
        )
        with cli.progress(-(-len(known) // BATCH) * search.steps, task, leave=False) as bar:
            began = time.perf_counter()
            found = search(known, bar.update)
        return search, found, time.perf_counter() - began

    def figures(self, result: Result) -> dict[str, Any]:
        """Measures a result against the originals."""
        difference = np.abs(result.pictures.astype(float) - self.pictures)
        inside = difference if result.where is None else difference[:, result.where]
        square = np.mean(difference**2, axis=(1, 2, 3))
        features = self._features(result.pictures, quiet=True)
        distance = np.linalg.norm(features - self._original_features, axis=1)
        decibels = 10 * np.log10(255**2 / np.maximum(square, 1e-3))  # at most 78
        return {
            "what": result.what,
            "how": result.how,
            "error": float(inside.mean()),
            "psnr": float(decibels.mean()),
            "face": float(distance.mean()),
            "found": float(self._detect(result.pictures, quiet=True).mean()),
            "seconds": result.seconds,
            **result.others,
        }


def invert(bench: Bench) -> Iterator[Result]:
    """The generator's nearest picture: by the encoder, the latent and both stages."""
    what = "invert"
    yield Result(what, "originals", bench.pictures)
    reads = bench.guess(bench.floats)
    from kerasgan import codes

    near = codes.Space(bench.generator).project(reads)
    drawn = bench.generator.draw(*(np.asarray(x) for x in codes.parts(bench.generator, near)))
    yield Result(what, "encoder alone", drawn)
    for steps in INVERT_STEPS:
        _, found, seconds = bench.search(what, bench.floats, steps=steps // 4, features=False)
        yield _found(what, f"latent, {steps // 4} steps", found, seconds)
        _, found, seconds = bench.search(what, bench.floats, steps=steps)
        yield _found(what, f"both stages, {steps} steps", found, seconds)
    _, found, seconds = bench.search(what, bench.floats, guess=None)
    yield _found(what, f"both stages, {bench.steps} steps, without encoder", found, seconds)


def inpaint(bench: Bench) -> Iterator[Result]:
    """A box of half the side, and half of the pixels."""
    from kerasgan import blending, degradations

    cv2 = required("cv2", "restore", "Telea's inpainting")
    masks = {
        "inpaint, box": degradations.box(bench.size),
        "inpaint, half of the pixels": degradations.at_random(bench.size, 0.5, bench.seed),
    }
    for what, mask in masks.items():
        where, stay = ~mask, mask[..., None]
        yield Result(what, "originals", bench.pictures, where)
        mean = (bench.pictures * stay).sum(axis=(1, 2), keepdims=True) / mask.sum()
        filled = np.where(stay, bench.pictures, np.rint(mean)).astype(np.uint8)
        yield Result(what, "mean fill", filled, where)
        missing = np.where(mask, 0, 255).astype(np.uint8)
        telea = [cv2.inpaint(x, missing, 3, cv2.INPAINT_TELEA) for x in bench.pictures]
        yield Result(what, "OpenCV, Telea", _stacked(telea, bench), where)
        known = degradations.masked(bench.floats, mask[None])
        for how, settings in bench.ways.items():
            search, found, seconds = bench.search("inpaint", known, **settings)
            put = images.to_uint8(search.degradation.keep(found.pictures, known))
            yield Result(what, how, put, where, seconds)
            drawn = zip(images.to_uint8(found.pictures), bench.pictures, strict=True)
            blended = np.stack([blending.blend(new, old, mask) for new, old in drawn])
            yield Result(what, f"{how}, blended", blended, where, seconds)


def superres(bench: Bench) -> Iterator[Result]:
    """Pictures of a quarter and an eighth of the side."""
    from PIL import Image

    for factor in FACTORS:
        what, small = f"superres x{factor}", bench.size // factor
        yield Result(what, "originals", bench.pictures)
        given = _resized(bench.pictures, small, Image.Resampling.LANCZOS)
        bicubic = _resized(given, bench.size, Image.Resampling.BICUBIC)
        yield Result(what, "bicubic", bicubic, others=_consistency(bicubic, given))
        options = bench.options(factor=factor)
        for how, settings in bench.ways.items():
            known = images.to_float(given)
            search, found, seconds = bench.search("superres", known, options, **settings)
            large = images.to_uint8(search.degradation.keep(found.pictures, known))
            others = _consistency(large, given)
            yield Result(what, how, large, seconds=seconds, others=others)


def denoise(bench: Bench) -> Iterator[Result]:
    """Normal noise, its deviation estimated."""
    from kerasgan import degradations

    cv2 = required("cv2", "restore", "Denoising by non-local means")
    for sigma in SIGMAS:
        what = f"denoise, {sigma:g} grey levels"
        noisy = degradations.add_noise(bench.pictures, sigma, bench.seed)
        yield Result(what, "nothing", noisy)
        for strength in (0.6, 0.8, 1.0):  # what serves best depends on the pictures
            means = [_non_local_means(cv2, x, strength * sigma) for x in noisy]
            how = f"OpenCV, non-local means, h = {strength:g} sigma"
            yield Result(what, how, _stacked(means, bench))
        estimated = degradations.estimate_noise(noisy) / 127.5
        known = degradations.noisy(images.to_float(noisy), estimated)
        for how, settings in bench.ways.items():
            _, found, seconds = bench.search("denoise", known, **settings)
            yield _found(what, how, found, seconds)


ROWS: dict[str, Callable[[Bench], Iterator[Result]]] = {
    "invert": invert,
    "inpaint": inpaint,
    "superres": superres,
    "denoise": denoise,
}


def _found(what: str, how: str, found: Any, seconds: float) -> Result:
    return Result(what, how, images.to_uint8(found.pictures), seconds=seconds)


def _stacked(pictures: list[np.ndarray], bench: Bench) -> np.ndarray:
    """Stacks what OpenCV gave, which leaves out the axis of grey."""
    return np.stack(pictures).reshape(bench.pictures.shape)


def _non_local_means(cv2: Any, picture: np.ndarray, strength: float) -> np.ndarray:
    if picture.shape[-1] == 1:
        return cv2.fastNlMeansDenoising(picture, None, strength)
    return cv2.fastNlMeansDenoisingColored(picture, None, strength, strength)


def _resized(pictures: np.ndarray, side: int, filtered: int) -> np.ndarray:
    made = [
        np.asarray(images.to_image(picture).resize((side, side), filtered)) for picture in pictures
    ]
    return np.stack(made).reshape(len(pictures), side, side, -1)


def _consistency(large: np.ndarray, given: np.ndarray) -> dict[str, float]:
    """How far a result made small again is from what was given, root of the mean square."""
    from PIL import Image

    again = _resized(large, given.shape[1], Image.Resampling.LANCZOS)
    return {"consistency": float(np.sqrt(np.mean((again.astype(float) - given) ** 2)))}


def line(figures: dict[str, Any]) -> str:
    """Returns a row of the table."""
    seconds, consistency = figures["seconds"], figures.get("consistency")
    cells = [
        figures["what"],
        figures["how"],
        f"{figures['error']:.1f}",
        f"{figures['psnr']:.2f}",
        f"{figures['face']:.3f}",
        f"{figures['found']:.1%}",
        "" if consistency is None else f"{consistency:.2f}",
        "" if seconds is None else f"{seconds:.1f}",
        ", ".join(f"{name} {value:.3g}" for name, value in _more(figures).items()),
    ]
    return f"| {' | '.join(cells)} |"


def _more(figures: dict[str, Any]) -> dict[str, float]:
    usual = ("what", "how", "error", "psnr", "face", "found", "seconds", "consistency")
    return {name: value for name, value in figures.items() if name not in usual}


HEAD = (
    "| what | how | error | PSNR, dB | face distance | found | consistency | seconds | more |\n"
    "|---|---|---|---|---|---|---|---|---|"
)


def measure(bench: Bench, names: Sequence[str], out: Path | None) -> list[dict[str, Any]]:
    """Prints the table row by row, and keeps figures and sheets.

    Args:
        bench: what measures.
        names: of `ROWS`.
        out: a folder for sheets and figures, or None.

    Returns:
        The figures, in the order of the table.
    """
    print(HEAD)
    every = []
    for name in names:
        shown: list[np.ndarray] = []
        for result in ROWS[name](bench):
            every.append(bench.figures(result))
            print(line(every[-1]), flush=True)
            shown.append(result.pictures[:SHEET])
            if out is not None:
                grid = images.make_grid(np.concatenate(shown), columns=len(shown[0]))
                images.write_png(out / f"{name}.png", grid)
                (out / "figures.json").write_text(json.dumps(every, indent=1), encoding="utf-8")
    return every


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command with `argv`, or the command line's words, and returns its exit code."""
    return cli.run(_command, argv)


def _command(argv: Sequence[str] | None) -> None:
    parser = cli.Parser(description=(__doc__ or "").partition("\n")[0])
    add = parser.add_argument
    add("generator", type=Path, help="a run, a .keras file, or one that comes along")
    add("pictures", help="a folder or another source that no network has seen")
    add("--rows", default=",".join(ROWS), help="which, with commas between them")
    add("--count", type=int, help="the first N pictures only")
    add("--steps", type=int, default=restore.STEPS, help="of a search")
    add("--seed", type=int, default=0)
    add("--cache", type=Path, default=data.CACHE)
    add("--out", type=Path, metavar="DIR", help="keep sheets and figures there")
    args = parser.parse_args(argv)
    names = args.rows.split(",")
    cli.require([(f"`--rows` should be of {', '.join(ROWS)}", args.rows, {*names} <= {*ROWS})])
    from kerasgan import backend

    backend.configure(args.seed)
    generator = saved.load(args.generator)
    size = restore.square_of(generator)
    pictures = data.load(
        args.pictures, size=size, channels=generator.channels, cache=args.cache, limit=args.count
    )
    print(f"{machine.describe()}\n{args.generator} ({generator.fingerprint}), {size}x{size}; "
          f"{len(pictures.pixels)} pictures of {args.pictures}; seed {args.seed}\n")  # fmt: skip
    if args.out is not None:
        args.out.mkdir(parents=True, exist_ok=True)
    measure(Bench(generator, np.asarray(pictures.pixels), args.seed, args.steps), names, args.out)


if __name__ == "__main__":
    sys.exit(main())
