"""The command line, as in ``tests/service``."""

from tests.service.conftest import rledger

__all__ = ["rledger"]
