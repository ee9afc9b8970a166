"""Engines: a phase in, a measurement out; one file (or folder) a tool."""
