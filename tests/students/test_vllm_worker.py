import os
import subprocess
import sys
import time

from tests.students.processes import alive

ENGINE = """
import sys, time
from app.students.vllm_worker import Tied
Tied().end_with(int(sys.argv[1]))
print("tied", flush=True)
time.sleep(600)
"""


def test_an_engine_ends_when_its_service_is_killed() -> None:
    service = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    engine = subprocess.Popen([sys.executable, "-c", ENGINE, str(service.pid)], stdout=subprocess.PIPE, text=True)
    try:
        assert engine.stdout
        assert engine.stdout.readline() == "tied\n"
        time.sleep(0.1)
        assert engine.poll() is None
        service.kill()
        service.wait()
        assert engine.wait(60) < 0
    finally:
        for process in (service, engine):
            process.kill()
            process.communicate()


def test_an_engine_whose_service_is_gone_already_ends_at_once() -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    engine = subprocess.run([sys.executable, "-c", ENGINE, str(gone.pid)], timeout=60, check=False)
    assert engine.returncode < 0
    assert not alive(gone.pid)
    assert alive(os.getpid())
