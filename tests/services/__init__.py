"""Real services for tests and benchmarks: Apache Kafka, PostgreSQL and a pooler before it, on private ports and in temporary folders.

Where they come from: addresses in ``RLEDGER_TEST_KAFKA`` (host:port) and ``RLEDGER_TEST_POSTGRES`` (URL of a role that may create
databases) if given, else Docker where it works, else programs of this machine. ``python -m tests.services`` makes sure they can be had.
"""
