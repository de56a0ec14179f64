"""How fast the service is, each figure beside the raw limit of the same parts in the same run: ``rledger bench NAME``.

They work on stores and topics of their own, in a checkout only: brokers and servers that are not given are started by
``tests/services``. A module for each thing that is measured, with ``measured(place, events)``; ``run.py`` lists them and takes medians.
"""
