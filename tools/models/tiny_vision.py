"""Writes a tiny vision projector (the LLaVA shape: a small image encoder and two layers that bring its output to a text
model's width) with random weights. With any text model of that width it makes a model that takes images. It sees nothing
sensible, but always the same: a stand-in for the way that images go.

    python tiny_vision.py OUT.gguf [WIDTH]      WIDTH: of the text model, 576 for SmolLM2-135M"""
import sys

import gguf
import numpy as np

EMBD, FF, HEADS, LAYERS, IMAGE, PATCH = 64, 128, 4, 3, 56, 14


def write(path, width=576):
    rng = np.random.default_rng(1)
    w = gguf.GGUFWriter(str(path), "clip")
    w.add_name("tiny-vision")
    w.add_type("mmproj")
    w.add_bool("clip.has_vision_encoder", True)
    w.add_string("clip.projector_type", "mlp")
    w.add_bool("clip.use_gelu", True)
    for key, value in (("embedding_length", EMBD), ("feed_forward_length", FF), ("block_count", LAYERS), ("projection_dim", width),
                       ("attention.head_count", HEADS), ("image_size", IMAGE), ("patch_size", PATCH)):
        w.add_uint32("clip.vision." + key, value)
    w.add_float32("clip.vision.attention.layer_norm_epsilon", 1e-5)
    w.add_array("clip.vision.image_mean", [0.5, 0.5, 0.5])
    w.add_array("clip.vision.image_std", [0.5, 0.5, 0.5])

    def matrix(name, *shape):
        inner = int(np.prod(shape[1:]))
        w.add_tensor(name, (rng.standard_normal(shape) / inner ** 0.5).astype(np.float32))

    def vector(name, size, value):
        w.add_tensor(name, np.full(size, value, np.float32))

    matrix("v.patch_embd.weight", EMBD, 3, PATCH, PATCH)
    w.add_tensor("v.class_embd", rng.standard_normal(EMBD).astype(np.float32))
    matrix("v.position_embd.weight", (IMAGE // PATCH) ** 2 + 1, EMBD)
    vector("v.pre_ln.weight", EMBD, 1)
    vector("v.pre_ln.bias", EMBD, 0)
    for i in range(LAYERS):
        b = f"v.blk.{i}."
        for name in ("attn_q", "attn_k", "attn_v", "attn_out"):
            matrix(b + name + ".weight", EMBD, EMBD)
            vector(b + name + ".bias", EMBD, 0)
        for name in ("ln1", "ln2"):
            vector(b + name + ".weight", EMBD, 1)
            vector(b + name + ".bias", EMBD, 0)
        matrix(b + "ffn_up.weight", FF, EMBD)
        vector(b + "ffn_up.bias", FF, 0)
        matrix(b + "ffn_down.weight", EMBD, FF)
        vector(b + "ffn_down.bias", EMBD, 0)
    matrix("mm.0.weight", width, EMBD)
    vector("mm.0.bias", width, 0)
    matrix("mm.2.weight", width, width)
    vector("mm.2.bias", width, 0)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()
    return path


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    write(sys.argv[1], *map(int, sys.argv[2:]))
