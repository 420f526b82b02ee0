"""``python -m raydocs_async``: the command line."""

from raydocs_async.cli import main

main()
