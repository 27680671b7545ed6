"""The run folder: what a training writes, and how it is read back.

A run holds::

    outputs/000-article-lite/
        recipe.json     every hyperparameter, resolved
        run.json        data, device and versions; `start` where it began with other weights, and
                        `resumptions` where it went on with another device or other versions
        log.jsonl       one line an iteration
        reals.png       a preview of the training pictures
        rejected.csv    picture files that could not be used, with the reason
        control_latents.npy, control/000050.png   the control grid through the training
        conditions.json, control_conditions.json   where conditions steer: their names, with
                        examples and with those of the control grid's rows
        losses.png      both loss curves
        quality.png     KID and face Frechet distance, where there are evaluations on the way
        generator.keras the generator, for `keras.models.load_model`
        discriminator.keras   the discriminator that it was trained against
        generator-best.keras   the one of the best evaluation
        checkpoints/    networks, optimizers and iteration, the last few
        events/         TensorBoard's
        evaluation.json, memorisation.png   what `kerasgan.evaluate` measured, once it has
"""

import dataclasses
import hashlib
import json
import os
import platform
import re
import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout

from kerasgan import conditions, data, images, log, verdicts
from kerasgan.conditions import Conditions
from kerasgan.data import Pictures
from kerasgan.data.conditions import find_conditions
from kerasgan.errors import UserError
from kerasgan.files import (
    LEFTOVERS,
    Damaged,
    atomic_path,
    check_place,
    is_empty,
    new_folder,
    read_json,
)
from kerasgan.log import Line
from kerasgan.recipes import Recipe
from kerasgan.saved import GENERATOR
from kerasgan.text import printable, quoted, shortened

OUTPUTS = Path("outputs")  # where runs are kept
MACHINE = "machine"  # in a run's facts: the mark of the machine that it was begun on
MACHINE_IDS = ("/etc/machine-id", "/var/lib/dbus/machine-id", "/etc/hostid")
RECORDED = ("source", "limit", "crop", "seed")  # of a `data.Request`
PREVIEW = 25  # reals in the preview, 5x5
MAX_RECIPE, MAX_FACTS, MAX_CONDITIONS = 2**16, 2**20, 2**24  # bytes
PUT_BACK = "Put a copy of the file back, or start a new run."
# Kinds of values in run.json: of the data, of what else may be among it, and of the rest.
DATA = {
    "source": str | list,
    "limit": int | None,
    "crop": str,
    "fingerprint": str,
    "count": int,
}
OF_DATA = {"conditions": str, "seed": int}
ENVIRONMENT = {"device": str, "versions": dict, "resumptions": list, "start": dict}


class Run:
    """One run folder.

    Args:
        folder: an existing run folder, or the place for a new one.

    Attributes:
        repeated: what was typed of the pictures and has to be typed again to go on, as fields of a
            `data.Request`; what the run keeps itself is not among it.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.repeated: Mapping[str, Any] = {}
        self.control = self.folder / "control"
        self.checkpoints = self.folder / "checkpoints"
        self.events = self.folder / "events"
        self.log = self.folder / "log.jsonl"
        self.generator = self.folder / GENERATOR
        self.discriminator = self.folder / verdicts.FILE
        self.best_generator = self.folder / "generator-best.keras"
        self.losses = self.folder / "losses.png"
        self.quality = self.folder / "quality.png"
        self.reals = self.folder / "reals.png"
        self.rejected = self.folder / "rejected.csv"
        self.control_latents = self.folder / "control_latents.npy"
        self.control_conditions = self.folder / "control_conditions.json"
        self.conditions = self.folder / "conditions.json"

    def require_new(self, cache: Path | None = None) -> None:
        """Raises UserError if something is there already: a run is never overwritten.

        Args:
            cache: of prepared pictures, which may be in the folder.
        """
        folder = self.folder
        if folder.exists() and not (folder.is_dir() and is_empty(folder, besides=cache)):
            goes_on = f", or --resume {quoted(folder)} to go on with it"
            raise UserError(
                f"`--out` should name a new folder. Received: {folder}, which is there already. "
                f"Type another name{goes_on if (folder / 'recipe.json').exists() else ''}."
            )
        check_place(self.folder, "`--out`", "Type another place", folder=True)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keeps every other process from training this run meanwhile.

        Raises:
            UserError: another process is training it.
        """
        lock = FileLock(self.folder / "run.lock", timeout=0)
        try:
            lock.acquire()
        except Timeout:
            raise UserError(
                f"A run should be trained by one process at a time. Received: {self.folder}, "
                "which another process is training. Stop that one first, by Ctrl-C."
            ) from None
        try:
            yield
        finally:
            lock.release()

    def resume_command(self) -> str:
        """Returns what to type to go on with this run."""
        words = ["python -m kerasgan.train --resume", quoted(self.folder)]
        for name, value in self.repeated.items():
            if name == "source":
                words += ["--data", quoted(os.path.expanduser(data.settled(value)))]
            else:
                words += [f"--{name}", quoted(str(value))]
        return " ".join(words)

    def remove_leftovers(self) -> None:
        """Removes half-written files that a killed process left."""
        for folder in (self.folder, self.control):
            for path in folder.glob(LEFTOVERS):
                path.unlink(missing_ok=True)
        for path in self.checkpoints.glob("*_temp"):
            shutil.rmtree(path, ignore_errors=True)

    def write_recipe(self, recipe: Recipe) -> None:
        _write_json(self.folder / "recipe.json", dataclasses.asdict(recipe))

    def read_recipe(self) -> Recipe:
        """Reads the run's recipe.

        Raises:
            UserError: the folder is no run, or its recipe is of another version of kerasgan.
        """
        path = self.folder / "recipe.json"
        values = _read_json(path, MAX_RECIPE)
        names = {field.name for field in dataclasses.fields(Recipe)}
        if unknown := sorted(values.keys() - names):
            raise UserError(
                f"{path} should hold this version's recipe fields. Received: "
                f"{shortened(', '.join(unknown))} too. Use the version of kerasgan that made the "
                "run."
            )
        try:
            recipe = Recipe(**values)
        except UserError as error:
            raise UserError(f"{path} should hold a recipe. {error} {PUT_BACK}") from error
        if "preset" not in values:
            raise UserError(f"{path} should hold a recipe. Received: no preset. {PUT_BACK}")
        return recipe

    def write_facts(self, facts: dict[str, Any]) -> None:
        _write_json(self.folder / "run.json", facts)

    def read_facts(self) -> dict[str, Any]:
        """Reads what a run was made of: `data`, `device` and `versions`.

        Raises:
            UserError: the folder is no run, or the file has been damaged.
        """
        path = self.folder / "run.json"
        facts = _read_facts(path)
        used = facts.get("data")
        used = used if isinstance(used, dict) else {}
        if missing := sorted(DATA.keys() - used.keys()):
            raise UserError(
                f"{path} should say what data was used. Received: no {missing[0]}. {PUT_BACK}"
            )
        _require_kinds(path, used, DATA | OF_DATA)
        return facts

    def note_resumption(self, iteration: int, environment: dict[str, Any]) -> str | None:
        """Keeps in run.json where the run goes on, unless all is as it was before.

        Args:
            iteration: after which it goes on.
            environment: `device` and `versions`, as `backend.environment` gives them.

        Returns:
            What has changed, as a line for the user; None if nothing has, or if the folder has no
            run.json, as that of a training begun in Python may.
        """
        path = self.folder / "run.json"
        if not path.exists():
            return None
        facts = _read_facts(path)
        resumptions = facts.setdefault("resumptions", [])
        before = resumptions[-1] if resumptions else facts
        changes = _changes(before, environment)
        if not changes:
            return None
        resumptions.append({"iteration": iteration, **environment})
        self.write_facts(facts)
        return (
            f"This run goes on with {'; '.join(changes)}. Its numbers may differ a little from "
            "those that it would have had."
        )

    def read_request(self, typed: Mapping[str, Any] | None = None) -> data.Request:
        """Returns which pictures are wanted: those of the run, but for what was typed.

        A run may come from elsewhere, so its file chooses no path here. The source is the recorded
        one only where that is a word for known pictures, or where the run was begun on this
        machine by this user. The cache is never the recorded one.

        Args:
            typed: fields of a `data.Request`, by their names.

        Raises:
            UserError: the source has to be typed, or the folder is no run.
        """
        typed, facts = typed or {}, self.read_facts()
        recorded = {name: facts["data"].get(name) for name in RECORDED if name in facts["data"]}
        request = dataclasses.replace(data.Request.from_json(recorded), **typed)
        if "source" in typed:
            return request
        known = [data.SET + one if one in data.WORDS else one for one in request.sources]
        request = dataclasses.replace(request, source=data.one_or_several(known))
        words = all(one.startswith(data.SET) for one in known)  # recorded paths are absolute
        if words or is_this_machine(facts.get(MACHINE)):
            return request
        raise UserError(
            "A run from another machine should be told where its pictures are. Received: "
            f"{self.folder}, which was begun elsewhere with {printable(request.title)}. "
            "Type --data SOURCE."
        )

    def crop(self) -> str | None:
        """Returns how the run's pictures were cut; None where nothing is known of them."""
        path = self.folder / "run.json"
        return self.read_facts()["data"]["crop"] if path.exists() else None

    def read_log(self) -> list[Line]:
        """Returns the log's lines in order, to the first that is missing or damaged."""
        return log.read(self.log).lines

    def cut_log(self, iteration: int) -> list[Line]:
        """Drops the log's lines after an iteration and returns those that stay.

        Lines that stand there twice, and what is no line and stands between two neighbours, go
        too, which is said.

        Raises:
            UserError: a line until then is missing or damaged.
        """
        found = log.read(self.log)
        if (done := len(found.lines)) < iteration:
            raise self._lines_missing(found, done + 1, iteration)
        for place, what in found.passed_over:
            if place < iteration:
                print(f"{self.log}: {what}; nothing is lost with it.")
        kept = found.lines[:iteration]
        with atomic_path(self.log) as temporary:
            temporary.write_text("".join(line.to_json() + "\n" for line in kept))
        return kept

    def _lines_missing(self, found: log.Reading, first: int, last: int) -> UserError:
        """Names the first iterations, of those until `last`, that the log has no line for."""
        if found.resumes_at is not None:
            last = min(max(found.resumes_at - 1, first), last)
        those = f"iteration {first:,}" if first == last else f"iterations {first:,} to {last:,}"
        fault = f"{found.fault}; there" if found.fault else "where"
        return UserError(
            "A run's log should have a line for each iteration up to its checkpoint. Received: "
            f"{self.log}, {fault} is none for {those}. Put a copy of the file back, or a line "
            f'{{"iteration": {first}}} for each that is missing, whose figures are lost then.'
        )

    def control_grid(self, iteration: int) -> Path:
        """Returns the path of an iteration's control grid."""
        return self.control / f"{iteration:06d}.png"


def begin_run(
    recipe: Recipe,
    pictures: Pictures,
    *,
    out: Path | None = None,
    outputs: Path = OUTPUTS,
    start: dict[str, Any] | None = None,
    fill: Callable[[Run], None] | None = None,
) -> Run:
    """Makes a run folder with all that is known before the first iteration, whole or not at all.

    Args:
        recipe: resolved, as `GAN.recipe` is.
        pictures: what will be trained on.
        out: the run's folder; the next NNN-PRESET in `outputs` unless given.
        outputs: the folder of runs.
        start: what the run records of the weights that it begins with; None for fresh ones.
        fill: writes what else belongs into the new folder, while nobody sees it.

    Raises:
        UserError: `out` is in use.
    """
    if out:
        Run(out).require_new(pictures.folder)
    while True:
        run = Run(out or next_run_folder(outputs, recipe.preset))
        try:
            with new_folder(run.folder) as temporary:
                _write_beginning(Run(temporary), recipe, pictures, start)
                if fill:
                    fill(Run(temporary))
            return run
        except OSError:
            if not run.folder.exists():
                raise
            if out:
                run.require_new(pictures.folder)
                raise
            # Another process took this number meanwhile: take the next.


def _write_beginning(
    run: Run, recipe: Recipe, pictures: Pictures, start: dict[str, Any] | None
) -> None:
    from kerasgan import backend

    used = {"fingerprint": pictures.fingerprint, "count": len(pictures.pixels)}
    if known := find_conditions(pictures, recipe.conditions):
        used["conditions"] = known.fingerprint
        write_conditions(run.conditions, known.examples(recipe.seed))
    run.write_recipe(recipe)
    facts = {"data": _recorded(pictures) | used, MACHINE: mark_of_machine()}
    if start:
        facts["start"] = start
    run.write_facts(facts | backend.environment())
    shutil.copyfile(pictures.folder / "rejected.csv", run.rejected)
    order = np.random.default_rng(recipe.seed).permutation(len(pictures.pixels))
    preview = pictures.take(np.sort(order[:PREVIEW]))
    images.write_png(run.reals, images.make_grid(preview, columns=5))


def _recorded(pictures: Pictures) -> dict[str, Any]:
    """Returns what was asked for, but for the cache, which is not the run's."""
    asked = pictures.request.to_json()
    return {name: asked[name] for name in RECORDED}


def mark_of_machine() -> dict[str, str]:
    """Returns a mark by which a run is known again here, and which says nothing elsewhere."""
    salt = secrets.token_hex(16)
    return {"salt": salt, "sha256": _salted(salt)}


def is_this_machine(mark: Any) -> bool:
    """Whether a mark was made on this machine, by this user."""
    if not isinstance(mark, dict) or not isinstance(mark.get("salt"), str):
        return False
    return mark.get("sha256") == _salted(mark["salt"])


def _salted(salt: str) -> str:
    known = [platform.node(), os.path.expanduser("~"), salt]
    for path in MACHINE_IDS:
        with suppress(OSError):
            known.append(Path(path).read_text(errors="replace"))
    return hashlib.sha256("\n".join(known).encode()).hexdigest()


def next_run_folder(outputs: Path, preset: str) -> Path:
    """Returns `outputs`/NNN-`preset` with the first number after all those in use."""
    names = [path.name for path in outputs.iterdir()] if outputs.is_dir() else []
    numbers = [int(match[1]) for name in names if (match := re.match(r"(\d+)-", name))]
    return outputs / f"{max(numbers, default=-1) + 1:03d}-{preset}"


def write_latents(path: Path, latents: np.ndarray) -> None:
    """Writes latents (N, D) as `.npy`."""
    with atomic_path(path) as temporary:
        np.save(temporary, latents, allow_pickle=False)


def write_conditions(path: Path, known: Conditions) -> None:
    """Writes conditions as JSON."""
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(known.to_json()) + "\n")


def read_conditions(path: Path) -> Conditions | None:
    """Reads what `write_conditions` wrote; None where there is no file.

    Raises:
        UserError: the file has been damaged.
    """
    return conditions.parse(_read_json(path, MAX_CONDITIONS), path) if path.exists() else None


def _write_json(path: Path, values: dict[str, Any]) -> None:
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(values, indent=2) + "\n")


def _read_json(path: Path, most: int) -> dict[str, Any]:
    """Reads a file of a run, of `most` bytes at most."""
    try:
        return read_json(path, most)
    except (FileNotFoundError, NotADirectoryError):
        raise UserError(
            f"A run's folder should hold {path.name}. Received: {path.parent}, which has none. "
            "Type the folder of a run, such as outputs/000-article-lite."
        ) from None
    except Damaged as error:
        raise UserError(
            f"{path} should be readable JSON, an object. Received: {error}. {PUT_BACK}"
        ) from error


def _read_facts(path: Path) -> dict[str, Any]:
    facts = _read_json(path, MAX_FACTS)
    _require_kinds(path, facts, ENVIRONMENT)
    for resumption in facts.get("resumptions", ()):
        _require_kinds(path, {"resumption": resumption}, {"resumption": dict})
        _require_kinds(path, resumption, ENVIRONMENT)
    return facts


def _require_kinds(path: Path, values: dict[str, Any], kinds: dict[str, Any]) -> None:
    """Raises UserError for the first value that is of another kind than was written."""
    for name, kind in kinds.items():
        if name in values and (
            not isinstance(values[name], kind) or isinstance(values[name], bool)
        ):
            raise UserError(
                f"{path} should hold what was written there. Received: an odd {name}, "
                f"{shortened(repr(values[name]))}. {PUT_BACK}"
            )


def _changes(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """Names what differs between two environments, with what it was."""
    flat = [{"device": env.get("device"), **env.get("versions", {})} for env in (before, now)]
    return [
        f"{name} {value} instead of {printable(str(flat[0].get(name)))}"
        for name, value in flat[1].items()
        if value != flat[0].get(name)
    ]
