"""How do a package's files come onto a disk? Hashed as they are written, synced, and there whole or not at all."""

from __future__ import annotations

import os
import shutil
import tarfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from keybroker.errors import ConfigurationInvalid, LedgerUnavailable
from keybroker.ledger.canonical_json import Json
from keybroker.ledger.durable import sync_directory

TAR = ".tar"
"""A target that ends so is one file; any other is a directory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """``name`` is the path in the package, with slashes; ``size`` in octets."""

    name: str
    size: int
    sha256: str

    def told(self) -> dict[str, Json]:
        return {"name": self.name, "sha256": self.sha256, "size": self.size}


class Files:
    """Writes each file once, and remembers what it wrote."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.written: list[Written] = []

    def add(self, name: str, chunks: Iterable[bytes]) -> Written:
        """Raises: OSError; FileExistsError among them, for a name that was written already."""
        path, digest, size = self._directory / name, sha256(), 0
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as file:
            for chunk in chunks:
                digest.update(chunk)
                size += file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
        written = Written(name=name, size=size, sha256=digest.hexdigest())
        self.written.append(written)
        return written


@contextmanager
def appearing(target: Path) -> Iterator[Path]:
    """A directory beside ``target`` to make the package in; it is gone afterwards, whatever happened.

    Raises: ConfigurationInvalid where something stands under the name already; LedgerUnavailable where the disk is full
    or something cannot be written, and then nothing is left.
    """
    if os.path.lexists(target):
        raise ConfigurationInvalid("something stands there already, and is not written over", where=str(target))
    scratch = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        scratch.mkdir(mode=0o700)
        yield scratch
    except OSError as error:
        raise LedgerUnavailable(
            f"the package cannot be written ({error.strerror}); nothing is left of it: make room, or take another place"
        ) from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def packed(directory: Path, target: Path) -> Path:
    """What will be released under ``target``: the directory itself, or a tar file of it beside it. Raises: OSError."""
    if target.suffix != TAR:
        for each in sorted({directory, *(path for path in directory.rglob("*") if path.is_dir())}):
            sync_directory(each)
        return directory
    archive = directory.with_suffix(TAR)
    with archive.open("xb") as file:
        write_tar(directory, file)
        file.flush()
        os.fsync(file.fileno())
    return archive


def write_tar(directory: Path, file: object) -> None:
    """POSIX ustar: files alone, in the order of their names, owned by nobody, of no time: equal packages give equal
    octets (verify_evidence.py writes it again and compares)."""
    with tarfile.open(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT) as tar:  # type: ignore[call-overload]  # any binary file
        for path in sorted(path for path in directory.rglob("*") if path.is_file()):
            member = tarfile.TarInfo(path.relative_to(directory).as_posix())
            member.size = path.stat().st_size
            with path.open("rb") as octets:
                tar.addfile(member, octets)


def release(ready: Path, target: Path) -> None:
    """From now on the package stands under its name. Raises: ConfigurationInvalid where something does meanwhile;
    OSError."""
    if os.path.lexists(target):
        raise ConfigurationInvalid("something stands there already, and is not written over", where=str(target))
    ready.rename(target)
    sync_directory(target.parent)
