"""Where are the people's keys at this machine? A file that names a directory for each person, and no secret.

    [[person]]
    name = "custodian-1"
    directory = "people/custodian-1"

A directory holds what ``keybroker custodian enrol`` made: where the person's token is, or, in a rehearsal, key files.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated

from pydantic import Field, StringConstraints

from keybroker.ceremony.custody import is_enrolled, keys_of, read_custodian
from keybroker.ceremony.file_key import read_file_key
from keybroker.ceremony.person_key import PersonKey
from keybroker.ceremony.room import Room
from keybroker.errors import ConfigurationInvalid
from keybroker.hsm.person_token import Tries
from keybroker.policy.toml_form import read_form
from keybroker.statement.said import Name, Table


class _Person(Table):
    name: Name
    directory: Annotated[str, StringConstraints(min_length=1, max_length=1024)]


class _PeopleFile(Table):
    person: Annotated[tuple[_Person, ...], Field(min_length=1, max_length=64)]


def read_people(file: Path, room: Room, now: Callable[[], datetime]) -> Mapping[str, PersonKey]:
    """Each person's key, by name. A PIN is asked in the room, when it is needed. Raises: ConfigurationInvalid."""
    read = read_form(file.read_bytes(), _PeopleFile, where=str(file))
    names = [each.name for each in read.person]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ConfigurationInvalid(f"expected each person once, found twice: {', '.join(twice)}", where=str(file))
    return {each.name: _keys(file.parent / each.directory, each.name, room, now) for each in read.person}


def _keys(directory: Path, name: str, room: Room, now: Callable[[], datetime]) -> PersonKey:
    told = f"{name} types it himself. It is not shown, and goes to his own token alone."

    def pin(tries: Tries) -> str:
        if tries is not Tries.ENOUGH:
            room.tell(f"{name}: your token says of the tries that are left: {tries.value}.")
        return room.ask_hidden(f"{name}: PIN of your token", told, str)

    def passphrase(file: str) -> bytes:
        return room.ask_hidden(f"{name}: passphrase of {file}", told, str).encode()

    if is_enrolled(directory):
        custodian = read_custodian(directory)
        if custodian.name != name:
            # Else whoever it is finds out in the room, when the wrong PIN is asked for.
            raise ConfigurationInvalid(f"expected the keys of {name} in {directory}, found those of {custodian.name}")
        return keys_of(directory, custodian, pin=pin, passphrase=passphrase, now=now)
    return read_file_key(directory, name, now=now, passphrase=passphrase)
