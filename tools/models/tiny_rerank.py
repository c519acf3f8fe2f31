"""Writes a tiny GGUF for reranking with random weights (the BERT shape with a classification head), which no package has. Its
scores mean nothing, but are always the same: a stand-in for the mechanics of reranking.

    python tiny_rerank.py OUT.gguf"""
import sys

import gguf
import numpy as np

EMBD, FF, HEADS, LAYERS, CONTEXT = 64, 128, 4, 2, 128


def vocabulary():
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    letters = [chr(c) for c in range(33, 127) if not chr(c).isupper()]
    return special + ["\u2581" + c for c in letters] + letters, len(special)


def write(path):
    rng = np.random.default_rng(1)
    tokens, specials = vocabulary()
    w = gguf.GGUFWriter(str(path), "bert")
    w.add_name("tiny-rerank")
    w.add_block_count(LAYERS)
    w.add_context_length(CONTEXT)
    w.add_embedding_length(EMBD)
    w.add_feed_forward_length(FF)
    w.add_head_count(HEADS)
    w.add_layer_norm_eps(1e-12)
    w.add_causal_attention(False)
    w.add_pooling_type(gguf.PoolingType.RANK)
    w.add_token_type_count(2)
    w.add_tokenizer_model("bert")
    w.add_token_list(tokens)
    w.add_token_types([3] * specials + [1] * (len(tokens) - specials))
    for add, token in ((w.add_pad_token_id, 0), (w.add_unk_token_id, 1), (w.add_bos_token_id, 2), (w.add_eos_token_id, 3),
                       (w.add_sep_token_id, 3), (w.add_mask_token_id, 4)):
        add(token)

    def matrix(name, rows, columns):
        w.add_tensor(name, (rng.standard_normal((rows, columns)) * 1.5 / columns ** 0.5).astype(np.float32))

    def vector(name, size, value):
        w.add_tensor(name, np.full(size, value, np.float32))

    def norm(name):
        vector(name + ".weight", EMBD, 1)
        vector(name + ".bias", EMBD, 0)

    matrix("token_embd.weight", len(tokens), EMBD)
    matrix("position_embd.weight", CONTEXT, EMBD)
    matrix("token_types.weight", 2, EMBD)
    norm("token_embd_norm")
    for i in range(LAYERS):
        b = f"blk.{i}."
        for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
            matrix(b + name + ".weight", EMBD, EMBD)
            vector(b + name + ".bias", EMBD, 0)
        norm(b + "attn_output_norm")
        matrix(b + "ffn_up.weight", FF, EMBD)
        vector(b + "ffn_up.bias", FF, 0)
        matrix(b + "ffn_down.weight", EMBD, FF)
        vector(b + "ffn_down.bias", EMBD, 0)
        norm(b + "layer_output_norm")
    matrix("cls.weight", EMBD, EMBD)
    vector("cls.bias", EMBD, 0)
    matrix("cls.output.weight", 1, EMBD)
    vector("cls.output.bias", 1, 0)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()
    return path


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    write(sys.argv[1])
