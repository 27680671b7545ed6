"""Files and command lines that nobody thought of: one line of explanation, never a traceback.

The same ones at every run. What is found by more of them gets a test of its own beside its code.
"""

import contextlib
import io
import json
import os
import tarfile
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
import tiny_generators
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from kerasgan import data, gif, log, plots, recipes, runs, sample, saved, train
from kerasgan import evaluate as evaluation
from kerasgan.conditions import Conditions
from kerasgan.data.known import find_known
from kerasgan.data.rows import TableFile
from kerasgan.errors import UserError
from kerasgan.runs import Run
from kerasgan.watch import judge


def examples(count):
    return settings(
        max_examples=count,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


@contextlib.contextmanager
def one_line():
    """What is inside may succeed, or end with one line."""
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            yield
    except UserError as error:
        message = str(error)
        assert message.isprintable() and 20 < len(message) < 1000, message


EDIT = st.tuples(
    st.sampled_from("flip flip cut double put end".split()),
    st.booleans(),  # whether in the head, where most of a file's meaning is
    st.floats(0, 1),
    st.integers(1, 64),
    st.binary(min_size=1, max_size=16),
)


def edit(content, edits):
    """Returns a file with a few bytes flipped, cut out, doubled, or put in."""
    content = bytearray(content)
    for what, in_head, part, length, other in edits:
        place = int(part * min(64 if in_head else len(content), len(content)))
        if what == "flip" and place < len(content):
            content[place] ^= 1 << length % 8
        elif what == "cut":
            del content[place : place + length]
        elif what == "double":
            content[place:place] = content[place : place + length]
        elif what == "put":
            content[place:place] = other
        elif what == "end":
            del content[place:]
    return bytes(content)


EDITS = st.lists(EDIT, min_size=1, max_size=3)


def edited(wholes):
    """One of some files, edited."""
    return st.builds(edit, st.sampled_from(wholes), EDITS)


ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.sampled_from([2**31, 2**63, 10**30, 10**400, "", "../..", "\n", "\0", "a" * 999]),
    st.text(max_size=8),
    st.lists(st.integers(-2, 2), max_size=3),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)


@st.composite
def altered(draw, values):
    """JSON with one value replaced, or left out."""
    copy = json.loads(json.dumps(values))
    inner, key = copy, None
    for _ in range(draw(st.integers(1, 4))):
        if not isinstance(inner, dict | list) or not inner:
            break
        above = inner
        keys = list(inner) if isinstance(inner, dict) else range(len(inner))
        key = draw(st.sampled_from(list(keys)))
        inner = inner[key]
    if draw(st.booleans()) and draw(st.booleans()):
        del above[key]
    else:
        above[key] = draw(ODD)
    return json.dumps(copy).encode()


# Pictures, archives, tables


def picture(kind, **options):
    noise = np.random.default_rng(0).integers(0, 256, (9, 12, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(noise).save(file, kind, **options)
    return file.getvalue()


PICTURES = [picture(kind) for kind in ("PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF")]


@examples(250)
@given(edited(PICTURES))
def test_pictures(content):
    with one_line():
        assert data.prepare_one(content, size=8).shape == (1, 8, 8, 3)


def packed(kind):
    file = io.BytesIO()
    members = {"a/1.png": PICTURES[0], "b/2.jpg": PICTURES[1], "labels.csv": b"name,Hat\n1.png,1\n"}
    if kind == "zip":
        with zipfile.ZipFile(file, "w") as archive:
            for name, content in members.items():
                archive.writestr(name, content)
    else:
        with tarfile.open(fileobj=file, mode=f"w:{kind}") as archive:
            for name, content in members.items():
                member = tarfile.TarInfo(name)
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
    return file.getvalue()


@pytest.mark.parametrize(("kind", "ending"), [("zip", ".zip"), ("", ".tar"), ("gz", ".tar.gz")])
def test_archives(kind, ending):
    whole = packed(kind)

    @examples(25)
    @given(edited([whole]))
    def check(content):
        with TemporaryDirectory() as folder, one_line():
            path = Path(folder, f"a{ending}")
            path.write_bytes(content)
            data.load(path, size=8, cache=Path(folder, "cache"))
            assert {item.name for item in Path(folder).iterdir()} == {path.name, "cache"}

    check()


def array_files():
    pixels = np.random.default_rng(0).integers(0, 256, (3, 6, 6), np.uint8)
    files = []
    for save in (np.save, np.savez_compressed):
        file = io.BytesIO()
        save(file, pixels)
        files.append(file.getvalue())
    return files


@pytest.mark.parametrize(("number", "ending"), [(0, ".npy"), (1, ".npz")])
def test_arrays(number, ending):
    whole = array_files()[number]

    @examples(30)
    @given(edited([whole]))
    def check(content):
        with TemporaryDirectory() as folder, one_line():
            path = Path(folder, f"a{ending}")
            path.write_bytes(content)
            data.load(path, size=8, cache=Path(folder, "cache"))

    check()


TABLES = {
    "list_attr_celeba.txt": b"2\nSmiling Male\n1.png 1 -1\n2.jpg -1 1\n",
    "list_attr.csv": b"image_id,Smiling\n1.png,1\n2.jpg,-1\n",
    "labels.tsv": b"name\tlabel\na/1.png\tcat\n2.jpg\tdog\n",
    "metadata.jsonl": b'{"file_name": "1.png", "label": 3}\n{"file_name": "2.jpg"}\n',
    "dataset.json": b'{"labels": [["a/1.png", 0], ["b/2.jpg", 1]]}',
}


@pytest.mark.parametrize("name", TABLES)
def test_tables(name):
    @examples(80)
    @given(edited([TABLES[name]]))
    def check(content):
        with one_line():
            known = find_known(["a/1.png", "b/2.jpg"], [TableFile(name, content, name)])
            assert known.attributes.shape == (2, len(known.attribute_names))
            assert all(note.isprintable() for note in known.notes)

    check()


# Runs

RECIPE = json.loads(recipes.fingerprint(recipes.PRESETS["fast"]))
FACTS = {
    "data": {
        "source": "set:built-in", "limit": 9, "crop": "auto", "seed": 0, "fingerprint": "a",
        "count": 9, "conditions": "b",
    },
    "machine": {"salt": "a", "sha256": "b"},
    "device": "CPU",
    "versions": {"keras": "3.12.4"},
    "resumptions": [{"iteration": 3, "device": "GPU", "versions": {"keras": "3.13.0"}}],
}  # fmt: skip
KNOWN = Conditions(["Hat", "Smiling"], np.array([[1, -1], [0, 1], [-1, -1]], np.int8)).to_json()
EVALUATION = {
    "seconds": 9.5, "kid_x1000": 9.0, "kid_x1000_low": 8.0, "kid_x1000_high": 10.0,
    "diversity": 0.8, "d_accuracy": 0.75, "face_frechet": None, "side": 8,
}  # fmt: skip
LINES = [{"iteration": i, "d_loss": 0.5 * i, "a_loss": None, "d_accuracy": 0.5} for i in (1, 2, 3)]
LINES[1] |= {"evaluation": EVALUATION, "rolled_back_to": 1}


def files_of(values):
    return st.one_of(altered(values), edited([json.dumps(values, indent=1).encode()]))


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return Run(tmp_path_factory.mktemp("run"))


def test_recipes(run):
    @examples(150)
    @given(files_of(RECIPE))
    def check(content):
        (run.folder / "recipe.json").write_bytes(content)
        with one_line():
            recipe = run.read_recipe()
            assert recipe.preset.isprintable() and recipe.iters >= 1

    check()


def test_facts(run):
    @examples(150)
    @given(files_of(FACTS))
    def check(content):
        (run.folder / "run.json").write_bytes(content)
        with one_line():
            run.read_facts()
            run.note_resumption(5, {"device": "CPU", "versions": {"keras": "3"}})
            run.read_request()

    check()


def test_conditions(run):
    @examples(150)
    @given(files_of(KNOWN))
    def check(content):
        run.conditions.write_bytes(content)
        with one_line():
            known = runs.read_conditions(run.conditions)
            assert len(known.draw(4, 0).words()) == 4 and len(known.sweep(9).vectors())

    check()


def whole_log(lines):
    return b"".join(line + b"\n" for line in lines)


def test_logs(run):
    lines = [json.dumps(line).encode() for line in LINES]
    other = st.builds(whole_log, st.tuples(st.just(lines[0]), altered(LINES[1]), st.just(lines[2])))

    @examples(200)
    @given(st.one_of(other, edited([whole_log(lines)])))
    def check(content):
        run.log.write_bytes(content)
        with one_line():
            history = log.History(run.cut_log(3))
            assert [line.iteration for line in run.read_log()] == [1, 2, 3]
            plots.loss_figure(history.losses["d_loss"], history.losses["a_loss"])
            judge(history.evaluations, recipes.PRESETS["fast"], history.last_rollback)

    check()


# Generators


def test_generators(tmp_path):
    path = tmp_path / "g.keras"
    saved.write(path, tiny_generators.build())
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    layers = json.loads(members["config.json"])
    names = st.sampled_from(["model.weights.h5", "kerasgan.json", "metadata.json"])
    changes = st.one_of(
        st.tuples(st.just("config.json"), altered(layers)),
        st.tuples(names, EDITS),
    )

    @examples(40)
    @given(changes)
    def check(change):
        name, new = change
        new = edit(members[name], new) if isinstance(new, list) else new
        with zipfile.ZipFile(path, "w") as archive:
            for each, content in (members | {name: new}).items():
                archive.writestr(each, content)
        with one_line(), np.errstate(invalid="ignore"):
            generator = saved.load(path)
            assert generator.draw(np.zeros((1, generator.latent_dim), "f")).dtype == np.uint8

    check()


def test_generators_as_they_lie(tmp_path):
    """Of damage that a disk does, the archive's checksums tell."""
    path = tmp_path / "g.keras"
    saved.write(path, tiny_generators.build())

    whole = path.read_bytes()

    @examples(40)
    @given(EDITS)
    def check(edits):
        path.write_bytes(edit(whole, edits))
        with one_line():
            saved.load(path)

    check()


# Command lines

COMMANDS = {"train": train, "gif": gif, "sample": sample, "evaluate": evaluation}
WORDS = ["0", "-1", "3", "1e9", "nan", "inf", "x", "", "none", "auto", "..", "a\nb", "\ud800", "é"]


@pytest.mark.parametrize("name", COMMANDS)
def test_command_lines(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    parser = COMMANDS[name].build_parser()
    flags = [
        x for action in parser._actions for x in action.option_strings if x not in ("-h", "--help")
    ]
    words = st.lists(st.sampled_from([*flags, *WORDS]) | st.text(max_size=5), max_size=6)
    place = ["--data", "nowhere"] if name == "train" else ["nowhere"]

    @examples(60)
    @given(words)
    def check(words):
        with contextlib.redirect_stdout(io.StringIO()) as out, one_line():
            with contextlib.redirect_stderr(io.StringIO()) as error:
                code = COMMANDS[name].main([*words, *place])
            assert code == 2 and "Traceback" not in error.getvalue() + out.getvalue()
            lines = error.getvalue().splitlines()
            assert lines[-1].startswith("error: ") and lines[-1].isprintable()
        assert os.listdir(tmp_path) == []

    check()
