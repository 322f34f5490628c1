"""Did the ledger only ever grow? Asked on another machine, by somebody who remembers (invariant 5).

A witness holds a key of its own and the last checkpoint that it cosigned. It cosigns another one only where that proves
to extend it, and shouts where one does not, where none comes any more, and where a clock is out of line. It knows one
ledger, by its origin and its verifier keys, and holds nothing of what the ledger records. C2SP tlog-witness.

``asking`` is the other side: how a broker asks a witness.
"""
