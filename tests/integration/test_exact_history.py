"""Token-exact history with real models: a follow-up prefills what is new in it, whatever the client and the template do to
the spelling of earlier answers."""
import pathlib
import sys

import pytest

from support.gateway import program
from test_states import closing, metric, wait_stored

sys.path.append(str(pathlib.Path(__file__).parents[2] / "engine" / "tests"))
import tiny_hybrid  # noqa: E402

SYSTEM = "You are a coding agent. " + " ".join(f"Rule {i}: module {i * 37 % 101} is never changed by hand." for i in range(50))
TEMPLATE = ("{{ bos_token }}{% for m in messages %}{{ m.role }}: {{ m.content }}</s>\n{% endfor %}"
            "{% if add_generation_prompt %}assistant:{% endif %}")


@pytest.fixture
def start(make_gateway, request, tmp_path):
    """start(model, more TOML) -> a gateway with smollm2, gemma or the tiny hybrid model."""
    def make(model, extra="", top="", engine="LOCALCODE_ENGINE", slots=1):
        path = tmp_path / "hybrid.gguf"
        if model == "hybrid":
            (tmp_path / "plain.jinja").write_text(TEMPLATE)
            extra += f'\nchat_template = "{tmp_path / "plain.jinja"}"'
        path = tiny_hybrid.write(path) if model == "hybrid" else request.getfixturevalue(model)
        config = f'{top}\n[[model]]\nname = "m"\npath = "{path}"\nslots = {slots}\nthreads = 1\ncontext = 8192\n{extra}\n'
        return make_gateway(config, engine=program(engine))
    return make


def ask(gateway, session, messages, **more):
    body = {"messages": [{"role": "system", "content": SYSTEM}, *messages], "max_tokens": 24, "temperature": 0, "stream": True,
            "stream_options": {"include_usage": True}, **more}
    answer = gateway.post("/v1/chat/completions", body, [("x-session-id", session)])
    assert answer.status == 200 and answer.done, answer.body
    return answer


def said(answer):
    """The assistant's message as a client puts it together."""
    text = "".join(choice["delta"].get("content") or "" for event in answer.events for choice in event.get("choices", []))
    return {"role": "assistant", "content": text}


def known(answer):
    """Tokens in the engine's memory after an answer: all but the one that was sampled last, its end."""
    told = closing(answer)
    return told["cached_tokens"] + told["prefilled_tokens"] + told["completion_tokens"] - 1


def assert_extends(answer, before):
    """Nothing of what the engine knew was prefilled again (but the last token of a sliding window's checkpoint)."""
    assert before is None or closing(answer)["cached_tokens"] >= known(before) - 1, (closing(answer), known(before))


# Not yet after a restart with a real sliding window: it was seen to start from the checkpoint before the end of the prompt.
@pytest.mark.parametrize(("model", "restart"), [("smollm2", False), ("gemma", False), ("hybrid", False), ("smollm2", True), ("hybrid", True)])
def test_odd_tokens_stay(start, model, restart):
    gateway = start(model)
    messages = [{"role": "user", "content": "Say something odd."}]
    odd = {"temperature": 3.0, "seed": 7, "top_k": 0, "top_p": 1.0, "min_p": 0.0, "max_tokens": 200,
           "grammar": 'root ::= " "? [a-z]{2,7} (" " [a-z]{2,7}){3,5} " "?'}
    kept, before = 0, None
    for turn in range(3):
        answer = ask(gateway, "S", messages, **odd)
        assert_extends(answer, before)
        before = answer
        kept += closing(answer).get("exact_history", {}).get("tokens", 0)
        messages += [said(answer), {"role": "user", "content": f"And {turn}?"}]
        if restart:
            wait_stored(gateway, "S", known(answer))
            gateway.stop()
            gateway.start()
    assert kept > 0 or model == "smollm2", "sampled like this, some tokens are not those of the tokeniser"
    assert restart or metric(gateway, "history_kept_tokens_total") == kept


SPACED = {"grammar": 'root ::= "  I look " ("there" | "here") ".\\n \\n"', "max_tokens": 40}


@pytest.mark.parametrize("restart", [False, True], ids=["memory", "restart"])
def test_answers_that_mean_the_same_stay(start, restart):
    gateway = start("smollm2")
    messages = [{"role": "user", "content": "Where do you look?"}]
    before = None
    for turn in range(3):
        answer = ask(gateway, "S", messages, **SPACED)
        assert_extends(answer, before)
        assert closing(answer).get("exact_history", {}).get("turns", 0) == turn
        text = said(answer)["content"]
        assert text.startswith("  I look") and text.endswith("\n")
        # Clients trim.
        before, trimmed = answer, {"role": "assistant", "content": [{"type": "text", "text": text.strip()}]}
        messages += [trimmed, {"role": "user", "content": f"And {turn}?"}]
        if restart:
            wait_stored(gateway, "S", known(answer))
            gateway.stop()
            gateway.start()


def test_edited_history_is_not_replaced(start):
    gateway = start("smollm2")
    messages = [{"role": "user", "content": "Where do you look?"}]
    answer = ask(gateway, "S", messages, **SPACED)
    text = said(answer)["content"].strip()
    edited = text.replace("there", "nowhere") if "there" in text else text.replace("here", "nowhere")
    follow_up = [*messages, {"role": "assistant", "content": edited}, {"role": "user", "content": "And now?"}]
    seen = closing(ask(gateway, "S", follow_up))
    assert seen.get("exact_history", {}).get("turns", 0) == 0
    # As long as what a template makes of it, token for token.
    other = closing(ask(gateway, "T", follow_up, localcode={"cache": "off"}))
    assert seen["cached_tokens"] + seen["prefilled_tokens"] == other["prefilled_tokens"]
    assert seen["cached_tokens"] < known(answer)


def test_switched_off_and_absent(start):
    off = start("smollm2", top="[prefix]\nexact_history = false\n")
    answer = ask(off, "S", [{"role": "user", "content": "Hello"}])
    assert "exact_history" not in closing(answer)
    stock = start("smollm2", engine="LOCALCODE_LLAMA_SERVER")
    answer = ask(stock, "S", [{"role": "user", "content": "Hello"}])
    assert closing(answer)["exact_history"] == "absent"
