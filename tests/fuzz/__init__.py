"""Fuzzing: what any input does to dubhooks.

``pytest tests/fuzz`` is the short form: the same mutations with a fixed seed, no tool needed.  The
long form is guided by coverage and needs ``pip install atheris``:
``python -m tests.fuzz parse --runs 1000000``.
"""
