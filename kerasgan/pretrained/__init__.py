"""The generators that come along, by name: a folder each, laid out as a run's is.

generator.keras, discriminator.keras   the networks, in half precision
README.md                              their card: pictures, command, figures, faults
and what restoring and editing keep beside a generator
"""

from pathlib import Path

FOLDER = Path(__file__).parent
CARD = "README.md"


def names() -> list[str]:
    """Returns the names of the generators that come along, in order."""
    return sorted(card.parent.name for card in FOLDER.glob(f"*/{CARD}"))


def listed() -> str:
    """Returns the names with commas between them, for a help text."""
    return ", ".join(names()) or "none here"


def folder(name: str) -> Path:
    """Returns the folder of a generator that comes along.

    Args:
        name: one of `names`.
    """
    return FOLDER / name
