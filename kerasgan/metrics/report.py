"""What a measurement found, as text for the terminal."""

from collections.abc import Iterator
from typing import Any

from kerasgan.metrics.networks import FEATURES

_COLUMNS = "{:<20}{:<13}{:>8}  {:<26}{:>9}{:>11}{:>8}{:>11}"


def table(report: dict[str, Any]) -> str:
    """Lays a report out for reading, with the protocol that its figures hold under.

    Args:
        report: what `evaluate` writes as JSON.
    """
    return "\n".join([*_distances(report), "", *_faces(report), *_nearest(report), "",
                      *_protocol(report)])  # fmt: skip


def _distances(report: dict[str, Any]) -> Iterator[str]:
    yield _COLUMNS.format(
        "features",
        "pictures",
        "n",
        "KID x 1000 (95%)",
        "Frechet",
        "precision",
        "recall",
        "diversity",
    ).rstrip()
    for name in report["generated"]:
        if name not in FEATURES:
            continue
        for row, label in (("generated", "generated"), ("floor", "real halves")):
            figures = report[row][name]
            interval = "{kid_x1000_low:.1f} to {kid_x1000_high:.1f}".format(**figures)
            yield _COLUMNS.format(
                name,
                label,
                f"{report[row]['count']:,}",
                f"{figures['kid_x1000']:.1f} ({interval})",
                f"{figures['frechet']:.3f}",
                f"{figures['precision']:.3f}",
                f"{figures['recall']:.3f}",
                f"{figures['diversity']:.2f}",
            )


def _faces(report: dict[str, Any]) -> Iterator[str]:
    if "faces_found" in report["generated"]:
        found = [
            f"{report[row]['faces_found']:.1%} of the {label}"
            for row, label in (("generated", "generated pictures"), ("real", "real ones"))
        ]
        noise = f"{report['noise']['faces_found']:.1%} of noise"
        yield f"Faces are found in {found[0]}, {found[1]}, {noise}."


def _nearest(report: dict[str, Any]) -> Iterator[str]:
    found = report["memorisation"]
    yield (
        "Nearest of {searched:,} training pictures ({features}): {median:.2f} away in the median, "
        "{closest:.2f} at the least; real pictures are {real_median:.2f} apart in the median."
    ).format(**found)


def _protocol(report: dict[str, Any]) -> Iterator[str]:
    protocol = report["protocol"]
    yield "Protocol; figures compare only where its name in brackets is the same:"
    yield (
        "  {count:,} pictures of {size} (seed {seed}) against {reals:,} real ones, data {data:.12}"
    ).format(**protocol)
    for name, part in protocol["parts"].items():
        details = "; ".join(f"{key} {value}" for key, value in part.items() if key != "id")
        yield f"  {name} [{part['id']}]: {details}"
    if any(name in FEATURES for name in protocol["parts"]):
        yield "  None of these compares with published Inception FIDs or KIDs: other weights."
