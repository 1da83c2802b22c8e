"""Builds the kernels in C where there is a compiler; all else is in pyproject.toml.

A failed compile leaves them out and never fails an install. MIDSTREAM_REQUIRE_NATIVE=1
makes it fail, for releases: a wheel without them would carry the same tag.
MIDSTREAM_SANITIZE=1 builds them with the address and undefined behaviour sanitizers.
"""

import os
from pathlib import Path

from setuptools import Extension, setup

SOURCES = Path("sdk/midstream/kernels/native")
SANITIZE = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer"]
IS_SANITIZED = os.environ.get("MIDSTREAM_SANITIZE") == "1"
EXTRA = SANITIZE if IS_SANITIZED else []

FLAGS = ["-std=c11", "-O3", "-Wall", "-Wextra"]
# no fused multiply-add: products are rounded as NumPy rounds them
FLAGS += ["-ffp-contract=off"]
# nobody asks which exceptions floating point raised: loops with conditions can be vectorised
FLAGS += ["-fno-trapping-math"]

setup(
    ext_modules=[
        Extension(
            "midstream.kernels._native",
            sorted(str(path) for path in SOURCES.glob("*.c")),
            depends=sorted(str(path) for path in SOURCES.glob("*.h")),
            define_macros=[("Py_LIMITED_API", "0x030B0000")],
            extra_compile_args=[*FLAGS, *EXTRA],
            # not linked: the sanitizers' own library is loaded first, by LD_PRELOAD, and a fuzzer
            # brings another one than gcc
            py_limited_api=True,
            optional=os.environ.get("MIDSTREAM_REQUIRE_NATIVE") != "1",
        )
    ],
    options={
        "bdist_wheel": {"py_limited_api": "cp311"},
        # a build of its own: objects without sanitizers that are there already are no use
        "build": {"build_base": "build/sanitize" if IS_SANITIZED else "build"},
    },
)
