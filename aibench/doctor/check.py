"""One thing that the doctor looked at."""

from dataclasses import dataclass
from typing import Literal

from aibench.model import Environment, Finding, Target

Status = Literal["ok", "warning", "fails"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """What was found, and what to do where it is not ok.

    ``subject`` is what it is about (target, mount, network, client, noise, tools). ``code`` is
    that of the warning which a run would record now.
    """

    name: str
    status: Status
    found: str
    advice: str = ""
    subject: str = ""
    code: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """All checks, and what they were made on: the client, and the target where there is one."""

    checks: tuple[Check, ...]
    environment: Environment
    target: Target | None

    @property
    def status(self) -> Status:
        """The worst of the checks."""
        found = {check.status for check in self.checks}
        return "fails" if "fails" in found else "warning" if "warning" in found else "ok"


def ok(name: str, found: str, advice: str = "") -> Check:
    """A check with nothing to do; ``advice`` is what is worth knowing all the same."""
    return Check(name=name, status="ok", found=found, advice=advice)


def warning(name: str, found: str, advice: str = "") -> Check:
    """A check with something that a result may suffer from."""
    return Check(name=name, status="warning", found=found, advice=advice)


def failure(name: str, found: str, advice: str = "") -> Check:
    """A check without which nothing can be measured."""
    return Check(name=name, status="fails", found=found, advice=advice)


def judged(name: str, found: str, finding: Finding | None, advice: str) -> Check:
    """A warning with ``advice`` where a run would record ``finding`` now; ok otherwise."""
    if finding is None:
        return ok(name, found)
    return Check(name=name, status="warning", found=found, advice=advice, code=finding.code)
