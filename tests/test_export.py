"""Generators in the formats of other programs: what they draw there, what goes along, mistakes."""

import dataclasses
import json
import re
import shutil
import sys
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pytest
from PIL import Image

from kerasgan import export, exports, latents, models, saved
from kerasgan.backend import keras
from kerasgan.conditions import Conditions
from kerasgan.errors import UserError
from kerasgan.recipes import PRESETS, resolve
from kerasgan.runs import Run

DOCS = Path(__file__).parent.parent / "docs" / "export.md"
DIM = 64  # of the latents of the page's generator
GREY = 2 / 255
# What converters and runtimes leave to be warned of.
pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")


def error_of(capsys):
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and error.startswith("error: ") and "Received: " in error
    return error


def run_onnx(path, **reads):
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (drawn,) = session.run(["pictures"], reads)
    return drawn


def run_litert(path, **reads):
    from ai_edge_litert.interpreter import Interpreter

    draw = Interpreter(str(path)).get_signature_runner("serving_default")
    count = len(reads["latents"])
    rows = [{name: row[place : place + 1] for name, row in reads.items()} for place in range(count)]
    return np.concatenate([draw(**row)["pictures"] for row in rows])


def run_saved_model(path, **reads):
    from kerasgan.backend import tf

    loaded = tf.saved_model.load(str(path))
    serve = loaded.signatures["serving_default"]
    return serve(**{name: tf.constant(row) for name, row in reads.items()})["pictures"].numpy()


RUN = {"saved-model": run_saved_model, "onnx": run_onnx, "litert": run_litert}


def path_of(folder, name, form, quantize=None):
    more = f"-{quantize}" if quantize else ""
    return folder / f"{name}{more}{exports.FORMATS[form].suffix or '-saved-model'}"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run's folder with a small generator and a recipe."""
    folder = tmp_path_factory.mktemp("export") / "outputs" / "000-fast"
    folder.mkdir(parents=True)
    recipe = dataclasses.replace(PRESETS["fast"], size=32, width=1 / 8, g_batch_norm=False)
    recipe = resolve(recipe, precision="float32")
    Run(folder).write_recipe(recipe)
    saved.write(folder / "generator.keras", models.build_portable_generator(recipe))
    return folder


@pytest.fixture(scope="module")
def exported(run):
    """The run in every format, float32, where it goes by itself."""
    for form in RUN:
        assert export.main([str(run), "--format", form]) == 0
    return run / "exports"


def keras_values(place, reads):
    model = saved.load(place).model
    return np.asarray(model(reads if len(reads) > 1 else reads[0], training=False))


@pytest.mark.parametrize("form", RUN)
def test_every_runtime_draws_what_keras_does(exported, run, form):
    drawn = latents.draw(5, DIM, seed=9)
    values = RUN[form](path_of(exported, "000-fast", form), latents=drawn)
    expected = keras_values(run, [drawn])
    assert values.shape == (5, 32, 32, 3) and expected.std() > 0.1
    np.testing.assert_allclose(values, expected, atol=1e-5)


def facts_of(path):
    """What goes along, read as anybody reads it."""
    if path.suffix == ".onnx":
        import onnxruntime

        kept = onnxruntime.InferenceSession(path).get_modelmeta().custom_metadata_map
        return {name: json.loads(text) for name, text in kept.items()}
    if path.suffix == ".tflite":
        with ZipFile(path) as file:
            return json.loads(file.read("kerasgan.json"))
    return json.loads((path / "assets.extra" / "kerasgan.json").read_text())


@pytest.mark.parametrize("form", RUN)
def test_the_facts_go_along(exported, run, form):
    facts = facts_of(path_of(exported, "000-fast", form))
    count = 1 if form == "litert" else None
    assert facts["inputs"] == {"latents": [count, DIM]}
    assert facts["outputs"] == {"pictures": [count, 32, 32, 3]}
    assert facts["range"] == [-1, 1] and facts["weights"] == "float32"
    assert facts["conditions"] is None
    assert facts["recipe"] == json.loads((run / "recipe.json").read_text())


@pytest.mark.parametrize("form", ["onnx", "litert"])
def test_fewer_bits_make_a_smaller_file_of_nearly_the_same_pictures(
    form, exported, run, tmp_path, capsys
):
    drawn = latents.draw(16, DIM, seed=0)
    expected = keras_values(run, [drawn])
    paths = {None: path_of(exported, "000-fast", form)}
    for quantize in ("float16", "int8"):
        words = ["--quantize", quantize, "--out", str(tmp_path)]
        assert export.main([str(run), "--format", form, *words]) == 0
        paths[quantize] = path_of(tmp_path, "000-fast", form, quantize)
        apart = np.abs(RUN[form](paths[quantize], latents=drawn) - expected).max() / GREY
        printed = float(re.search(r"but for ([^ ]+) of 255", capsys.readouterr().out)[1])
        assert printed == pytest.approx(apart, rel=0.06)  # two digits
        assert {"float16": 0.001 < apart < 1, "int8": 1 < apart < 48}[quantize]
        assert facts_of(paths[quantize])["weights"] == quantize
    kernels = [w.size for w in saved.load(run).model.get_weights() if w.ndim > 1]
    large = sum(size for size in kernels if size > 1024)
    sizes = {quantize: path.stat().st_size for quantize, path in paths.items()}
    assert 1.9 * large < sizes[None] - sizes["float16"] < 2.1 * sum(kernels)
    assert 2.7 * large < sizes[None] - sizes["int8"] < 3.1 * sum(kernels)


@pytest.mark.parametrize("form", RUN)
def test_conditions_are_a_second_input(form, tmp_path):
    keras.utils.set_random_seed(1)
    first, second = keras.Input((4,), name="z"), keras.Input((2,), name="what")
    x = keras.layers.Dense(48, activation="tanh")(keras.layers.Concatenate()([first, second]))
    model = keras.Model([first, second], keras.layers.Reshape((4, 4, 3))(x))
    known = Conditions(["Smiling", "Male"], np.array([[1, -1], [-1, 1], [1, 1]], np.int8))
    saved.write(tmp_path / "two.keras", model, saved.Facts(conditions=known))
    place = [str(tmp_path / "two.keras"), "--format", form, "--out", str(tmp_path)]
    assert export.main(place) == 0
    path = path_of(tmp_path, "two", form)
    reads = [latents.draw(3, 4, seed=2), known.vectors()]
    values = RUN[form](path, latents=reads[0], conditions=reads[1])
    np.testing.assert_allclose(values, np.asarray(model(reads)), atol=1e-5)
    facts = facts_of(path)
    assert list(facts["inputs"]) == ["latents", "conditions"]
    assert facts["conditions"]["kind"] == "attributes"
    assert facts["conditions"]["names"] == ["Smiling", "Male"]


def test_a_foreign_generator_keeps_its_range_and_its_axes(tmp_path, monkeypatch, capsys):
    keras.utils.set_random_seed(2)
    inputs = keras.Input((1, 1, 5))
    x = keras.layers.Dense(48, activation="sigmoid")(keras.layers.Flatten()(inputs))
    model = keras.Model(inputs, keras.layers.Reshape((3, 4, 4))(x))
    model.save(tmp_path / "theirs.keras")
    monkeypatch.chdir(tmp_path)
    assert export.main(["theirs.keras", "--format", "onnx"]) == 0
    out = capsys.readouterr().out
    assert "latents (N, 1, 1, 5) to pictures (N, 3, 4, 4) from 0 to 1" in out
    drawn = latents.draw(3, 5, seed=0).reshape(3, 1, 1, 5)
    values = run_onnx(tmp_path / "theirs.onnx", latents=drawn)
    np.testing.assert_allclose(values, np.asarray(model(drawn)), atol=1e-6)
    assert facts_of(tmp_path / "theirs.onnx")["range"] == [0, 1]
    assert facts_of(tmp_path / "theirs.onnx")["recipe"] is None


def test_mixed_precision_becomes_float32(tmp_path):
    keras.utils.set_random_seed(3)
    mixed, single = (
        keras.Sequential(
            [
                keras.Input((5,)),
                keras.layers.Dense(48, dtype=policy),
                keras.layers.Activation("tanh", dtype=policy),
                keras.layers.Reshape((4, 4, 3), dtype=policy),
            ]
        )
        for policy in ("mixed_bfloat16", "float32")
    )
    single.set_weights(mixed.get_weights())
    mixed.save(tmp_path / "mixed.keras")
    words = ["--format", "litert", "--out", str(tmp_path)]
    assert export.main([str(tmp_path / "mixed.keras"), *words]) == 0
    drawn = latents.draw(3, 5, seed=0)
    values = run_litert(tmp_path / "mixed.tflite", latents=drawn)
    assert values.dtype == np.float32
    np.testing.assert_allclose(values, np.asarray(single(drawn)), atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("form", ["onnx", "litert"])
@pytest.mark.parametrize("preset", [name for name in PRESETS if name != "fast"])
def test_every_presets_generator(preset, form, tmp_path):
    recipe = PRESETS[preset]
    recipe = dataclasses.replace(recipe, size=min(recipe.size, 32), width=1 / 64, latent_dim=8)
    recipe = resolve(recipe, precision="float32")
    known = None
    if recipe.condition_size:
        values = np.random.default_rng(0).choice([-1, 1], (20, recipe.condition_size))
        known = Conditions(recipe.conditions.split(","), values.astype(np.int8))
    model = models.build_portable_generator(recipe)
    saved.write(tmp_path / "g.keras", model, saved.Facts(conditions=known), half=True)
    words = [str(tmp_path / "g.keras"), "--format", form, "--out", str(tmp_path)]
    assert export.main(words) == 0
    reads = {"latents": latents.draw(2, 8, seed=4)}
    if known:
        reads["conditions"] = known.vectors()[:2]
    values = RUN[form](path_of(tmp_path, "g", form), **reads)
    expected = keras_values(tmp_path / "g.keras", list(reads.values()))
    np.testing.assert_allclose(values, expected, atol=1e-5)


def test_what_int8_spoils_is_refused(tmp_path, capsys):
    """One weight of 1000 that nothing passes leaves no steps of int8 to the others."""
    inputs = keras.Input((6,))
    spoilt, last = keras.layers.Dense(7, use_bias=False), keras.layers.Dense(48, "tanh")
    outputs = keras.layers.Reshape((4, 4, 3))(last(spoilt(inputs)))
    spoilt.set_weights([np.eye(6, 7)])
    kernel = np.random.default_rng(0).normal(0, 0.5, (7, 48))
    kernel[6] = 1000
    last.set_weights([kernel, np.zeros(48)])
    saved.write(tmp_path / "g.keras", keras.Model(inputs, outputs))
    words = [str(tmp_path / "g.keras"), "--format", "onnx", "--out", str(tmp_path / "out")]
    assert export.main([*words, "--quantize", "int8"]) == 2
    error = error_of(capsys)
    assert "--format onnx in int8, which draws up to" in error and "--quantize" in error
    assert not list((tmp_path / "out").iterdir())
    assert export.main([*words, "--quantize", "float16"]) == 0


def test_an_earlier_export_is_replaced(run, exported, capsys):
    path = exported / "000-fast-saved-model"
    (path / "saved_model.pb").write_bytes(b"")
    before = sorted(item.name for item in exported.iterdir())
    assert export.main([str(run), "--format", "saved-model"]) == 0
    assert capsys.readouterr().out.startswith(f"{path} (replaced): ")
    assert sorted(item.name for item in exported.iterdir()) == before
    drawn = latents.draw(1, DIM, 0)
    np.testing.assert_allclose(
        run_saved_model(path, latents=drawn), keras_values(run, [drawn]), atol=1e-5
    )


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["faces1024", "--format", "onnx"], "faces1024, which does not exist"),
        (["RUN", "--format", "onnx", "--out", "x.onnx"], "`--out` names a folder"),
        (["RUN", "--format", "onnx", "--out", "file"], "which lies in something that is no folder"),
        (["RUN", "--format", "onnx", "--out", "way"], "000-fast.onnx, which is a folder"),
        (["RUN", "--format", "saved-model", "--out", "way"], "a folder with something else"),
        (["RUN", "--format", "saved-model", "--quantize", "int8"], "left out with --format saved"),
        (["RUN", "--format", "torch"], "invalid choice: 'torch'"),
        (["RUN", "--format", "onnx", "--range", "sigmoid"], "has its range in its file"),
    ],
)
def test_a_mistake_is_one_line(words, error, run, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    (tmp_path / "way" / "000-fast.onnx").mkdir(parents=True)
    (tmp_path / "way" / "000-fast-saved-model").mkdir()
    (tmp_path / "way" / "000-fast-saved-model" / "mine.txt").touch()
    assert export.main([str(run) if word == "RUN" else word for word in words]) == 2
    message = capsys.readouterr().err
    assert error in message and message.count("\n") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "way"]


def test_a_missing_extra_is_named(run, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "tf2onnx", None)
    assert export.main([str(run), "--format", "onnx", "--out", str(tmp_path / "out")]) == 2
    error = error_of(capsys)
    assert "extra `export`" in error and 'pip install "kerasgan[export]"' in error
    assert not (tmp_path / "out").exists()


def test_what_a_runtime_refuses_is_not_left(run, tmp_path, monkeypatch):
    form = dataclasses.replace(
        exports.FORMATS["onnx"], write=lambda generator, path, quantize: path.write_bytes(b"no")
    )
    monkeypatch.setitem(exports.FORMATS, "onnx", form)
    generator = saved.load(run)
    with pytest.raises(UserError, match="should open in ONNX Runtime. Received: .*Type another"):
        exports.export(generator, tmp_path / "out" / "g.onnx", "onnx")
    assert not list((tmp_path / "out").iterdir())


def test_the_pages_examples(run, exported, tmp_path, monkeypatch):
    """As they stand, beside exports of 32x32 pictures; all draw the same ones."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "exported").symlink_to(exported)
    page = DOCS.read_text()
    examples = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert len(examples) == len(RUN)
    expected = saved.load(run).draw(latents.draw(4, DIM, seed=0))
    for example in examples:
        names: dict[str, object] = {}
        exec(compile(example, str(DOCS), "exec"), names)
        assert names["pictures"].shape == (4, 32, 32, 3)
        assert np.abs(names["pixels"].astype(int) - expected).max() <= 1  # a rounding tie
        assert names["facts"]["range"] == [-1, 1]
    with Image.open(tmp_path / "face.png") as face:
        assert np.abs(np.asarray(face).astype(int) - expected[0]).max() <= 1


def test_the_pages_commands_are_commands():
    (commands,) = re.findall(r"```sh\npip.*?\n(.*?)```", DOCS.read_text(), re.DOTALL)
    for line in commands.splitlines():
        words = line.removeprefix("python -m kerasgan.export ").split()
        args = export.build_parser().parse_args(words)
        assert args.format in RUN and args.out == Path("exported")


STUB = """
export class Tensor { constructor(type, data, dims) { Object.assign(this, { type, data, dims }); } }
export const InferenceSession = {
  create: async (name) => ({
    run: async (reads) => {
      window.asked = { name, type: reads.latents.type, dims: reads.latents.dims };
      window.asked.latents = Array.from(reads.latents.data);
      return { pictures: { dims: [1, 2, 3, 3], data: Float32Array.from(VALUES) } };
    },
  }),
};
"""


@pytest.mark.slow
def test_the_pages_own_page_reads_latents_and_shows_pictures():
    """With a stand-in for ONNX Runtime Web that gives known values."""
    browsers = pytest.importorskip("playwright.sync_api")
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("no chromium here")
    (page,) = re.findall(r"```html\n(.*?)```", DOCS.read_text(), re.DOTALL)
    values = np.linspace(-1.21, 1.2, 18)
    stub = STUB.replace("VALUES", json.dumps(values.tolist()))
    with browsers.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        tab = browser.new_page()
        answer = {"content_type": "text/javascript", "body": stub}
        tab.route("**/*.mjs", lambda route: route.fulfill(**answer))
        tab.route("**/page", lambda route: route.fulfill(content_type="text/html", body=page))
        tab.goto("http://localhost/page")
        tab.wait_for_function("window.asked")
        asked = tab.evaluate("window.asked")
        area = "getContext('2d').getImageData(0, 0, 3, 2).data"
        drawn = tab.evaluate(f"Array.from(document.getElementById('face').{area})")
        browser.close()
    assert asked["name"] == "000-fast-float16.onnx" and asked["type"] == "float32"
    assert asked["dims"] == [1, DIM] and len(asked["latents"]) == DIM
    assert np.abs(np.mean(asked["latents"])) < 1 and 0.5 < np.std(asked["latents"]) < 1.5
    pixels = np.array(drawn).reshape(6, 4)
    expected = np.clip((values + 1) * 127.5, 0, 255).reshape(6, 3)
    assert np.abs(pixels[:, :3] - expected).max() <= 0.51 and (pixels[:, 3] == 255).all()
