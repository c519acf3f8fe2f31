"""Writes small GGUFs with random weights: `write` one whose memory is part recurrent, part attention (the LFM2 shape), so that
its state cannot be cut back, which no small model in a package has; `write_window` one with a sliding window (the Gemma 3
shape); `write_recurrent` one without attention. They say nothing sensible, but always the same, and their weights are not quantised: sums in another order hardly
show."""
import array
import random
import struct

EMBD, FF, HEADS, KV_HEADS, LAYERS, CONV = 256, 1024, 4, 2, 12, 3
ATTENTION_EVERY = 3
CONTEXT = 16384


def string(text):
    raw = text if isinstance(text, bytes) else text.encode()
    return struct.pack("<Q", len(raw)) + raw


def value(v):
    if isinstance(v, bool):
        return struct.pack("<I?", 7, v)
    if isinstance(v, int):
        return struct.pack("<II", 4, v)
    if isinstance(v, float):
        return struct.pack("<If", 6, v)
    if isinstance(v, str):
        return struct.pack("<I", 8) + string(v)
    kind = {int: 5, float: 6}.get(type(v[0]), 8)
    body = b"".join(string(x) if kind == 8 else struct.pack("<i" if kind == 5 else "<f", x) for x in v)
    return struct.pack("<IIQ", 9, kind, len(v)) + body


def tokenizer():
    """One token an ASCII byte, as SentencePiece falls back to; no token is half a character, which the server would hold."""
    letters = ["\u2581"] + [chr(0x100 + n) for n in range(220)]  # the first is SentencePiece's space
    tokens = ["<unk>", "<s>", "</s>"] + [f"<0x{b:02X}>" for b in range(128)] + letters
    kinds = [2, 3, 3] + [6] * 128 + [1] * len(letters)
    return {"tokenizer.ggml.model": "llama", "tokenizer.ggml.tokens": tokens, "tokenizer.ggml.scores": [0.0] * len(tokens),
            "tokenizer.ggml.token_type": kinds, "tokenizer.ggml.bos_token_id": 1, "tokenizer.ggml.eos_token_id": 2,
            "tokenizer.ggml.unknown_token_id": 0, "tokenizer.ggml.add_bos_token": True,
            "tokenizer.ggml.add_space_prefix": False}, len(tokens)


def write(path):
    vocabulary, n_vocab = tokenizer()
    attention = [layer % ATTENTION_EVERY == ATTENTION_EVERY - 1 for layer in range(LAYERS)]
    fields = {"general.architecture": "lfm2", "general.name": "tiny-hybrid", "lfm2.block_count": LAYERS,
              "lfm2.context_length": CONTEXT, "lfm2.embedding_length": EMBD, "lfm2.feed_forward_length": FF,
              "lfm2.attention.head_count": HEADS, "lfm2.attention.head_count_kv": [KV_HEADS if a else 0 for a in attention],
              "lfm2.attention.layer_norm_rms_epsilon": 1e-5, "lfm2.rope.freq_base": 10000.0, "lfm2.shortconv.l_cache": CONV,
              "lfm2.vocab_size": n_vocab, **vocabulary}

    head = EMBD // HEADS
    shapes = [("token_embd.weight", (EMBD, n_vocab)), ("token_embd_norm.weight", (EMBD,))]
    for i, is_attention in enumerate(attention):
        b = f"blk.{i}."
        shapes += [(b + "attn_norm.weight", (EMBD,)), (b + "ffn_norm.weight", (EMBD,)), (b + "ffn_gate.weight", (EMBD, FF)),
                   (b + "ffn_up.weight", (EMBD, FF)), (b + "ffn_down.weight", (FF, EMBD))]
        if is_attention:
            shapes += [(b + "attn_q.weight", (EMBD, EMBD)), (b + "attn_k.weight", (EMBD, KV_HEADS * head)),
                       (b + "attn_v.weight", (EMBD, KV_HEADS * head)), (b + "attn_output.weight", (EMBD, EMBD)),
                       (b + "attn_q_norm.weight", (head,)), (b + "attn_k_norm.weight", (head,))]
        else:
            shapes += [(b + "shortconv.conv.weight", (CONV, EMBD)), (b + "shortconv.in_proj.weight", (EMBD, 3 * EMBD)),
                       (b + "shortconv.out_proj.weight", (EMBD, EMBD))]

    return write_gguf(path, fields, shapes)


WINDOW = 64


def write_window(path, window=WINDOW):
    """Six layers: five with a sliding window of 64 tokens, one without. Window 0: plain attention."""
    vocabulary, n_vocab = tokenizer()
    head, layers = EMBD // HEADS, 6
    fields = {"general.architecture": "gemma3", "general.name": "tiny-window", "gemma3.block_count": layers,
              "gemma3.context_length": CONTEXT, "gemma3.embedding_length": EMBD, "gemma3.feed_forward_length": FF,
              "gemma3.attention.head_count": HEADS, "gemma3.attention.head_count_kv": KV_HEADS,
              "gemma3.attention.key_length": head, "gemma3.attention.value_length": head,
              "gemma3.attention.layer_norm_rms_epsilon": 1e-5, "gemma3.attention.sliding_window": window,
              "gemma3.rope.freq_base": 10000.0, "gemma3.vocab_size": n_vocab, **vocabulary}
    shapes = [("token_embd.weight", (EMBD, n_vocab)), ("output_norm.weight", (EMBD,))]
    for i in range(layers):
        b = f"blk.{i}."
        shapes += [(b + name + ".weight", (EMBD,)) for name in
                   ("attn_norm", "post_attention_norm", "ffn_norm", "post_ffw_norm")]
        shapes += [(b + "attn_q.weight", (EMBD, EMBD)), (b + "attn_k.weight", (EMBD, KV_HEADS * head)),
                   (b + "attn_v.weight", (EMBD, KV_HEADS * head)), (b + "attn_output.weight", (EMBD, EMBD)),
                   (b + "attn_q_norm.weight", (head,)), (b + "attn_k_norm.weight", (head,)),
                   (b + "ffn_gate.weight", (EMBD, FF)), (b + "ffn_up.weight", (EMBD, FF)), (b + "ffn_down.weight", (FF, EMBD))]
    # This shape multiplies embeddings by the root of their length: without this every token would be certain.
    return write_gguf(path, fields, shapes, embedding_scale=1.5 / EMBD ** 0.5)


def write_recurrent(path):
    """Recurrent layers only (the Mamba shape)."""
    vocabulary, n_vocab = tokenizer()
    inner, state, rank, layers = 2 * EMBD, 16, 16, 4
    fields = {"general.architecture": "mamba", "general.name": "tiny-recurrent", "mamba.block_count": layers,
              "mamba.context_length": CONTEXT, "mamba.embedding_length": EMBD, "mamba.feed_forward_length": 0,
              "mamba.attention.head_count": 0, "mamba.attention.layer_norm_rms_epsilon": 1e-5, "mamba.ssm.conv_kernel": 4,
              "mamba.ssm.inner_size": inner, "mamba.ssm.state_size": state, "mamba.ssm.time_step_rank": rank,
              "mamba.vocab_size": n_vocab, **vocabulary}
    shapes = [("token_embd.weight", (EMBD, n_vocab)), ("output_norm.weight", (EMBD,))]
    for i in range(layers):
        b = f"blk.{i}."
        shapes += [(b + "attn_norm.weight", (EMBD,)), (b + "ssm_in.weight", (EMBD, 2 * inner)), (b + "ssm_conv1d.weight", (4, inner)),
                   (b + "ssm_conv1d.bias", (inner,)), (b + "ssm_x.weight", (inner, rank + 2 * state)),
                   (b + "ssm_dt.weight", (rank, inner)), (b + "ssm_dt.bias", (inner,)), (b + "ssm_a", (state, inner)),
                   (b + "ssm_d", (inner,)), (b + "ssm_out.weight", (inner, EMBD))]
    return write_gguf(path, fields, shapes)


def write_gguf(path, fields, shapes, embedding_scale=1.5):
    rng = random.Random(1)
    pool = array.array("f", (rng.gauss(0, 1) for _ in range(1 << 17)))
    infos, blobs, offset = [], [], 0
    for name, shape in shapes:
        n = 1
        for d in shape:
            n *= d
        if len(shape) == 1 or name.endswith("ssm_a"):
            data = array.array("f", [-1.0 if name.endswith("ssm_a") else 0.0 if name.endswith(".bias") else 1.0]) * n
        else:
            scale = embedding_scale if name.startswith("token_embd") else 1.2 / shape[0] ** 0.5
            begin = rng.randrange(len(pool) // 2)
            piece = array.array("f", (x * scale for x in pool[begin:begin + (1 << 16)]))
            data = (piece * (n // len(piece) + 1))[:n]
        infos.append(string(name) + struct.pack("<I", len(shape)) + b"".join(struct.pack("<Q", d) for d in shape) +
                     struct.pack("<IQ", 0, offset))
        raw = data.tobytes()
        raw += bytes(-len(raw) % 32)
        blobs.append(raw)
        offset += len(raw)

    out = b"GGUF" + struct.pack("<IQQ", 3, len(shapes), len(fields))
    out += b"".join(string(k) + value(v) for k, v in fields.items()) + b"".join(infos)
    out += bytes(-len(out) % 32)
    with open(path, "wb") as f:
        f.write(out)
        f.writelines(blobs)
    return path
