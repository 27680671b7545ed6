"""The demo in a browser: every control, uploads of every kind, twenty visitors, what stays inside.

KERASGAN_SCREENSHOTS="faces64 outputs/000-fast" makes the pictures in docs/ anew.
"""

import contextlib
import dataclasses
import io
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import tiny_generators
from PIL import Image

from kerasgan import demo, directions, images, latents, saved, verdicts
from kerasgan.backend import keras
from kerasgan.directions import ATTRIBUTE, Direction
from kerasgan.log import Line
from kerasgan.recipes import PRESETS
from kerasgan.runs import Run
from kerasgan.truncation import Truncated
from kerasgan.watch import Evaluation

DIM, SIDE = tiny_generators.DIM, tiny_generators.SIDE
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
BROWSER = pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium")
PATIENCE = 90_000  # milliseconds that a page may take on a busy machine
VISITORS = 20
SCREENSHOTS = "KERASGAN_SCREENSHOTS"
DOCS = Path(__file__).parent.parent / "docs"


@dataclasses.dataclass
class Served:
    """A demo that runs, and the proxy that would see what it asks of other hosts."""

    url: str
    run: Run
    generator: saved.SavedGenerator
    asked: list


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """The command, on one run; Ctrl-C ends it, and nothing stays in its temporary folder."""
    folder = tmp_path_factory.mktemp("demo")
    run = write_run(folder / "000-tiny")
    with proxy() as (address, asked):
        with command([run.folder, "--cache", folder / "cache"], folder, address) as url:
            yield Served(url, run, saved.load(run.folder), asked)
        assert asked == []


@contextlib.contextmanager
def command(sources, folder, address=""):
    """Runs the command on any free port until Ctrl-C."""
    (folder / "tmp").mkdir()
    names = ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY")
    env = os.environ | {"TMPDIR": str(folder / "tmp")} | {name: address for name in names}
    words = [sys.executable, "-m", "kerasgan.demo", *map(str, sources), "--port", "0"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(words, cwd=folder, env=env, **pipes) as process:
        said = threading.Thread(target=lambda: errors.append(process.stderr.read()))
        errors = []
        said.start()
        try:
            line = next((line for line in process.stdout if "The demo is at" in line), "")
            assert line, process.wait()
            yield line.split()[4]
        finally:
            process.send_signal(signal.SIGINT)
            process.stdout.read()
            code = process.wait(60)
            said.join()
        assert (code, errors[0].splitlines()[-1:]) == (130, ["Stopped."]), errors[0]
        assert not list((folder / "tmp").glob("kerasgan-demo-*"))


@contextlib.contextmanager
def proxy():
    """Listens where requests to other hosts would come, and keeps those that do."""
    asked = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def listen():
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    with connection:
                        asked.append(connection.recv(99))

        thread = threading.Thread(target=listen, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}", asked
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join(10)


def write_run(folder):
    """A run with all that the pages show: its training stopped after 4 of 8 iterations."""
    file = tiny_generators.write_with_encoder(folder)
    generator = saved.load(file)
    vector = np.eye(DIM, dtype=np.float32)[0]
    directions.write(generator, {"Smiling": Direction("Smiling", vector, ATTRIBUTE)})
    pictures = keras.Input((SIDE, SIDE, 3))
    mean = keras.layers.GlobalAveragePooling2D()(pictures)
    logits = keras.layers.Dense(1, kernel_initializer="ones", name="logits")(mean)
    judge = keras.Model(pictures, keras.layers.Activation("sigmoid")(logits))
    verdicts.write(folder / verdicts.FILE, judge, "bce")
    run = Run(folder)
    run.write_recipe(dataclasses.replace(PRESETS["article"], size=32, iters=8))
    for number in (1, 2, 3, 4):
        go_on(run, number)
    os.utime(run.log, (1, 1))
    return run


def go_on(run, number):
    """Adds an iteration to a run, with a control grid of one grey."""
    images.write_png(run.control_grid(number), np.full((32, 32, 3), 20 * number, np.uint8))
    evaluation = Evaluation(number, number, 40.0 - number, 30.0, 45.0, 0.9, 0.7)
    scalars = {"d_loss": 1.0, "a_loss": 0.5 * number, "d_real": 0.6, "d_fake": 0.4}
    with run.log.open("a") as log:
        log.write(Line(number, scalars, evaluation).to_json() + "\n")


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    # The editor draws by WebGL, here without a GPU.
    gl = ["--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", *gl])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def window(served, browser):
    """The pages, open; at the end nothing was asked of another host, and nothing had gone wrong."""
    with opened(browser, served.url) as page:
        yield page


@contextlib.contextmanager
def opened(browser, url, **options):
    page = browser.new_page(**options)
    page.set_default_timeout(PATIENCE)
    outside, wrong = [], []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on(
        "request",
        lambda request: (
            outside.append(request.url)
            if not request.url.startswith((url, "data:", "blob:"))
            else None
        ),
    )
    page.goto(url)
    page.wait_for_selector("#grid img")
    yield page
    assert (outside, wrong) == ([], [])
    page.close()


@pytest.fixture
def page(window):
    yield window
    for close in window.locator(".toast-close").all():  # what a test left open
        with contextlib.suppress(Exception):
            close.click(timeout=500)


def tab(page, name):
    page.get_by_role("tab", name=name).click()


def pixels(page, selector):
    """A picture of the page as the server sent it, uint8 (H, W, 3)."""
    source = page.locator(f"{selector} img").first.get_attribute("src")
    with urllib.request.urlopen(source) as answer:
        return np.asarray(Image.open(io.BytesIO(answer.read())).convert("RGB"))


def shows(page, selector, expected):
    """Waits until a picture of the page is this one, within 2 of 255."""

    def same():
        if not page.locator(f"{selector} img").count():
            return False
        shown = pixels(page, selector)
        return shown.shape == expected.shape and np.abs(shown.astype(int) - expected).max() <= 2

    until(page, same)


def until(page, holds):
    for _ in range(PATIENCE // 200):
        if holds():
            return
        page.wait_for_timeout(200)
    raise AssertionError("it does not come")


def number(page, label, value):
    """Types a number beside a slider of the open tab."""
    box = page.get_by_label(f"number input for {label}").locator("visible=true")
    box.fill(str(value))
    box.press("Enter")


def faces(served, count, seed, variety=1.0, strength=0.0):
    """What the generator draws, by its model alone where the variety is all of it."""
    drawn = latents.draw(count, DIM, seed)
    length = np.linalg.norm(drawn, axis=1, keepdims=True)
    drawn = drawn + strength * length / DIM**0.5 * np.eye(DIM)[0]
    drawn *= length / np.linalg.norm(drawn, axis=1, keepdims=True)
    drawn = drawn.astype(np.float32)
    if variety != 1:
        return Truncated(served.generator, variety).draw(drawn)
    return images.to_uint8(np.asarray(served.generator.model(drawn)))


def grid(served, count, *where):
    """The grid as it is shown, at least 1024 pixels wide."""
    side = int(np.ceil(np.sqrt(count)))
    rows = faces(served, count, *where).reshape(side, side, SIDE, SIDE, 3)
    small = np.concatenate(np.concatenate(rows, axis=1), axis=1)
    return np.asarray(
        Image.fromarray(small).resize((-(-1024 // (side * SIDE)) * side * SIDE,) * 2, 3)
    )


@BROWSER
def test_new_faces(served, page):
    tab(page, "New faces")
    shows(page, "#grid", grid(served, 16, 0))
    number(page, "How many", 9)
    shows(page, "#grid", grid(served, 9, 0))
    page.get_by_label("Seed").fill("5")
    page.get_by_label("Seed").press("Enter")
    shows(page, "#grid", grid(served, 9, 5))
    number(page, "Variety", 0.5)
    shows(page, "#grid", grid(served, 9, 5, 0.5))
    number(page, "Smiling", 2)
    shows(page, "#grid", grid(served, 9, 5, 0.5, 2.0))
    picture = page.locator("#grid img")
    box = picture.bounding_box()
    sixth = {"x": box["width"] * 0.8, "y": box["height"] * 0.5}
    # Once more where the picture was just being drawn anew: a click on the old one is lost.
    picture.click(position=sixth)
    page.wait_for_timeout(2000)
    picture.click(position=sixth)
    shows(page, "#face", faces(served, 9, 5, 0.5, 2.0)[5])
    page.get_by_role("button", name="All back to 0").locator("visible=true").click()
    shows(page, "#face", faces(served, 9, 5, 0.5)[5])
    page.get_by_role("button", name="New faces").click()
    until(page, lambda: page.get_by_label("Seed").input_value() != "5")
    seed = int(page.get_by_label("Seed").input_value())
    shows(page, "#grid", grid(served, 9, seed, 0.5))


@BROWSER
def test_attributes_get_a_slider(page):
    tab(page, "New faces")
    field = page.get_by_label("number input for sefa-6").locator("visible=true")
    field.wait_for()
    page.get_by_role("button", name="Remove sefa-6").locator("visible=true").or_(
        page.locator(".token", has_text="sefa-6").locator("visible=true").locator("[role=button]")
    ).first.click()
    field.wait_for(state="hidden")


@BROWSER
def test_a_walk(served, page):
    tab(page, "New faces")
    number(page, "A walk past so many faces", 2)
    page.get_by_role("button", name="Walk").locator("visible=true").click()
    page.wait_for_selector("#walk img")
    with urllib.request.urlopen(page.locator("#walk img").get_attribute("src")) as answer:
        walk = Image.open(io.BytesIO(answer.read()), formats=["GIF"])
    assert (walk.n_frames, walk.size) == (2 * 24, (SIDE, SIDE))


@BROWSER
def test_a_picture(served, page, tmp_path):
    tab(page, "Your picture")
    own = faces(served, 1, seed=3)[0]
    upload(page, tmp_path / "me.png", png(own))
    shows(page, "#seen", own)
    until(page, lambda: "The discriminator's verdict: " in page.locator("#about").inner_text()
          or "verdict" in value(page, "#about"))  # fmt: skip
    assert f"verdict: {3 * (own.astype(float) / 127.5 - 1).mean():.2f}, above " in value(
        page, "#about"
    )
    number(page, "Steps: more come closer", 20)
    for task, also in (("Fit", {}), ("Enlarge", {"2": True}), ("Denoise", {"noise": 9})):
        page.get_by_label(task, exact=True).check()
        if "2" in also:
            page.get_by_label("2", exact=True).locator("visible=true").check()
        if "noise" in also:
            number(page, "Noise, in grey levels", also["noise"])
        searched(page)
    number(page, "Smiling", 3)
    page.wait_for_selector("#edited img")
    page.wait_for_selector("#edited-whole img")
    page.get_by_label("Cut").locator("visible=true").click()
    page.get_by_role("option", name="none").click()
    until(page, lambda: not value(page, "#notes"))  # it was of the picture cut otherwise


@BROWSER
def test_a_repair_with_a_brush(served, page, tmp_path):
    tab(page, "Your picture")
    own = faces(served, 1, seed=4)[0]
    upload(page, tmp_path / "mine.png", png(own))
    shows(page, "#seen", own)
    page.get_by_label("Repair", exact=True).check()
    page.locator("#go").click()
    assert "Received: no paint. Paint with the brush." in toast(page)
    canvas = page.locator("#editor canvas").first
    canvas.wait_for()
    page.wait_for_timeout(1000)  # until the picture lies on it
    box = canvas.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x - 30, y)
    page.mouse.down()
    page.mouse.move(x + 30, y, steps=6)
    page.mouse.up()
    page.wait_for_timeout(1000)  # until the page has sent it
    searched(page)
    whole = pixels(page, "#whole")
    kept = (whole == own).all(axis=-1)
    assert 0.5 < kept.mean() < 1 and not kept[SIDE // 2 - 1 : SIDE // 2 + 1].all()
    page.get_by_label("Fit", exact=True).check()


@BROWSER
def test_long_work_is_stopped(page, tmp_path, served):
    tab(page, "Your picture")
    upload(page, tmp_path / "me.png", png(faces(served, 1, seed=6)[0]))
    shows(page, "#seen", faces(served, 1, seed=6)[0])
    number(page, "Steps: more come closer", 1000)
    page.locator("#go").click()
    page.wait_for_selector("#search-state progress")
    page.locator("#stop").click()
    page.get_by_text("Stopped.").wait_for()
    assert not value(page, "#notes")


@BROWSER
@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("broken.png", "damaged"),
        ("text.png", "not a picture in a known format"),
        ("huge.png", "too large"),
        ("empty.png", "nothing in it"),
        ("noface.png", "no face found"),
        ("<img src=x onerror=alert(1)>.png", "not a picture in a known format"),
    ],
)
def test_a_bad_upload(page, tmp_path, name, said):
    tab(page, "Your picture")
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3)).astype(np.uint8)
    data = {
        "broken.png": png(noise)[:2000],
        "huge.png": huge(60_000),
        "empty.png": b"",
        "noface.png": png(np.full((64, 64, 3), 90, np.uint8)),
    }.get(name, b"This is text.")
    cut = page.get_by_label("Cut").locator("visible=true")
    cut.click()
    page.get_by_role("option", name="face" if said == "no face found" else "none").click()
    upload(page, tmp_path / name, data)
    line = toast(page)
    assert said in line and "Traceback" not in line


@BROWSER
def test_of_an_animation_the_first_frame_is_taken(page, tmp_path):
    tab(page, "Your picture")
    frames = [Image.new("RGB", (SIDE, SIDE), (level, 0, 0)) for level in range(60, 200)]
    file = io.BytesIO()
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:])
    page.get_by_label("Cut").locator("visible=true").click()
    page.get_by_role("option", name="none").click()
    upload(page, tmp_path / "many.gif", file.getvalue())
    until(page, lambda: "first of its frames" in value(page, "#about"))
    shows(page, "#seen", np.full((SIDE, SIDE, 3), (60, 0, 0), np.uint8))


@BROWSER
def test_a_training(served, page):
    tab(page, "Training")
    until(page, lambda: value(page, "#stands").startswith("Not running: stopped after iteration 4"))
    assert value(page, "#running") == "No training is running."
    shows(page, "#control", np.full((32, 32, 3), 80, np.uint8))
    page.wait_for_selector("#losses img")
    page.wait_for_selector("#quality img")
    number(page, "Timeline", 1)
    shows(page, "#control", np.full((32, 32, 3), 40, np.uint8))
    assert page.get_by_text("Control grid: iteration 2").count()
    page.get_by_label("Play the timeline").check()
    shows(page, "#control", np.full((32, 32, 3), 60, np.uint8))
    page.get_by_label("Play the timeline").uncheck()
    number(page, "Timeline", 3)
    shows(page, "#control", np.full((32, 32, 3), 80, np.uint8))
    go_on(served.run, 5)  # the page follows by itself
    until(page, lambda: "iteration 5 of 8 (62%)" in value(page, "#stands"))
    assert value(page, "#running").startswith("000-tiny: Training now: iteration 5 of 8")
    shows(page, "#control", np.full((32, 32, 3), 100, np.uint8))


def test_twenty_visitors_at_once(served):
    def visit(number):
        session = f"visitor{number}"
        own = np.full((SIDE, SIDE, 3), 5 + 12 * number, np.uint8)
        path = send(served.url, f"{number}.png", png(own))
        answers = [call(served.url, "faces", ["000-tiny", number, 4, 1.0, []]
                        + [0] * 8, session)[0]]  # fmt: skip
        file = {"path": path, "meta": {"_type": "gradio.FileData"}}
        seen = call(served.url, "picture", [file, "000-tiny", "none"], session)
        answers.append(next(one for one in seen if isinstance(one, dict) and "path" in one))
        return own, [fetched(answer["url"]) for answer in answers]

    with ThreadPoolExecutor(VISITORS) as pool:
        visits = list(pool.map(visit, range(VISITORS)))
    for number, (own, (drawn, seen)) in enumerate(visits):
        expected = grid(served, 4, number)
        assert np.abs(drawn.astype(int) - expected).max() <= 2
        np.testing.assert_array_equal(seen, own)


def send(url, name, data):
    """Uploads a file as the page does; returns its path on the server."""
    head = (
        f'--b\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\n'
        "Content-Type: image/png\r\n\r\n"
    )
    request = urllib.request.Request(
        f"{url}gradio_api/upload",
        head.encode() + data + b"\r\n--b--\r\n",
        {"Content-Type": "multipart/form-data; boundary=b"},
    )
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)[0]


def call(url, name, values, session):
    """Calls what a control calls; returns what comes back, or raises RuntimeError."""
    body = json.dumps({"data": values, "session_hash": session}).encode()
    where = f"{url}gradio_api/call/{name}"
    headers = {"Content-Type": "application/json"}
    with urllib.request.urlopen(urllib.request.Request(where, body, headers)) as answer:
        event = json.load(answer)["event_id"]
    with urllib.request.urlopen(f"{where}/{event}") as answer:
        lines = answer.read().decode().splitlines()
    kinds = [line[7:] for line in lines if line.startswith("event: ")]
    told = [line[6:] for line in lines if line.startswith("data: ")]
    if kinds[-1] != "complete":
        raise RuntimeError(told[-1])
    return json.loads(told[-1])


def fetched(url):
    with urllib.request.urlopen(url) as answer:
        return np.asarray(Image.open(io.BytesIO(answer.read())).convert("RGB"))


@pytest.mark.parametrize(
    "path",
    [
        "gradio_api/file=http://example.org/a.png",
        "gradio_api/file=https%3A%2F%2Fexample.org/a.png",
        "gradio_api/file/http://example.org/a.png",
        "gradio_api/proxy=http://example.org/a.png",
        "gradio_api/file=/etc/passwd",
        "gradio_api/file=..%2f..%2f..%2fetc%2fpasswd",
        "gradio_api/file={run}/recipe.json",
        "gradio_api/file={run}/generator.keras",
        "static/..%2f..%2f..%2f__init__.py",
    ],
)
def test_nothing_else_is_served(served, path):
    with (
        pytest.raises(urllib.error.HTTPError) as refused,
        urllib.request.urlopen(served.url + path.format(run=served.run.folder)),
    ):
        pass
    assert refused.value.code in (403, 404)
    refused.value.close()


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("http://example.org/a.png", "A file should be uploaded"),
        ("/etc/passwd", "error"),
        ("{run}/recipe.json", "error"),
    ],
)
def test_only_uploads_are_read(served, path, said):
    file = {"path": path.format(run=served.run.folder), "meta": {"_type": "gradio.FileData"}}
    with pytest.raises(RuntimeError, match=said):
        call(served.url, "picture", [file, "000-tiny", "none"], "stranger")
    with pytest.raises(RuntimeError):
        call(served.url, "training", [str(served.run.folder)], "stranger")


def upload(page, path, data):
    """Chooses a file, in the place of one that was chosen before."""
    path.write_bytes(data)
    clear = page.locator("#upload").get_by_label("Clear").or_(
        page.locator("#upload").get_by_label("Remove")
    )  # fmt: skip
    if clear.count():
        clear.first.click()
    page.set_input_files("#upload input[type=file]", str(path))


def value(page, selector):
    return page.locator(f"{selector} textarea").input_value()


def toast(page):
    """The one line that a mistake is answered with; it is closed."""
    shown = page.locator(".toast-body").first
    shown.wait_for()
    (line,) = [line for line in shown.inner_text().splitlines() if "Received: " in line]
    page.locator(".toast-close").first.click()
    shown.wait_for(state="detached")
    return line


def searched(page):
    """Presses Go, and waits for what is found."""
    before = page.locator("#compared img").first.get_attribute("src", timeout=100) if (
        page.locator("#compared img").count()) else None  # fmt: skip
    page.locator("#go").click()
    until(
        page,
        lambda: (
            page.locator("#compared img").count()
            and page.locator("#compared img").first.get_attribute("src") != before
        ),
    )
    assert value(page, "#notes").startswith("What is known of it is met with ")
    page.wait_for_selector("#whole img")
    over = page.locator('#search-state [data-testid="status-tracker"].hide')
    over.first.wait_for(state="attached")  # until then, another Go is not heard


def png(pixels):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def huge(side):
    """The head of a PNG of so many pixels, and no pixels."""
    file = bytearray(png(np.zeros((4, 4, 3), np.uint8)))
    file[16:24] = side.to_bytes(4, "big") * 2
    import zlib

    file[29:33] = zlib.crc32(file[12:29]).to_bytes(4, "big")
    return bytes(file)


@pytest.fixture
def unsettled(monkeypatch):
    """The command's settings of the whole process are left out."""
    monkeypatch.setattr(demo, "settle", lambda folder: None)


def test_what_a_user_gets_wrong(capsys, tmp_path, unsettled, monkeypatch):
    (tmp_path / "run").mkdir()
    for name in ("recipe.json", "run.json"):
        (tmp_path / "run" / name).touch()
    run = str(tmp_path / "run")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        mistakes = {
            (): "The demo should have a generator or a run. Received: none, and none in outputs/.",
            ("nowhere",): "Received: nowhere, which does not exist.",
            ("--port", "70000"): "`--port` should be from 0 to 65535. Received: 70000.",
            (run, "--port", f"{port}"): f"Received: {port}, which is in use. Type --port 0",
            (run, "--host", "192.0.2.1"): "`--host` should be an address of this machine.",
            (run, "--host", "no such host"): "`--host` should be an address of this machine.",
        }
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr("kerasgan.pretrained.FOLDER", tmp_path / "none")
        for words, said in mistakes.items():
            assert demo.main(["--port", "0", *words]) == 2
            told = capsys.readouterr().err.splitlines()
            assert len(told) == 1 and told[0].startswith("error: ") and said in told[0]


def test_a_missing_extra(capsys, tmp_path, unsettled, monkeypatch):
    monkeypatch.setitem(sys.modules, "gradio", None)
    for name in ("recipe.json", "run.json"):
        (tmp_path / name).touch()
    assert demo.main([str(tmp_path), "--port", "0"]) == 2
    told = capsys.readouterr().err
    assert "The demo needs packages of the extra `demo`" in told
    assert 'pip install "kerasgan[demo]"' in told


@BROWSER
@pytest.mark.skipif(SCREENSHOTS not in os.environ, reason=f"{SCREENSHOTS} names no generator")
def test_screenshots(browser, tmp_path):
    sources = [str(Path(word).resolve()) if Path(word).exists() else word
               for word in os.environ[SCREENSHOTS].split()]  # fmt: skip
    seed = 11
    with (
        command([*sources, "--cache", tmp_path / "cache"], tmp_path) as url,
        opened(browser, url, viewport={"width": 1280, "height": 800}) as page,
    ):
        shoot(page, "faces")
        generator = saved.load(sources[0])
        own = generator.draw(latents.draw(1, generator.latent_dim, seed, 0.7))[0]
        tab(page, "Your picture")
        upload(page, tmp_path / "me.png", png(own))
        page.wait_for_selector("#seen img")
        page.get_by_label("Enlarge", exact=True).check()
        searched(page)
        shoot(page, "picture")
        tab(page, "Training")
        if page.locator("#training").is_visible():
            page.wait_for_selector("#control img")
            shoot(page, "training")


def shoot(page, name):
    """Writes what is seen, in 256 colours."""
    page.evaluate("window.scrollTo(0, 0)")
    page.wait_for_timeout(1500)
    shown = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    shown.quantize(256, dither=Image.Dither.NONE).save(DOCS / f"demo-{name}.png", optimize=True)
