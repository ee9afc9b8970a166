"""Kinds of workload: settings in, phases out; one file a kind."""
