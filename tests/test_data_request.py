"""What is recorded of the pictures of a run, and how it is read back."""

from pathlib import Path

import pytest

from kerasgan.data import CACHE, Request
from kerasgan.errors import UserError

ASKED = Request("faces", 7, "center", Path("/caches"), 3)


def test_what_is_written_is_read_back() -> None:
    written = ASKED.to_json()
    assert written == {
        "source": "faces",
        "limit": 7,
        "crop": "center",
        "cache": str(Path("/caches")),
        "seed": 3,
    }
    assert Request.from_json(written) == ASKED


def test_other_facts_beside_it_are_passed_over() -> None:
    facts = {**ASKED.to_json(), "fingerprint": "f0", "count": 7, "conditions": "c0"}
    assert Request.from_json(facts) == ASKED


def test_a_record_from_before_the_seed_was_recorded() -> None:
    old = {"source": "faces", "limit": None, "crop": "auto", "cache": "data/cache"}
    assert Request.from_json(old) == Request("faces", None, "auto", CACHE, 0)


@pytest.mark.parametrize(
    ("change", "received"),
    [
        ({"source": 7}, "source 7"),
        ({"limit": "7"}, "limit '7'"),
        ({"crop": None}, "crop None"),
        ({"cache": ["a"]}, "cache ['a']"),
        ({"seed": 0.5}, "seed 0.5"),
    ],
)
def test_values_of_another_kind_are_refused(change: dict[str, object], received: str) -> None:
    with pytest.raises(UserError) as caught:
        Request.from_json(ASKED.to_json() | change)
    assert f"Received: {received}." in str(caught.value)


def test_a_record_without_a_source_is_refused() -> None:
    with pytest.raises(UserError, match="Received: source None"):
        Request.from_json({"limit": 3})
