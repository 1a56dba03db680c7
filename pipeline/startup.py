"""How the processes of a command start.

Sets an environment variable, which the processes that they start inherit; no module does so when it is imported.
"""

import os


def limit_threads() -> None:
    """Leave numpy without the threads of its linear algebra, which nothing here uses.

    They would keep a core busy at the start of every process. To be called before numpy is imported.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
