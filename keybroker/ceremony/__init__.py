"""What do people do with a key in a room, in which order, and who signed for it? Ceremonies as documents.

SEC G2.22F-G2.22I (approved transfer), G2.44B (split keys), G5.13, G5.24 (the life of Secret Key Material). One plan
file in, a transcript out; the order stands in ``steps.py``, what stands durable in ``book.py``.
"""
