"""From where on a figure is called a limit, and why from there: all of them in one place."""

FULL = 0.90
"""Above this share of its time or rate something is at its limit: in the rest there is no room to
show that anything behind it is faster."""
NEAR = 0.75
"""Up to this share something is near its limit."""
LOW = 0.50
"""Below this share something is far from its limit."""
MOST = 0.50
"""Below this share of the workers' time, what took it was not the limit."""
ALL = 0.80
"""From this share of the workers' time on they did nothing but wait for one operation at a time."""
QUEUE = 0.5
"""So many requests waiting, on the average, when another one is sent, make a queue."""
BESIDE = 0.01
"""A card of unknown speed that carried less than this share of a phase's bytes was not its way."""

BEFORE = 0.1
"""Of an interval of the watch, what may lie before the phase: it changes a share by no more."""

STOLEN_FROM = 0.05
"""Of CPU time that the hypervisor took: the tolerance of a claim is 5 %, so less can't decide."""
HELD_FROM = 0.05
"""Of the periods in which a quota stopped the control group, for the same reason."""
STALLED_FROM = 0.05
"""Of the time in which tasks waited for memory, for the same reason."""
WAITING_FROM = 1.0
"""Threads that could run and had no processor, on the average: one of them always waited."""
FEWEST_LOOKS = 4
"""The run queue is seen at moments only; fewer of them (less than a second) make no average."""
RECLAIMED_FROM = 0.1
"""Of the bytes of a phase, those for which its threads had to free memory themselves: the kernel
does that beside them as long as it can keep up."""
LOST_FROM = 0.001
"""Of segments or packets, those that were lost. One TCP connection carries at most
1.22 · 1448 B / (round trip · √loss) (Mathis et al., CCR 27(3), 1997): with 0.1 % and 0.5 ms that
is 112 MB/s, less than a card of 1 Gbit/s."""
LOST_AT_LEAST = 10
"""Fewer losses than that in a phase are chance."""
