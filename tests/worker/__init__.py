"""The worker: real processes on a real Valkey, and what becomes of them."""
