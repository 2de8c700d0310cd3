"""Work later: handlers that run in the worker of a queue engine that you have already.

``@hooks.on(SaleCreated, queue=later)`` answers 202 once the engine holds the delivery, and the
same handler runs in the engine's worker.  One module for each engine, which needs its extra.
"""

from ._queue import Queue, QueueOptions

__all__ = ["Queue", "QueueOptions"]
