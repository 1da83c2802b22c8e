"""Delivery against its bounds and its peers: the parts of `benchmarks/delivery.py`."""
