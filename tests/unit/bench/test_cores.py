"""What a process may have of a core, it has no more of."""

import subprocess
import sys
import time

import psutil
import pytest

from bench.cores import can_limit, limited

_COUNTS = "while True: pass"


@pytest.mark.skipif(not can_limit(), reason="no control groups may be made here")
def test_a_limited_process_has_its_share_of_a_core_and_no_more() -> None:
    with subprocess.Popen([sys.executable, "-c", _COUNTS]) as busy:
        try:
            process = psutil.Process(busy.pid)
            with limited(busy.pid, cores=0.1):
                before, begun = process.cpu_times().user, time.monotonic()
                time.sleep(0.5)  # a share is one of time: some must pass
                used, passed = process.cpu_times().user - before, time.monotonic() - begun
            assert used < passed / 3  # kernels count in steps of 0.01 s, and let bursts end
            assert process.is_running()
        finally:
            busy.kill()
