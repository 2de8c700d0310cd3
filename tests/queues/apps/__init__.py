"""What workers of the engines import: a queue, and the shop of the contract."""
