import json
import os
from pathlib import Path

import pytest
from session_state import state


def write(moment):
    Path(f"{os.environ['STATE_FILE']}.{moment}").write_text(json.dumps(state()))


@pytest.mark.parametrize("number", range(3))
def test_state(number, tmp_path_factory, worker):
    write(number)


@pytest.fixture
def worker(request):
    yield
    if request.node.name == "test_state[1]":
        write("teardown")
