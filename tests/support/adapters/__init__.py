"""What tests of adapters share."""
