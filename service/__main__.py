"""``python -m service``: the command line, for the parts that the supervisor starts."""

from service.cli import main

main(prog_name="rledger")
