"""Neural networks, compressed and signed, delivered and updated while they run."""
