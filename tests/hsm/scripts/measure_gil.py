"""Signatures a second by three doors, alone and beside one busy Python thread (docs/hsm.md). Not a test; takes 20 s."""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pkcs11

from keybroker.hsm.attributes import key_identifier, template
from keybroker.hsm.token import Pkcs11Connection
from tests.hsm.tokens import PIN, TokenPlace, make_softhsm
from tests.situations import a_policy

_DIGEST = hashlib.sha256(b"keybroker known-answer test").digest()
_SECONDS = 1.0


def main() -> None:
    with tempfile.TemporaryDirectory() as directory:
        place = make_softhsm(Path(directory) / "place")
        os.environ.update(place.environment)
        doors = _doors(place)
        for name, sign in doors.items():
            print(f"{name:32} alone                      {_rate(sign):8.0f}/s")
        for interval in (0.005, 0.0005, 0.00005):
            sys.setswitchinterval(interval)
            for name, sign in doors.items():
                print(f"{name:32} beside, switch {interval * 1e3:5.2f} ms     {_rate_beside(sign):8.0f}/s")


def _doors(place: TokenPlace) -> dict[str, Callable[[], object]]:
    doors: dict[str, Callable[[], object]] = {}
    for name, in_process in (("ctypes, GIL kept", True), ("ctypes, GIL given up", False)):
        sessions = place.profile.sessions.model_copy(update={"in_process": in_process})
        profile = replace(place.profile, sessions=sessions)
        connection = Pkcs11Connection(
            profile, library=place.library, label=place.label, serial=place.serial, pin=lambda: PIN
        )
        connection.connect()
        connection.generate_pair(name, template(a_policy(), profile.keeping), key_identifier)
        (key,) = connection.find_private(name)
        doors[name] = _by_ctypes(connection, key.handle)
        doors["python-pkcs11"] = _by_python_pkcs11(connection, name)
    return doors


def _by_ctypes(connection: Pkcs11Connection, handle: int) -> Callable[[], object]:
    (session,) = connection.open_sessions(1)
    return lambda: session.sign(handle, _DIGEST)


def _by_python_pkcs11(connection: Pkcs11Connection, label: str) -> Callable[[], object]:
    key = connection._session.get_key(label=label, object_class=pkcs11.ObjectClass.PRIVATE_KEY)
    return lambda: key.sign(_DIGEST, mechanism=pkcs11.Mechanism.ECDSA)


def _rate(sign: Callable[[], object]) -> float:
    sign()
    start, made = time.perf_counter(), 0
    while time.perf_counter() - start < _SECONDS:
        sign()
        made += 1
    return made / (time.perf_counter() - start)


def _rate_beside(sign: Callable[[], object]) -> float:
    going = [True]

    def count() -> None:
        number = 0
        while going:
            number = (number * 3 + 1) % 1_000_003

    busy = threading.Thread(target=count)
    busy.start()
    try:
        return _rate(sign)
    finally:
        going.clear()
        busy.join()


if __name__ == "__main__":
    main()
