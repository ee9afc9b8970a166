"""How many clients it takes to test a claim: a pure function of the claim and of one client."""

from aibench.clients.answers import needs
from aibench.clients.need import Answer, Bound, Level, Need
from aibench.clients.rig import Ceiling, Client, Link, Task

__all__ = ["Answer", "Bound", "Ceiling", "Client", "Level", "Link", "Need", "Task", "needs"]
