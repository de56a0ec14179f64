"""Old data, lifted to the newest version of its type, one version at a time.

An event is stored for ever as it came. When a type changes in more than an optional field, it gets a new version: the catalogue then
holds the new one alone, a pure function here turns data of the old version into data of the next, and readers see only the newest.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import msgspec

from schemas.catalogue import CATALOGUE, Data

Upcast = Callable[[dict[str, Any]], dict[str, Any]]
"""From the data of one version, as parsed JSON, to that of the next. Pure; does not change what it is given."""

UPCASTS: Mapping[str, Upcast] = {}
"""By the type an upcast starts from: that of ``relationship.example.v1`` returns data of ``relationship.example.v2``."""

DecodeData = Callable[[bytes | msgspec.Raw], Data]
"""From the JSON of ``data`` to its struct. Raises msgspec's ``ValidationError``, which names the path of what is wrong."""


def next_version(type_: str) -> str:
    """Return ``relationship.example.v2`` for ``relationship.example.v1``."""
    name, _, version = type_.rpartition(".v")
    return f"{name}.v{int(version) + 1}"


def data_decoders(structs: Mapping[str, type[Data]], upcasts: Mapping[str, Upcast]) -> dict[str, DecodeData]:
    """Return how to decode the data of every type that is known: those of ``structs`` and the older ones that lead to them."""
    decoders: dict[str, DecodeData] = {type_: msgspec.json.Decoder(struct).decode for type_, struct in structs.items()}
    for type_ in upcasts:
        chain, newest = [upcasts[type_]], next_version(type_)
        while newest in upcasts:
            chain.append(upcasts[newest])
            newest = next_version(newest)
        decoders[type_] = partial(_decode_and_lift, chain, structs[newest])
    return decoders


def _decode_and_lift(chain: list[Upcast], struct: type[Data], data: bytes | msgspec.Raw) -> Data:
    values = msgspec.json.decode(data, type=dict[str, Any])
    try:
        for lift in chain:
            values = lift(values)
    except (LookupError, TypeError, ValueError, AttributeError) as error:  # an upcast meets what a sender made of the old version
        raise msgspec.ValidationError(f"the data does not fit its version: {error!r}") from error
    return msgspec.convert(values, struct)


DATA_DECODERS = data_decoders({type_: entry.struct for type_, entry in CATALOGUE.items()}, UPCASTS)
"""How to decode the data of every type this version knows, old and new. A type that is not here is kept and shown raw."""
