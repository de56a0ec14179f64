"""Pseudonyms are those that any publisher makes with the same secret."""

import base64
import subprocess

import pytest

from schemas.cloudevents import touchpoint
from schemas.pseudonym import pseudonyms
from schemas.touchpoint import Touchpoint
from tests.ledger.events import NOON_US

SECRET = base64.b64encode(bytes(range(32))).decode()


@pytest.mark.parametrize("name", ["ada@example.com", "Ada King, Gräfin", "4711"])
def test_it_is_the_hmac_that_openssl_makes(name: str) -> None:
    command = ["openssl", "dgst", "-sha256", "-mac", "HMAC", "-macopt", f"hexkey:{bytes(range(32)).hex()}", "-r"]
    expected = subprocess.run(command, input=name.encode(), stdout=subprocess.PIPE, check=True).stdout.split()[0].decode()
    made = pseudonyms(SECRET)(name)
    assert made == expected
    assert isinstance(touchpoint("crm", "1", "relationship.contact.v1", f"customer/{made}", NOON_US, {}), Touchpoint)


@pytest.mark.parametrize("text", ["", "secret", SECRET[:-4], SECRET + SECRET, "ü"])
def test_a_secret_is_of_32_bytes_and_never_shown(text: str) -> None:
    with pytest.raises(ValueError, match="expected 32 bytes in base64") as told:
        pseudonyms(text)
    assert not text or text not in str(told.value)
