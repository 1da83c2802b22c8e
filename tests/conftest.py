"""Settings of all tests."""

import os

from hypothesis import settings

# how long an example takes says more of the machine than of the code; where CI is set,
# hypothesis has a profile of its own, which repeats itself and has no deadline either
if not os.environ.get("CI"):
    settings.register_profile("local", deadline=None)
    settings.load_profile("local")
