"""Whether the servers of the tests have processes that wait and conversations that stay. For the tests beside.

By default they do, as a user's do. With ``CCA_TEST_POOL=0`` in the environment they do not: every answer must be the
same.
"""

import os
from collections.abc import Mapping

POOL = os.environ.get("CCA_TEST_POOL", "1") != "0"

WAITING, STAYING = (1, 8) if POOL else (0, 0)
"""Of a server inside the test's process: one that waits is enough to be taken, and each is a start more."""

VARIABLES: Mapping[str, str] = {} if POOL else {"CCA_WAITING": "0", "CCA_STAYING": "0"}
"""Of a server that is a program of its own."""
