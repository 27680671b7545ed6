"""What the demo's pages do, without a browser: turns, a studio, trainings followed, paint."""

import dataclasses
import os
import threading
import time
from pathlib import Path

import halves
import numpy as np
import pytest
import tiny_generators
from PIL import Image

from kerasgan import directions, images, latents, pretrained, saved
from kerasgan.directions import ATTRIBUTE, Direction
from kerasgan.errors import UserError
from kerasgan.log import Line
from kerasgan.pages.following import Following
from kerasgan.pages.painted import known_of
from kerasgan.pages.places import find_places
from kerasgan.pages.studio import Asked, Studio
from kerasgan.pages.turns import Steps, Stopped, Turns, follow
from kerasgan.runs import Run
from kerasgan.watch import Evaluation

DIM, SIDE = tiny_generators.DIM, tiny_generators.SIDE


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A generator and an encoder, with a direction; not to be written to."""
    folder = tmp_path_factory.mktemp("studio") / "me"
    generator = saved.load(tiny_generators.write_with_encoder(folder))
    vector = np.eye(DIM, dtype=np.float32)[0]
    directions.write(generator, {"Smiling": Direction("Smiling", vector, ATTRIBUTE)})
    return folder


@pytest.fixture(scope="module")
def studio(folder, tmp_path_factory):
    cache = tmp_path_factory.mktemp("cache")
    return Studio(lambda: find_places([folder]), cache)


def test_short_works_come_between_the_steps_of_long_ones():
    turns, order, started = Turns(), [], threading.Event()

    def short():
        with turns.short():
            order.append("short")

    with turns.long() as pause:
        other = threading.Thread(target=lambda: (started.set(), short()))
        other.start()
        started.wait()
        while "short" not in order:  # it waits for a turn, or is about to
            assert order.count("long") < 10_000
            order.append("long")
            pause()
            time.sleep(0.001)
        order.append("end")
    other.join()
    assert order[0] == "long" and order[-2:] == ["short", "end"]


def test_long_works_end_with_the_server():
    turns = Turns()
    turns.closed.set()
    with pytest.raises(Stopped), turns.long() as pause:
        pause()
    with turns.short():
        pass  # nothing holds the turn any more


def test_a_long_work_tells_how_it_stands_and_gives_its_result():
    go = threading.Event()

    def work(steps):
        steps.begin("Counting", 4)
        steps()
        go.wait()
        return "done"

    pulses = []
    for pulse in follow(work):
        pulses.append(pulse)
        if pulse.words.startswith("Counting: 1 of 4"):
            assert pulse.done == 0.25 and pulse.words.endswith(" left")
            go.set()
    assert go.is_set()
    assert pulses[-1].finished and pulses[-1].result == "done"
    assert not any(pulse.finished for pulse in pulses[:-1])


def test_a_long_work_that_nobody_waits_for_stops_at_its_next_step():
    ended, begun = threading.Event(), threading.Event()

    def work(steps):
        try:
            while True:
                steps()
                begun.set()
        except Stopped:
            ended.set()
            raise

    pulses = follow(work)
    next(pulses)
    begun.wait()
    pulses.close()
    assert ended.wait(60)
    steps = Steps()
    steps.stop.set()
    with pytest.raises(Stopped):
        steps.begin("Another stage", 1)


def test_what_a_long_work_raises_is_raised():
    def work(steps):
        raise UserError("A rule. Received: a fact.")

    with pytest.raises(UserError, match="A rule"):
        list(follow(work))


def test_what_can_be_chosen(tmp_path, folder, monkeypatch):
    shipped = tmp_path / "shipped"
    monkeypatch.setattr(pretrained, "FOLDER", shipped)
    outputs = tmp_path / "outputs"
    with pytest.raises(UserError, match="should have a generator or a run. Received: none"):
        find_places([], outputs)
    with pytest.raises(UserError, match="nowhere, which does not exist"):
        find_places([tmp_path / "nowhere"])
    (shipped / "faces9").mkdir(parents=True)
    (shipped / "faces9" / pretrained.CARD).touch()
    (outputs / "000-fast").mkdir(parents=True)
    (outputs / "000-fast" / "recipe.json").write_text("{}")
    (outputs / "000-fast" / "run.json").write_text("{}")
    (shipped / "faces9" / "recipe.json").write_text("{}")
    (outputs / "notes").mkdir()
    found = find_places([], outputs)
    assert [(one.name, one.is_run, one.draws) for one in found] == [
        ("faces9", False, False),
        ("000-fast", True, False),
    ]
    other = tmp_path / "me"
    other.mkdir()
    (other / saved.GENERATOR).touch()
    assert [one.name for one in find_places([folder, other])] == [str(folder), str(other)]
    assert [one.name for one in find_places([folder / saved.GENERATOR])] == ["generator"]


def test_only_what_is_named_can_be_chosen(studio, folder):
    assert studio.generators() == ["me"] and studio.runs() == []
    for name in (str(folder), "../me", "", None, ["me"]):
        with pytest.raises(UserError, match="A choice should be one of those there are"):
            studio.load(name)
    with pytest.raises(UserError, match="There are: nothing"):
        studio.run("me")


def test_a_generator_that_a_training_renews_is_loaded_anew(tmp_path):
    file = tmp_path / "run" / saved.GENERATOR
    saved.write(file, tiny_generators.build())
    own = Studio(lambda: find_places([tmp_path / "run"]), tmp_path)
    first = own.load("run")
    assert own.load("run") is first
    saved.write(file, tiny_generators.build(channels=1))
    os.utime(file, (1, 1))
    assert own.load("run").generator.channels == 1


def test_faces_and_sliders(studio):
    loaded = studio.load("me")
    assert list(loaded.knobs) == ["Smiling", *(f"sefa-{n}" for n in range(1, 7))]
    drawn = studio.draw_faces(loaded, 3, seed=5)
    own = latents.draw(3, DIM, 5)
    np.testing.assert_array_equal(drawn, loaded.generator.draw(own))
    length = np.linalg.norm(own, axis=1, keepdims=True)
    moved = own + 2 * length / DIM**0.5 * np.eye(DIM)[0]
    moved *= length / np.linalg.norm(moved, axis=1, keepdims=True)
    edited = studio.draw_faces(loaded, 3, seed=5, edits=[("Smiling", 2.0), ("sefa-1", 0.0)])
    expected = loaded.generator.draw(moved.astype(np.float32))
    assert np.abs(edited.astype(int) - expected).max() <= 1
    with pytest.raises(UserError, match="A slider should be of an attribute of this generator"):
        studio.draw_faces(loaded, 1, seed=0, edits=[("Beard", 1.0)])
    frames = list(studio.walk(loaded, 2, 3, seed=5))
    np.testing.assert_array_equal([frames[0], frames[3]], drawn[:2])


@pytest.mark.parametrize("name", ["me", "drawn64"])  # of drawn64 the length of latents says nothing
def test_less_variety_is_nearer_to_the_average(studio, tmp_path, name):
    own = Studio(lambda: find_places([Path("drawn64")]), tmp_path) if name == "drawn64" else studio
    many, few = (
        own.draw_faces(own.load(name), 16, seed=5, variety=variety) for variety in (1.0, 0.4)
    )
    assert few.std(axis=0).mean() < 0.7 * many.std(axis=0).mean()


def test_conditions_are_sliders_too(tmp_path):
    halves.write_conditional(tmp_path / "me.keras")
    own = Studio(lambda: find_places([tmp_path / "me.keras"]), tmp_path)
    loaded = own.load("me")
    assert list(loaded.knobs)[:3] == ["Smiling", "Hat", "sefa-1"]
    known = loaded.generator.conditions.draw(4, 3).vectors()
    known[:, 1] = 1
    expected = loaded.generator.draw(latents.draw(4, DIM, 3), known)
    edits = [("Hat", directions.CONDITION_STRENGTH)]
    np.testing.assert_array_equal(own.draw_faces(loaded, 4, 3, edits=edits), expected)


def test_a_picture_is_found_and_edited(studio, monkeypatch):
    monkeypatch.setattr("kerasgan.data.faces.available", lambda: False)
    monkeypatch.setattr("kerasgan.metrics.perceptual.load_if_there", lambda: None)
    loaded = studio.load("me")
    raw = _png(loaded.generator.draw(latents.draw(1, DIM, 9))[0])
    asked = Asked("invert", steps=6)
    (given,), options = studio.read(loaded, raw, "me.png", "none", asked)
    steps = Steps()
    restored = studio.restore(loaded, given, options, asked, steps)
    assert (steps.title, steps.total, steps.done) == ("Searching", 6, 6)
    assert restored.result.shape == restored.whole.shape == (SIDE, SIDE, 3)
    assert restored.notes[0].startswith("What is known of it is met with ")
    face, whole = studio.edit(loaded, restored, [("Smiling", 0.0)])
    np.testing.assert_array_equal(face, images.to_uint8(restored.found.pictures[0]))
    other, _ = studio.edit(loaded, restored, [("Smiling", 4.0)])
    assert np.abs(other.astype(int) - face).max() > 8
    assert studio.restore(loaded, given, options, asked, Steps()).search is restored.search


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"no picture", "not a picture in a known format"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 99, "damaged"),
        (b"", "not a picture in a known format"),
    ],
)
def test_a_picture_that_cannot_be_used(studio, raw, why):
    with pytest.raises(UserError, match=f"Received: me.png \\({why}.*Choose another"):
        studio.read(studio.load("me"), raw, "me.png", None, Asked("invert"))


def test_what_does_not_fit_a_generator(studio):
    raw = _png(np.zeros((SIDE, SIDE, 3), np.uint8))
    with pytest.raises(UserError, match="leave at least 4 of 16 pixels.*Received: 8"):
        studio.read(studio.load("me"), raw, "me.png", None, Asked("superres", factor=8))


def test_paint_is_a_mask():
    alpha = np.zeros((64, 64), np.uint8)
    alpha[:16, :32] = 255  # of 16x16 pixels, the upper 4 rows of the left 8 columns
    alpha[32, 32] = 255  # a sixteenth of a pixel
    layer = Image.fromarray(np.dstack([np.full((64, 64, 3), 9, np.uint8), alpha]))
    expected = np.ones((16, 16), bool)
    expected[:4, :8] = False
    np.testing.assert_array_equal(known_of({"layers": [layer]}, 16), expected)
    for nothing in (None, {}, {"layers": []}, {"layers": [Image.new("RGBA", (9, 9))]}):
        with pytest.raises(UserError, match="Received: no paint. Paint with the brush"):
            known_of(nothing, 16)
    with pytest.raises(UserError, match="paint all over"):
        known_of({"layers": [Image.new("RGB", (9, 9))]}, 16)


def test_a_training_is_followed(tmp_path, tiny):
    run = _run(tmp_path / "run", dataclasses.replace(tiny, iters=8))
    following = Following(run)
    assert following.look().headline() == "Not begun yet."
    _log(run, 1, 3)
    for number, seconds in ((1, 100), (3, 104)):
        images.write_png(run.control_grid(number), np.zeros((4, 4, 3), np.uint8))
        os.utime(run.control_grid(number), (seconds, seconds))
    seen = following.look()
    assert seen.running and [frame.stem for frame in seen.frames] == ["000001", "000003"]
    assert seen.headline() == "Training now: iteration 3 of 8 (38%), 10 s left."
    with run.log.open("a") as file:
        file.write('{"iteration": 4, "d_lo')  # half a line
    assert following.look().iteration == 3
    with run.log.open("a") as file:
        file.write('ss": 0.5, "a_loss": 1.5}\nno line at all\n')
    assert following.look().history.losses == {
        "d_loss": [1.0, 2.0, 3.0, 0.5], "a_loss": [0.0, 0.0, 0.0, 1.5]
    }  # fmt: skip
    os.utime(run.log, (1, 1))
    assert following.look().headline() == "Not running: stopped after iteration 4 of 8 (50%)."
    run.cut_log(2)
    assert following.look().iteration == 2
    _log(run, 3, 8, Evaluation(8, 1.0, 30.0, 29.0, 31.0, 0.9, 0.7))
    lines = following.look().lines()
    assert lines[0] == "Finished: iteration 8 of 8 (100%)."
    assert lines[-2:] == [
        "Last evaluation: KID 30 (x1000, iteration 8).",
        "The best one: KID 30 (x1000, iteration 8).",
    ]


def _run(folder, recipe):
    folder.mkdir()
    run = Run(folder)
    run.write_recipe(recipe)
    return run


def _log(run, first, last, evaluation=None):
    with run.log.open("a") as file:
        for number in range(first, last + 1):
            scalars = {"d_loss": float(number), "a_loss": 0.0}
            line = Line(number, scalars, evaluation if number == last else None)
            file.write(line.to_json() + "\n")


def _png(pixels):
    import io

    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()
