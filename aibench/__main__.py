"""Lets ``python -m aibench`` be the command line."""

from aibench.cli import main

main()
