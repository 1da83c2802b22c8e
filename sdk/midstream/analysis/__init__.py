"""What a network does with its weights: patches they meet, and how outputs change with them.

Knows nothing of runtimes: the activations of a run come in as arrays.
"""
