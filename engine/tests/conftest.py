"""Real processes, real models: paths come from the environment, and a test without its path fails."""
import os

import pytest

import tiny_hybrid
from engine_process import Engine
from state_store import Store


def path_from(variable):
    path = os.environ.get(variable)
    if not path:
        pytest.fail(f"{variable} is not set: these tests need a built engine and real models")
    if not os.path.exists(path):
        pytest.fail(f"{variable}={path} does not exist")
    return path


@pytest.fixture(scope="session")
def engine_binary():
    return path_from("LOCALCODE_ENGINE")


@pytest.fixture(scope="session")
def llama_server_binary():
    return path_from("LOCALCODE_LLAMA_SERVER")


@pytest.fixture(scope="session")
def smollm2():
    return path_from("LOCALCODE_TEST_MODEL_SMOLLM2")


@pytest.fixture(scope="session")
def gemma():
    return path_from("LOCALCODE_TEST_MODEL_GEMMA")


@pytest.fixture(scope="session")
def plain(tmp_path_factory):
    """A tiny model with plain attention."""
    return str(tiny_hybrid.write_window(tmp_path_factory.mktemp("model") / "tiny_plain.gguf", window=0))


@pytest.fixture
def store(tmp_path, engine_binary):
    tool = os.path.join(os.path.dirname(engine_binary), "localcode-engine-state-tool")
    assert os.path.exists(tool), f"{tool} is missing: build the target localcode-engine-state-tool"
    return Store(tmp_path / "kv", tool)


@pytest.fixture
def start(tmp_path_factory, engine_binary):
    """start(model, *args, binary=..., env=...) -> a ready Engine, stopped after the test."""
    running = []

    def starter(model, *args, binary=None, env=None):
        engine = Engine(binary or engine_binary, model, args, tmp_path_factory.mktemp("e"), env)
        running.append(engine)
        engine.wait_ready()
        return engine

    yield starter
    for engine in running:
        engine.kill()
