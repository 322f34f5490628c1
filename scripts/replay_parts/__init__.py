"""Does the broker sign what it should of the DCC's published messages, and nothing else?

What is expected of each message, and whether a signature is right, is worked out here from the handbook alone;
nothing of `keybroker.content` or `keybroker.policy` is asked.
"""
