"""A broker that touches a key only after it understood what for, judged it by a clause, and wrote it down.

Start reading at ``keybroker.signing``.
"""
