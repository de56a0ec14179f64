"""Where touchpoints come from: Kafka and files, one intake loop, and what is refused.

Imports ``ledger`` and ``schemas``. A source polls, ``intake.py`` sorts what is valid from what is not, the ledger commits both
together with the source's next offset. Start with ``source.py`` and ``intake.py``; what kafka-python gets wrong is met in
``connection.py`` and ``records.py``, and nowhere else.
"""
