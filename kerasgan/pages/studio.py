"""What the pages do with generators, apart from how it is shown: nothing here knows of a browser.

A studio has the generators and runs that may be chosen, and loads those that are. What belongs to
one visitor is handed in and out; nothing of it is kept.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from kerasgan import (
    conditions,
    data,
    directions,
    drawing,
    encoder,
    images,
    restoration,
    saved,
    searching,
    verdicts,
)
from kerasgan import latents as latent_space
from kerasgan.codes import normalises, parts
from kerasgan.data import faces
from kerasgan.data.decode import has_frames
from kerasgan.data.source import Item, Rejected
from kerasgan.directions import Direction, Edited
from kerasgan.discovery import square_side
from kerasgan.errors import UserError
from kerasgan.inversion import Found, Search
from kerasgan.pages.places import Place
from kerasgan.pages.turns import Steps, Turns
from kerasgan.restoration import FOUND, Given, Options
from kerasgan.runs import Run
from kerasgan.saved import Draws, SavedGenerator
from kerasgan.text import printable
from kerasgan.truncation import Truncated
from kerasgan.verdicts import FAKES, PICTURES, Verdicts

HELD = 3  # generators in memory at once, with what belongs to them
SEARCHES = 4  # kept of a generator: making one takes seconds
COMPONENTS = 6  # of a generator, that are offered
VARIETIES = 8  # kept of a generator: making one takes a second
JUDGED = 256  # fakes that a picture's verdict is compared with

Edits = Sequence[tuple[str, float]]  # names of attributes, and strengths in standard deviations


@dataclass(eq=False)
class Loaded:
    """A generator in memory with all that belongs to it.

    Attributes:
        generator: that draws.
        knobs: what can be moved, by name: directions, and the names of conditions.
        discriminator: its own; None where there is none.
        fakes: D's logits of the generator's own pictures, float32 (N,), once they are asked for.
        searches: those made, by what they are for, the latest last.
        truncated: what draws with another variety, by that, the latest last.
    """

    generator: SavedGenerator
    knobs: dict[str, Direction | str]
    discriminator: verdicts.SavedDiscriminator | None
    fakes: np.ndarray | None = None
    searches: OrderedDict[Any, Search] = field(default_factory=OrderedDict)
    truncated: dict[float, Truncated] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Asked:
    """What a visitor asks of a picture.

    Attributes:
        task: a name of `restoration.TASKS`.
        factor: for superres.
        sigma: for denoise, in grey levels; None to estimate it.
        mask: for inpaint, bool (S, S), True where the picture is known.
        steps: of the search.
    """

    task: str
    factor: int = 4
    sigma: float | None = None
    mask: np.ndarray | None = None
    steps: int = 200


@dataclass(frozen=True, eq=False)
class Restored:
    """What a search found for a visitor's picture.

    Attributes:
        given: the picture.
        options: how it was read.
        search: that found it.
        found: by it, for this picture alone.
        known: what was known of the picture, uint8 (S, S, C).
        result: uint8, (S, S, C).
        whole: the result in the visitor's picture, at that one's own size, uint8 (H, W, C).
        notes: what there is to say of it, a line each.
    """

    given: Given
    options: Options
    search: Search
    found: Found
    known: np.ndarray
    result: np.ndarray
    whole: np.ndarray
    notes: list[str]


class Studio:
    """The generators and runs of a demo.

    Args:
        find: gives what can be chosen; asked again whenever a visitor comes.
        cache: the folder of caches.
        range: see `saved.load`.

    Attributes:
        turns: of all that computes.
    """

    def __init__(
        self,
        find: Callable[[], list[Place]],
        cache: Path = data.CACHE,
        range: str | None = None,
    ) -> None:
        self.turns = Turns()
        self._find, self._cache, self._range = find, cache, range
        self._loading, self._reading = threading.Lock(), threading.Lock()
        self._held: OrderedDict[tuple[str, int], Loaded] = OrderedDict()

    def generators(self) -> list[str]:
        """Returns the names of what draws."""
        return [place.name for place in self._find() if place.draws]

    def runs(self) -> list[str]:
        """Returns the names of trainings."""
        return [place.name for place in self._find() if place.is_run]

    def run(self, name: Any) -> Run:
        """Returns a training's folder.

        Raises:
            UserError: there is none of that name.
        """
        return Run(self._place(name, self.runs()).path)

    def _place(self, name: Any, names: Sequence[str]) -> Place:
        """Returns what was chosen, which is never a path that a visitor names."""
        if name not in names:
            raise conditions.unknown(
                "A choice should be one of those there are", str(name)[:100], names or ["nothing"]
            )
        return next(place for place in self._find() if place.name == name)

    def load(self, name: Any) -> Loaded:
        """Returns what was chosen, from memory or from its file, which a training may renew.

        Raises:
            UserError: there is none of that name, or the file is damaged.
        """
        file = saved.find(self._place(name, self.generators()).path)
        key = (str(file), file.stat().st_mtime_ns)
        with self._loading:
            if key not in self._held:
                with self.turns.short():
                    self._held[key] = self._read(file)
            self._held.move_to_end(key)
            while len(self._held) > HELD:
                self._held.popitem(last=False)
            return self._held[key]

    def _read(self, file: Path) -> Loaded:
        generator = saved.load(file, self._range)
        try:
            discriminator = verdicts.load(file)
            verdicts.require_the_same_pictures(discriminator, generator)
        except UserError:
            discriminator = None
        return Loaded(generator, find_knobs(generator, self._cache), discriminator)

    def draw_faces(
        self, loaded: Loaded, count: int, seed: int, variety: float = 1.0, edits: Edits = ()
    ) -> np.ndarray:
        """Draws new faces, uint8 (count, H, W, C); see `drawing.draw_many` and `_varied`."""
        draws, scale = _varied(loaded, variety)
        latents = latent_space.draw(count, loaded.generator.latent_dim, seed, scale)
        edited = Drawing(draws, _resolved(loaded, edits), self.turns)
        return edited.draw(latents, _drawn_conditions(loaded, count, seed))

    def walk(
        self,
        loaded: Loaded,
        keys: int,
        frames: int,
        seed: int,
        variety: float = 1.0,
        edits: Edits = (),
    ) -> Iterator[np.ndarray]:
        """Draws a walk past the first faces of a seed, frame by frame; see `drawing.draw_walk`."""
        draws, scale = _varied(loaded, variety)
        return drawing.draw_walk(
            Drawing(draws, _resolved(loaded, edits), self.turns),
            keys=keys,
            frames_per_leg=frames,
            seed=seed,
            scale=scale,
            conditions=_drawn_conditions(loaded, 1, seed),
        )

    def read(
        self, loaded: Loaded, raw: bytes, name: str, crop: str | None, asked: Asked
    ) -> tuple[list[Given], Options]:
        """Reads a visitor's picture as those of a training set are read.

        Args:
            loaded: whose pictures it is to be like.
            raw: the file's bytes.
            name: of the file, for messages.
            crop: one of `data.CROPS`; None for that of the generator's training pictures.
            asked: what it is read for.

        Returns:
            The pictures that are cut out of it, at least one, and how they were read.

        Raises:
            UserError: it is not usable, the mask leaves nothing, or the generator draws no squares.
        """
        generator = loaded.generator
        size = square_side(generator)
        if asked.task == "superres" and (size % asked.factor or size // asked.factor < 4):
            raise UserError(
                f"A factor should leave at least 4 of {size} pixels, without a remainder. "
                f"Received: {asked.factor}. Choose another."
            )
        options = Options(
            size=size,
            channels=generator.channels,
            crop=searching.crop_of(generator, crop),
            mask=asked.mask,
            factor=asked.factor,
            sigma=asked.sigma,
        )

        def refuse(name: str, why: Rejected) -> None:
            raise UserError(
                "A picture should be one that can be read and used. Received: "
                f"{printable(f'{name} ({why})')}. Choose another."
            )

        items = iter([Item(name, lambda: raw)])
        with self._reading:  # filters of warnings, which reading sets, belong to the process
            task = restoration.TASKS[asked.task]
            return list(restoration.read_all(items, task, options, set(), refuse)), options

    def remarks(self, loaded: Loaded, raw: bytes, picture: np.ndarray) -> list[str]:
        """Says what there is to say of a visitor's picture: of frames, a face, and D's verdict.

        Args:
            loaded: whose discriminator is asked.
            raw: the file's bytes.
            picture: what was read of it, uint8 (S, S, C).
        """
        notes = ["It moves: the first of its frames is taken."] if has_frames(raw) else []
        if faces.available():
            with self.turns.short():
                sure = restoration.face_confidence(picture)
            if sure < FOUND:
                notes.append(f"No face was found in it (confidence {sure:.2f} of {FOUND:g}).")
        if (verdict := self.verdict(loaded, picture)) is not None:
            notes.append(verdict)
        return notes

    def verdict(self, loaded: Loaded, picture: np.ndarray) -> str | None:
        """Says what the generator's discriminator makes of a picture; None where there is none."""
        judge = loaded.discriminator
        if judge is None:
            return None
        if loaded.fakes is None:
            fakes = self.draw_faces(loaded, JUDGED, seed=0)
            with self.turns.short():
                loaded.fakes = judge.judge(fakes)
        with self.turns.short():
            logits = {FAKES: loaded.fakes, PICTURES: judge.judge(picture[np.newaxis])}
        told = Verdicts(logits, ["it"]).figures()["each"][0]
        return (
            f"The discriminator's verdict: {told['logit']:.2f}, above {told['above_fakes']:.0%} of "
            "the generator's own pictures."
        )

    def restore(
        self, loaded: Loaded, given: Given, options: Options, asked: Asked, steps: Steps
    ) -> Restored:
        """Searches for a visitor's picture; a long work.

        Args:
            loaded: the generator that restores.
            given: the picture, as `read` gives it.
            options: likewise.
            asked: what for.
            steps: are told of each step.
        """
        generator = loaded.generator
        with self.turns.long() as pause:
            search = self._search(loaded, options, asked, steps, pause)
            steps.begin("Searching", search.steps, pause)
            found = search(given.reading.known[np.newaxis], steps)
            degradation = search.degradation
            result = restoration.finish(
                given.reading, found.pictures[0], degradation, restoration.blending.available()
            )
            facts = restoration.figures(given, result, found, 0, degradation)
            shown = degradation.show(given.reading.known[np.newaxis])
        known = images.to_uint8(np.asarray(shown))[0]
        with self._reading:
            whole = restoration.paste(given, result, options)
        notes = [
            f"What is known of it is met with {facts['fit_db']:.1f} dB, by the latent alone with "
            f"{facts['latent_db']:.1f} dB.",
            *(f"{doubt[0].upper()}{doubt[1:]}." for doubt in restoration.doubts(facts)),
        ]
        if (verdict := self.verdict(loaded, result)) is not None:
            notes.append(verdict)
        if generator.conditions:
            notes.append(f"Found with {_in_words(generator, found)}.")
        return Restored(given, options, search, found, known, result, whole, notes)

    def _search(
        self,
        loaded: Loaded,
        options: Options,
        asked: Asked,
        steps: Steps,
        pause: Callable[[], None],
    ) -> Search:
        """Returns the search for a task, made before or now."""
        key = (asked.task, options.factor if asked.task == "superres" else 0, asked.steps)
        searches = loaded.searches
        if key not in searches:
            steps.begin("Getting ready", 1, pause)
            if encoder.kept(loaded.generator, self._cache) is None:
                steps.begin("Getting to know this generator, once", encoder.STEPS, pause)
            task = restoration.TASKS[asked.task]
            searches[key] = searching.make(
                loaded.generator,
                task,
                options,
                steps=asked.steps,
                cache=self._cache,
                on_step=steps,
            )
        searches.move_to_end(key)
        while len(searches) > SEARCHES:
            searches.popitem(last=False)
        return searches[key]

    def edit(
        self, loaded: Loaded, restored: Restored, edits: Edits
    ) -> tuple[np.ndarray, np.ndarray]:
        """Edits what was found for a visitor's picture.

        Returns:
            The face, uint8 (S, S, C), and the visitor's picture with it, uint8 (H, W, C).
        """
        search, found = restored.search, restored.found
        with self.turns.short():
            reads = [np.asarray(part) for part in parts(search.generator, found.codes)]
            moved = Edited(search.generator, _resolved(loaded, edits)).moved(*reads)
            edited = searching.draw_moved(search, found, 0, *moved)[0]
        before = images.to_uint8(found.pictures[0])
        with self._reading:
            whole = searching.put_back(restored.given, edited, before, restored.options)
        return edited, whole


class Drawing:
    """Draws a generator's pictures, edited, one visitor at a time.

    Args:
        draws: the generator.
        edits: of all pictures.
        turns: are waited for.
    """

    def __init__(
        self, draws: Draws, edits: Sequence[tuple[Direction | str, float]], turns: Turns
    ) -> None:
        self._edited = Edited(draws, edits)
        self._turns, self.latent_dim = turns, draws.latent_dim
        self.conditions = draws.conditions

    def draw(self, latents: np.ndarray, conditions: np.ndarray | None = None) -> np.ndarray:
        """Draws uint8 pictures (N, H, W, C) from latents (N, D) and conditions (N, C)."""
        with self._turns.short():
            return self._edited.draw(latents, conditions)


def find_knobs(generator: SavedGenerator, cache: Path) -> dict[str, Direction | str]:
    """Finds what can be moved at once: conditions, directions that are kept, and components.

    Args:
        generator: whose they are.
        cache: the folder of caches.
    """
    knobs: dict[str, Direction | str] = {}
    if generator.conditions:
        knobs |= {name: name for name in generator.conditions.names}
    try:
        knobs |= {name: one for name, one in directions.read(generator, cache).items()
                  if name not in knobs}  # fmt: skip
    except UserError:
        pass  # they are of other weights: those of a run that is still in training
    if directions.component_count(generator):
        found = directions.components(generator, min(COMPONENTS, generator.latent_dim))
        knobs |= {one.name: one for one in found}
    return knobs


def _varied(loaded: Loaded, variety: float) -> tuple[Draws, float]:
    """Returns what draws with a variety, and the factor on latents that does the rest.

    Latents are made shorter or longer where that changes anything; elsewhere features are brought
    nearer to their average, or farther from it.

    Args:
        loaded: that draws.
        variety: 1 as it was trained, below 1 for tamer faces.
    """
    if variety == 1 or not normalises(loaded.generator):
        return loaded.generator, variety
    truncated = loaded.truncated.get(variety)
    if truncated is None:  # for two visitors at once, each makes one, and the last is kept
        truncated = Truncated(loaded.generator, variety)
        loaded.truncated = dict([*loaded.truncated.items(), (variety, truncated)][-VARIETIES:])
    return truncated, 1.0


def _resolved(loaded: Loaded, edits: Edits) -> list[tuple[Direction | str, float]]:
    """Returns the directions that names stand for; those that are not moved are left out."""
    unknown = [name for name, _ in edits if name not in loaded.knobs]
    if unknown:
        raise conditions.unknown(
            "A slider should be of an attribute of this generator", unknown[0], [*loaded.knobs]
        )
    return [(loaded.knobs[name], strength) for name, strength in edits if strength]


def _drawn_conditions(loaded: Loaded, count: int, seed: int) -> np.ndarray | None:
    known = loaded.generator.conditions
    return known.draw(count, seed).vectors() if known else None


def _in_words(generator: SavedGenerator, found: Found) -> str:
    """Says which conditions were found, the strongest first."""
    known = generator.conditions
    values = found.codes[0, generator.latent_dim :]
    names: Iterable[str] = known.names if known else []
    pairs = sorted(zip(names, values, strict=True), key=lambda pair: -abs(pair[1]))
    return ", ".join(f"{printable(name)} {value:+.1f}" for name, value in pairs[:5])
