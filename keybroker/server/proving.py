"""Which hashes prove it? Of the ledger's tree, kept between calls; in threads beside the signer's, one at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import final

from keybroker.errors import RequestMalformed
from keybroker.ledger.proofs import consistency_proof, inclusion_proof
from keybroker.ledger.reading import Reader
from keybroker.ledger.tree import Tree, leaves_of

MOST_LEAVES = 1024
"""Of one call."""


@final
class Proving:
    """The first question reads every leaf hash of the ledger once; each later one, what came since."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ledger: Reader | None = None
        self._tree: Tree | None = None

    def inclusion(self, ledger: Reader, leaf_indexes: Sequence[int], tree_size: int) -> list[tuple[bytes, list[bytes]]]:
        """Each leaf's hash and its proof. Raises: RequestMalformed for what is not there, or too much; LedgerFault."""
        _check_size(ledger, tree_size, "tree_size")
        if not 1 <= len(leaf_indexes) <= MOST_LEAVES:
            raise RequestMalformed(f"expected 1 to {MOST_LEAVES}, found {len(leaf_indexes)}", field="leaf_indexes")
        if max(leaf_indexes) >= tree_size:
            sentence = f"expected leaves of a tree of {tree_size}, found {max(leaf_indexes)}"
            raise RequestMalformed(sentence, field="leaf_indexes")
        with self._lock:
            subtree = self._subtree(ledger, tree_size)
            return [(subtree(0, index), inclusion_proof(index, tree_size, subtree)) for index in leaf_indexes]

    def consistency(self, ledger: Reader, first: int, second: int) -> list[bytes]:
        """Raises: RequestMalformed for a size that is not there; LedgerFault."""
        _check_size(ledger, second, "second_size")
        if first > second:
            raise RequestMalformed(f"expected at most {second}, found {first}", field="first_size")
        with self._lock:
            return consistency_proof(first, second, self._subtree(ledger, second))

    def _subtree(self, ledger: Reader, tree_size: int) -> Callable[[int, int], bytes]:
        if self._tree is None or self._ledger is not ledger:
            self._ledger, self._tree = ledger, Tree(leaves_of(ledger))
        return self._tree.subtree(tree_size)


def _check_size(ledger: Reader, size: int, field: str) -> None:
    if size > (there := ledger.size()):
        raise RequestMalformed(f"expected at most the {there} records that there are, found {size}", field=field)
