"""LABEL SERIAL THREADS SIGNATURES: threads open sessions of one SoftHSM token at once and sign without the GIL."""

from __future__ import annotations

import hashlib
import sys
import threading
from dataclasses import replace

from keybroker.hsm.attributes import key_identifier, template
from keybroker.hsm.token import Pkcs11Connection
from keybroker.hsm.verify import Verifier
from tests.hsm.tokens import PIN, SOFTHSM, packaged_profile
from tests.situations import a_policy


def main(label: str, serial: str, threads: int, signatures: int) -> None:
    profile = packaged_profile("softhsm2")
    profile = replace(profile, sessions=profile.sessions.model_copy(update={"in_process": False}))

    def connect() -> Pkcs11Connection:
        connection = Pkcs11Connection(profile, library=SOFTHSM, label=label, serial=serial, pin=lambda: PIN)
        connection.connect()
        return connection

    first = connect()
    point = first.generate_pair("stress", template(a_policy(), profile.keeping), key_identifier)
    verifier = Verifier(point)
    together = threading.Barrier(threads)
    done: list[int] = []

    def work(number: int) -> None:
        together.wait(10)
        connection = connect()
        (session,) = connection.open_sessions(1)
        (key,) = connection.find_private("stress")
        digests = [hashlib.sha256(b"stress %d %d" % (number, each)).digest() for each in range(signatures)]
        made = [session.sign(key.handle, digest) for digest in digests]
        for signature, digest in zip(made, digests, strict=True):
            verifier.check(signature, digest)
        connection.disconnect()
        done.append(len(made))

    workers = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    print("signed and verified", sum(done))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
