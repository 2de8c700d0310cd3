"""Real workers and brokers for the tests of queues."""
