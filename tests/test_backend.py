"""Choosing by the hardware."""

import dataclasses
import os
import subprocess
import sys

import pytest

from kerasgan import backend
from kerasgan.recipes import PRESETS


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ("fpu avx2 avx512f avx512_bf16", "bfloat16"),
        ("fpu avx512f amx_bf16 amx_tile", "bfloat16"),
        ("fpu avx2 avx512f", "float32"),
    ],
)
def test_precision_follows_the_processor(tmp_path, monkeypatch, flags, expected):
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text(f"processor : 0\nmodel name : X\nflags\t\t: {flags}\n\n" * 2)
    found = backend._cpu_flags(cpuinfo)
    assert found >= set(flags.split())
    monkeypatch.setattr(backend, "gpus", lambda: [])
    monkeypatch.setattr(backend, "_cpu_flags", lambda: found)
    assert backend.pick_precision() == expected


def test_a_system_without_cpuinfo_computes_in_float32(tmp_path, monkeypatch):
    assert backend._cpu_flags(tmp_path / "none") == set()


@pytest.mark.parametrize(
    ("capability", "expected"),
    [((9, 0), "bfloat16"), ((8, 0), "bfloat16"), ((7, 5), "float16"), ((6, 1), "float32")],
)
def test_precision_follows_the_gpu(monkeypatch, capability, expected):
    monkeypatch.setattr(backend, "gpus", lambda: ["a GPU"])
    monkeypatch.setattr(backend, "_compute_capability", lambda: capability)
    assert backend.pick_precision() == expected


def test_auto_is_resolved_and_anything_else_is_kept(tiny, monkeypatch):
    monkeypatch.setattr(backend, "pick_precision", lambda: "bfloat16")
    assert backend.resolved(tiny).precision == "float32"
    auto = dataclasses.replace(tiny, precision="auto")
    assert backend.resolved(auto) == dataclasses.replace(tiny, precision="bfloat16")


def test_auto_takes_no_float16_where_the_recipe_forbids_it(monkeypatch):
    monkeypatch.setattr(backend, "pick_precision", lambda: "float16")
    assert backend.resolved(PRESETS["dcgan"]).precision == "float16"
    assert backend.resolved(PRESETS["fast"]).precision == "float32"


def test_what_native_code_says_is_held_back_unless_it_fails(capfd):
    import os

    with backend.silent_stderr():
        os.write(2, b"chatter\n")
    assert capfd.readouterr().err == ""
    with pytest.raises(ImportError), backend.silent_stderr():
        os.write(2, b"why it failed\n")
        raise ImportError
    assert capfd.readouterr().err == "why it failed\n"


@pytest.mark.slow
def test_what_keras_json_says_is_not_for_our_networks(tmp_path):
    (tmp_path / "keras.json").write_text(
        '{"image_data_format": "channels_first", "floatx": "float64", "backend": "tensorflow"}'
    )
    script = """
import dataclasses
import os
import subprocess
import sys
from kerasgan.recipes import PRESETS
from kerasgan import models
recipe = dataclasses.replace(PRESETS["dcgan"], width=1 / 32, size=32, precision="float32")
generator = models.build_generator(recipe)
assert generator.output_shape == (None, 32, 32, 3), generator.output_shape
assert {str(weight.dtype) for weight in generator.weights} == {"float32"}
"""
    environment = os.environ | {"KERAS_HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
