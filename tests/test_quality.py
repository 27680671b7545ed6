"""Evaluations on the way: what they leave in the run, and how a collapse is mended."""

import dataclasses
import json
import math

import numpy as np
import pytest
from test_train import assert_same_run, last_saved, words

from kerasgan import loop, quality, saved, train, watch
from kerasgan.backend import tf
from kerasgan.checkpoints import Checkpoints
from kerasgan.data.batches import Batches
from kerasgan.errors import UserError
from kerasgan.gan import GAN
from kerasgan.images import write_png
from kerasgan.recorder import Recorder
from kerasgan.runs import Run


class Told:
    """Stands for an evaluator: says of each evaluation, in order, what it is told to say.

    Args:
        kids: KID x 1000 of each.
        diversities: of each; 0.8 unless given.
    """

    networks = (type("Network", (), {"name": "features"}),)
    faces_in_reals = 1.0

    def __init__(self, kids, diversities=None):
        self.kids, self.diversities = iter(kids), iter(diversities or [0.8] * len(kids))

    def measure(self, generate, latent_dim):
        assert generate(np.zeros((2, latent_dim), np.float32)).dtype == np.uint8
        kid = float(next(self.kids))
        bounds = {"kid_x1000_low": kid - 9, "kid_x1000_high": kid + 9}
        first = {"kid_x1000": kid, **bounds, "diversity": next(self.diversities)}
        face = {"frechet": kid / 1000, "diversity": 0.7}
        return {"features": first, "face": face, "faces_found": 0.5}


@pytest.fixture
def recipe(tiny):
    """Evaluated every two iterations; goes back where it collapses."""
    often = {"checkpoint_every": 3, "grid_every": 100, "control_latents": 4}
    return dataclasses.replace(
        tiny, evaluate_every=2, on_collapse="rollback", iters=8, keep_checkpoints=1, **often
    )


def run_it(recipe, reals, folder, evaluator, spoil=None):
    """Trains; returns the run, its `GAN` and how it ended."""
    folder.mkdir(exist_ok=True)
    gan, run = GAN(recipe), Run(folder)
    if spoil:
        spoil(gan)
    pixels = np.uint8((reals + 1) * 127)
    return run, gan, loop.train(gan, Batches(pixels, 4, 0), run, evaluator)


def evaluations(run):
    return {x.iteration: x.evaluation for x in run.read_log() if x.evaluation}


def test_an_evaluation_is_kept_in_log_curves_events_and_best_generator(recipe, reals, tmp_path):
    run, gan, ending = run_it(recipe, reals, tmp_path / "run", Told([500, 300, 350, 340]))
    assert ending == (None, None)
    kept = evaluations(run)
    assert {i: e.kid_x1000 for i, e in kept.items()} == {2: 500, 4: 300, 6: 350, 8: 340}
    assert kept[4].face_frechet == 0.3 and kept[4].faces_found == 0.5
    assert kept[4].diversity == 0.7  # the faces', which is the smaller one
    accuracies = [line.scalars["d_accuracy"] for line in run.read_log()]
    assert kept[4].d_accuracy == pytest.approx(np.mean(accuracies[2:4]))
    seconds = [e.seconds for e in kept.values()]
    assert seconds == sorted(seconds) and seconds[0] > 0
    assert run.quality.exists()

    best, last = saved.load(run.best_generator).model, saved.load(run.folder).model
    assert not np.array_equal(best.get_weights()[0], last.get_weights()[0])
    gan.iteration.assign(8)
    Checkpoints(gan, run.checkpoints, keep=1).go_back(4)
    assert int(gan.iteration) == 8
    for ours, theirs in zip(best.get_weights(), gan.generator.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_the_best_checkpoint_outlives_the_others(recipe, reals, tmp_path):
    run, _, _ = run_it(recipe, reals, tmp_path / "run", Told([500, 300, 350, 340]))
    names = sorted(path.stem for path in run.checkpoints.glob("*.index"))
    assert names == ["iteration-4", "iteration-8"]


def collapsing():
    """Alike at iteration 6, after its best at iteration 4."""
    return Told([500, 300, 350, 280], [0.8, 0.8, 0.1, 0.8])


def test_a_collapse_goes_back_to_the_best_weights_with_half_the_rate(
    recipe, reals, tmp_path, capsys
):
    run, gan, ending = run_it(recipe, reals, tmp_path / "run", collapsing())
    assert ending == (None, None)
    said = capsys.readouterr().out
    assert "collapse: after iteration 6 the samples are a few pictures over and over" in said
    assert "the weights of iteration 4, with 0.5 times the learning rate" in said
    log = run.read_log()
    assert [line.iteration for line in log] == list(range(1, 9))
    assert [line.rolled_back_to for line in log] == [None] * 5 + [4, None, None]
    assert float(gan.slowdown) == 0.5
    assert float(gan.generator_optimizer.learning_rate) == pytest.approx(0.5e-4, rel=1e-3)

    # What was saved after iteration 6 is iteration 4, but for its number and the learning rate.
    half = dataclasses.replace(recipe, iters=6)
    other, _, _ = run_it(half, reals, tmp_path / "other", collapsing())
    before = tf.train.load_checkpoint(str(other.checkpoints / "iteration-4"))
    after = tf.train.load_checkpoint(str(other.checkpoints / "iteration-6"))
    for name in before.get_variable_to_shape_map().keys() - {"_CHECKPOINTABLE_OBJECT_GRAPH"}:
        if name.startswith("iteration/"):
            assert (before.get_tensor(name), after.get_tensor(name)) == (4, 6)
        elif name.startswith("slowdown/"):
            assert (before.get_tensor(name), after.get_tensor(name)) == (1, 0.5)
        else:
            np.testing.assert_array_equal(before.get_tensor(name), after.get_tensor(name))


@pytest.mark.slow
@pytest.mark.parametrize("stopped_at", [6, 7])
def test_resumed_round_a_rollback_equals_one_run(recipe, reals, tmp_path, stopped_at):
    whole, *_ = run_it(recipe, reals, tmp_path / "whole", collapsing())
    short = dataclasses.replace(recipe, iters=stopped_at)
    run_it(short, reals, tmp_path / "parts", collapsing())
    rest = collapsing()
    for _ in range(stopped_at // 2):
        rest.measure(lambda x: np.zeros(1, np.uint8), 1)
    parts, gan, _ = run_it(recipe, reals, tmp_path / "parts", rest)
    assert float(gan.slowdown) == 0.5
    for run in (whole, parts):
        lines = [json.loads(line) for line in run.log.read_text().splitlines()]
        for line in lines:
            if line.get("evaluation"):
                assert line["evaluation"].pop("seconds") > 0
        run.log.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert_same_run(whole, parts)
    for ours, theirs in zip(
        *(saved.load(run.best_generator).model.get_weights() for run in (whole, parts)), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)


def test_going_back_is_bounded_then_it_stops(recipe, reals, tmp_path, capsys):
    recipe = dataclasses.replace(recipe, iters=100)
    told = Told([300, *[400] * 20], [0.8, *[0.1] * 20])
    run, gan, ending = run_it(recipe, reals, tmp_path / "run", told)
    assert float(gan.slowdown) == 0.125
    assert capsys.readouterr().out.count("Going back to the weights of iteration 2,") == 3
    assert "it has been brought back 3 times" in ending.reason
    assert len(run.read_log()) == last_saved(run) == 10


@pytest.mark.parametrize("policy", ["warn", "stop"])
def test_a_collapse_may_only_be_told_or_stop(recipe, reals, tmp_path, capsys, policy):
    recipe = dataclasses.replace(recipe, on_collapse=policy)
    run, gan, ending = run_it(recipe, reals, tmp_path / "run", collapsing())
    said = capsys.readouterr().out
    if policy == "warn":
        assert ending.reason is None and len(run.read_log()) == 8
        assert "warning: after iteration 6 the samples" in said and "generator-best" in said
    else:
        assert "after iteration 6 the samples" in ending.reason and len(run.read_log()) == 6
    assert float(gan.slowdown) == 1


def test_patience_stops_a_training_that_does_not_improve(recipe, reals, tmp_path):
    recipe = dataclasses.replace(recipe, patience=2, iters=100)
    run, _, ending = run_it(recipe, reals, tmp_path / "run", Told([500, 300, 310, 320]))
    assert ending.reason == "2 evaluations were no better than after iteration 4"
    assert len(run.read_log()) == last_saved(run) == 8


def poison(gan):
    """Makes the fifth iteration, first time round, one of numbers that are not."""
    step, seen = gan.train_on_batch, []

    def poisoned(real):
        seen.append(real)
        scalars = step(real * (math.nan if len(seen) == 5 else 1))
        return scalars

    gan.train_on_batch = poisoned


def test_losses_that_are_not_finite_are_rolled_back_too(recipe, reals, tmp_path, capsys):
    run, gan, ending = run_it(recipe, reals, tmp_path / "run", Told([5, 3, 4, 4]), spoil=poison)
    assert "d_loss is nan, which is not finite. Going back to the weights of iteration 4" in (
        capsys.readouterr().out
    )
    log = run.read_log()
    assert len(log) == 8 and math.isnan(log[4].scalars["d_loss"]) and log[4].rolled_back_to == 4
    assert '"d_loss": null' in run.log.read_text().splitlines()[4]
    assert "NaN" not in run.log.read_text()
    assert all(np.isfinite(weight).all() for weight in gan.generator.get_weights())
    assert ending == (None, None) and run.losses.exists()


def test_without_anything_to_go_back_to_they_end_the_training(recipe, reals, tmp_path):
    recipe = dataclasses.replace(recipe, evaluate_every=50)
    with pytest.raises(UserError, match="Received: after iteration 5 d_loss is nan, which is not"):
        run_it(recipe, reals, tmp_path / "run", Told([]), spoil=poison)


def recorded(recorder, iterations, now, seconds):
    """Notes iterations that each take so long; returns what was done after each."""
    scalars = {"d_loss": 0.5, "a_loss": 0.5, "d_accuracy": 0.5}
    responses = {}
    for iteration in iterations:
        now[0] += seconds
        recorder.gan.iteration.assign(iteration)
        responses[iteration] = recorder.record(iteration, scalars)
    return responses


def test_time_of_evaluations_is_not_training_time(recipe, reals, tmp_path, monkeypatch):
    monkeypatch.setattr("kerasgan.recorder.plots.write_losses", lambda *_: None)
    gan = GAN(dataclasses.replace(recipe, evaluate_every=10, checkpoint_every=35))
    now = [100.0]
    monkeypatch.setattr("time.perf_counter", lambda: now[0])

    class Slow(Told):
        def measure(self, *args):
            now[0] += 1000
            return super().measure(*args)

    run = Run(tmp_path)
    with Recorder(gan, run, Slow([9, 9, 9])) as recorder:
        responses = recorded(recorder, range(1, 31), now, 2.0)
        assert recorder.state() == ", KID 9 faces 50% (x1000, iteration 30)"
    assert [e.seconds for e in evaluations(run).values()] == [20, 40, 60]
    assert responses[10].seconds == 1000 and responses[9].seconds == 0
    assert responses[10].lines == (
        "An evaluation took 17 min: one every 10 iterations is 98% of the time. Fewer: a larger "
        "--evaluate-every or a smaller --evaluate-count.",
    )
    assert not any(responses[i].lines for i in (9, 11, 20, 30))

    # Resumed after iteration 35, its five iterations are reckoned at the new pace.
    with Recorder(gan, run, Slow([])) as recorder:
        recorded(recorder, range(31, 36), now, 2.0)
    with Recorder(gan, run, Slow([9])) as recorder:
        recorded(recorder, range(36, 41), now, 3.0)
    assert evaluations(run)[40].seconds == 60 + 10 * 3


def test_an_evaluation_changes_nothing(recipe, reals):
    gan = GAN(recipe)
    gan.train_on_batch(reals[:4])
    before = [weight.copy() for weight in gan.generator.get_weights()]
    told = {"iteration": 1, "seconds": 3.0, "accuracies": [0.25, 0.75], "side": None}
    first = quality.evaluate(gan, Told([5]), None, **told)
    assert first == quality.evaluate(gan, Told([5]), None, **told)
    assert (first.kid_x1000, first.d_accuracy, first.face_frechet) == (5, 0.5, 0.005)
    assert int(gan.iteration) == 1 and float(gan.slowdown) == 1
    assert all(map(np.array_equal, before, gan.generator.get_weights()))


def test_a_damaged_log_does_not_change_the_learning_rate(recipe, reals, tmp_path):
    """The line of the rollback is given up; the checkpoint knows of it all the same."""
    short = dataclasses.replace(recipe, iters=7)
    run, *_ = run_it(short, reals, tmp_path / "run", collapsing())
    lines = run.log.read_text().splitlines(keepends=True)
    run.log.write_text("".join(lines[:5] + ["\0\n"] + lines[6:]))
    with pytest.raises(UserError, match="line 6 is damaged.*there is none for iteration 6"):
        run.cut_log(7)
    run.log.write_text("".join(lines[:5] + ['{"iteration": 6}\n'] + lines[6:]))
    gan = GAN(recipe)
    recorder = Recorder(gan, run)
    recorder.restore()
    with recorder:
        assert float(gan.slowdown) == 0.5 and recorder.history.rollbacks == []
    told = Told([280] + [400] * 20, [0.8] + [0.1] * 20)
    more = dataclasses.replace(recipe, iters=100)
    run, gan, ending = run_it(more, reals, tmp_path / "run", told)
    assert "it has been brought back 3 times" in ending.reason
    assert float(gan.slowdown) == 0.125


def test_no_evaluations_no_evaluator(tiny):
    assert quality.build_evaluator(tiny, None) is None


@pytest.mark.slow
def test_a_true_collapse_is_seen_and_brought_back_by_the_command(
    faces_folder, tmp_path, capsys, monkeypatch
):
    """With the true networks: after iteration 6 every latent gives the same picture."""
    out = tmp_path / "run"
    for index in range(10, 40):
        noise = np.random.default_rng(index).integers(0, 256, (32, 32, 3), np.uint8)
        write_png(faces_folder / f"{index}.png", noise)
    step, spoiled = GAN.train_on_batch, []

    def spoiling(gan, real):
        scalars = step(gan, real)
        if int(gan.iteration) == 6:
            spoiled.append(gan)
            gan.generator.weights[0].assign(tf.zeros(gan.generator.weights[0].shape))
        return scalars

    monkeypatch.setattr(GAN, "train_on_batch", spoiling)
    monkeypatch.setattr(
        watch, "MIN_DIVERSITY", 0.02
    )  # networks hardly trained draw nearly the same
    more = ("--evaluate-every", 4, "--evaluate-count", 100, "--iters", 12, "--out", out)
    command = words(faces_folder, tmp_path, *more, "--on-collapse", "rollback")
    assert train.main(command) == 0
    said = capsys.readouterr().out
    assert "An evaluation took" in said and f"The best generator: {out}/generator-best" in said
    assert "collapse: after iteration 8 the samples are a few pictures over and over" in said
    first, collapsed, mended = evaluations(Run(out)).values()
    assert collapsed.diversity < 0.02 < min(first.diversity, mended.diversity)
    assert first.face_frechet is None and first.faces_found is None  # noise has no faces
    assert first.kid_x1000_low < first.kid_x1000 < first.kid_x1000_high
    assert (out / "quality.png").exists() and len(spoiled) == 1
    weights = saved.load(out).model.get_weights()
    assert np.abs(weights[0]).max() > 0
