"""Queued handlers: the model, the base class, and every engine with real workers."""
