"""Lets each service write down, in the folder IMPORTS_TOLD, what it has imported since it was forked."""

import json
import os
import sys
import threading
import time
from pathlib import Path

#: Long after a start on any machine: what a service does each second, it has done by then.
_EACH_S = 0.5


def _after_fork() -> None:
    before = frozenset(sys.modules)

    def tell() -> None:
        from setproctitle import getproctitle  # noqa: PLC0415 -- only where there are services

        while True:
            time.sleep(_EACH_S)
            title = getproctitle()
            if title.startswith("agpt: "):
                found = {name for name, module in list(sys.modules.items()) if module is not None}
                file = Path(os.environ["IMPORTS_TOLD"]) / title.removeprefix("agpt: ").strip()
                draft = file.with_suffix(".draft")
                draft.write_text(json.dumps(sorted(found - before)))
                draft.replace(file)

    threading.Thread(target=tell, daemon=True).start()


os.register_at_fork(after_in_child=_after_fork)
