"""The walkthrough notebook runs from top to bottom, in a tiny setting."""

import shutil
from pathlib import Path

import pytest

NOTEBOOK = Path(__file__).parent.parent / "notebooks" / "walkthrough.ipynb"


def read():
    import nbformat

    return nbformat.read(NOTEBOOK, as_version=4)


@pytest.mark.slow
# nbclient and the kernel's client leave sockets and loops to the garbage collector.
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")
def test_runs_from_top_to_bottom(tmp_path, monkeypatch):
    from nbclient import NotebookClient

    monkeypatch.setenv("WALKTHROUGH_PICTURES", "32")
    monkeypatch.setenv("WALKTHROUGH_ITERATIONS", "12")
    (tmp_path / "notebooks").mkdir()
    shutil.copy(NOTEBOOK, tmp_path / "notebooks")
    where = {"metadata": {"path": str(tmp_path / "notebooks")}}
    NotebookClient(read(), timeout=600, resources=where).execute()
    (run,) = (tmp_path / "outputs").iterdir()
    assert (run / "training.gif").exists() and (run / "generator.keras").exists()


def test_is_kept_with_its_outputs():
    cells = [cell for cell in read().cells if cell.cell_type == "code"]
    shown = {kind for cell in cells for out in cell.outputs for kind in out.get("data", {})}
    assert {"image/png", "image/gif"} <= shown
    assert not [out for cell in cells for out in cell.outputs if out.output_type == "error"]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
