"""Measures pictures against the real ones of a data set."""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kerasgan import latents
from kerasgan.data import Pictures
from kerasgan.errors import UserError
from kerasgan.metrics import networks
from kerasgan.metrics.cache import remembered
from kerasgan.metrics.frechet import frechet_distance, statistics
from kerasgan.metrics.kid import SUBSETS, kid, subset_size
from kerasgan.metrics.neighbours import K, kth_nearest, nearest, precision_recall

VERSION = 1  # raised whenever the same protocol gives other figures
DEFAULT_FEATURES = ("efficientnet-lite0", "face")
COUNT = 2000  # generated pictures
MAX_REALS = 10_000  # real pictures that stand for a larger set
NOISE = 200  # pictures of uniform noise shown to the detector
MIN_COUNT = 8  # pictures: fewer have no k-th neighbours, nor subsets


@dataclass(frozen=True, eq=False)
class Description:
    """Pictures as the networks see them.

    Attributes:
        features: by the features' name, float32 (N, D), rows in the same order.
        found: whether there is a face in each, for as many as were looked at; None where the
            detector was not asked.
    """

    features: dict[str, np.ndarray]
    found: np.ndarray | None = None

    def __len__(self) -> int:
        return len(next(iter(self.features.values())))

    def __getitem__(self, rows: slice) -> "Description":
        return Description({name: array[rows] for name, array in self.features.items()})


class Evaluator:
    """Compares pictures with those of a data set, whose features are computed once.

    It leaves a training in the same process as it was: no state that a training reads is
    drawn from or set. The real pictures of a large set are chosen and halved by a permutation
    that is always the same, whatever `seed`.

    Args:
        pictures: the data set, prepared at the size of the pictures to measure.
        count: generated pictures to measure.
        seed: of the latents and of KID's subsets.
        features: names of `networks.FEATURES`.
        detect: whether to look for faces.
        weights: a file for the features `inception`.
        quiet: whether to show no progress bars.
        looked_at: pictures shown to the detector, which is slow; all unless given.

    Raises:
        UserError: a package or weights cannot be had, or there are too few pictures.
    """

    def __init__(
        self,
        pictures: Pictures,
        *,
        count: int = COUNT,
        seed: int = 0,
        features: Sequence[str] = DEFAULT_FEATURES,
        detect: bool = True,
        weights: Path | None = None,
        quiet: bool = False,
        looked_at: int | None = None,
    ) -> None:
        _require_enough(len(pictures.pixels), 2 * MIN_COUNT, f"in {pictures.source}")
        _require_enough(count, MIN_COUNT, "generated; raise -n")
        self.pictures, self.count, self.seed, self.quiet = pictures, count, seed, quiet
        self.looked_at = count if looked_at is None else min(looked_at, count)
        self.order = np.random.default_rng(0).permutation(len(pictures.pixels))[:MAX_REALS]
        self.networks = [networks.load(name, weights) for name in dict.fromkeys(features)]
        self.detector = _load_detector() if detect else None
        self.reals = self._describe_reals()

    @property
    def faces_in_reals(self) -> float:
        """Fraction of the real pictures looked at that have a face in them, 0 to 1."""
        return 0.0 if self.reals.found is None else float(self.reals.found.mean())

    def measure(
        self, generate: Callable[[np.ndarray], np.ndarray], latent_dim: int
    ) -> dict[str, Any]:
        """Measures a generator.

        Args:
            generate: latents, float32 (N, D), to uint8 pictures (N, H, W, C), as
                `saved.draw` with its generator.
            latent_dim: numbers in a latent.

        Returns:
            What `compare` does.
        """
        drawn = latents.draw(self.count, latent_dim, self.seed)
        return self.compare(self.describe(generate(drawn)))

    def describe(self, pictures: np.ndarray) -> Description:
        """Computes the features of pictures, uint8 (N, H, W, C), and looks for faces in them.

        Raises:
            UserError: they are of another size than the real ones, or too few.
        """
        size, real_size = pictures.shape[1:3], self.pictures.pixels.shape[1:3]
        if size != real_size:
            raise UserError(
                "Pictures should be measured against real ones of their own size. Received: "
                f"{size[1]}x{size[0]} against {real_size[1]}x{real_size[0]}."
            )
        _require_enough(len(pictures), MIN_COUNT, "to measure")
        described = {net.name: net(pictures, quiet=self.quiet) for net in self.networks}
        found = None
        if self.detector:
            shown = pictures if self.looked_at == self.count else pictures[: self.looked_at]
            found = self.detector(shown, quiet=self.quiet)
        return Description(described, found)

    def compare(self, fakes: Description, reals: Description | None = None) -> dict[str, Any]:
        """Measures how far pictures are from real ones.

        Args:
            fakes: as `describe` gives them.
            reals: the data set's unless given.

        Returns:
            `count`, `faces_found` where they were looked for, and for each features' name
            `kid_x1000`, the bounds of its 95% interval `kid_x1000_low` and `kid_x1000_high`,
            `frechet`, `precision`, `recall` and `diversity`: how far a picture is from the most
            similar other one, in the median, divided by the same among the reals.
        """
        reals = reals or self.reals
        figures: dict[str, Any] = {"count": len(fakes)}
        if fakes.found is not None:
            figures["faces_found"] = float(fakes.found.mean())
        for name, features in fakes.features.items():
            figures[name] = _figures(features, reals.features[name], self.seed)
        return figures

    def floor(self) -> dict[str, Any]:
        """Measures one half of the real pictures against the other: what cannot be bettered."""
        half = min(self.count, len(self.reals) // 2)
        return self.compare(self.reals[:half], self.reals[half : 2 * half])

    def faces(self) -> dict[str, Any]:
        """Returns in how many real pictures, and in how many of noise, there seems to be a face.

        Returns:
            `real` and `noise`, each with `count` and `faces_found`; nothing where the detector
            was not asked.
        """
        if self.detector is None or self.reals.found is None:
            return {}
        shape = (NOISE, *self.pictures.pixels.shape[1:])
        noise = np.random.default_rng(self.seed).integers(0, 256, shape, np.uint8)
        in_noise = self.detector(noise, quiet=self.quiet)
        return {
            "real": {"count": len(self.reals.found), "faces_found": float(self.reals.found.mean())},
            "noise": {"count": NOISE, "faces_found": float(in_noise.mean())},
        }

    def nearest_reals(self, fakes: Description) -> tuple[np.ndarray, np.ndarray]:
        """Finds the real picture nearest to each other one, by the first of the features.

        Returns:
            Indices into the data set's pictures, (N,), and distances, (N,).
        """
        name = self.networks[0].name
        rows, distances = nearest(fakes.features[name], self.reals.features[name])
        return self.order[rows], distances

    def memorisation(self, distances: np.ndarray) -> dict[str, Any]:
        """Sets distances to the nearest real picture beside those between real pictures.

        Args:
            distances: of `nearest_reals`, (N,).
        """
        name = self.networks[0].name
        reals = self.reals.features[name]
        between = kth_nearest(reals[: self.count], 1, reals)
        return {
            "features": name,
            "searched": len(reals),
            "median": float(np.median(distances)),
            "closest": float(distances.min()),
            "real_median": float(np.median(between)),
        }

    def protocol(self, count: int) -> dict[str, Any]:
        """Returns all that figures depend on, but for what is measured, as JSON values.

        Args:
            count: of the pictures measured.
        """
        height, width, channels = self.pictures.pixels.shape[1:]
        common = {
            "version": VERSION,
            "data": self.pictures.fingerprint,
            "reals": len(self.reals),
            "count": count,
            "size": f"{width}x{height}x{channels}",
        }
        estimators = {
            "kid": f"unbiased, (x.y / D + 1)^3, mean over {SUBSETS} subsets of "
            f"{subset_size(count, len(self.reals))}",
            "kid_interval": "1.96 standard errors, by the jackknife over the subsets",
            "precision_recall": f"k = {K}, {min(count, len(self.reals))} pictures of each",
        }
        parts = {net.name: net.protocol | estimators for net in self.networks}
        if self.detector is not None:
            some = {} if self.looked_at == self.count else {"looked_at": self.looked_at}
            parts["faces"] = self.detector.protocol | some
        named = {name: {"id": _identify(common | part), **part} for name, part in parts.items()}
        return {**common, "seed": self.seed, "parts": named}

    def _describe_reals(self) -> Description:
        described = {
            net.name: self._remembered(net.name, net.protocol, self.order, net)
            for net in self.networks
        }
        found = None
        if self.detector is not None:
            order = self.order[: self.looked_at]
            found = self._remembered("faces", self.detector.protocol, order, self.detector)
        return Description(described, found)

    def _remembered(
        self, name: str, protocol: dict[str, Any], order: np.ndarray, network: Any
    ) -> np.ndarray:
        """Shows real pictures to a network, or reads what it said when it saw them before."""
        key = {
            "version": VERSION,
            "data": self.pictures.fingerprint,
            "count": len(order),
            **protocol,
        }
        return remembered(
            self.pictures.folder.parent / "metrics",
            f"{name}-{self.pictures.folder.name}",
            key,
            lambda: self._shown(order, network),
        )

    def _shown(self, order: np.ndarray, network: Any) -> np.ndarray:
        self.pictures.require_whole(order)
        return network(self.pictures.pixels, order, self.quiet)


def _figures(fakes: np.ndarray, reals: np.ndarray, seed: int) -> dict[str, float]:
    value, low, high = kid(fakes, reals, subset_size=subset_size(len(fakes), len(reals)), seed=seed)
    same = min(len(fakes), len(reals))
    precision, recall = precision_recall(fakes[:same], reals[:same])
    return {
        "kid_x1000": 1000 * value,
        "kid_x1000_low": 1000 * low,
        "kid_x1000_high": 1000 * high,
        "frechet": frechet_distance(statistics(fakes), statistics(reals)),
        "precision": precision,
        "recall": recall,
        "diversity": float(_median_gap(fakes[:same]) / max(_median_gap(reals[:same]), 1e-12)),
    }


def _median_gap(features: np.ndarray) -> float:
    """Returns how far a picture is from the most similar other one, in the median."""
    return float(np.median(kth_nearest(features, 1, features)))


def _load_detector() -> Any:
    from kerasgan.metrics.detection import Detector

    return Detector()


def _identify(protocol: dict[str, Any]) -> str:
    """Returns a short name that differs where anything of a protocol does."""
    return hashlib.sha256(json.dumps(protocol, sort_keys=True).encode()).hexdigest()[:8]


def _require_enough(count: int, least: int, where: str) -> None:
    if count < least:
        raise UserError(f"Measuring takes at least {least} pictures. Received: {count} {where}.")
