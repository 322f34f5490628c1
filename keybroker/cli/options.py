"""Which options do several commands share?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Config = Annotated[
    Path, typer.Option("--config", "-c", envvar="KEYBROKER_CONFIG", help="The broker's keybroker.toml.", dir_okay=False)
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]
Target = Annotated[str, typer.Option(envvar="KEYBROKER_TARGET", help="The broker, HOST:PORT.")]
Certificate = Annotated[Path, typer.Option(envvar="KEYBROKER_CERTIFICATE", help="Your TLS certificate, PEM.")]
PrivateKey = Annotated[Path, typer.Option(envvar="KEYBROKER_PRIVATE_KEY", help="Its private key, PEM.")]
Anchors = Annotated[
    Path, typer.Option(envvar="KEYBROKER_ANCHORS", help="Authorities of the broker's certificate, PEM.")
]
