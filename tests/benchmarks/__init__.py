"""How long it takes: ``python -m tests.benchmarks``."""
