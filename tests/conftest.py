"""Fixtures that several suites share. Programs and models are named by the environment (see tools/test.sh)."""
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from fake_backend import FakeBackend  # noqa: E402
from support import certificates  # noqa: E402
from support.gateway import Gateway, backend_config, program  # noqa: E402


def pytest_configure(config):
    config.addinivalue_line("markers", "full: a long test that runs with `make test-full` only")


@pytest.fixture
def backend():
    with FakeBackend() as b:
        yield b
    assert not b.errors, f"the scripted backend itself failed: {b.errors}"


@pytest.fixture
def gateway(backend):
    """A gateway in front of the scripted backend."""
    with Gateway(backend_config(backend)) as g:
        yield g


@pytest.fixture
def make_gateway():
    """Starts gateways that end with the test: make_gateway(config, ...)."""
    made = []

    def make(*args, **more):
        made.append(Gateway(*args, **more))
        return made[-1]
    yield make
    problems = []
    for g in made:
        try:
            g.close()
        except AssertionError as error:
            problems.append(str(error))
    assert not problems, "\n".join(problems)


@pytest.fixture(scope="session")
def ca(tmp_path_factory):
    """(folder, CA certificate, server certificate, server key) for localhost."""
    folder = tmp_path_factory.mktemp("ca")
    authority = certificates.make_ca(folder)
    certificate, key = certificates.make_certificate(folder, authority)
    return folder, authority[0], certificate, key


@pytest.fixture
def tls_backend(ca):
    _, _, certificate, key = ca
    with FakeBackend(certificate=certificate, key=key) as b:
        yield b
    assert not b.errors, f"the scripted backend itself failed: {b.errors}"


@pytest.fixture(scope="session")
def smollm2():
    return program("LOCALCODE_TEST_MODEL_SMOLLM2")


@pytest.fixture(scope="session")
def gemma():
    return program("LOCALCODE_TEST_MODEL_GEMMA")


@pytest.fixture(scope="session")
def minilm():
    return program("LOCALCODE_TEST_MODEL_MINILM")
