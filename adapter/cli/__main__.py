"""`python -m adapter.cli` is `b2m-adapter`."""

from adapter.cli import main

main()
