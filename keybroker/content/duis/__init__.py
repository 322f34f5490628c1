"""Is this a document of the DCC User Interface, and what does it ask? Read strictly; signatures made and read.

Sources: DUIS schema 5.4 and XML Signature (handbook 4). Whether it may be signed is policy's question.
"""
