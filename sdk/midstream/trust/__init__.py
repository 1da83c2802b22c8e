"""Keys, signed metadata, manifests, packet hashes. Knows nothing of disks, networks or clocks.

What a client checks, and in which order, is in spec/trust.md.
"""
