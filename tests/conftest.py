"""What holds for all tests: hypothesis measures no time, because the machines are noisy."""

from hypothesis import settings

settings.register_profile("aibench", deadline=None)
settings.load_profile("aibench")
