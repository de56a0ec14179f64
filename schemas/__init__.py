"""What a touchpoint is: the catalogue, the CloudEvents envelope, stored records and errors, and the documents made from them.

Imports nothing of ours and knows no database, no broker and no clock: moments arrive as arguments.
Start with ``touchpoint.py`` (the two shapes everybody passes around) and ``catalogue/`` (every type).
"""
