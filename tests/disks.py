"""A made disk, from which a power cut takes what was not put on it."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

Left = dict[Path, bytes]  # content by the path in the folder


class Disk:
    """Follows a folder as a disk would that keeps only what it is told to.

    A file's content is kept where the file was synced, a name where its folder was. Of the rest a
    power cut leaves anything: nothing of it, or new names of empty files, or removals alone. `left`
    is called with each of these, before and after every sync, removal and renaming.
    """

    def __init__(self, folder: Path, left: Callable[[Left], None], monkeypatch) -> None:
        self.folder, self.left = folder, left
        self.contents: dict[int, bytes] = {}  # of files, by inode
        self.names: dict[int, dict[str, int]] = {}  # of folders, by inode
        self.open = []  # each file that was seen, so that no other gets its inode
        self._seen: set[int] = set()
        for name in ("fsync", "unlink", "replace", "rename"):
            monkeypatch.setattr(os, name, self._telling(getattr(os, name), name == "fsync"))
        # Older Pythons keep the functions of before.
        monkeypatch.setattr(Path, "unlink", lambda path, **_: os.unlink(path))
        monkeypatch.setattr(Path, "rename", lambda path, to: os.rename(path, to))

    def _telling(self, function, syncs):
        def told(*args):
            self.tell()
            function(*args)
            if syncs:
                self._note(os.fstat(args[0]).st_ino)
            self.tell()

        return told

    def _paths(self) -> list[Path]:
        return [self.folder, *self.folder.rglob("*")]

    def _note(self, inode: int) -> None:
        for path in self._paths():
            if path.stat().st_ino != inode:
                continue
            if path.is_dir():
                self.names[inode] = self._current(path)
            else:
                self.contents[inode] = path.read_bytes()

    def _current(self, folder: Path) -> dict[str, int]:
        for path in folder.iterdir():
            if path.stat().st_ino not in self._seen:
                self._seen.add(path.stat().st_ino)
                self.open.append(os.open(path, os.O_RDONLY))
        return {path.name: path.stat().st_ino for path in folder.iterdir()}

    def tell(self) -> None:
        """Calls `left` with what a power cut could leave now."""
        now = {x.stat().st_ino: self._current(x) for x in self._paths() if x.is_dir()}
        removed = {
            folder: {name: inode for name, inode in names.items() if name in now.get(folder, {})}
            for folder, names in self.names.items()
        }
        root = self.folder.stat().st_ino
        for names in (self.names, now, removed):
            self.left(dict(self._tree(names, now, root, Path())))

    def _tree(self, names, now, folder: int, at: Path) -> Iterator[tuple[Path, bytes]]:
        for name, inode in names.get(folder, {}).items():
            if inode in now or inode in self.names:
                yield from self._tree(names, now, inode, at / name)
            else:
                yield at / name, self.contents.get(inode, b"")

    def close(self) -> None:
        for number in self.open:
            os.close(number)
