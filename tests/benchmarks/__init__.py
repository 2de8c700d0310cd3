"""How long it takes; each file is a program."""
