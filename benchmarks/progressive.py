"""A growing training, measured stage by stage at the stage's own size.

python benchmarks/progressive.py [--data SOURCE] [--size 64] [--iters 2000] [--count 500]
"""

import argparse
import dataclasses
import time

import machine
import numpy as np

from kerasgan import cli, data, metrics, saved
from kerasgan.data.batches import Batches
from kerasgan.gan import GAN
from kerasgan.recipes import PRESETS


def main() -> None:
    args = parse()
    recipe = dataclasses.replace(PRESETS["progressive"], size=args.size, iters=args.iters)
    gan = GAN(recipe)
    pictures = data.load(args.data, size=args.size, cache=args.cache)
    batches = Batches(pictures.pixels, gan.recipe.reals_an_iteration, recipe.seed, recipe.flip)
    print(machine.describe())
    print(f"{args.data}, {len(pictures.pixels):,} pictures; {gan.recipe.stages}")
    print("size  iterations  seconds  KID x 1000 (real halves)  face Frechet (real halves)")
    done = 0
    for stage in gan.recipe.growth_stages:
        began, end = time.perf_counter(), int(min(stage.end, args.iters))
        for iteration in range(done, end):
            gan.train_on_batch(batches.at(iteration))
        seconds, done = time.perf_counter() - began, end
        shown = figures(gan, shrunk(pictures, stage.side), args.count)
        print(f"{stage.side:4d}  {done:10,}  {seconds:7.0f}  {shown}", flush=True)


def shrunk(pictures: data.Pictures, side: int) -> data.Pictures:
    """Returns pictures halved to a side, as the networks see them in that stage."""
    count, size, _, channels = pictures.pixels.shape
    times = size // side
    blocks = pictures.pixels.reshape(count, side, times, side, times, channels)
    means = np.rint(blocks.mean(axis=(2, 4))).astype(np.uint8)
    mark = f"{pictures.fingerprint}, {side}"
    return dataclasses.replace(pictures, pixels=means, fingerprint=mark)


def figures(gan: GAN, reals: data.Pictures, count: int) -> str:
    """Returns KID and Frechet distance of the stage's fakes from reals of the same size."""
    evaluator = metrics.Evaluator(reals, count=count, detect=False, quiet=True)
    step = gan.recipe.size // reals.pixels.shape[1]  # fakes are enlarged by repeating each pixel

    def draw(latents: np.ndarray) -> np.ndarray:
        return saved.draw(gan.shown_generator, latents)[:, ::step, ::step]

    ours, floor = evaluator.measure(draw, gan.recipe.latent_dim), evaluator.floor()
    kid, face = "efficientnet-lite0", "face"
    return (
        f"{ours[kid]['kid_x1000']:10.1f} ({floor[kid]['kid_x1000']:.1f})"
        f"{ours[face]['frechet']:22.3f} ({floor[face]['frechet']:.3f})"
    )


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default=data.BUILT_IN)
    parser.add_argument("--cache", type=cli.path, default=data.CACHE)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--iters", type=int, default=2000)
    parser.add_argument("--count", type=int, default=500)
    return parser.parse_args()


if __name__ == "__main__":
    main()
