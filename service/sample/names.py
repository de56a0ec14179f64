"""Invented companies and people: who the sample's relationships are with. Any likeness is chance."""

import random
from collections.abc import Iterator
from itertools import product

FIRST = str.split("""
    Alder Amber Arbor Basalt Birch Boreal Brack Calder Cedar Cinder Cobalt Corvin Delta Dorn Eder Elm Ember Falk Fenn Fjord Garnet Glen
    Halden Harrow Helm Ivar Juniper Kestrel Larch Linden Loch Marl Merid Moor Nordal Oriel Osprey Pell Quarr Rowan Sable Sorrel Tarn
    Thorn Ulm Vale Vesper Willow Wren Yarrow
""")
CUSTOMER_TRADES = str.split("""
    Bakery Bikes Clinic Dairy Foods Garden Hotels Interiors Kitchens Labs Library Outdoor Printing Retail School Studios
""")
PARTNER_TRADES = str.split("""
    Carriers Castings Chemicals Components Data Forge Freight Labels Logistics Packaging Plastics Polymers Steel Textiles
""")

OWNERS = ("a.keller", "b.osei", "c.lindqvist", "d.moreau", "e.tanaka", "f.novak")
REGIONS = ("DE", "AT", "NL", "FR", "PL", "US")


def companies(trades: list[str], rng: random.Random) -> Iterator[tuple[str, str]]:
    """Distinct (key, name) pairs in random order, ``("cedar-foods", "Cedar Foods")``; 50 x the number of trades of them."""
    pairs = list(product(FIRST, trades))
    rng.shuffle(pairs)
    for first, trade in pairs:
        yield f"{first}-{trade}".lower(), f"{first} {trade}"
