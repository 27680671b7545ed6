"""The run folder: what is written can be read back, and a broken one is explained."""

import dataclasses
import errno
import json
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from kerasgan import data, runs, train
from kerasgan.checkpoints import Checkpoints
from kerasgan.conditions import Conditions
from kerasgan.errors import UserError
from kerasgan.gan import GAN
from kerasgan.runs import Run, begin_run, next_run_folder


@pytest.fixture
def pictures(faces_folder, tmp_path):
    return data.load(str(faces_folder), size=32, cache=tmp_path / "cache")


def state(gan):
    optimizers = (gan.generator_optimizer, gan.discriminator_optimizer)
    return [
        int(gan.iteration),
        *gan.generator.get_weights(),
        *gan.discriminator.get_weights(),
        *[variable.numpy() for optimizer in optimizers for variable in optimizer.variables],
    ]


def test_a_run_begins_whole(tmp_path, tiny, pictures):
    run = begin_run(tiny, pictures, out=tmp_path / "run")
    assert run.read_recipe() == tiny
    assert run.read_facts()["data"]["source"] == str(tmp_path / "faces")
    names = {path.name for path in run.folder.iterdir()}
    assert names == {"recipe.json", "run.json", "reals.png", "rejected.csv"}


def test_a_run_that_could_not_begin_leaves_nothing(tmp_path, tiny, pictures, monkeypatch):
    def full(path, picture):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(runs.images, "write_png", full)
    with pytest.raises(OSError, match="No space left"):
        begin_run(tiny, pictures, outputs=tmp_path / "outputs")
    assert list((tmp_path / "outputs").iterdir()) == []


def test_a_run_is_never_overwritten(tmp_path, tiny, pictures):
    begin_run(tiny, pictures, out=tmp_path / "run")
    with pytest.raises(UserError, match="should name a new folder"):
        begin_run(dataclasses.replace(tiny, seed=5), pictures, out=tmp_path / "run")
    assert Run(tmp_path / "run").read_recipe() == tiny


def test_a_number_taken_meanwhile_is_passed_over(tmp_path, tiny, pictures, monkeypatch):
    first = begin_run(tiny, pictures, outputs=tmp_path)
    numbers = iter([first.folder, first.folder, tmp_path / "001-article"])
    monkeypatch.setattr(runs, "next_run_folder", lambda outputs, preset: next(numbers))
    assert begin_run(tiny, pictures, outputs=tmp_path).folder == tmp_path / "001-article"


def test_one_process_trains_a_run(tmp_path):
    run = Run(tmp_path)
    other = f"""
from kerasgan.runs import Run
from kerasgan.errors import UserError
try:
    with Run({str(tmp_path)!r}).locked(): print("got it")
except UserError as error: print(error)
"""
    command = [sys.executable, "-c", other]
    with run.locked():
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        assert "another process is training" in done.stdout
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "got it\n"


def test_leftovers_of_a_killed_process_go(tmp_path):
    run = Run(tmp_path)
    for path in (run.control, run.checkpoints / "iteration-5_temp"):
        path.mkdir(parents=True)
    for path in (tmp_path / ".log-1a2b.tmp.jsonl", run.control / ".000050-1a2b.tmp.png"):
        path.touch()
    (run.control / "000050.png").touch()
    run.remove_leftovers()
    left = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")}
    assert left == {"control", "control/000050.png", "checkpoints"}


def test_run_folders_are_numbered(tmp_path):
    assert next_run_folder(tmp_path / "none", "article").name == "000-article"
    for name in ("000-article", "009-article-lite", "mine", "12"):
        (tmp_path / name).mkdir()
    assert next_run_folder(tmp_path, "article").name == "010-article"


@pytest.mark.parametrize(
    ("text", "word"),
    [
        (None, "should hold recipe.json"),
        ("{", "readable JSON"),
        ("[]", "JSON object"),
        ('{"colour": 1}', "colour"),
        ('{"iters": "many"}', "iters"),
        ("{}", "no preset"),
        ('{"preset": "x",\n "iters": NaN}', "NaN is no number"),
        ('{"preset": "x", "width": 1' + "0" * 400 + "}", "too large"),
        ('{"preset": "x", "latent_dim": 1000000000000000}', "`--latent-dim` should be at most"),
        ('{"preset": "x", "iters": 3, \n"loss"; 3}', "line 2 is no JSON"),
        ("[" * 5000, "too many brackets"),
        ('{"preset": "../../x"}', "`--preset` should be a word"),
        ('{"preset": "x", "network": "\\n"}', "`--network` should be one of"),
        ('{"preset": "x", "warm_up": "' + "a" * 2000 + '"}', "`--warm-up` should be int"),
        ('{"a": ' + "[" * 100 + "]" * 100 + "}", "too many brackets"),
        (" " * 10**6, "more than 65,536 bytes"),
        ("\ud800", "line 1 has a byte that is no UTF-8"),
    ],
)
def test_a_broken_recipe_is_explained(tmp_path, text, word):
    if text is not None:
        (tmp_path / "recipe.json").write_bytes(text.encode(errors="surrogatepass"))
    with pytest.raises(UserError, match=word) as caught:
        Run(tmp_path).read_recipe()
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 400


@pytest.mark.parametrize("text", ["{}", '{"data": 3}', '{"data": {"source": "x"}}'])
def test_broken_facts_are_explained(tmp_path, text):
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(UserError, match="should say what data was used"):
        Run(tmp_path).read_facts()


DATA = {"source": "x", "limit": None, "crop": "auto", "fingerprint": "f", "count": 3}


@pytest.mark.parametrize(
    ("facts", "word"),
    [
        ({"data": DATA | {"count": "3"}}, "an odd count"),
        ({"data": DATA | {"count": True}}, "an odd count"),
        ({"data": DATA | {"crop": [1]}}, "an odd crop"),
        ({"data": DATA | {"limit": "x\n"}}, "an odd limit"),
        ({"data": DATA, "versions": 3}, "an odd versions"),
        ({"data": DATA, "resumptions": {}}, "an odd resumptions"),
        ({"data": DATA, "resumptions": [3]}, "an odd resumption"),
        ({"data": DATA, "resumptions": [{"device": 3}]}, "an odd device"),
    ],
)
def test_odd_facts_are_explained(tmp_path, facts, word):
    (tmp_path / "run.json").write_text(json.dumps(facts))
    with pytest.raises(UserError, match=word) as caught:
        Run(tmp_path).read_facts()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "value",
    [
        3, {}, {"names": "ab", "kind": "attributes", "values": [[1]]},
        {"names": ["a"], "kind": "other", "values": [[1]]},
        {"names": ["a"], "kind": "attributes", "values": []},
        {"names": [], "kind": "attributes", "values": [[]]},
        {"names": ["a"], "kind": "attributes", "values": [[1], [1, 1]]},
        {"names": ["a"], "kind": "classes", "values": [[1]]},
        {"names": ["a"], "kind": "classes", "values": ["1"]},
        {"names": ["a"], "kind": "classes", "values": [2**70]},
        {"names": ["a"], "kind": "classes", "values": {}},
    ],
)  # fmt: skip
def test_damaged_conditions_are_explained(tmp_path, value):
    path = tmp_path / "conditions.json"
    path.write_text(json.dumps(value))
    with pytest.raises(UserError, match="should (hold conditions|be readable)") as caught:
        runs.read_conditions(path)
    assert "\n" not in str(caught.value) and str(path) in str(caught.value)


def test_damaged_conditions_of_a_run_are_written_again(tmp_path, capsys):
    """They are known by the pictures; what a run was evaluated with stays the same."""
    run = Run(tmp_path)
    known = Conditions(["Hat", "Tie"], np.array([[1, -1], [0, 1], [-1, -1]], np.int8))
    runs.write_conditions(run.conditions, known)
    whole = run.conditions.read_bytes()
    train.mend_conditions(run, known)
    assert capsys.readouterr().out == ""
    for damage in (b"{", whole.replace(b"-1", b" 1", 1), whole.replace(b"Hat", b"Cat"), None):
        run.conditions.unlink()
        if damage is not None:
            run.conditions.write_bytes(damage)
        train.mend_conditions(run, known)
        said = capsys.readouterr().out
        assert said.startswith(f"{run.conditions} was damaged (") and said.count("\n") == 1
        assert run.conditions.read_bytes() == whole


def test_resumptions_are_kept_where_something_differs(tmp_path):
    run = Run(tmp_path)
    here = {"device": "CPU, 2 cores", "versions": {"tensorflow": "2.18.0", "python": "3.10.1"}}
    there = {"device": "a GPU", "versions": {"tensorflow": "2.21.0", "python": "3.10.1"}}
    run.write_facts({"data": {"count": 10}, **here})
    assert run.note_resumption(5, here) is None
    assert run.note_resumption(10, there) == (
        "This run goes on with device a GPU instead of CPU, 2 cores; tensorflow 2.21.0 instead of "
        "2.18.0. Its numbers may differ a little from those that it would have had."
    )
    assert run.note_resumption(15, there) is None
    assert run.note_resumption(20, here)
    facts = json.loads((tmp_path / "run.json").read_text())
    assert facts == {
        "data": {"count": 10},
        **here,
        "resumptions": [{"iteration": 10, **there}, {"iteration": 20, **here}],
    }


def test_a_folder_without_facts_has_no_resumptions(tmp_path):
    assert Run(tmp_path).note_resumption(5, {"device": "a GPU", "versions": {}}) is None
    assert list(tmp_path.iterdir()) == []


def test_log_is_cut_at_an_iteration_and_a_half_line_is_dropped(tmp_path, capsys):
    run = Run(tmp_path)
    lines = "".join(f'{{"iteration": {i}, "d_loss": 0.5}}\n' for i in range(1, 6))
    run.log.write_text("\0\0\n" + lines + '{"iteration": 6, "d_l')
    assert [line.iteration for line in run.cut_log(3)] == [1, 2, 3]
    assert run.log.read_text() == "".join(lines.splitlines(keepends=True)[:3])
    assert capsys.readouterr().out == (
        f"{run.log}: line 1 is damaged: it is no JSON: Expecting value; nothing is lost with it.\n"
    )


def test_lines_that_are_missing_before_the_checkpoint_are_named(tmp_path):
    run = Run(tmp_path)
    lines = [f'{{"iteration": {i}, "d_loss": 0.5}}\n' for i in (1, 2, 5, 6)]
    run.log.write_text("".join(lines))
    with pytest.raises(UserError) as caught:
        run.cut_log(6)
    assert str(caught.value) == (
        "A run's log should have a line for each iteration up to its checkpoint. Received: "
        f"{run.log}, line 3 is of iteration 5; there is none for iterations 3 to 4. Put a copy of "
        'the file back, or a line {"iteration": 3} for each that is missing, whose figures are '
        "lost then."
    )
    assert run.log.read_text() == "".join(lines)
    assert len(run.cut_log(2)) == 2  # what comes after the checkpoint is made again
    with pytest.raises(UserError, match="log.jsonl, where is none for iteration 3. Put"):
        run.cut_log(3)


def test_checkpoint_holds_everything(tmp_path, tiny, reals):
    gan = GAN(tiny)
    checkpoints = Checkpoints(gan, tmp_path, keep=2)
    for _ in range(3):
        gan.train_on_batch(reals[:4])
    checkpoints.save()
    other = GAN(dataclasses.replace(tiny, seed=1))
    other.recipe = gan.recipe
    assert Checkpoints(other, tmp_path, keep=2).restore() == 3
    for a, b in zip(state(gan), state(other), strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_last_few_checkpoints_are_kept(tmp_path, tiny):
    gan = GAN(tiny)
    checkpoints = Checkpoints(gan, tmp_path, keep=2)
    for iteration in (5, 10, 15):
        gan.iteration.assign(iteration)
        checkpoints.save()
    assert sorted(path.name for path in tmp_path.glob("*.index")) == [
        "iteration-10.index",
        "iteration-15.index",
    ]


def test_checkpoints_need_no_index_of_their_own(tmp_path, tiny):
    gan = GAN(tiny)
    for iteration in (900, 1000):
        gan.iteration.assign(iteration)
        Checkpoints(gan, tmp_path, keep=3).save()
    assert {path.suffix for path in tmp_path.iterdir()} == {".index", ".data-00000-of-00001"}
    other = GAN(tiny)
    assert Checkpoints(other, tmp_path, keep=3).restore() == 1000


def test_checkpoints_that_cannot_be_read_are_no_new_training(tmp_path, tiny):
    Checkpoints(GAN(tiny), tmp_path, keep=3).save()
    for path in tmp_path.iterdir():
        path.write_bytes(b"")
    with pytest.raises(UserError, match="checkpoint should be readable"):
        Checkpoints(GAN(tiny), tmp_path, keep=3).restore()


def test_a_cut_checkpoint_falls_back_to_the_one_before(tmp_path, tiny, reals, capsys):
    gan = GAN(tiny)
    checkpoints = Checkpoints(gan, tmp_path, keep=3)
    gan.train_on_batch(reals[:4])
    checkpoints.save()
    good = state(gan)
    gan.train_on_batch(reals[4:8])
    checkpoints.save()
    data = tmp_path / "iteration-2.data-00000-of-00001"
    data.write_bytes(data.read_bytes()[: data.stat().st_size // 2])
    other = GAN(tiny)
    assert Checkpoints(other, tmp_path, keep=3).restore() == 1
    assert "iteration-2 cannot be read" in capsys.readouterr().out
    for a, b in zip(good, state(other), strict=True):
        np.testing.assert_array_equal(a, b)


def test_no_checkpoint_is_a_new_training(tmp_path, tiny):
    assert Checkpoints(GAN(tiny), tmp_path, keep=3).restore() == 0


# Runs from elsewhere


def from_elsewhere(run):
    """Makes a run what a copy of another machine's is: its mark is not one of this machine."""
    facts = run.read_facts()
    facts["machine"]["sha256"] = "0" * 64
    facts["data"]["cache"] = "/somebody/elses/cache"
    run.write_facts(facts)
    return run


def test_a_run_of_this_machine_knows_its_pictures_but_not_a_cache(tmp_path, tiny, pictures):
    run = begin_run(tiny, pictures, out=tmp_path / "run")
    assert "cache" not in run.read_facts()["data"]
    assert run.read_request() == data.Request(str(tmp_path / "faces"), cache=data.CACHE)
    typed = {"cache": tmp_path / "cache", "limit": 3}
    assert run.read_request(typed) == data.Request(str(tmp_path / "faces"), **typed)


def test_a_run_from_elsewhere_chooses_no_path(tmp_path, tiny, pictures):
    run = from_elsewhere(begin_run(tiny, pictures, out=tmp_path / "run"))
    with pytest.raises(UserError, match="Type --data SOURCE") as caught:
        run.read_request({"limit": 3})
    assert str(tmp_path / "faces") in str(caught.value) and "\n" not in str(caught.value)
    request = run.read_request({"source": "mine"})
    assert request == data.Request("mine", cache=data.CACHE)


def test_a_run_from_elsewhere_may_name_known_pictures(tmp_path, tiny):
    pictures = data.load("built-in", size=32, limit=4, seed=5, cache=tmp_path / "cache")
    run = from_elsewhere(begin_run(tiny, pictures, out=tmp_path / "run"))
    assert run.read_facts()["data"]["source"] == "built-in"
    assert run.read_request() == data.Request("set:built-in", 4, seed=5, cache=data.CACHE)


def test_a_run_on_a_set_goes_on_with_it_whatever_lies_here_since(
    tmp_path, tiny, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    pictures = data.load("built-in", size=32, limit=4)
    run = begin_run(tiny, pictures, out=tmp_path / "run")
    shutil.copytree("data", "built-in")  # a folder of this name, which has pictures or not
    again = data.load_request(run.read_request(), size=32)
    assert again.fingerprint == pictures.fingerprint and again.source == "built-in"
    assert capsys.readouterr().err == ""


def test_a_run_in_a_folder_of_a_sets_name_goes_on_with_the_folder(
    tmp_path, tiny, faces_folder, monkeypatch
):
    faces_folder.rename(tmp_path / "lfw")
    monkeypatch.chdir(tmp_path)
    pictures = data.load("lfw", size=32)
    run = begin_run(tiny, pictures, out=tmp_path / "run")
    assert run.read_request().source == str(tmp_path / "lfw")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    again = data.load_request(run.read_request(), size=32)
    assert again.fingerprint == pictures.fingerprint


# What to type


def test_the_command_to_go_on_repeats_what_the_run_does_not_keep(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = Run("my runs/000 5$")
    run.repeated = {"cache": Path("c")}
    assert run.resume_command().endswith("--resume " + r'"my runs/000 5"\$"" --cache c')
    run.repeated = {"source": "lfw", "cache": Path("~/a b"), "limit": 5, "crop": "none"}
    words = shlex.split(run.resume_command())
    assert words[:5] == ["python", "-m", "kerasgan.train", "--resume", "my runs/000 5$"]
    assert words[5:] == "--data set:lfw --cache".split() + ["./~/a b"] + (
        "--limit 5 --crop none".split()
    )
    assert "'" not in run.resume_command()


def test_an_empty_folder_is_filled_the_current_one_as_well(tmp_path, tiny, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pictures = data.load("built-in", size=32, limit=4)  # cached below the current folder
    run = begin_run(tiny, pictures, out=Path("."))
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"data", "recipe.json", "run.json", "reals.png", "rejected.csv"}
    assert run.read_recipe() == tiny
    with pytest.raises(UserError, match="Type another name, or --resume . to go on"):
        begin_run(tiny, pictures, out=Path("."))


@pytest.mark.parametrize("mark", [None, 3, {}, {"salt": 3}, {"salt": "a"}, {"sha256": None}])
def test_a_mark_that_is_none_is_another_machines(mark):
    assert not runs.is_this_machine(mark)


def test_a_mark_holds_here_for_this_user_alone(monkeypatch):
    mark = runs.mark_of_machine()
    assert runs.is_this_machine(mark) and mark != runs.mark_of_machine()
    monkeypatch.setenv("HOME", "/home/somebody-else")
    assert not runs.is_this_machine(mark)
