"""Tamperings after which manifest and digests agree again, and the tree is as it was; some are found by the exporter's
digest alone (``WITH_THE_DIGEST``)."""

from __future__ import annotations

import json
import random
from pathlib import Path

from keybroker.ledger.canonical_json import encode
from tests import lists
from tests.ledger import exported
from tests.ledger.tampering import (
    MANIFEST,
    Scene,
    Tamper,
    Tampered,
    add_a_file,
    copy_of,
    edit_manifest,
    flip,
    flip_a_byte,
    lines_of,
    names_of,
)


def _sealed(told: str, package: Path, name: str, lines: list[bytes], *records: int) -> Tampered:
    (package / name).write_bytes(b"".join(lines))
    exported.seal(package)
    return Tampered(told=told, package=package, places=frozenset({name}), records=frozenset(records))


def alter_a_record(scene: Scene, directory: Path, draw: random.Random) -> Tampered:
    package = copy_of(scene, directory)
    lines = lines_of(package, "records.ndjson")
    index = draw.randrange(len(lines))
    octets, at = flip(lines[index][:-1], draw)
    lines[index] = octets.replace(b"\n", b" ") + b"\n"
    return _sealed(f"flip byte {at} of record {index}", package, "records.ndjson", lines, index)


def reorder_records(scene: Scene, directory: Path, draw: random.Random) -> Tampered:
    package = copy_of(scene, directory)
    lines = lines_of(package, "records.ndjson")
    first, second = draw.sample(range(len(lines)), 2)
    lines[first], lines[second] = lines[second], lines[first]
    return _sealed(f"swap records {first} and {second}", package, "records.ndjson", lines, first, second)


def reorder_records_and_leaves(scene: Scene, directory: Path, draw: random.Random) -> Tampered:
    package = copy_of(scene, directory)
    lines, leaves = lines_of(package, "records.ndjson"), lines_of(package, "leaves.txt")
    first, second = draw.sample(range(len(lines)), 2)
    lines[first], lines[second] = lines[second], lines[first]
    leaves[first], leaves[second] = leaves[second], leaves[first]
    (package / "records.ndjson").write_bytes(b"".join(lines))
    return _sealed(f"swap records and leaves {first} and {second}", package, "leaves.txt", leaves)


def take_a_record_out(scene: Scene, directory: Path, draw: random.Random) -> Tampered:
    """As if everything had been less: its leaf hash stays, and is marked as not asked for."""
    package = copy_of(scene, directory)
    lines, leaves = lines_of(package, "records.ndjson"), lines_of(package, "leaves.txt")
    index = draw.randrange(len(lines))
    del lines[index]
    leaves[index] = leaves[index].replace(b"+", b"-")
    (package / "records.ndjson").write_bytes(b"".join(lines))
    edit_manifest(package, records=len(lines))
    return _sealed(f"take record {index} out", package, "leaves.txt", leaves)


def cut_the_end(scene: Scene, directory: Path, draw: random.Random) -> Tampered:
    package = copy_of(scene, directory)
    lines, leaves = lines_of(package, "records.ndjson"), lines_of(package, "leaves.txt")
    left = draw.randrange(1, len(lines))
    (package / "records.ndjson").write_bytes(b"".join(lines[:left]))
    edit_manifest(package, records=left)
    return _sealed(f"cut after record {left}", package, "leaves.txt", leaves[:left])


def splice_a_record(scene: Scene, directory: Path, draw: random.Random) -> Tampered:
    """A record of another ledger of the same origin in the place of ours."""
    package = copy_of(scene, directory)
    lines, others = lines_of(package, "records.ndjson"), lines_of(scene.other, "records.ndjson")
    strange = [index for index in range(1, len(lines)) if lines[index] not in others]
    index = draw.choice(strange)
    lines[index] = draw.choice([each for each in others if each not in lines])
    return _sealed(f"splice into record {index}", package, "records.ndjson", lines, index)


def alter_octets(scene: Scene, directory: Path, draw: random.Random) -> Tampered:
    package = copy_of(scene, directory)
    lines = lines_of(package, "octets.ndjson")
    number = draw.randrange(len(lines))
    told = json.loads(lines[number])
    told["octets"] = flip(bytes.fromhex(told["octets"]), draw)[0].hex()
    lines[number] = encode(told) + b"\n"
    return _sealed(f"alter the octets of record {told['record']}", package, "octets.ndjson", lines)


def alter_a_certificate(scene: Scene, directory: Path, draw: random.Random) -> Tampered:
    package = copy_of(scene, directory)
    name = draw.choice([name for name in names_of(package) if name.startswith("certificates/")])
    octets, _ = flip((package / name).read_bytes(), draw)
    (package / name).write_bytes(octets)
    exported.seal(package)
    return Tampered(told=f"alter {name}", package=package, places=frozenset({"keys.json", name}))


def alter_a_key(scene: Scene, directory: Path, draw: random.Random) -> Tampered:
    package = copy_of(scene, directory)
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
    package = copy_of(scene, directory)
    told = json.loads((package / "keys.json").read_bytes())
    left = draw.choice([told["keys"][1:], told["keys"][:-1], []])
    return _sealed(f"leave {len(left)} keys", package, "keys.json", [encode({"keys": left})])


def exchange_a_revocation_list(scene: Scene, directory: Path, draw: random.Random) -> Tampered:
    """One octet of it is another, or all of it is an older one that the same CA signed."""
    package = copy_of(scene, directory)
    name = draw.choice([name for name in names_of(package) if name.startswith("revocation_lists/")])
    flipped, at = flip((package / name).read_bytes(), draw)
    octets, told = draw.choice([(flipped, f"flip byte {at}"), (lists.an_arl(number=77), "another list")])
    return _sealed(f"{told} of {name}", package, name, [octets])


def alter_a_transcript(scene: Scene, directory: Path, draw: random.Random) -> Tampered:
    """A plan of somebody's choice, a step less, another end."""
    package = copy_of(scene, directory)
    name = draw.choice([name for name in names_of(package) if name.startswith("ceremonies/")])
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
    package = copy_of(scene, directory)
    told = json.loads((package / "in_force.json").read_bytes())
    each, field = draw.choice(told["in_force"]), draw.choice(["first", "last", "kind", "purposes", "out"])
    other = {"first": each["first"] + 1, "last": each["last"] - 1, "kind": "profiles", "purposes": ["other"]}
    if field == "out":
        told["in_force"].remove(each)
    else:
        each[field] = other[field]
    return _sealed(f"alter {field} of {each['sha256']}", package, "in_force.json", [encode(told)])


def remove_a_file_and_seal(scene: Scene, directory: Path, draw: random.Random) -> Tampered:
    package = copy_of(scene, directory)
    name = draw.choice([name for name in names_of(package) if not name.startswith("manifest.")])
    (package / name).unlink()
    exported.seal(package)
    return Tampered(told=f"remove {name}, and seal", package=package, places=frozenset({name}))


def add_a_file_and_seal(scene: Scene, directory: Path, draw: random.Random) -> Tampered:
    tampered = add_a_file(scene, directory, draw)
    exported.seal(tampered.package)
    return tampered


def alter_what_was_in_force(scene: Scene, directory: Path, draw: random.Random) -> Tampered:
    package = copy_of(scene, directory)
    name = draw.choice([name for name in names_of(package) if name.startswith("in_force/")])
    octets, _ = flip((package / name).read_bytes(), draw)
    return _sealed(f"alter {name}", package, name, [octets])


def alter_a_checkpoint(scene: Scene, directory: Path, draw: random.Random) -> Tampered:
    package = copy_of(scene, directory)
    octets, at = flip((package / "checkpoints.ndjson").read_bytes(), draw)
    return _sealed(f"flip byte {at} of checkpoints.ndjson", package, "checkpoints.ndjson", [octets])


def alter_anything_and_seal(scene: Scene, directory: Path, draw: random.Random) -> Tampered:
    """Of whoever verifies with the digest that the exporter told: then every byte counts, the summary's too."""
    tampered = flip_a_byte(scene, directory, draw)
    exported.seal(tampered.package)
    return Tampered(told=f"{tampered.told}, and seal", package=tampered.package, places=frozenset({MANIFEST}))


def alter_who_exported(scene: Scene, directory: Path, draw: random.Random) -> Tampered:
    """No record in the package tells it: that it was made is recorded behind what it holds."""
    package = copy_of(scene, directory)
    manifest = json.loads((package / MANIFEST).read_bytes())
    field = draw.choice(sorted(manifest["exported"]))
    manifest["exported"][field] = "another"
    (package / MANIFEST).write_bytes(encode(manifest))
    exported.seal(package)
    return Tampered(told=f"alter {field} of the export", package=package, places=frozenset({MANIFEST}))


def leave_octets_out(scene: Scene, directory: Path, draw: random.Random) -> Tampered:
    """As if they had been erased: no record tells which are kept still. Without the digest it is counted."""
    package = copy_of(scene, directory)
    lines = lines_of(package, "octets.ndjson")
    left = draw.sample(lines, draw.randrange(len(lines)))
    tampered = _sealed(f"leave octets of {len(left)} uses", package, "octets.ndjson", left)
    return Tampered(told=tampered.told, package=package, places=frozenset({MANIFEST}))


def leave_a_text_out(scene: Scene, directory: Path, draw: random.Random) -> Tampered:
    """As if it had never been kept. Without the digest it is counted."""
    package = copy_of(scene, directory)
    name = draw.choice([name for name in names_of(package) if name.startswith("in_force/")])
    told = json.loads((package / "in_force.json").read_bytes())
    for each in told["in_force"]:
        each["text"] = each["text"] and each["sha256"] != Path(name).name
    (package / name).unlink()
    tampered = _sealed(f"leave {name} out", package, "in_force.json", [encode(told)])
    return Tampered(told=tampered.told, package=package, places=frozenset({MANIFEST}))


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
