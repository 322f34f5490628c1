"""What is wrong with the dependencies, as far as this machine alone can say? Nothing is fetched.

Whether a version was yanked, or a vulnerability of it is known, only a database says: ``vulnerabilities``.
"""

from __future__ import annotations

import importlib.metadata
import tomllib
from collections.abc import Iterable, Iterator, Mapping

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from scripts.supply_parts.licences import is_allowed, licence_of
from scripts.supply_parts.locked import LOCKS, ROOT, Locked, read_lock


def find_wrong() -> list[str]:
    """A sentence for each: expected, found. Empty where all is well. Raises: ValueError for a lock that is no lock."""
    locks = {name: {each.name: each for each in read_lock(name)} for name in LOCKS}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    asked = {
        "runtime": project["dependencies"],
        "dev": [*project["dependencies"], *extras["dev"]],
        "proof": [*project["dependencies"], *extras["dev"], *extras["proof"]],
    }
    wrong: list[str] = []
    for name, lock in locks.items():
        wrong += _not_as_asked(name, lock, asked[name])
        wrong += _another_version(name, lock, locks["runtime"])
    wrong += _unreachable(locks["runtime"], project["dependencies"])
    wrong += _licences(locks["runtime"].values())
    return wrong


def _not_as_asked(name: str, lock: Mapping[str, Locked], asked: list[str]) -> Iterator[str]:
    for text in asked:
        requirement = Requirement(text)
        locked = lock.get(canonicalize_name(requirement.name))
        if locked is None:
            yield f"requirements/{name}.txt: expected {text}, which pyproject.toml asks for, found none: scripts/lock"
        elif not requirement.specifier.contains(locked.version, prereleases=True):
            yield f"requirements/{name}.txt: expected {text}, found {locked.version}: scripts/lock"


def _another_version(name: str, lock: Mapping[str, Locked], runtime: Mapping[str, Locked]) -> Iterator[str]:
    """What is tested and fuzzed is what runs, from the same files."""
    for each in runtime.values():
        if lock.get(each.name) != each:
            yield f"requirements/{name}.txt: expected {each.name} {each.version} as in runtime.txt, found another"


def _unreachable(lock: Mapping[str, Locked], asked: list[str]) -> Iterator[str]:
    """A distribution that nothing asks for has no business here."""
    reached: set[str] = set()
    waiting: list[str] = [canonicalize_name(Requirement(text).name) for text in asked]
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            waiting += needs(name, lock)
    yield from (
        f"requirements/runtime.txt: {name} is locked and nothing needs it" for name in lock if name not in reached
    )


def needs(name: str, lock: Mapping[str, Locked]) -> list[str]:
    """What of the lock this distribution asks for, extras included; nothing where it is not installed here."""
    try:
        asked = importlib.metadata.requires(name) or []
    except importlib.metadata.PackageNotFoundError:
        return []
    names = {canonicalize_name(Requirement(text).name) for text in asked}
    return sorted(names & lock.keys())


def _licences(lock: Iterable[Locked]) -> Iterator[str]:
    for each in lock:
        try:
            licence = licence_of(each.name)
        except ValueError as error:
            yield str(error)
            continue
        if licence is None and each.marker is None:
            yield f"{each.name}: locked for every platform and not installed: its licence was not looked at"
        elif licence is not None and not is_allowed(licence):
            yield f"{each.name}: expected a licence on our list, found {licence}"
