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
from tests import lists
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


def _copy(scene: Scene, directory: Path) -> Path:
    return Path(shutil.copytree(scene.package, directory / "package"))


def _names(package: Path) -> list[str]:
    return sorted(path.relative_to(package).as_posix() for path in package.rglob("*") if path.is_file())


def _flip(octets: bytes, draw: random.Random) -> tuple[bytes, int]:
    at = draw.randrange(len(octets))
    return octets[:at] + bytes([octets[at] ^ (1 << draw.randrange(8))]) + octets[at + 1 :], at


# ---- naive: the manifest is as it was


def flip_a_byte(scene: Scene, directory: Path, draw: random.Random) -> Tampered:
    package = _copy(scene, directory)
    name = draw.choice([name for name in _names(package) if (package / name).stat().st_size])
    octets, at = _flip((package / name).read_bytes(), draw)
    (package / name).write_bytes(octets)
    places = {MANIFEST} if name.startswith("manifest.") else {name}
    return Tampered(told=f"flip byte {at} of {name}", package=package, places=frozenset(places))


def flip_a_byte_of_the_archive(scene: Scene, directory: Path, draw: random.Random) -> Tampered:
    archive = directory / "package.tar"
    octets, at = _flip(scene.archive.read_bytes(), draw)
    archive.write_bytes(octets)
    return Tampered(told=f"flip byte {at} of the archive", package=archive, places=frozenset())


def cut_the_archive(scene: Scene, directory: Path, draw: random.Random) -> Tampered:
    archive, octets = directory / "package.tar", scene.archive.read_bytes()
    length = draw.randrange(1, len(octets))
    archive.write_bytes(octets[:length])
    return Tampered(told=f"cut the archive to {length} octets", package=archive, places=frozenset())


def remove_a_file(scene: Scene, directory: Path, draw: random.Random) -> Tampered:
    package = _copy(scene, directory)
    name = draw.choice(_names(package))
    (package / name).unlink()
    return Tampered(told=f"remove {name}", package=package, places=frozenset({name, MANIFEST}))


def add_a_file(scene: Scene, directory: Path, draw: random.Random) -> Tampered:
    package = _copy(scene, directory)
    name = draw.choice(["extra", "certificates/extra.0.der", "in_force/" + "0" * 64, "ceremonies/extra.json"])
    (package / name).parent.mkdir(exist_ok=True)
    (package / name).write_bytes(draw.choice([b"", b"{}"]))
    return Tampered(told=f"add {name}", package=package, places=frozenset({name}))


def swap_two_files(scene: Scene, directory: Path, draw: random.Random) -> Tampered:
    package = _copy(scene, directory)
    first, second = draw.sample(_names(package), 2)
    octets = (package / first).read_bytes()
    (package / first).write_bytes((package / second).read_bytes())
    (package / second).write_bytes(octets)
    return Tampered(told=f"swap {first} and {second}", package=package, places=frozenset({first, second, MANIFEST}))


def cut_a_file(scene: Scene, directory: Path, draw: random.Random) -> Tampered:
    package = _copy(scene, directory)
    name = draw.choice([name for name in _names(package) if (package / name).stat().st_size])
    octets = (package / name).read_bytes()
    (package / name).write_bytes(octets[: draw.randrange(len(octets))])
    return Tampered(told=f"cut {name}", package=package, places=frozenset({name, MANIFEST}))


# ---- sealed: the manifest agrees with the files, the tree is as it was


def _lines(package: Path, name: str) -> list[bytes]:
    return (package / name).read_bytes().splitlines(keepends=True)


def _sealed(told: str, package: Path, name: str, lines: list[bytes], *records: int) -> Tampered:
    (package / name).write_bytes(b"".join(lines))
    exported.seal(package)
    return Tampered(told=told, package=package, places=frozenset({name}), records=frozenset(records))


def alter_a_record(scene: Scene, directory: Path, draw: random.Random) -> Tampered:
    package = _copy(scene, directory)
    lines = _lines(package, "records.ndjson")
    index = draw.randrange(len(lines))
    octets, at = _flip(lines[index][:-1], draw)
    lines[index] = octets.replace(b"\n", b" ") + b"\n"
    return _sealed(f"flip byte {at} of record {index}", package, "records.ndjson", lines, index)


def reorder_records(scene: Scene, directory: Path, draw: random.Random) -> Tampered:
    package = _copy(scene, directory)
    lines = _lines(package, "records.ndjson")
    first, second = draw.sample(range(len(lines)), 2)
    lines[first], lines[second] = lines[second], lines[first]
    return _sealed(f"swap records {first} and {second}", package, "records.ndjson", lines, first, second)


def reorder_records_and_leaves(scene: Scene, directory: Path, draw: random.Random) -> Tampered:
    package = _copy(scene, directory)
    lines, leaves = _lines(package, "records.ndjson"), _lines(package, "leaves.txt")
    first, second = draw.sample(range(len(lines)), 2)
    lines[first], lines[second] = lines[second], lines[first]
    leaves[first], leaves[second] = leaves[second], leaves[first]
    (package / "records.ndjson").write_bytes(b"".join(lines))
    return _sealed(f"swap records and leaves {first} and {second}", package, "leaves.txt", leaves)


def take_a_record_out(scene: Scene, directory: Path, draw: random.Random) -> Tampered:
    """As if everything had been less: its leaf hash stays, and is marked as not asked for."""
    package = _copy(scene, directory)
    lines, leaves = _lines(package, "records.ndjson"), _lines(package, "leaves.txt")
    index = draw.randrange(len(lines))
    del lines[index]
    leaves[index] = leaves[index].replace(b"+", b"-")
    (package / "records.ndjson").write_bytes(b"".join(lines))
    _edit_manifest(package, records=len(lines))
    return _sealed(f"take record {index} out", package, "leaves.txt", leaves)


def cut_the_end(scene: Scene, directory: Path, draw: random.Random) -> Tampered:
    package = _copy(scene, directory)
    lines, leaves = _lines(package, "records.ndjson"), _lines(package, "leaves.txt")
    left = draw.randrange(1, len(lines))
    (package / "records.ndjson").write_bytes(b"".join(lines[:left]))
    _edit_manifest(package, records=left)
    return _sealed(f"cut after record {left}", package, "leaves.txt", leaves[:left])


def splice_a_record(scene: Scene, directory: Path, draw: random.Random) -> Tampered:
    """A record of another ledger of the same origin in the place of ours."""
    package = _copy(scene, directory)
    lines, others = _lines(package, "records.ndjson"), _lines(scene.other, "records.ndjson")
    strange = [index for index in range(1, len(lines)) if lines[index] not in others]
    index = draw.choice(strange)
    lines[index] = draw.choice([each for each in others if each not in lines])
    return _sealed(f"splice into record {index}", package, "records.ndjson", lines, index)


def alter_octets(scene: Scene, directory: Path, draw: random.Random) -> Tampered:
    package = _copy(scene, directory)
    lines = _lines(package, "octets.ndjson")
    number = draw.randrange(len(lines))
    told = json.loads(lines[number])
    told["octets"] = _flip(bytes.fromhex(told["octets"]), draw)[0].hex()
    lines[number] = encode(told) + b"\n"
    return _sealed(f"alter the octets of record {told['record']}", package, "octets.ndjson", lines)


def alter_a_certificate(scene: Scene, directory: Path, draw: random.Random) -> Tampered:
    package = _copy(scene, directory)
    name = draw.choice([name for name in _names(package) if name.startswith("certificates/")])
    octets, _ = _flip((package / name).read_bytes(), draw)
    (package / name).write_bytes(octets)
    exported.seal(package)
    return Tampered(told=f"alter {name}", package=package, places=frozenset({"keys.json", name}))


def alter_a_key(scene: Scene, directory: Path, draw: random.Random) -> Tampered:
    package = _copy(scene, directory)
    told = json.loads((package / "keys.json").read_bytes())
    key = draw.choice(told["keys"])
    field, other = draw.choice(
        [
            ("state", "retired"),
            ("public_key", "04" + "ab" * 64),
            ("purpose", "dco-pre-command"),
            ("party", "supplier-b"),
            ("provenance", "unwrapped"),
            ("eui", "90-B3-D5-1F-30-01-00-00"),
            ("certificates", ["certificates/another.0.der"]),
        ]
    )
    key[field] = other
    return _sealed(f"alter {field} of {key['label']}", package, "keys.json", [encode(told)])


def leave_keys_out(scene: Scene, directory: Path, draw: random.Random) -> Tampered:
    """One, or all."""
    package = _copy(scene, directory)
    told = json.loads((package / "keys.json").read_bytes())
    left = draw.choice([told["keys"][1:], told["keys"][:-1], []])
    return _sealed(f"leave {len(left)} keys", package, "keys.json", [encode({"keys": left})])


def exchange_a_revocation_list(scene: Scene, directory: Path, draw: random.Random) -> Tampered:
    """One octet of it is another, or all of it is an older one that the same CA signed."""
    package = _copy(scene, directory)
    name = draw.choice([name for name in _names(package) if name.startswith("revocation_lists/")])
    flipped, at = _flip((package / name).read_bytes(), draw)
    octets, told = draw.choice([(flipped, f"flip byte {at}"), (lists.an_arl(number=77), "another list")])
    return _sealed(f"{told} of {name}", package, name, [octets])


def alter_a_transcript(scene: Scene, directory: Path, draw: random.Random) -> Tampered:
    """A plan of somebody's choice, a step less, another end."""
    package = _copy(scene, directory)
    name = draw.choice([name for name in _names(package) if name.startswith("ceremonies/")])
    told = json.loads((package / name).read_bytes())
    field, other = draw.choice(
        [
            ("plan", told["plan"].replace("as the test wants it", "as somebody else wants it")),
            ("keys", []),
            ("steps", told["steps"][1:]),
            ("state", "done"),
            ("ended", None),
        ]
    )
    return _sealed(f"alter {field} of {name}", package, name, [encode(told | {field: other})])


def alter_when_it_was_in_force(scene: Scene, directory: Path, draw: random.Random) -> Tampered:
    package = _copy(scene, directory)
    told = json.loads((package / "in_force.json").read_bytes())
    each, field = draw.choice(told["in_force"]), draw.choice(["first", "last", "kind", "purposes", "out"])
    other = {"first": each["first"] + 1, "last": each["last"] - 1, "kind": "profiles", "purposes": ["other"]}
    if field == "out":
        told["in_force"].remove(each)
    else:
        each[field] = other[field]
    return _sealed(f"alter {field} of {each['sha256']}", package, "in_force.json", [encode(told)])


def remove_a_file_and_seal(scene: Scene, directory: Path, draw: random.Random) -> Tampered:
    package = _copy(scene, directory)
    name = draw.choice([name for name in _names(package) if not name.startswith("manifest.")])
    (package / name).unlink()
    exported.seal(package)
    return Tampered(told=f"remove {name}, and seal", package=package, places=frozenset({name}))


def add_a_file_and_seal(scene: Scene, directory: Path, draw: random.Random) -> Tampered:
    tampered = add_a_file(scene, directory, draw)
    exported.seal(tampered.package)
    return tampered


def alter_what_was_in_force(scene: Scene, directory: Path, draw: random.Random) -> Tampered:
    package = _copy(scene, directory)
    name = draw.choice([name for name in _names(package) if name.startswith("in_force/")])
    octets, _ = _flip((package / name).read_bytes(), draw)
    return _sealed(f"alter {name}", package, name, [octets])


def alter_a_checkpoint(scene: Scene, directory: Path, draw: random.Random) -> Tampered:
    package = _copy(scene, directory)
    octets, at = _flip((package / "checkpoints.ndjson").read_bytes(), draw)
    return _sealed(f"flip byte {at} of checkpoints.ndjson", package, "checkpoints.ndjson", [octets])


def alter_anything_and_seal(scene: Scene, directory: Path, draw: random.Random) -> Tampered:
    """Of whoever verifies with the digest that the exporter told: then every byte counts, the summary's too."""
    tampered = flip_a_byte(scene, directory, draw)
    exported.seal(tampered.package)
    return Tampered(told=f"{tampered.told}, and seal", package=tampered.package, places=frozenset({MANIFEST}))


def alter_who_exported(scene: Scene, directory: Path, draw: random.Random) -> Tampered:
    """No record in the package tells it: that it was made is recorded behind what it holds."""
    package = _copy(scene, directory)
    manifest = json.loads((package / MANIFEST).read_bytes())
    field = draw.choice(sorted(manifest["exported"]))
    manifest["exported"][field] = "another"
    (package / MANIFEST).write_bytes(encode(manifest))
    exported.seal(package)
    return Tampered(told=f"alter {field} of the export", package=package, places=frozenset({MANIFEST}))


def leave_octets_out(scene: Scene, directory: Path, draw: random.Random) -> Tampered:
    """As if they had been erased: no record tells which are kept still. Without the digest it is counted."""
    package = _copy(scene, directory)
    lines = _lines(package, "octets.ndjson")
    left = draw.sample(lines, draw.randrange(len(lines)))
    tampered = _sealed(f"leave octets of {len(left)} uses", package, "octets.ndjson", left)
    return Tampered(told=tampered.told, package=package, places=frozenset({MANIFEST}))


def leave_a_text_out(scene: Scene, directory: Path, draw: random.Random) -> Tampered:
    """As if it had never been kept. Without the digest it is counted."""
    package = _copy(scene, directory)
    name = draw.choice([name for name in _names(package) if name.startswith("in_force/")])
    told = json.loads((package / "in_force.json").read_bytes())
    for each in told["in_force"]:
        each["text"] = each["text"] and each["sha256"] != Path(name).name
    (package / name).unlink()
    tampered = _sealed(f"leave {name} out", package, "in_force.json", [encode(told)])
    return Tampered(told=tampered.told, package=package, places=frozenset({MANIFEST}))


def _edit_manifest(package: Path, *, records: int | None = None, root: str | None = None) -> None:
    manifest = json.loads((package / MANIFEST).read_bytes())
    if records is not None:
        manifest["records"] = records
    if root is not None:
        manifest["tree"] = {"root_hash": root, "tree_size": records}
    (package / MANIFEST).write_bytes(encode(manifest))


# ---- rewritten: everything agrees


def rewrite_a_record(scene: Scene, directory: Path, draw: random.Random) -> Tampered:
    """A word in a record that binds nothing else: why it was refused, what a start said."""
    package = _copy(scene, directory)
    records = [json.loads(line) for line in _lines(package, "records.ndjson")]
    index = draw.choice([at for at, each in enumerate(records) if each["kind"] in ("refusal", "start", "read", "stop")])
    records[index]["worker"] = "another.1"
    return rewritten(f"rewrite record {index} and the tree", package, [encode(each) for each in records])


def forget_the_end(scene: Scene, directory: Path, draw: random.Random) -> Tampered:
    """The end of a ceremony: its transcript is open again, and what was in force was named last before."""
    package = _copy(scene, directory)
    octets = [line[:-1] for line in _lines(package, "records.ndjson")]
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
    _edit_manifest(package, records=len(octets), root=frontier.root().hex())
    exported.seal(package)
    return Tampered(told=told, package=package, places=frozenset({"checkpoints.ndjson"}))


def replace_a_value(scene: Scene, directory: Path, draw: random.Random) -> Path:
    """Anything in the place of one value of a record or of another file; whatever hashes it agrees."""
    package = _copy(scene, directory)
    if draw.random() < 0.7:
        records = [json.loads(line) for line in _lines(package, "records.ndjson")]
        _replace(draw.choice(records), draw)
        return rewritten("", package, [encode(each) for each in records]).package
    name = draw.choice([name for name in _names(package) if name.endswith("json")])
    lines = [json.loads(line) for line in _lines(package, name)] if name != "record.schema.json" else [{"a": 1}]
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
SEALED: tuple[Tamper, ...] = (
    alter_a_record,
    reorder_records,
    reorder_records_and_leaves,
    take_a_record_out,
    cut_the_end,
    splice_a_record,
    alter_octets,
    alter_a_certificate,
    alter_a_key,
    leave_keys_out,
    exchange_a_revocation_list,
    alter_a_transcript,
    alter_when_it_was_in_force,
    alter_what_was_in_force,
    remove_a_file_and_seal,
    add_a_file_and_seal,
    alter_a_checkpoint,
)
WITH_THE_DIGEST: tuple[Tamper, ...] = (
    alter_anything_and_seal,
    alter_who_exported,
    leave_octets_out,
    leave_a_text_out,
)
"""What nothing but the manifest's digest holds (docs/evidence-package.md says so)."""
REWRITTEN: tuple[Tamper, ...] = (rewrite_a_record, forget_the_end)


def digest_of(package: Path) -> str:
    """Of everything that a directory or a file holds: was anything changed at all?"""
    files = [package / name for name in _names(package)] if package.is_dir() else [package]
    told = [f"{file.relative_to(package.parent)} {sha256(file.read_bytes()).hexdigest()}" for file in files]
    return sha256("\n".join(told).encode()).hexdigest()
