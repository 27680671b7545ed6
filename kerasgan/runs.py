"""The run folder: what a training writes, and how it is read back.

outputs/000-article-lite/
    recipe.json     every hyperparameter, resolved
    run.json        data, device and versions; `resumptions` where the run went on with others
    log.jsonl       one line an iteration
    reals.png       a preview of the training pictures
    rejected.csv    picture files that could not be used, with the reason
    control_latents.npy, control/000050.png   the control grid through the training
    conditions.json, control_conditions.json   where conditions steer: their names, with examples
                    and with those of the control grid's rows
    losses.png      both loss curves
    quality.png     KID and face Frechet distance, where there are evaluations on the way
    generator.keras the generator, for `keras.models.load_model`
    generator-best.keras   the one of the best evaluation
    checkpoints/    networks, optimizers and iteration, the last few
    events/         TensorBoard's
    evaluation.json, memorisation.png   what `kerasgan.evaluate` measured, once it has
"""

import dataclasses
import json
import re
import shlex
import shutil
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import ZIP_DEFLATED, BadZipFile, ZipFile, is_zipfile

import numpy as np
from filelock import FileLock, Timeout

from kerasgan import images
from kerasgan.conditions import Conditions
from kerasgan.data import Pictures
from kerasgan.data.conditions import find_conditions
from kerasgan.errors import UserError
from kerasgan.files import LEFTOVERS, atomic_path
from kerasgan.log import Line
from kerasgan.recipes import Recipe

if TYPE_CHECKING:
    import keras

# What Keras raises, for files that are no model or a damaged one.
_NO_MODEL = (OSError, ValueError, TypeError, KeyError, AttributeError, BadZipFile, zlib.error)

OUTPUTS = Path("outputs")  # where runs are kept
CONDITIONS = "conditions.json"  # in a run and in the generator's file
PREVIEW = 25  # reals in the preview, 5x5


class Run:
    """One run folder.

    Args:
        folder: an existing run folder, or the place for a new one.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.control = self.folder / "control"
        self.checkpoints = self.folder / "checkpoints"
        self.events = self.folder / "events"
        self.log = self.folder / "log.jsonl"
        self.generator = self.folder / "generator.keras"
        self.best_generator = self.folder / "generator-best.keras"
        self.losses = self.folder / "losses.png"
        self.quality = self.folder / "quality.png"
        self.reals = self.folder / "reals.png"
        self.rejected = self.folder / "rejected.csv"
        self.control_latents = self.folder / "control_latents.npy"
        self.control_conditions = self.folder / "control_conditions.json"
        self.conditions = self.folder / CONDITIONS

    def require_new(self) -> None:
        """Raises UserError if something is there already: a run is never overwritten."""
        if self.folder.exists() and not (self.folder.is_dir() and not any(self.folder.iterdir())):
            raise UserError(
                f"`--out` should name a new folder. Received: {self.folder}, which is there "
                f"already. Type another name, or --resume {self.folder} to go on with it."
            )

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
        return f"python -m kerasgan.train --resume {shlex.quote(str(self.folder))}"

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
        values = _read_json(path)
        names = {field.name for field in dataclasses.fields(Recipe)}
        if unknown := sorted(values.keys() - names):
            raise UserError(
                f"{path} should hold this version's recipe fields. Received: {', '.join(unknown)} "
                "too. Use the version of kerasgan that made the run."
            )
        return Recipe(**values)

    def write_facts(self, facts: dict[str, Any]) -> None:
        _write_json(self.folder / "run.json", facts)

    def read_facts(self) -> dict[str, Any]:
        """Reads what a run was made of: `data`, `device` and `versions`.

        Raises:
            UserError: the folder is no run, or the file has been damaged.
        """
        path = self.folder / "run.json"
        facts = _read_json(path)
        wanted = {"source", "limit", "crop", "cache", "fingerprint", "count"}
        data = facts.get("data")
        if missing := sorted(wanted - (data.keys() if isinstance(data, dict) else set())):
            raise UserError(f"{path} should say what data was used. Received: no {missing[0]}.")
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
        facts = _read_json(path)
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

    def read_log(self) -> list[Line]:
        """Returns the log's lines in order; a line that a crash cut short is left out."""
        return list(_readable_lines(self.log)) if self.log.exists() else []

    def cut_log(self, iteration: int) -> list[Line]:
        """Drops the log's lines after an iteration and returns those that stay."""
        kept = [line for line in self.read_log() if line.iteration <= iteration]
        with atomic_path(self.log) as temporary:
            temporary.write_text("".join(line.to_json() + "\n" for line in kept))
        return kept

    def control_grid(self, iteration: int) -> Path:
        """Returns the path of an iteration's control grid."""
        return self.control / f"{iteration:06d}.png"


def begin_run(
    recipe: Recipe, pictures: Pictures, *, out: Path | None = None, outputs: Path = OUTPUTS
) -> Run:
    """Makes a run folder with all that is known before the first iteration, whole or not at all.

    Args:
        recipe: resolved, as `GAN.recipe` is.
        pictures: what will be trained on.
        out: the run's folder; the next NNN-PRESET in `outputs` unless given.
        outputs: the folder of runs.

    Raises:
        UserError: `out` is in use.
    """
    while True:
        run = Run(out or next_run_folder(outputs, recipe.preset))
        try:
            with atomic_path(run.folder) as temporary:
                temporary.mkdir()
                _write_beginning(Run(temporary), recipe, pictures)
            return run
        except OSError:
            if not run.folder.exists():
                raise
            if out:
                run.require_new()
                raise
            # Another process took this number meanwhile: take the next.


def _write_beginning(run: Run, recipe: Recipe, pictures: Pictures) -> None:
    from kerasgan import backend

    used = {"fingerprint": pictures.fingerprint, "count": len(pictures.pixels)}
    if conditions := find_conditions(pictures, recipe.conditions):
        used["conditions"] = conditions.fingerprint
        write_conditions(run.conditions, conditions.examples(recipe.seed))
    run.write_recipe(recipe)
    run.write_facts({"data": pictures.request.to_json() | used, **backend.environment()})
    shutil.copyfile(pictures.folder / "rejected.csv", run.rejected)
    order = np.random.default_rng(recipe.seed).permutation(len(pictures.pixels))
    preview = pictures.pixels[np.sort(order[:PREVIEW])]
    images.write_png(run.reals, images.make_grid(preview, columns=5))


def next_run_folder(outputs: Path, preset: str) -> Path:
    """Returns `outputs`/NNN-`preset` with the first number after all those in use."""
    names = [path.name for path in outputs.iterdir()] if outputs.is_dir() else []
    numbers = [int(match[1]) for name in names if (match := re.match(r"(\d+)-", name))]
    return outputs / f"{max(numbers, default=-1) + 1:03d}-{preset}"


def write_latents(path: Path, latents: np.ndarray) -> None:
    """Writes latents (N, D) as `.npy`."""
    with atomic_path(path) as temporary:
        np.save(temporary, latents, allow_pickle=False)


def write_conditions(path: Path, conditions: Conditions) -> None:
    """Writes conditions as JSON."""
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(conditions.to_json()) + "\n")


def read_conditions(path: Path) -> Conditions | None:
    """Reads what `write_conditions` wrote; None where there is no file.

    Raises:
        UserError: the file has been damaged.
    """
    return _as_conditions(_read_json(path), path) if path.exists() else None


def write_generator(
    path: Path, generator: "keras.Model", conditions: Conditions | None = None
) -> None:
    """Writes a generator as one `.keras` file, whole or not at all.

    Args:
        path: where it goes.
        generator: any.
        conditions: names and examples of what steers it; they go into the file, which is a zip
            archive, as a member of which Keras takes no notice.
    """
    with atomic_path(path) as temporary:
        generator.save(temporary)
        if conditions:
            with ZipFile(temporary, "a", ZIP_DEFLATED) as archive:
                archive.writestr(CONDITIONS, json.dumps(conditions.to_json()))


def load_generator(path: str | Path) -> "keras.Model":
    """Loads a trained generator.

    Args:
        path: a run folder, or any `.keras` file.

    Returns:
        A model from latents (B, D) to pictures (B, H, W, C) in [-1, 1]; where `load_conditions`
        finds names, from [latents, conditions (B, names)].

    Raises:
        UserError: there is no generator at `path`, it cannot be read, or it is another model.
    """
    path = Path(path)
    file = _generator_file(path)
    if not path.exists():
        raise UserError(
            f"A generator should be a run's folder or a .keras file. Received: {path}, which does "
            "not exist."
        )
    if not file.is_file():
        raise UserError(
            f"A run should hold a generator.keras. Received: {path}, which has none yet; it is "
            "written with the first checkpoint."
        )
    from kerasgan.backend import keras

    try:
        generator = keras.models.load_model(file, compile=False, safe_mode=True)
    except _NO_MODEL as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(
            f"A generator should be a Keras model file (.keras). Received: {file}, which Keras "
            f"refuses: {reason}"
        ) from error
    _require_generator(generator, path, load_conditions(path))
    return generator


def load_conditions(path: str | Path) -> Conditions | None:
    """Loads the names, with examples, of what steers a trained generator.

    Args:
        path: as for `load_generator`.

    Returns:
        The conditions; None for a generator without any.

    Raises:
        UserError: they are damaged.
    """
    file = _generator_file(Path(path))
    if not is_zipfile(file):  # Keras opens other formats too, which carry none
        return None
    try:
        with ZipFile(file) as archive:
            if CONDITIONS not in archive.namelist():
                return None
            value = json.loads(archive.read(CONDITIONS))
    except (BadZipFile, zlib.error, ValueError) as error:
        raise UserError(f"{file} should be whole. Received: {error}.") from error
    return _as_conditions(value, file)


def latent_dim(generator: "keras.Model") -> int:
    """Returns how many numbers a generator's latents have."""
    return generator.inputs[0].shape[1]


def _generator_file(path: Path) -> Path:
    return Run(path).generator if path.is_dir() else path


def _as_conditions(value: Any, path: Path) -> Conditions:
    try:
        return Conditions.from_json(value)
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path} should hold conditions. Received: {error}.") from error


def _require_generator(model: "keras.Model", name: Path, conditions: Conditions | None) -> None:
    """Raises UserError unless a model maps latents (N, D) to pictures (N, H, W, 1 or 3).

    Where there are conditions, they should be its second input.
    """
    reads, gives = getattr(model, "input_shape", None), getattr(model, "output_shape", None)
    latents, *others = reads if isinstance(reads, list) else [reads]
    if (
        others == ([(None, len(conditions.names))] if conditions else [])
        and isinstance(latents, tuple)
        and isinstance(gives, tuple)
        and len(latents) == 2
        and isinstance(latents[1], int)
        and len(gives) == 4
        and gives[3] in (1, 3)
    ):
        return
    raise UserError(
        "A generator should map latents (N, D) to pictures (N, H, W, 1 or 3). Received: "
        f"{name}, which maps {reads} to {gives}. Name a run or its generator.keras."
    )


def _write_json(path: Path, values: dict[str, Any]) -> None:
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(values, indent=2) + "\n")


def _read_json(path: Path) -> dict[str, Any]:
    try:
        values = json.loads(path.read_text())
    except FileNotFoundError:
        raise UserError(
            f"A run's folder should hold {path.name}. Received: {path.parent}, which has none. "
            "Type the folder of a run, such as outputs/000-article-lite."
        ) from None
    except (OSError, ValueError) as error:
        raise UserError(f"{path} should be readable JSON. Received: {error}.") from error
    if not isinstance(values, dict):
        raise UserError(f"{path} should hold a JSON object. Received: {type(values).__name__}.")
    return values


def _changes(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """Names what differs between two environments, with what it was."""
    flat = [{"device": env.get("device"), **env.get("versions", {})} for env in (before, now)]
    return [
        f"{name} {value} instead of {flat[0].get(name)}"
        for name, value in flat[1].items()
        if value != flat[0].get(name)
    ]


def _readable_lines(path: Path) -> Iterator[Line]:
    # What is no text of ours, the zeros that a crash may leave for example, is no line either.
    with path.open(errors="replace") as texts:
        for text in texts:
            try:
                yield Line.from_json(text)
            except ValueError:  # cut short by a crash, or damaged since
                continue
