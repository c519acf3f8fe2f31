"""Runs the C++ test of the patch's extension points; it is built beside the engine."""
import os
import subprocess


def test_hooks_patch(engine_binary, smollm2):
    program = os.path.join(os.path.dirname(engine_binary), "localcode-engine-hooks-test")
    assert os.path.exists(program), f"{program} is missing: build the target localcode-engine-hooks-test"
    done = subprocess.run([program], capture_output=True, text=True, timeout=600,
                          env={**os.environ, "LOCALCODE_TEST_MODEL_SMOLLM2": smollm2})
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
