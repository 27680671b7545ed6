"""The page in a browser draws what Keras does, and each of its controls does what it says."""

import base64
import dataclasses
import http.server
import json
import re
import shutil
import threading
from pathlib import Path
from urllib.parse import parse_qs, urlencode

import numpy as np
import pytest
import tiny_generators
from PIL import Image

from kerasgan import directions as directions_
from kerasgan import export, models, saved
from kerasgan import latents as latent_space
from kerasgan.backend import keras
from kerasgan.conditions import Conditions
from kerasgan.directions import Direction
from kerasgan.errors import UserError
from kerasgan.exports import web
from kerasgan.recipes import PRESETS
from kerasgan.saved import Facts

playwright = pytest.importorskip("playwright.sync_api", reason="no playwright")
CHROMIUM = shutil.which("chromium")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")

ENGINES = {
    "cpu": "the processor",
    "webgl2": "the graphics card, by WebGL",
    "webgpu": "the graphics card, by WebGPU",
}
# The browser plays the graphics card, and runs as root in containers.
FLAGS = ["--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader",
         "--enable-unsafe-swiftshader", "--enable-unsafe-webgpu",
         "--use-webgpu-adapter=swiftshader"]  # fmt: skip
STEP = 4096  # of the numbers of latents in an address, to 1
READ = """canvas => {
  const {width, height} = canvas;
  return [width, ...canvas.getContext("2d").getImageData(0, 0, width, height).data];
}"""


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def context(browser):
    context = browser.new_context(viewport={"width": 900, "height": 900})
    yield context
    context.close()


@pytest.fixture
def opened(context):
    """Opens pages that log no error, and ask for nothing but themselves."""
    wrong: list[str] = []

    def opens(place: str, fragment: str = "", engine: str = "cpu") -> playwright.Page:
        page = context.new_page()
        page.on("console", lambda said: said.type == "error" and wrong.append(said.text))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("request", lambda asked: is_other(asked.url, place) and wrong.append(asked.url))
        page.goto(f"{place}#{fragment}&engine={engine}")
        wait(page)
        return page

    yield opens
    assert not wrong


def is_other(address: str, place: str) -> bool:
    """Whether an address is neither the page's own nor of something within it."""
    return address.split("#")[0] != place and address.split(":")[0] not in ("blob", "data")


def wait(page) -> None:
    page.wait_for_selector("html[data-engine] #again[aria-busy=false]")


def picture(page, canvas: str = "face") -> np.ndarray:
    """What a canvas shows, uint8 (H, W, 3)."""
    wait(page)
    width, *numbers = page.locator(f"#{canvas}").evaluate(READ)
    pixels = np.array(numbers, np.uint8).reshape(-1, width, 4)
    assert (pixels[..., 3] == 255).all()
    return pixels[..., :3]


def difference(one: np.ndarray, other: np.ndarray) -> int:
    """The largest, in grey levels."""
    return int(np.abs(one.astype(int) - other).max())


def person(latents: np.ndarray, **changes: object) -> str:
    """The address of a latent (1, D)."""
    word = base64.urlsafe_b64encode(np.rint(latents * STEP).astype("<i2").tobytes())
    return urlencode({"latent": word.decode().rstrip("="), **changes})


def latents_of(page) -> np.ndarray:
    """The latent in a page's address, (1, D)."""
    word = parse_qs(page.url.split("#")[1])["latent"][0]
    numbers = np.frombuffer(base64.urlsafe_b64decode(word + "=" * (-len(word) % 4)), "<i2")
    return numbers[None].astype(np.float32) / STEP


def some_latents(dim: int, seed: int = 5) -> np.ndarray:
    return np.rint(latent_space.draw(1, dim, seed) * STEP) / np.float32(STEP)


def learned(model: keras.Model) -> keras.Model:
    """Gives BatchNorm statistics, and the last layer room, as a training does."""
    rng = np.random.default_rng(0)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            gamma, beta, mean, variance = layer.get_weights()
            spread = rng.uniform(0.5, 1.5, (2, len(gamma)))
            layer.set_weights([spread[0], rng.normal(size=beta.shape), mean + 0.1, spread[1]])
    reads = [rng.normal(size=(8, *each.shape[1:])).astype(np.float32) for each in model.inputs]
    spread = np.std(model(reads if len(reads) > 1 else reads[0]))
    last = next(layer for layer in reversed(model.layers) if layer.get_weights())
    if spread < 0.2:
        last.set_weights([weight * (0.3 / spread) for weight in last.get_weights()])
    return model


def conditions(classes: bool = False) -> Conditions:
    if classes:
        return Conditions(["cat", "dog", "fox"], np.array([0, 1, 2, 1], np.int32))
    rows = np.array([[1, -1, 1], [-1, -1, 1], [1, 1, -1]], np.int8)
    return Conditions(["Smiling", "Male", "Eyeglasses"], rows)


def preset(name: str) -> saved.SavedGenerator:
    size = {"mlp": 28}.get(name, 32)
    recipe = dataclasses.replace(
        PRESETS[name], size=size, width=1 / 16, latent_dim=12, precision="float32"
    )
    model = learned(models.build_portable_generator(recipe))
    facts = Facts(conditions=conditions() if recipe.conditions != "none" else None)
    return saved.SavedGenerator(model, facts)


def all_operations() -> saved.SavedGenerator:
    """A grey generator of another program, with nearly every layer that the page knows."""
    layers = keras.layers
    keras.utils.set_random_seed(3)
    latents = keras.Input((1, 1, 10))
    x = layers.Conv2DTranspose(9, 5, strides=3, activation="elu")(latents)
    x = layers.UpSampling2D(2, interpolation="bilinear")(x)
    x = layers.PReLU("normal", shared_axes=[1, 2])(x)
    x = layers.Conv2DTranspose(6, (3, 5), strides=(2, 3), padding="same", activation="silu")(x)
    x = layers.Conv2D(7, 3, strides=2, padding="same", activation="softplus")(x)
    x = layers.ZeroPadding2D(((1, 2), (0, 1)))(x)
    x = layers.Conv2D(5, 3, dilation_rate=2, padding="same", bias_initializer="normal")(x)
    a = layers.MaxPooling2D(3, strides=1, padding="same")(x)
    b = layers.AveragePooling2D(2, strides=1, padding="same")(layers.Activation("selu")(x))
    x = layers.Concatenate()([a, layers.Multiply()([a, b]), layers.Average()([a, b]), x])
    x = layers.Rescaling(0.5, offset=0.1)(layers.UnitNormalization()(x))
    x = layers.BatchNormalization()(layers.Activation("hard_sigmoid")(x))
    x = layers.Maximum()([x, layers.Activation("softsign")(x)])
    x = layers.Cropping2D(((1, 2), (2, 1)))(x)
    squeezed = layers.RepeatVector(x.shape[1] * x.shape[2])(layers.GlobalMaxPooling2D()(x))
    x = layers.Subtract()([x, layers.Reshape(x.shape[1:])(squeezed)])
    x = layers.Permute((3, 1, 2))(layers.Dense(1, kernel_initializer="normal")(x))
    return saved.SavedGenerator(learned(keras.Model(latents, layers.Activation("sigmoid")(x))))


def written(generator: saved.SavedGenerator, folder: Path, name: str = "page.html") -> str:
    """Writes a page; returns its address."""
    web.write(generator, folder / name)
    return (folder / name).as_uri()


@pytest.fixture(scope="module")
def faces(tmp_path_factory):
    """A generator with two directions, its page, and the folder of both."""
    folder = tmp_path_factory.mktemp("faces")
    saved.write(folder / "me.keras", tiny_generators.build())
    generator = saved.load(folder / "me.keras")
    vectors = np.eye(2, generator.latent_dim, dtype=np.float32)
    known = [Direction(name, vector, "attribute") for name, vector in zip(
        ("Smiling", "Wearing_Hat"), vectors, strict=True)]  # fmt: skip
    directions_.write(generator, {one.name: one for one in known})
    assert export.main([str(folder / "me.keras"), "--format", "web", "--out", str(folder)]) == 0
    return generator, (folder / "me.html").as_uri(), folder


@pytest.mark.parametrize("name", [*PRESETS, "all operations"])
def test_every_engine_draws_what_keras_does(name, opened, tmp_path):
    generator = all_operations() if name == "all operations" else preset(name)
    place = written(generator, tmp_path)
    latents, condition, changes = some_latents(generator.latent_dim), None, {}
    if known := generator.conditions:
        condition = np.array([[0.5, -1, 1]], np.float32)
        changes = dict(zip((f"is.{each}" for each in known.names), condition[0], strict=True))
    expected = generator.draw(latents, condition)[0]
    assert expected.std() > 10  # else everything were the same grey
    for engine, label in ENGINES.items():
        page = opened(place, person(latents, **changes), engine)
        if engine == "webgpu" and page.evaluate("navigator.gpu?.requestAdapter()") is None:
            continue
        assert page.get_attribute("html", "data-engine") == label
        assert difference(picture(page), expected) <= 1, engine
        page.close()


def test_a_page_of_64_pixels_fits_into_a_mail(tmp_path):
    recipe = dataclasses.replace(PRESETS["fast"], precision="float32")
    generator = saved.SavedGenerator(models.build_portable_generator(recipe), Facts())
    web.write(generator, tmp_path / "page.html")
    assert 2e6 < (tmp_path / "page.html").stat().st_size < 3e6
    web.write(generator, tmp_path / "int8.html", "int8")
    assert (tmp_path / "int8.html").stat().st_size < 1.6e6


def test_it_is_drawn_from_a_server_that_is_asked_for_the_page_alone(faces, opened):
    generator, _, folder = faces
    asked = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *options):
            super().__init__(*options, directory=folder)

        def log_message(self, *words):
            asked.append(self.path)

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        page = opened(f"http://127.0.0.1:{server.server_port}/me.html", "face=alice", "")
        first = picture(page)
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        page.get_by_role("button", name="Copy link").click()
        page.get_by_text("The link is copied").wait_for()
        link = page.evaluate("navigator.clipboard.readText()")
        for engine in ("", "&engine=webgl2"):
            other = page.context.new_page()
            other.goto(link + engine)
            assert difference(picture(other), first) <= 1
        server.shutdown()
    assert asked == ["/me.html"] * 3


def test_each_way_to_a_new_person(faces, browser, opened):
    _, place, _ = faces
    page = opened(place)
    seen = [picture(page)]
    ways = [
        lambda: page.get_by_role("button", name="New person").click(),
        lambda: page.locator("#face").click(),
        lambda: (page.locator("#next").focus(), page.keyboard.press("n")),
        lambda: (page.locator("h1").click(), page.evaluate("document.activeElement.blur()"),
                 page.keyboard.press("Space")),
        page.reload,
    ]  # fmt: skip
    addresses = [page.url]
    for way in ways:
        way()
        seen.append(picture(page))
        addresses.append(page.url)
    for number, one in enumerate(seen):
        assert all(difference(one, other) > 5 for other in seen[:number])
    page.go_back()
    page.wait_for_url(addresses[-3])
    page.get_by_text(re.search("face=([^&]*)", addresses[-3])[1]).wait_for()
    assert difference(picture(page), seen[-3]) == 0
    same = opened(*addresses[2].split("#"))
    assert difference(picture(same), seen[2]) == 0


def test_sliders_move_along_directions(faces, opened):
    generator, place, _ = faces
    latents = some_latents(generator.latent_dim)
    page = opened(place, person(latents))
    page.get_by_label("Wearing Hat").fill("2")
    moved = directions_.move(latents, np.eye(6, dtype=np.float32)[1], 2)
    assert difference(picture(page), generator.draw(moved)[0]) <= 1
    page.get_by_label("Smiling").focus()
    page.keyboard.press("ArrowLeft")
    moved = directions_.move(
        directions_.move(latents, np.eye(6, dtype=np.float32)[0], -0.1),
        np.eye(6, dtype=np.float32)[1], 2,
    )  # fmt: skip
    assert difference(picture(page), generator.draw(moved)[0]) <= 1
    page.wait_for_url(re.compile(r"to\.Wearing_Hat=2&to\.Smiling=-0\.1"))
    page.get_by_label("Change new people, too").check()
    page.get_by_role("button", name="New person").click()
    wait(page)
    assert page.get_by_label("Wearing Hat").input_value() == "2"
    assert "to.Wearing_Hat=2" in page.url
    page.get_by_role("button", name="As they were").click()
    wait(page)
    assert page.get_by_label("Wearing Hat").input_value() == "0"


def test_components_stand_in_for_directions(opened, tmp_path):
    generator = tiny_generators.make()
    page = opened(written(generator, tmp_path), person(latents := some_latents(6)))
    page.get_by_label("Component 2").fill("-3")
    second = directions_.components(generator, 2)[1]
    expected = generator.draw(directions_.move(latents, second.vector, -3))[0]
    assert difference(picture(page), expected) <= 1


def test_conditions_are_sliders(opened, tmp_path):
    generator = preset("conditional")
    latents = some_latents(generator.latent_dim)
    known = {"is.Male": 1, "is.Eyeglasses": 1}
    page = opened(written(generator, tmp_path), person(latents, **known))
    page.get_by_label("Smiling").fill("-1")
    page.get_by_label("Male").fill("0.3")
    expected = generator.draw(latents, np.array([[-1, 0.3, 1]], np.float32))[0]
    assert difference(picture(page), expected) <= 1


def test_classes_are_a_choice(opened, tmp_path):
    recipe = dataclasses.replace(
        PRESETS["conditional"], size=32, width=1 / 16, latent_dim=6, conditions="labels", classes=3,
        precision="float32",
    )  # fmt: skip
    model = models.build_portable_generator(recipe)
    generator = saved.SavedGenerator(model, Facts(conditions=conditions(classes=True)))
    latents = some_latents(6)
    page = opened(written(generator, tmp_path), person(latents, **{"is.cat": 1}))
    page.get_by_label("Class").select_option("fox")
    expected = generator.draw(latents, np.array([[0, 0, 1]], np.float32))[0]
    assert difference(picture(page), expected) <= 1
    page.wait_for_url(re.compile("is.fox=1"))
    assert "cat" not in page.url


def test_people_are_kept_compared_and_walked_between(faces, opened):
    generator, place, _ = faces
    one, other = some_latents(6, 1), some_latents(6, 2)
    page = opened(place, person(one))
    page.get_by_role("button", name="Keep", exact=True).click()
    page.get_by_text("is kept.").wait_for()
    page.evaluate("fragment => location.hash = fragment", person(other))
    page.wait_for_timeout(50)  # until the page knows of it
    page.get_by_role("button", name="Compare with").click()
    page.locator("#other-face").wait_for()
    assert difference(picture(page), generator.draw(other)[0]) <= 1
    assert difference(picture(page, "other-face"), generator.draw(one)[0]) <= 1
    page.get_by_label("How far the walk has come").fill("0.25")
    between = latent_space.slerp(other, one, 0.25)
    assert difference(picture(page), generator.draw(between)[0]) <= 1
    page.wait_for_timeout(400)  # until the address follows
    np.testing.assert_allclose(latents_of(page), between, atol=1 / STEP)
    page.get_by_role("button", name="Walk", exact=True).click()
    page.wait_for_timeout(500)
    page.get_by_role("button", name="Walk", exact=True).click()
    assert float(page.get_by_label("How far the walk has come").input_value()) != 0.25
    page.get_by_label("How far the walk has come").fill("1")
    assert difference(picture(page), generator.draw(one)[0]) <= 1
    page.get_by_role("button", name="Stop comparing").click()
    assert not page.locator("#other-face").is_visible()
    page.reload()
    wait(page)
    page.get_by_role("button", name="Show").click()
    assert difference(picture(page), generator.draw(one)[0]) <= 1
    page.get_by_role("button", name="Remove").click()
    page.get_by_text("Nobody yet.").wait_for()


def test_a_picture_is_saved(faces, opened, tmp_path):
    generator, place, _ = faces
    page = opened(place, "face=alice")
    with page.expect_download() as download:
        page.get_by_role("button", name="Save as PNG").click()
    assert download.value.suggested_filename == "alice.png"
    download.value.save_as(tmp_path / "alice.png")
    with Image.open(tmp_path / "alice.png", formats=("PNG",)) as image:
        assert difference(np.asarray(image.convert("RGB")), picture(page)) == 0


@pytest.mark.parametrize(
    "fragment",
    ["latent=%%%&face=%3Cimg%20src%3Dx%3E", f"latent=AAAA&face={'x' * 9999}",
     "face=a&to.Smiling=1e99&to.Other=NaN&is.Smiling=1"],
)  # fmt: skip
def test_odd_addresses_draw_somebody(fragment, faces, opened):
    assert picture(opened(faces[1], fragment)).std() > 0


def test_an_engine_that_draws_something_else_is_left(faces, opened, tmp_path):
    generator, _, folder = faces
    text = (folder / "me.html").read_text("utf-8")
    known = re.search('"bytes":"([^"]*)"', text)[1]
    (tmp_path / "other.html").write_text(text.replace(known, known[::-1]), "utf-8")
    latents = some_latents(6)
    page = opened((tmp_path / "other.html").as_uri(), person(latents), "webgl2")
    assert page.get_attribute("html", "data-engine") == ENGINES["cpu"]
    assert difference(picture(page), generator.draw(latents)[0]) <= 1


GIVES_UP = """async inputs => {
  class Card {
    static label = "a card";
    static async open(network) {
      return Object.assign(new Card(), {own: new CpuEngine(network), left: 2});
    }
    draw(inputs) {
      if (this.left-- === 0) throw new Error("lost");
      return this.own.draw(inputs);
    }
    close() {}
  }
  ENGINES.webgl2 = Card;
  const {operations: rows, picture, check} = FILE;
  return await new Promise(done => {
    const answers = [];
    const studio = makeStudio(answer => answers.push(answer) === 2 && done(answers));
    studio({rows, weights: $("weights").textContent, picture, check, asked: "webgl2"});
    studio({id: 1, inputs});
    studio({id: 2, inputs});
  }).then(answers => answers.map(({by, pixels}) => [by.label, ...pixels.slice(0, 400)]));
}"""


def test_the_processor_goes_on_where_a_graphics_card_gives_up(faces, opened):
    page = opened(faces[1])
    latents = some_latents(6)[0].tolist()
    (card, *one), (processor, *other) = page.evaluate(GIVES_UP, [latents])
    assert (card, processor) == ("a card", ENGINES["cpu"])
    assert one == other


def test_it_draws_where_there_are_no_workers(faces, context, tmp_path):
    generator, _, folder = faces
    text = (folder / "me.html").read_text("utf-8").replace("worker-src blob:", "worker-src 'none'")
    (tmp_path / "alone.html").write_text(text, "utf-8")
    page = context.new_page()
    latents = some_latents(6)
    page.goto(f"{(tmp_path / 'alone.html').as_uri()}#{person(latents)}")
    assert difference(picture(page), generator.draw(latents)[0]) <= 1


def test_without_scripts_there_is_a_picture(faces, browser):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(faces[1])
    assert page.get_by_alt_text("A person who does not exist").is_visible()
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone_and_all_controls_have_names(scheme, faces, browser):
    context = browser.new_context(
        viewport={"width": 320, "height": 640}, color_scheme=scheme, has_touch=True
    )
    page = context.new_page()
    page.goto(faces[1])
    wait(page)
    before = page.url
    page.locator("#face").tap()
    page.wait_for_url(lambda url: url != before)
    wait(page)
    page.get_by_role("button", name="Keep", exact=True).click()
    page.get_by_role("button", name="Compare with").click()
    page.locator("#other-face").wait_for()
    assert page.evaluate("document.scrollingElement.scrollWidth") <= 320
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    light = np.array(re.findall(r"\d+", paper), int).mean() > 128
    assert light == (scheme == "light")
    controls = re.findall(r"- (button|slider|checkbox)\b(.*)", page.locator("body").aria_snapshot())
    assert len(controls) >= 12
    assert all(re.match(' "[^"]+"', name) for _, name in controls)
    context.close()


def test_names_are_no_markup(opened, tmp_path):
    file = tmp_path / "<img src=x onerror=alert(1)>.keras"
    saved.write(file, tiny_generators.build())
    generator = saved.load(file)
    one = Direction("</script><script>alert(1)", np.eye(1, 6, dtype=np.float32)[0], "attribute")
    directions_.write(generator, {one.name: one})
    page = opened(written(generator, tmp_path))
    assert page.title() == "<img src=x onerror=alert(1)>: people who do not exist"
    assert page.get_by_label("</script><script>alert(1)").count() == 1


def test_what_is_written_is_read_again_and_compared(tmp_path):
    generator = all_operations()
    web.write(generator, tmp_path / "page.html")
    latents = latent_space.draw(4, generator.latent_dim, 2)
    drawn = web.opened(tmp_path / "page.html")([latents.reshape(4, 1, 1, -1)])
    np.testing.assert_allclose(drawn, generator.model(latents.reshape(4, 1, 1, -1)), atol=2 / 255)
    text = (tmp_path / "page.html").read_text("utf-8")
    facts = json.loads(re.search('id="network"[^>]*>(.*?)</script>', text)[1])["facts"]
    assert facts["weights"] == "float16"
    assert facts["fingerprint"] == generator.fingerprint


def test_layers_that_the_page_does_not_know_are_refused_by_name(tmp_path):
    latents = keras.Input((8,))
    x = keras.layers.Reshape((8, 8, 3))(keras.layers.Dense(192)(latents))
    x = keras.layers.GroupNormalization(1, name="of_all")(x)
    model = keras.Model(latents, keras.layers.Activation("tanh")(x))
    with pytest.raises(UserError, match=r"GroupNormalization \(of_all\).*--format onnx"):
        web.write(saved.SavedGenerator(model), tmp_path / "page.html")
    assert not list(tmp_path.iterdir())


def test_fewer_bits_make_a_smaller_page(faces, tmp_path, capsys):
    _, _, folder = faces
    source = str(folder / "me.keras")
    arguments = ["--format", "web", "--quantize", "int8", "--out", str(tmp_path)]
    assert export.main([source, *arguments]) == 0
    assert "TensorFlow, from what the page holds, draws 16 pictures" in capsys.readouterr().out
    assert (tmp_path / "me-int8.html").stat().st_size < (folder / "me.html").stat().st_size
