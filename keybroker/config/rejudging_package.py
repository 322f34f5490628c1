"""What does an evidence package give for judging its uses once more? Records, octets, and the texts that were in force.

docs/evidence-package.md. The package is known to be whole; a chain is not looked at, for no anchor comes with it.
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path, PurePosixPath
from shutil import copyfileobj
from tempfile import TemporaryDirectory

from keybroker.config.rejudging import read_texts
from keybroker.errors import ConfigurationInvalid
from keybroker.ledger.canonical_json import decode
from keybroker.ledger.merkle import leaf_hash
from keybroker.ledger.model import StoredRecord
from keybroker.ledger.rejudging import Grounds, Rejudged, rejudge
from keybroker.terms import DeploymentKind, PartyName


def rejudge_package(place: Path) -> Rejudged:
    """Of a directory or a tar file. Raises: ConfigurationInvalid for what is no evidence package; LedgerBroken as
    ``rejudge``."""
    try:
        with _as_directory(place) as directory:
            return rejudge(_records(directory), _octets(directory).get, _grounds(directory))
    except (OSError, ValueError, tarfile.TarError) as error:
        raise ConfigurationInvalid("expected an evidence package, found another", where=str(place)) from error


@contextmanager
def _as_directory(place: Path) -> Iterator[Path]:
    if place.is_dir():
        yield place
        return
    with TemporaryDirectory() as name, tarfile.open(place, "r:") as archive:
        _unpack(archive, Path(name), most=place.stat().st_size)
        yield Path(name)


def _unpack(archive: tarfile.TarFile, directory: Path, *, most: int) -> None:
    """Plain files under names within the directory, of at most so many octets together. Raises: ValueError."""
    # Not by extractall: its filters let links pass, and Python 3.11.3 has none.
    for member in archive:
        path, most = PurePosixPath(member.name), most - member.size
        octets = archive.extractfile(member) if member.isreg() and not member.issparse() else None
        if octets is None or path.is_absolute() or ".." in path.parts or most < 0:
            raise ValueError(f"expected an archive of plain files, found {member.name}")
        (directory / path).parent.mkdir(parents=True, exist_ok=True)
        with (directory / path).open("xb") as file:
            copyfileobj(octets, file)


def _grounds(directory: Path) -> Grounds:
    texts = read_texts(_texts(directory / "in_force"))
    match decode((directory / "manifest.json").read_bytes()):
        case {"ledger": {"origin": str(origin), "deployment": str(deployment)}}:
            return Grounds(
                origin=origin,
                deployment=DeploymentKind(deployment),
                policies=texts.policies,
                callers=texts.callers,
                is_whole=_is_whole(directory),
            )
        case _:
            raise ValueError("a manifest without a ledger")


def _is_whole(directory: Path) -> bool:
    """Is no record left out that the ledger still has?"""
    with (directory / "leaves.txt").open() as leaves:
        return not any(line.endswith(" -\n") for line in leaves)


def _texts(directory: Path) -> Iterator[bytes]:
    for file in sorted(directory.iterdir()) if directory.is_dir() else ():
        if sha256(text := file.read_bytes()).hexdigest() == file.name:
            yield text


def _records(directory: Path) -> Iterator[StoredRecord]:
    """Each record that is here, at its leaf index: the lines of leaves.txt say which are. Raises: ValueError."""
    with (directory / "leaves.txt").open() as leaves, (directory / "records.ndjson").open("rb") as records:
        for index, line in enumerate(leaves):
            hashed, _, here = line.strip().partition(" ")
            if here != "+":
                continue
            octets = records.readline().rstrip(b"\n")
            if leaf_hash(octets).hex() != hashed:
                raise ValueError("a record that is not its leaf")
            yield _record(index, octets)


def _record(index: int, octets: bytes) -> StoredRecord:
    match decode(octets):
        case {"kind": str(kind), "party": str(party)}:
            return StoredRecord(
                leaf_index=index, octets=octets, leaf_hash=leaf_hash(octets), kind=kind, party=PartyName(party)
            )
        case _:
            raise ValueError("a record without kind and party")


def _octets(directory: Path) -> dict[int, bytes]:
    with (directory / "octets.ndjson").open("rb") as lines:
        return dict(map(_message, lines))


def _message(line: bytes) -> tuple[int, bytes]:
    match decode(line.rstrip(b"\n")):
        case {"record": int(index), "octets": str(octets)}:
            return index, bytes.fromhex(octets)
        case _:
            raise ValueError("a message without record and octets")
