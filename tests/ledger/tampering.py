"""Random tamperings with a package and with the database behind it: what is done, and where it must be found.

``Naive`` ones change files and leave the manifest as it was; ``sealed`` ones make manifest and digests agree again, and
leave the tree; ``rewritten`` ones make everything agree, leaf hashes and root as well: nothing in the package can tell,
and a checkpoint by a key that the forger has not does.
"""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from keybroker.ledger.canonical_json import encode
from keybroker.ledger.export_files import write_tar
from keybroker.ledger.merkle import Frontier, leaf_hash
from tests.ledger import every_table, exported

MANIFEST = "manifest.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What tamperings begin with; nobody changes it. ``other`` is the package of another ledger of the same origin;
    ``database`` holds a ledger with rows in every table.
    """

    ledger: Path
    database: Path
    package: Path
    other: Path
    archive: Path
    manifest_sha256: str

    @classmethod
    def made(cls, directory: Path) -> Scene:
        for name, other in (("ledger", ""), ("other-ledger", "-b")):
            (directory / name).mkdir()
            exported.fill(directory / name, other=other)
        (directory / "database").mkdir()
        every_table.fill(directory / "database")
        made = exported.package(directory / "ledger", directory / "package")
        exported.package(directory / "other-ledger", directory / "other")
        with (directory / "package.tar").open("wb") as file:
            write_tar(directory / "package", file)
        return cls(
            ledger=directory / "ledger",
            database=directory / "database",
            package=directory / "package",
            other=directory / "other",
            archive=directory / "package.tar",
            manifest_sha256=made.manifest_sha256,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Tampered:
    """``told``: what was done. ``places``: one of these files must be named, or with ``records`` one of these."""

    told: str
    package: Path
    places: frozenset[str]
    records: frozenset[int] = frozenset()


Tamper = Callable[[Scene, Path, random.Random], Tampered]


def copy_of(scene: Scene, directory: Path) -> Path:
    return Path(shutil.copytree(scene.package, directory / "package"))


def names_of(package: Path) -> list[str]:
    return sorted(path.relative_to(package).as_posix() for path in package.rglob("*") if path.is_file())


def flip(octets: bytes, draw: random.Random) -> tuple[bytes, int]:
    at = draw.randrange(len(octets))
    return octets[:at] + bytes([octets[at] ^ (1 << draw.randrange(8))]) + octets[at + 1 :], at


def lines_of(package: Path, name: str) -> list[bytes]:
    return (package / name).read_bytes().splitlines(keepends=True)


# ---- naive: the manifest is as it was


def flip_a_byte(scene: Scene, directory: Path, draw: random.Random) -> Tampered:
    package = copy_of(scene, directory)
    name = draw.choice([name for name in names_of(package) if (package / name).stat().st_size])
    octets, at = flip((package / name).read_bytes(), draw)
    (package / name).write_bytes(octets)
    places = {MANIFEST} if name.startswith("manifest.") else {name}
    return Tampered(told=f"flip byte {at} of {name}", package=package, places=frozenset(places))


def flip_a_byte_of_the_archive(scene: Scene, directory: Path, draw: random.Random) -> Tampered:
    archive = directory / "package.tar"
    octets, at = flip(scene.archive.read_bytes(), draw)
    archive.write_bytes(octets)
    return Tampered(told=f"flip byte {at} of the archive", package=archive, places=frozenset())


def cut_the_archive(scene: Scene, directory: Path, draw: random.Random) -> Tampered:
    archive, octets = directory / "package.tar", scene.archive.read_bytes()
    length = draw.randrange(1, len(octets))
    archive.write_bytes(octets[:length])
    return Tampered(told=f"cut the archive to {length} octets", package=archive, places=frozenset())


def remove_a_file(scene: Scene, directory: Path, draw: random.Random) -> Tampered:
    package = copy_of(scene, directory)
    name = draw.choice(names_of(package))
    (package / name).unlink()
    return Tampered(told=f"remove {name}", package=package, places=frozenset({name, MANIFEST}))


def add_a_file(scene: Scene, directory: Path, draw: random.Random) -> Tampered:
    package = copy_of(scene, directory)
    name = draw.choice(["extra", "certificates/extra.0.der", "in_force/" + "0" * 64, "ceremonies/extra.json"])
    (package / name).parent.mkdir(exist_ok=True)
    (package / name).write_bytes(draw.choice([b"", b"{}"]))
    return Tampered(told=f"add {name}", package=package, places=frozenset({name}))


def swap_two_files(scene: Scene, directory: Path, draw: random.Random) -> Tampered:
    package = copy_of(scene, directory)
    first, second = draw.sample(names_of(package), 2)
    octets = (package / first).read_bytes()
    (package / first).write_bytes((package / second).read_bytes())
    (package / second).write_bytes(octets)
    return Tampered(told=f"swap {first} and {second}", package=package, places=frozenset({first, second, MANIFEST}))


def cut_a_file(scene: Scene, directory: Path, draw: random.Random) -> Tampered:
    package = copy_of(scene, directory)
    name = draw.choice([name for name in names_of(package) if (package / name).stat().st_size])
    octets = (package / name).read_bytes()
    (package / name).write_bytes(octets[: draw.randrange(len(octets))])
    return Tampered(told=f"cut {name}", package=package, places=frozenset({name, MANIFEST}))


def edit_manifest(package: Path, *, records: int | None = None, root: str | None = None) -> None:
    manifest = json.loads((package / MANIFEST).read_bytes())
    if records is not None:
        manifest["records"] = records
    if root is not None:
        manifest["tree"] = {"root_hash": root, "tree_size": records}
    (package / MANIFEST).write_bytes(encode(manifest))


# ---- rewritten: everything agrees


def rewrite_a_record(scene: Scene, directory: Path, draw: random.Random) -> Tampered:
    """A word in a record that binds nothing else: why it was refused, what a start said."""
    package = copy_of(scene, directory)
    records = [json.loads(line) for line in lines_of(package, "records.ndjson")]
    index = draw.choice([at for at, each in enumerate(records) if each["kind"] in ("refusal", "start", "read", "stop")])
    records[index]["worker"] = "another.1"
    return rewritten(f"rewrite record {index} and the tree", package, [encode(each) for each in records])


def forget_the_end(scene: Scene, directory: Path, draw: random.Random) -> Tampered:
    """The end of a ceremony: its transcript is open again, and what was in force was named last before."""
    package = copy_of(scene, directory)
    octets = [line[:-1] for line in lines_of(package, "records.ndjson")]
    (transcript,) = (package / "ceremonies").iterdir()
    transcript.write_bytes(encode(json.loads(transcript.read_bytes()) | {"ended": None, "state": "open"}))
    in_force = json.loads((package / "in_force.json").read_bytes())
    for each in in_force["in_force"]:
        each["last"] = min(each["last"], len(octets) - 2)
    (package / "in_force.json").write_bytes(encode(in_force))
    return rewritten("forget the last record", package, octets[:-1])


def rewritten(told: str, package: Path, octets: list[bytes]) -> Tampered:
    """The checkpoints go with it: the forger has no key that could sign others."""
    leaves, frontier = [leaf_hash(each) for each in octets], Frontier()
    frontier.extend(leaves)
    (package / "records.ndjson").write_bytes(b"".join(each + b"\n" for each in octets))
    (package / "leaves.txt").write_bytes(b"".join(f"{leaf.hex()} +\n".encode() for leaf in leaves))
    (package / "checkpoints.ndjson").write_bytes(b"")
    edit_manifest(package, records=len(octets), root=frontier.root().hex())
    exported.seal(package)
    return Tampered(told=told, package=package, places=frozenset({"checkpoints.ndjson"}))


def replace_a_value(scene: Scene, directory: Path, draw: random.Random) -> Path:
    """Anything in the place of one value of a record or of another file; whatever hashes it agrees."""
    package = copy_of(scene, directory)
    if draw.random() < 0.7:
        records = [json.loads(line) for line in lines_of(package, "records.ndjson")]
        _replace(draw.choice(records), draw)
        return rewritten("", package, [encode(each) for each in records]).package
    name = draw.choice([name for name in names_of(package) if name.endswith("json")])
    lines = [json.loads(line) for line in lines_of(package, name)] if name != "record.schema.json" else [{"a": 1}]
    if lines:
        _replace(draw.choice(lines), draw)
    (package / name).write_bytes(b"\n".join(map(encode, lines)))
    if name != MANIFEST:
        exported.seal(package)
    return package


def _replace(value: Any, draw: random.Random) -> None:
    """One value somewhere within it."""
    names = list(value) if isinstance(value, dict) else list(range(len(value)))
    name = draw.choice(names)
    if isinstance(value[name], dict | list) and value[name] and draw.random() < 0.7:
        _replace(value[name], draw)
    else:
        value[name] = draw.choice([None, -1, 2**53, True, "", "x", "\u20ac", [], {}, [[]], {"a": []}, [1, 2]])


NAIVE: tuple[Tamper, ...] = (
    flip_a_byte,
    flip_a_byte_of_the_archive,
    cut_the_archive,
    remove_a_file,
    add_a_file,
    swap_two_files,
    cut_a_file,
)
REWRITTEN: tuple[Tamper, ...] = (rewrite_a_record, forget_the_end)


def digest_of(package: Path) -> str:
    """Of everything that a directory or a file holds: was anything changed at all?"""
    files = [package / name for name in names_of(package)] if package.is_dir() else [package]
    told = [f"{file.relative_to(package.parent)} {sha256(file.read_bytes()).hexdigest()}" for file in files]
    return sha256("\n".join(told).encode()).hexdigest()
