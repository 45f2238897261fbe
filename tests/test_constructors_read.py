"""Constructors as a person writes them: what an iteration changes, what is kept, what is chosen."""

from __future__ import annotations

import textwrap

import jax.numpy as jnp
from emitting import load, text_of
from flax import nnx


def spec(body: str, head: str = "model Net(d = 8)", input: str = "[B, T, d]") -> str:
    """A model with this body."""
    lines = textwrap.indent(textwrap.dedent(body).strip(), "    ")
    return f"{head}:\n    input x: {input}\n{lines}\n"


def test_what_an_iteration_changes_is_changed_in_place() -> None:
    body = """
    index = 0
    rate = 0.5
    for i in range(3):
        x = x -> Linear(d) as proj -> Dropout(rate / (1 + index)) as drop
        x = concat(x, x, axis=-1) -> Linear(2 * d) as wide -> Linear(d) as narrow
        index += 1
        rate = rate * 0.5
    return x
    """
    text = text_of(spec(body))
    assert "index += 1" in text and "rate *= 0.5" in text
    net = load(text).Net(rngs=nnx.Rngs(0))
    assert [d.rate for d in net.drop] == [0.5, 0.125, 0.125 / 3]


def test_sizes_grow_in_place() -> None:
    body = """
    for i in range(3):
        x = concat(x, x -> Linear(d) as more, axis=-1)
    h = x
    for i in range(2):
        h = concat(h, h, axis=-1) -> LayerNorm as norm
    return h
    """
    text = text_of(spec(body))
    assert "features += d" in text and "*= 2" in text
    net = load(text).Net(rngs=nnx.Rngs(0))
    assert [layer.in_features for layer in net.more] == [8, 16, 24]
    assert [layer.num_features for layer in net.norm] == [64, 128]
    assert net(jnp.ones((2, 3, 8))).shape == (2, 3, 128)


def test_what_only_an_attribute_takes_is_that_attribute() -> None:
    body = """
    half = d // 2
    y = x -> Linear(half) as down
    scale = sqrt(d) if d > 4 else 1.0
    return y * scale + half
    """
    text = text_of(spec(body))
    assert "self.scale = math.sqrt(d) if d > 4 else 1.0" in text
    assert "self.half = half" in text  # the layer reads it too
    net = load(text).Net(rngs=nnx.Rngs(0))
    assert net.scale == 8**0.5 and net.half == net.down.out_features == 4


def test_a_size_that_callers_ask_for_is_kept_from_the_start() -> None:
    text = text_of(textwrap.dedent("""
            block Half(features, halves):
                input x: [B, C]
                if halves:
                    x = x -> Linear(features)
                return x

            model Net(d = 8):
                input x: [B, d]
                return x -> Half(4, d > 4) -> LayerNorm
            """).lstrip())
    assert "self.out_features = features if halves else c" in text
    assert load(text).Net(rngs=nnx.Rngs(0)).layer_norm.num_features == 4


CHOICE = """
block Wide(features, more):
    input x: [B, C]
    return x -> Linear(features * more) -> relu -> Linear(features)

block Deep(features, more):
    input x: [B, C]
    return x -> Linear(features) -> relu -> Linear(features) * more

model Net(d = 8, depth = 3, wide = true):
    input x: [B, d]
    for i in range(depth):
        if {condition}:
            x = x -> Wide(d + d * d // 2, i + 2) as layers -> Linear(d) as back
        else:
            x = x -> Deep(d + d * d // 2, i + 2) as layers -> Linear(d) as back
    return x
"""


def test_a_class_is_chosen_once_ahead_of_the_loop() -> None:
    text = text_of(CHOICE.format(condition="wide"))
    assert "        layer_class = Wide if wide else Deep\n" in text
    assert text.index("layer_class = ") < text.index("for i in range(depth)")
    assert text.count("Wide(") == text.count("Deep(") == 1  # their own classes
    module = load(text)
    for wide, kind in (True, module.Wide), (False, module.Deep):
        net = module.Net(wide=wide, rngs=nnx.Rngs(0))
        assert {type(layer) for layer in net.layers} == {kind}
        assert net(jnp.ones((2, 8))).shape == (2, 8)


def test_a_class_that_differs_by_iteration_is_chosen_in_the_loop() -> None:
    module = load(text_of(CHOICE.format(condition="wide and i % 2 == 0")))
    net = module.Net(rngs=nnx.Rngs(0))
    assert [type(x).__name__ for x in net.layers] == ["Wide", "Deep", "Wide"]


def test_equal_to_one_of_several_is_asked_as_membership() -> None:
    body = """
    require d == 4 or d == 8 or d == 12, "d is 4, 8 or 12"
    scale = 2 if kind == "a" or kind == "b" else 3
    return x * scale
    """
    text = text_of(spec(body, 'model Net(d = 8, kind = "a")'))
    assert "if d not in (4, 8, 12):" in text
    assert 'kind in ("a", "b")' in text
    net = load(text).Net
    assert [net(kind=kind, rngs=nnx.Rngs(0)).scale for kind in "abc"] == [2, 2, 3]


def test_sizes_are_named_by_the_layer_that_makes_them() -> None:
    body = """
    x = x -> Linear(int(rate * d)) as stem -> Linear(int(3 * rate)) as top
    for features in [4, 5]:
        x = x -> Linear(features) as blocks
    return x -> Linear(int(5 * rate)) as head
    """
    text = text_of(spec(body, "model Net(d = 8, rate = 1.5)"))
    assert "stem_features = int(rate * d)" in text
    assert "head_features = int(5 * rate)" in text
    assert "in_features = int(3 * rate)" in text  # what the loop changes
    net = load(text).Net(rngs=nnx.Rngs(0))
    assert [layer.in_features for layer in net.blocks] == [4, 4]
    assert net.head.out_features == 7


def test_a_square_image_has_a_height_and_a_width() -> None:
    text = text_of(textwrap.dedent("""
            block Halved:
                input x: [B, H, W, C]
                return x[:, :H // 2, :W // 2]

            block Placed:
                input x: [B, H, W, C]
                param place: [H, W, C] = zeros
                return x + place

            model Net(size = 8, d = 2):
                input x: [B, size, size, d]
                for i in range(2):
                    x = x -> Placed as places -> Halved
                return x
            """).lstrip())
    assert "size2" not in text and "height" in text
    net = load(text).Net(rngs=nnx.Rngs(0))
    assert [p.place.shape for p in net.places] == [(8, 8, 2), (4, 4, 2)]


def test_loops_that_follow_each_other_count_by_one_name() -> None:
    body = """
    for width in [4, 5]:
        x = x -> Linear(width) as down
    y = x -> Linear(7) as mid
    for width in [6, 3]:
        y = y -> Linear(width) as up
    z = y -> Linear(9) as late
    for width in [8, 2]:
        z = z -> Linear(width) as last
    return z
    """
    text = text_of(spec(body))
    assert "features2" not in text and "features3" not in text
    net = load(text).Net(rngs=nnx.Rngs(0))
    found = [[x.in_features for x in part] for part in (net.down, net.up, net.last)]
    assert found == [[8, 4], [7, 6], [9, 8]]


def test_a_size_that_is_read_later_keeps_its_name() -> None:
    body = """
    for width in [4, 5]:
        x = x -> Linear(width) as down
    y = x -> Linear(7) as mid
    for width in [6, 3]:
        y = y -> Linear(width) as up
    return (x -> Linear(2) as tail), (y -> Linear(2) as end)
    """
    net = load(text_of(spec(body))).Net(rngs=nnx.Rngs(0))
    assert (net.tail.in_features, net.end.in_features) == (5, 3)


def test_lists_of_one_length_are_gone_through_together() -> None:
    body = """
    require len(depths) == len(widths), "depths must be as long as widths"
    for i, width in enumerate(widths):
        for j in range(depths[i]):
            x = x -> Linear(width + depths[i]) as blocks
        x = x * (i + 1)
    return x
    """
    head = "model Net(d = 8, widths = [4, 5], depths = [2, 1])"
    text = text_of(spec(body, head))
    assert "(width, depth) in enumerate(zip(widths, depths, strict=True)):" in text
    net = load(text).Net(rngs=nnx.Rngs(0))
    assert [[b.out_features for b in part] for part in net.blocks] == [[6, 6], [6]]
    wrong = spec(body.replace("require", "# require"), head)
    assert "strict" not in text_of(wrong)  # nothing says that they are equally long


def test_an_entry_keeps_its_index_where_its_name_is_taken() -> None:
    body = """
    require len(depths) == len(widths), "depths must be as long as widths"
    for i, width in enumerate(widths):
        x = x -> Linear(width + depths[i] + depth) as blocks
    return x
    """
    text = text_of(
        spec(body, "model Net(d = 8, depth = 3, widths = [4], depths = [2])")
    )
    assert "for i, width in enumerate(cfg.widths):" in text
    module = load(text)
    net = module.Net(module.Config(), rngs=nnx.Rngs(0))
    assert net.blocks[0].out_features == 9


def test_numbers_that_count_are_whole() -> None:
    text = text_of(textwrap.dedent("""
            block Dropped(index, rate):
                input x: [B, C]
                return x -> Dropout(rate * index / 10)

            model Net(d = 8, depths = [2, 3]):
                input x: [B, d]
                for i, depth in enumerate(depths):
                    x = x -> Dropped(sum(depths[:i]) + depth, 0.1 * depth) as blocks
                return x
            """).lstrip())
    assert "index: int" in text and "rate: float" in text


def test_a_size_that_is_rounded_up_is_told_by_its_axis() -> None:
    body = 'return x -> pad(0, -T % s, axis=1) -> Conv(4, s, stride=s, padding="valid")'
    text = text_of(spec(body, "model Net(d = 8, s = 3)"))
    assert "Maps (b, t, d) to (b, t_out, 4)." in text
