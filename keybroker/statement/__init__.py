"""Who says what, about what, when, and until when? Signed statements, read strictly and made. Pure.

A statement is a compact JWS (RFC 7515) under ES256 by an enrolled attester; its ``typ`` names its kind, and each kind
has one model. The broker and those who make statements for it (``keybroker.client.ssc``) share this vocabulary; whether
what a statement says opens a gate is for ``keybroker.gates``.
"""
