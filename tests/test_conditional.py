"""Networks that conditions steer, and how a training and its generator carry them."""

import dataclasses
import json
import shutil

import numpy as np
import pytest
from PIL import Image

from kerasgan import models, recipes, runs, sample, saved, train
from kerasgan.backend import keras, tf
from kerasgan.chance import D, G
from kerasgan.conditions import Conditions
from kerasgan.drawing import draw_walk
from kerasgan.errors import UserError
from kerasgan.gan import GAN
from kerasgan.recipes import PRESETS, Recipe
from kerasgan.runs import Run
from kerasgan.saved import SavedGenerator

SMALL = {"size": 32, "width": 1 / 64, "latent_dim": 8, "batch_size": 4, "precision": "float32"}
NAMES = "Smiling,Male"


def small(preset="article", **changes):
    return dataclasses.replace(PRESETS[preset], **SMALL | {"conditions": NAMES} | changes)


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("f")


@pytest.mark.parametrize("network", ["article", "dcgan", "mlp"])
def test_the_generator_reads_the_condition_beside_the_latent(network):
    generator = models.build_generator(small(network, condition_dim=3))
    assert generator.input_shape == [(None, 8), (None, 2)]
    latents, conditions = normal(5, 8), np.sign(normal(5, 2, seed=1))
    beside = next(x for x in generator.layers if isinstance(x, keras.layers.Concatenate))
    embedding, *_ = (w.numpy() for w in generator.weights if w.shape == (2, 3))
    expected = np.concatenate([latents, conditions @ embedding], axis=1)
    got = keras.Model(generator.inputs, beside.output)([latents, conditions])
    np.testing.assert_allclose(got, expected, rtol=1e-5)
    a, b = (generator([latents, sign * conditions]).numpy() for sign in (1, -1))
    assert not np.array_equal(a, b)


@pytest.mark.parametrize("network", ["article", "dcgan", "mlp"])
@pytest.mark.parametrize("spectral_norm", [False, True])
def test_the_discriminator_projects_its_features_on_the_condition(network, spectral_norm):
    recipe = small(network, spectral_norm=spectral_norm, d_batch_norm=False)
    discriminator = models.build_discriminator(recipe)
    pictures, conditions = (
        normal(5, 32, 32, 3),
        np.array([(1, 1), (1, -1), (-1, 1), (0, 0), (0, 1)]),
    )
    product = next(x for x in discriminator.layers if isinstance(x, keras.layers.Dot))
    inner = keras.Model(discriminator.inputs, product.input[0])
    features = inner([pictures, conditions]).numpy()
    size = features.shape[1]
    (kernel,) = (w.numpy() for w in discriminator.weights if w.shape == (size, 1))
    (embedding,) = (w.numpy() for w in discriminator.weights if w.shape == (2, size))
    by_hand = features @ kernel + np.sum(features * (conditions @ embedding), axis=1)[:, None]
    logits = models.logits_of(discriminator)([pictures, conditions.astype("f")])
    np.testing.assert_allclose(logits, by_hand, rtol=1e-3, atol=1e-5)
    verdicts = discriminator([pictures, conditions.astype("f")])
    np.testing.assert_allclose(verdicts, 1 / (1 + np.exp(-by_hand)), rtol=1e-3)


def classes_known(recipe, count):
    return recipes.resolve(recipe, precision="float32", classes=count)


def test_a_class_takes_its_own_row_of_the_embedding():
    recipe = classes_known(small(conditions="labels", condition_dim=3), 4)
    generator = models.build_generator(recipe)
    beside = next(x for x in generator.layers if isinstance(x, keras.layers.Concatenate))
    embedding, *_ = (w.numpy() for w in generator.weights if w.shape == (4, 3))
    got = keras.Model(generator.inputs, beside.output)([np.zeros((4, 8)), np.eye(4)])
    np.testing.assert_allclose(got[:, 8:], embedding, rtol=1e-6)
    assert 0.3 < np.std(embedding) < 2  # as large as a latent's numbers


def test_classes_have_to_be_counted_first():
    recipe = small(conditions="labels")
    with pytest.raises(UserError, match="recipes.resolve"):
        models.build_generator(recipe)
    assert classes_known(recipe, 10).condition_size == 10
    assert classes_known(small(), 10) == small() and small().condition_size == 2
    assert Recipe().condition_size == 0


@pytest.mark.parametrize("text", ["", "Male,", "Male,Male", "Male, Smiling", ",Male"])
def test_conditions_that_are_no_list_of_names(text):
    with pytest.raises(UserError, match="`--conditions` should be none, labels or attributes"):
        small(conditions=text)


def test_without_conditions_the_networks_stay_what_they_were():
    plain = dataclasses.replace(small(), conditions="none")
    generator, discriminator = models.build_generator(plain), models.build_discriminator(plain)
    assert generator.input_shape == (None, 8) and discriminator.input_shape == (None, 32, 32, 3)
    assert not [x for x in generator.layers if isinstance(x, keras.layers.Concatenate)]


def test_the_adversarial_model_passes_the_condition_to_both():
    generator, discriminator = models.build_generator(small()), models.build_discriminator(small())
    adversarial = models.build_adversarial(generator, discriminator)
    latents, conditions = normal(3, 8), np.sign(normal(3, 2))
    expected = discriminator([generator([latents, conditions]).numpy(), conditions])
    np.testing.assert_allclose(adversarial([latents, conditions]), expected, rtol=1e-5)


def test_a_picture_does_not_depend_on_how_many_are_drawn_with_it():
    generator = models.build_generator(small())
    latents, conditions = normal(20, 8), np.sign(normal(20, 2))
    together = saved.draw(generator, latents, conditions)
    for count in (1, 17):
        some = saved.draw(generator, latents[:count], conditions[:count])
        np.testing.assert_array_equal(some, together[:count])


def batch(count=4, seed=0):
    rng = np.random.default_rng(seed)
    pictures = rng.uniform(-1, 1, (count, 32, 32, 3)).astype("f")
    return pictures, rng.choice([-1, 1], (count, 2)).astype("f")


@pytest.mark.parametrize("separate", [False, True])
def test_every_fake_has_the_condition_of_the_real_beside_it(separate, monkeypatch):
    gan = GAN(small(n_critic=2, separate_batches=separate))
    real, conditions = batch(8)
    drawn, judged = [], []
    for mover, seen in ((G, drawn), (D, judged)):
        network = gan.playing[mover]
        monkeypatch.setattr(network, "call", noting(network.call, seen))
    gan.train_step(tf.constant(real), tf.constant(conditions))  # eagerly
    first, second = conditions[:4], conditions[4:]
    for got, expected in zip(drawn, (first, second, second), strict=True):
        np.testing.assert_array_equal(got, expected)
    twice = [[np.concatenate([c, c])] for c in (first, second)]
    alone = [[c, c] for c in (first, second)]
    expected = sum(alone if separate else twice, []) + [second]
    for got, wanted in zip(judged, expected, strict=True):
        np.testing.assert_array_equal(got, wanted)


def noting(call, seen):
    def noted(inputs, **options):
        seen.append(np.asarray(inputs[1]))
        return call(inputs, **options)

    return noted


@pytest.mark.parametrize(
    "changes",
    [
        {"network": "dcgan", "g_batch_norm": True, "d_batch_norm": True, "ema": 0.9},
        {"loss": "wgan-gp", "gp": 10.0, "n_critic": 2, "label_noise": 0.0, "augment": "0.5"},
        {"loss": "relativistic", "r1": 1.0, "r2": 1.0, "label_noise": 0.0},
        {"loss": "hinge", "label_noise": 0.0, "spectral_norm": True, "penalty_every": 2, "r1": 1.0},
    ],
)
def test_losses_penalties_and_tricks_take_conditions(changes):
    recipe = small(**{"network": "mlp"} | changes)
    gan = GAN(recipe)
    product = next(x for x in gan.discriminator.layers if isinstance(x, keras.layers.Dot))
    shape = (2, product.input[0].shape[1])
    (embedding,) = (w for w in gan.discriminator.trainable_weights if w.shape == shape)
    before = embedding.numpy().copy()
    for seed in (0, 1):
        scalars = gan.train_on_batch(batch(recipe.reals_an_iteration, seed))
        assert all(np.isfinite(value) for value in scalars.values())
    assert not np.any(before == embedding.numpy())


def test_the_penalty_is_on_the_slope_under_the_pictures_own_conditions():
    """R1 against finite differences."""
    gan = GAN(small("mlp", network="mlp", r1=1.0, dropout=0.0, size=8))
    pictures, conditions = normal(2, 8, 8, 3) / 3, np.array([[1, -1], [-1, 1]], "f")
    steps = 0.01 * np.eye(192, dtype="f").reshape(192, 8, 8, 3)
    squares = []
    for picture, condition in zip(pictures, conditions, strict=True):
        repeated = np.tile(condition, (192, 1))
        up, down = (gan.playing[D]([picture + s, repeated]) for s in (steps, -steps))
        squares.append(np.sum(np.square((up - down) / 0.02)))
    critic = gan.critic(D, tf.constant(conditions))
    got = float(critic.penalties(tf.constant(pictures), tf.constant(pictures)))
    assert got == pytest.approx(np.mean(squares) / 2, rel=0.02)


def test_the_condition_steers_what_is_learned():
    """Bright reals under one condition, dark ones under the other."""
    recipe = small(
        "mlp", size=8, learning_rate=2e-3, batch_size=8, conditions="Bright", width=1 / 8
    )
    gan = GAN(recipe)
    conditions = np.array([[1], [-1]] * 4, "f")
    reals = np.broadcast_to(0.7 * conditions[:, :, None, None], (8, 8, 8, 3))
    for _ in range(150):
        gan.train_on_batch((reals, conditions))
    drawn = gan.generator([normal(20, 8), np.repeat([[1.0], [-1.0]], 10, axis=0)]).numpy()
    assert drawn[:10].mean() > 0.3 and drawn[10:].mean() < -0.3


def test_a_batch_without_conditions_is_refused_and_the_other_way_round():
    with pytest.raises(ValueError, match="should be .pictures, conditions."):
        GAN(small()).train_on_batch(batch()[0])
    with pytest.raises(ValueError, match="Received: --conditions none"):
        GAN(small(conditions="none")).train_on_batch(batch())


@pytest.fixture
def celeba(tmp_path):
    """Ten small pictures with CelebA's kind of table, in two folders of one class each."""
    rows = ["image_id,Smiling,Male"]
    for index in range(10):
        path = tmp_path / "faces" / "ab"[index % 2] / f"{index:02d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        noise = np.random.default_rng(index).integers(0, 256, (40, 40, 3))
        Image.fromarray(noise.astype(np.uint8)).save(path)
        rows.append(f"{path.name},{1 - 2 * (index % 2)},{1 if index > 4 else -1}")
    (tmp_path / "faces" / "list_attr_celeba.csv").write_text("\n".join(rows) + "\n")
    return tmp_path / "faces"


def words(celeba, *more):
    sizes = "--preset mlp --size 8 --width 0.05 --batch-size 4 --precision float32"
    often = "--grid-every 4 --checkpoint-every 5 --control-latents 9 --ema 0.9"
    where = ["--data", str(celeba), "--cache", str(celeba.parent / "cache")]
    return [*sizes.split(), *often.split(), *where, *map(str, more)]


def resuming(celeba, run, iters):
    cache = str(celeba.parent / "cache")
    return ["--resume", str(run), "--iters", str(iters), "--cache", cache]


def test_resume_equals_one_run_and_the_run_carries_its_conditions(celeba, tmp_path, capsys):
    whole, parts = Run(tmp_path / "whole"), Run(tmp_path / "parts")
    asked = ("--conditions", "Smiling,Male")
    assert train.main(words(celeba, *asked, "--iters", 9, "--out", whole.folder)) == 0
    assert train.main(words(celeba, *asked, "--iters", 6, "--out", parts.folder)) == 0
    assert train.main(resuming(celeba, parts.folder, 9)) == 0
    assert whole.log.read_text() == parts.log.read_text()
    for path in whole.control.iterdir():
        assert path.read_bytes() == (parts.control / path.name).read_bytes()
    ours, theirs = (saved.load(run.folder).model.get_weights() for run in (whole, parts))
    assert all(map(np.array_equal, ours, theirs))

    rows = json.loads(whole.control_conditions.read_text())
    assert rows["names"] == ["Smiling", "Male"]
    assert rows["values"] == [[-1, -1], [-1, 1], [1, -1], [1, 1]]
    assert np.load(whole.control_latents).shape == (2, 100)  # 9 pictures in rows of four conditions
    with Image.open(whole.control_grid(8)) as grid:
        assert grid.size == (2 * 8, 4 * 8)
    examples = runs.read_conditions(whole.conditions).values.tolist()
    assert sorted(examples) == sorted([1 - 2 * (i % 2), 1 if i > 4 else -1] for i in range(10))
    assert saved.load(whole.folder).conditions.values.tolist() == examples


def test_resume_refuses_a_changed_table(celeba, tmp_path, capsys):
    out = tmp_path / "run"
    assert train.main(words(celeba, "--conditions", "Male", "--iters", 5, "--out", out)) == 0
    table = celeba / "list_attr_celeba.csv"
    table.write_text(table.read_text().replace("09.png,-1,1", "09.png,-1,-1"))
    capsys.readouterr()
    assert train.main(resuming(celeba, out, 9)) == 2
    error = capsys.readouterr().err
    assert "should see the conditions it began with" in error and "whose Male differ" in error


def test_classes_train_and_are_asked_for_by_name_and_number(celeba, tmp_path, capsys):
    out = tmp_path / "run"
    asked = ("--conditions", "labels", "--iters", 5, "--out", out)
    assert train.main(words(celeba, *asked)) == 0
    assert Run(out).read_recipe().classes == 2
    for label in ("b", "1"):
        assert sample.main([str(out), "-n", "4", "--label", label]) == 0
    first, second = (out / "samples" / f"seed-0000-n4-{label}.png" for label in "b1")
    assert first.read_bytes() == second.read_bytes()
    capsys.readouterr()
    assert sample.main([str(out), "--label", "2"]) == 2
    assert "There are: a, b." in capsys.readouterr().err
    assert train.main(resuming(celeba, out, 6)) == 0


def test_dry_run_takes_conditions(celeba, capsys):
    assert train.main(words(celeba, "--conditions", "Male", "--dry-run")) == 0
    assert "conditions: Male" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("conditions", "message"), [("Mail", "Near it: Male."), ("Male,Bald", "Received: Bald.")]
)
def test_attributes_the_pictures_lack_are_one_line(celeba, tmp_path, capsys, conditions, message):
    asked = ("--conditions", conditions, "--out", tmp_path / "run")
    assert train.main(words(celeba, *asked)) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and message in error and not (tmp_path / "run").exists()


DIM = 5
KNOWN = Conditions(["Smiling", "Male"], np.array([(1, -1), (-1, 1), (1, 1)], np.int8))


@pytest.fixture(scope="module")
def generator():
    """One dense layer and tanh over a latent and a condition."""
    keras.utils.set_random_seed(0)
    inputs = [keras.Input((DIM,)), keras.Input((2,))]
    x = keras.layers.Dense(48, activation="tanh")(keras.layers.Concatenate()(inputs))
    return keras.Model(inputs, keras.layers.Reshape((4, 4, 3))(x))


@pytest.fixture
def file(generator, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    saved.write(tmp_path / "g.keras", generator, saved.Facts(conditions=KNOWN))
    return tmp_path / "g.keras"


def drawn(generator, latents, conditions):
    """The pictures by hand, uint8 (N, 4, 4, 3)."""
    kernel, bias = generator.get_weights()
    pictures = np.tanh(np.concatenate([latents, conditions], axis=1) @ kernel + bias)
    return np.rint((pictures + 1) * 127.5).reshape(-1, 4, 4, 3)


def read(path):
    with Image.open(path) as image:
        return np.asarray(image).astype(int)


def latents_of(count, seed=0):
    return np.random.default_rng(seed).standard_normal((count, DIM)).astype("f")


def test_keras_alone_opens_the_file(generator, file):
    loaded = keras.models.load_model(file)
    inputs = [latents_of(3), normal(3, 2)]
    np.testing.assert_array_equal(loaded(inputs), generator(inputs))


def test_asked_labels_reach_every_picture(generator, file, tmp_path):
    assert sample.main(["g.keras", "-n", "4", "--label", "Smiling=1", "--label", "Male=-1"]) == 0
    picture = read(tmp_path / "g-seed-0000-n4-Smiling=1-Male=-1.png")
    expected = drawn(generator, latents_of(4), np.tile([[1, -1]], (4, 1)))
    grid = picture.reshape(2, 4, 2, 4, 3).swapaxes(1, 2).reshape(4, 4, 4, 3)
    assert np.abs(grid - expected).max() <= 1


def test_labels_not_asked_for_are_drawn_from_the_examples(generator, file, tmp_path):
    folder = tmp_path / "faces"
    assert sample.main(["g.keras", "-n", "6", "--separate", str(folder), "--label", "Male=1"]) == 0
    wanted = KNOWN.draw(6, 0, {1: 1}).vectors()
    assert set(wanted[:, 0]) == {-1, 1} and set(wanted[:, 1]) == {1}
    pictures = np.stack([read(path) for path in sorted(folder.iterdir())])
    assert np.abs(pictures - drawn(generator, latents_of(6), wanted)).max() <= 1
    assert sample.main(["g.keras", "-n", "1"]) == 0
    one = drawn(generator, latents_of(1), KNOWN.draw(1, 0).vectors())
    assert np.abs(read(tmp_path / "g-seed-0000-n1.png") - one[0]).max() <= 1


def test_a_walk_keeps_its_condition(generator):
    conditions = np.array([(1, -1), (-1, -1)], "f")
    steered = SavedGenerator(generator, saved.Facts(conditions=KNOWN))
    frames = list(draw_walk(steered, 2, keys=2, frames_per_leg=3, conditions=conditions))
    assert len(frames) == 6
    keys = latents_of(4).reshape(2, 2, DIM)  # of each walker its two
    for leg in range(2):
        expected = drawn(generator, keys[:, leg], conditions)
        got = np.stack(np.split(frames[3 * leg].astype(int), 2, axis=1))
        assert np.abs(got - expected).max() <= 1


def test_wrong_labels_are_one_line(file, tmp_path, capsys):
    x = keras.Input((3,))
    pictures = keras.layers.Activation("tanh")(keras.layers.Reshape((1, 1, 3))(x))
    keras.Model(x, pictures).save(tmp_path / "plain.keras")
    for words, message in [
        (["g.keras", "--label", "Smilling=1"], "Near it: Smiling."),
        (["g.keras", "--label", "3"], "one of Smiling, Male."),
        (["plain.keras", "--label", "3"], "plain.keras, which has none. Leave it out."),
    ]:
        assert sample.main(words) == 2
        error = capsys.readouterr().err
        assert error.count("\n") == 1 and message in error


def test_a_file_whose_conditions_are_lost_or_damaged_is_one_line(generator, file, capsys):
    keras.models.load_model(file).save("again.keras")
    assert sample.main(["again.keras"]) == 2
    assert "A generator should map latents" in capsys.readouterr().err
    wrong = Conditions(["a", "b", "c"], np.ones((1, 3), np.int8))
    with pytest.raises(UserError, match="A generator should map latents"):
        SavedGenerator(generator, saved.Facts(conditions=wrong))
    saved.write(file.with_name("wrong.keras"), generator, saved.Facts(conditions=wrong))
    assert sample.main(["wrong.keras"]) == 2
    assert "A generator should map latents" in capsys.readouterr().err
    shutil.copy(file, "damaged.keras")
    content = bytearray(file.read_bytes())
    place = content.find(b"kerasgan.json") + 30
    content[place : place + 20] = bytes(20)
    file.with_name("damaged.keras").write_bytes(content)
    assert sample.main(["damaged.keras"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_walk_through_seeds_keeps_each_face_under_its_condition(tmp_path, monkeypatch):
    layers = keras.layers
    latents, condition = keras.Input((4,)), keras.Input((2,))
    x = layers.Concatenate()([latents, layers.Rescaling(0.5)(condition)])
    kernel = keras.initializers.RandomNormal(stddev=0.4, seed=1)
    x = layers.Dense(48, activation="tanh", kernel_initializer=kernel)(x)
    model = keras.Model([latents, condition], layers.Reshape((4, 4, 3))(x))
    known = Conditions(["Smiling", "Male"], np.array([[1, -1], [-1, 1], [-1, -1]], np.int8))
    saved.write(tmp_path / "g.keras", model, saved.Facts(conditions=known))
    monkeypatch.chdir(tmp_path)
    words = ["g.keras", "--frames", "2", "--seeds", "1,2:3", "--out", "x.gif"]
    for labels in ([], ["--label", "Smiling=1"]):
        assert sample.main([*words, *labels]) == 0
        faces = []
        for seed, place in ((1, 0), (2, 3)):
            assert sample.main(["g.keras", "-n", "4", "--grid", "1x4", "--seed", str(seed),
                                "--out", "y.png", *labels]) == 0  # fmt: skip
            with Image.open("y.png") as grid:
                faces.append(np.asarray(grid)[:, 4 * place : 4 * place + 4].astype(int))
        with Image.open("x.gif") as walk:
            for frame, face in ((0, faces[0]), (2, faces[1])):
                walk.seek(frame)
                assert np.abs(np.asarray(walk.convert("RGB")) - face).max() <= 1
