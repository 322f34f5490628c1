"""DIRECTORY: a SoftHSM token is taken away from a running module, and comes back. Prints what was answered."""

from __future__ import annotations

import os
import shutil
import sys
import time
from pathlib import Path

from keybroker.errors import ModuleFault
from keybroker.hsm.generate import generate_key
from keybroker.hsm.token_module import Token
from keybroker.ledger.model import Failure, Signature
from keybroker.policy.model import KeyRegister, RegisteredKey
from keybroker.terms import KeyLabel
from tests.hsm.intents import a_register, a_registered_key, an_intent
from tests.hsm.tokens import PIN, make_softhsm
from tests.situations import a_policy


def say(what: str, token: Token, key: RegisteredKey) -> None:
    try:
        (answer,) = token.use([an_intent(key)])
    except ModuleFault as raised:
        print(f"{what}: raised {raised.reason} used={raised.used}")
        return
    match answer:
        case Signature():
            print(f"{what}: signed")
        case Failure(error=ModuleFault() as fault):
            print(f"{what}: failed {fault.reason} used={fault.used}")
        case _:
            print(f"{what}: {answer}")


def served(what: str, token: Token, register: KeyRegister) -> None:
    try:
        print(f"{what}: served={[finding.passed for finding in token.served(register).values()]}")
    except ModuleFault as fault:
        print(f"{what}: raised {fault.reason}")


def main(directory: Path) -> None:
    place = make_softhsm(directory)
    os.environ.update(place.environment)
    asked: list[str] = []
    pins = {"right": PIN, "wrong": "not-the-pin"}
    now = "right"

    def pin() -> str:
        asked.append(now)
        return pins[now]

    token = place.open(pin=pin)
    key = a_registered_key("supplier-a", generate_key(token, KeyLabel("supplier-a"), a_policy()))
    register = a_register(key)
    served("at first", token, register)
    say("at first", token, key)

    tokens, elsewhere = directory / "tokens", directory / "elsewhere"
    shutil.copytree(tokens, elsewhere)
    shutil.rmtree(tokens)
    say("just taken away", token, key)
    served("away", token, register)
    say("away", token, key)
    shutil.copytree(elsewhere, tokens)
    time.sleep(0.3)
    served("back", token, register)
    say("back", token, key)
    print(f"session ok: {token.session_ok()}, PIN asked {len(asked)} times or fewer than six: {len(asked) < 6}")

    # The same with a PIN that was changed meanwhile: asked once, then never again.
    now = "wrong"
    shutil.rmtree(tokens)
    say("taken away again", token, key)
    shutil.copytree(elsewhere, tokens)
    time.sleep(0.3)
    say("back with another PIN", token, key)
    time.sleep(0.3)
    say("still", token, key)
    print(f"wrong PIN asked {asked.count('wrong')}, needs new process: {token.needs_new_process}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
