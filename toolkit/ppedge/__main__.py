"""``python -m ppedge``: the command line."""

from ppedge.cli.main import main

main()
