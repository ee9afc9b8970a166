"""The real thing: torch's DataLoader, and the libraries that save and load checkpoints."""

from aibench.engines.torch.engine import TorchEngine

__all__ = ["TorchEngine"]
