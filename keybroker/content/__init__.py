"""What are we asked to do? Octets to typed, immutable Content, or a refusal. Pure.

Octets are decoded as what they were declared to be, strictly and whole: one reading or none. What was parsed is what
the key is used on, so a Content keeps the very octets it was read from. Whether it *may* be is policy's question.
"""
