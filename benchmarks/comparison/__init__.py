"""The codec beside its peers: networks, measurements and the report of `benchmarks/codec.py`."""
