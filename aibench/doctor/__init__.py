"""Whether this machine is fit to measure a mount, and what to do where it is not.

Looks for seconds at most, and writes one small file on the mount that it removes. There is one
file for each subject; each gives its checks in the order in which they are told.
"""

from aibench.doctor.check import Check, Examination, Status
from aibench.doctor.examine import examine

__all__ = ["Check", "Examination", "Status", "examine"]
