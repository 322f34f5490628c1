"""Under which licence is an installed distribution, and may we ship with it? Its own metadata, as SPDX says it."""

from __future__ import annotations

import importlib.metadata
import re

ALLOWED = frozenset(
    {"0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT", "MIT-0", "PSF-2.0", "Python-2.0"}
)
"""Permissive all: whoever runs keybroker owes their authors their names and nothing else."""

_SAID = {
    "3-Clause BSD License": "BSD-3-Clause",
    "BSD-3-Clause": "BSD-3-Clause",
    "ISC License": "ISC",
    "MIT": "MIT",
}
_CLASSIFIED = {
    "Apache Software License": "Apache-2.0",
    "BSD License": "BSD-3-Clause",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "Python Software Foundation License": "PSF-2.0",
}
"""A classifier says less than SPDX: "BSD License" is taken for the clause that asks for more."""


def licence_of(name: str) -> str | None:
    """An SPDX expression; None where it is not installed. Raises: ValueError where its metadata says none."""
    try:
        metadata = importlib.metadata.metadata(name)
    except importlib.metadata.PackageNotFoundError:
        return None
    for expression in metadata.get_all("License-Expression") or []:
        return str(expression)
    free = [str(text) for text in metadata.get_all("License") or []]
    if said := [_SAID[text] for text in free if text in _SAID]:
        return said[0]
    classifiers = [str(each).rpartition(" :: ")[2] for each in metadata.get_all("Classifier") or []]
    known = sorted({_CLASSIFIED[each] for each in classifiers if each in _CLASSIFIED})
    if not known:
        raise ValueError(f"{name}: expected a licence in its metadata, found {free or 'none'}")
    return " OR ".join(known)


def is_allowed(expression: str) -> bool:
    """Every licence of an AND, one of an OR (SPDX specification, annex D)."""
    choices = re.split(r"\s+OR\s+", expression.strip("() "))
    return any(all(part.strip("() ") in ALLOWED for part in re.split(r"\s+AND\s+", choice)) for choice in choices)
