"""The directions of one generator by name: those kept beside it, and others made when asked for."""

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from kerasgan import data, directions, discovery
from kerasgan.conditions import unknown
from kerasgan.data import Pictures
from kerasgan.directions import ATTRIBUTE, FOLDERS, MEASURED, Direction
from kerasgan.discovery import MEASUREMENTS, Scorer
from kerasgan.errors import UserError
from kerasgan.saved import SavedGenerator
from kerasgan.text import plural, printable

OTHERS = "--with DIR --without DIR"
FOUND_BY = {
    ATTRIBUTE: "a classifier of pictures with known attributes",
    FOLDERS: "what tells two folders apart",
    MEASURED: "measuring samples",
}


@dataclass
class Shelf:
    """Finds directions by name, makes those that are missing, and keeps what it made.

    Attributes:
        generator: whose directions they are.
        request: which pictures' attributes are known; None for none.
        cache: the folder of caches, for what cannot be kept beside the generator.
        renew: whether what was kept is made anew as it is asked for.
        kept: all that can be had at once, by name.
        made: the names of what was made since.
    """

    generator: SavedGenerator
    request: data.Request | None = None
    cache: Path = data.CACHE
    renew: bool = False
    kept: dict[str, Direction] = field(init=False)
    made: set[str] = field(init=False, default_factory=set)

    def __post_init__(self) -> None:
        try:
            self.kept = directions.read(self.generator, self.cache)
        except UserError:
            if not self.renew:
                raise
            self.kept = {}  # those of other weights, or of a damaged file

    def find(self, name: str) -> Direction | str:
        """Finds a direction, or makes it, which takes a minute or two.

        Args:
            name: of a condition, a kept direction, a component, a measurement or an attribute.

        Returns:
            The direction; the name itself where it is a condition's.

        Raises:
            UserError: there is none of that name, or nothing to make it from.
        """
        if name in self.kept and (name in self.made or not self.renew):
            return self.kept[name]
        if self._needs_no_making(name):
            return directions.find(self.generator, name)
        if name in MEASUREMENTS:
            self.add(discovery.from_measurements(self.generator, name))
        else:
            scorer = self._scorer(self._request_of(name))
            self.add(discovery.from_attributes(self.generator, scorer))
        if name in self.made:
            return self.kept[name]
        raise UserError(
            "An attribute should be one that enough pictures have, others have not, and samples "
            f"show. Received: {printable(name)}, of which nothing could be learned."
        )

    def from_folders(self, name: str, pictures: Pictures, others: Pictures) -> Direction:
        """Makes a direction from pictures with an attribute and pictures without it.

        Raises:
            UserError: there are too few, or the name belongs to something else.
        """
        directions.check_name(name)
        if self._needs_no_making(name) or name in MEASUREMENTS:
            raise UserError(
                "A direction should have a name of its own. Received: "
                f"{printable(name)}, which stands for something else. Type another --attribute."
            )
        found, view = discovery.from_folders(self.generator, name, pictures, others)
        print(f"{name}: the folders were told apart by {LOOKED_AT[view]}")
        self.add([found])
        return found

    def add(self, found: Iterable[Direction]) -> None:
        """Takes directions in and keeps them beside the generator, if that may be written to."""
        new = {direction.name: direction for direction in found}
        self.made |= new.keys()
        self.kept |= new
        try:
            file = directions.write(self.generator, self.kept, self.cache)
            print(f"{file}: {plural(len(self.kept), 'direction')}")
        except OSError as error:
            print(f"warning: the directions are not kept: {printable(str(error))}")

    def unmade(self) -> list[str]:
        """Returns the attributes for which there is no direction yet, in the set's order.

        Nothing is downloaded for it.
        """
        if self.request is None or not all(map(_is_here, self.request.sources)):
            return []
        try:
            names = discovery.attribute_names(self.request)
        except UserError:
            return []
        return [name for name in names if name not in self.kept]

    def _needs_no_making(self, name: str) -> bool:
        conditions = self.generator.conditions
        named = conditions is not None and name in conditions.names
        return named or directions.component_number(name) is not None

    def _request_of(self, name: str) -> data.Request:
        """Returns which pictures know an attribute.

        Raises:
            UserError: there are none.
        """
        conditions = self.generator.conditions
        others = [*(conditions.names if conditions else []), *self.kept]
        rule = f"`--attribute` should be known of this generator; for another, type {OTHERS}"
        if self.request is None:
            raise unknown(f"{rule}, or --data SOURCE of pictures with attributes", name,
                          list(dict.fromkeys([*others, *MEASUREMENTS, "sefa-1"])))  # fmt: skip
        names = discovery.attribute_names(self.request)
        if name in names:
            return self.request
        if not names:
            raise UserError(
                f"`--attribute {printable(name)}` needs pictures with attributes. Received: "
                f"{printable(self.request.title)}, which has none. Type {OTHERS}, or one of "
                f"{', '.join(dict.fromkeys([*others, *MEASUREMENTS, 'sefa-1']))}."
            )
        raise unknown(rule, name, list(dict.fromkeys([*names, *others, *MEASUREMENTS, "sefa-1"])))

    def _scorer(self, request: data.Request) -> Scorer:
        """Returns the scorer beside the generator, or trains one and keeps it there."""
        generator = self.generator
        size = discovery.square_side(generator)
        pictures = data.load_request(request, size=size, channels=generator.channels)
        print(data.describe(pictures))
        places = [
            generator.beside(discovery.SCORER),
            self.cache / "scorers" / f"{pictures.fingerprint[:16]}.keras",
        ]
        for place in places:
            try:
                if (scorer := discovery.read_scorer(place, pictures.fingerprint)) is not None:
                    return scorer
            except UserError as error:
                print(f"warning: {error} It is made anew.")
        scorer = discovery.train_scorer(pictures)
        for place in places:
            with contextlib.suppress(OSError):
                discovery.write_scorer(place, scorer)
                break
        return scorer


def _is_here(source: str) -> bool:
    """Whether a source can be listed without a download."""
    word = source.removeprefix(data.SET)
    return word == data.BUILT_IN or Path(source).expanduser().exists()


LOOKED_AT = {
    "face": "their upright faces",
    "picture": "whole pictures",
    "pixels": "whole pictures in 16x16 pixels",
}


def describe(direction: Direction) -> str:
    """Returns how a direction was found and how far it can be trusted, in one line."""
    words = [f"{printable(direction.name)}: by {FOUND_BY.get(direction.kind, 'its name')}"]
    if direction.accuracy is not None:
        words.append(f"right in {direction.accuracy:.1%} of those left out (50% by chance)")
    if direction.fit is not None:
        words.append(f"correlation {direction.fit:.2f} over {direction.samples:,} samples")
    return ", ".join(words)
