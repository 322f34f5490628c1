"""DIRECTORY: a SoftHSM token whose Z are kept is taken away from a running module, and comes back."""

from __future__ import annotations

import os
import shutil
import sys
import time
from pathlib import Path

from keybroker.errors import ModuleFault
from keybroker.hsm.generate import generate_key
from keybroker.hsm.token_module import Token
from keybroker.ledger.model import Product
from keybroker.policy.model import RegisteredKey
from keybroker.terms import KeyLabel, KeyPurpose
from tests import messages
from tests.hsm.intents import a_register, an_intent_on
from tests.hsm.registered import a_bare_key
from tests.hsm.test_contract_of_uses import a_command
from tests.hsm.tokens import make_softhsm
from tests.situations import a_policy

MAC = KeyPurpose.ACCESS_CONTROL_BROKER_MAC


def say(what: str, token: Token, key: RegisteredKey) -> None:
    try:
        answers = token.use([an_intent_on(key, a_command(each)) for each in (1, 2)])
    except ModuleFault as raised:
        print(f"{what}: raised {raised.reason} used={raised.used}")
        return
    print(f"{what}: {[each.outputs[0].hex() if isinstance(each, Product) else each for each in answers]}")


def main(directory: Path) -> None:
    place = make_softhsm(directory)
    os.environ.update(place.environment)
    token = place.open()
    label = KeyLabel("access-control-broker-mac")
    key = a_bare_key(label, generate_key(token, label, a_policy(MAC), signs_request=False), MAC, eui=messages.SUPPLIER)
    register = a_register(key)
    assert token.served(register)[label].passed
    say("at first", token, key)
    tokens, elsewhere = directory / "tokens", directory / "elsewhere"
    shutil.copytree(tokens, elsewhere)
    shutil.rmtree(tokens)
    # The token is looked at once a second.
    time.sleep(1.1)
    say("away", token, key)
    shutil.copytree(elsewhere, tokens)
    time.sleep(0.3)
    assert token.served(register)[label].passed
    say("back", token, key)
    token.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
