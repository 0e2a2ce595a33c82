"""What an operation takes for a moment besides its results, on the CPU.

A dispatcher sees what goes in and what comes out. In between, oneDNN copies pictures and weights into blocks of 16
channels, and some kernels keep numbers of their own. Each rule here is a kernel's allocations as the profiler's record
shows them (torch 2.13, AVX-512); `python -m benchmarks.memory` holds them against whole models.

Shapes: B batch, T steps, H features, K gates.
"""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

_aten = torch.ops.aten
_PAGE = 4096


def workspace(func: Any, args: tuple[Any, ...], out: Any) -> int:
    """Bytes that an operation holds at its worst above what it was given and what it returns."""
    rule = _RULES.get(func)
    return 0 if rule is None else max(0, int(rule(args, out)))


def hidden(func: Any, args: tuple[Any, ...]) -> int:
    """Bytes that a result holds beyond what its fake says.

    An LSTM's workspace, which stays until backward, is empty on fakes. And some losses write the loss of each number
    into the memory of their mean.
    """
    if func in _KEEPS_ALL:
        reduction = 3 if func is _aten.binary_cross_entropy.default else 2  # after a weight
        return 0 if args[reduction : reduction + 1] == (0,) else int(args[0].nbytes)
    if func is not _aten.mkldnn_rnn_layer.default or not torch.is_grad_enabled():
        return 0
    steps, batch, taken, given, gates = _recurrent(args)
    across = _row(gates)
    states = 2 * (steps + 1) * batch * 4  # of the layer and of what is below it; and one more than there are steps
    parts = [steps * batch * across * 4, steps * batch * _row(given) * 4, states * _row(max(taken, given))]
    parts += 2 * [states * _row(given)] + 2 * [states * _up(given)]
    return sum(_up(part, _PAGE) for part in parts)


def _convolution(args: tuple[Any, ...], out: Tensor) -> float:
    inputs, weight, bias, stride, _padding, _dilation, transposed, _more, groups = args
    if inputs.device.type != "cpu" or not inputs.is_floating_point():
        return 0
    if not _by_onednn(inputs, weight, groups, transposed):
        return _columns(weight, out)
    if _is_channels_last(inputs):
        return _blocked(weight, groups)
    x, y = _reordered(inputs) if transposed else _read(inputs), _reordered(out)
    if transposed and out.shape[1] < _block():
        y = float(out.nbytes)
    own = x + _blocked(weight, groups) + y
    result = float(out.nbytes)
    if not transposed:
        return max(own, y + result) - result
    if max(stride) > 1:
        return max(own + 0.22 * x, y + 2 * result) - result
    return max(own + (y if bias is not None else 0), y + result) - result


def _convolution_backward(args: tuple[Any, ...], out: Any) -> float:
    slope, inputs, weight, _bias, stride, _padding, _dilation, transposed, _more, groups, mask = args
    if inputs.device.type != "cpu" or not inputs.is_floating_point():
        return 0
    results = float(sum(value.nbytes for value in out if value is not None))
    if not _by_onednn(inputs, weight, groups, transposed):
        return _columns(weight, slope)
    threads = torch.get_num_threads()
    depthwise = groups > 1 and weight.shape[1] == 1
    wide = weight.numel() * 4 * (1 if weight.dtype == torch.float32 else 3)
    if _is_channels_last(inputs) or _is_channels_last(slope):
        given: int = inputs.nbytes if mask[0] else 0
        copied: int = 0 if _is_channels_last(slope) else slope.nbytes
        own = max((1 + (threads > 1)) * _blocked(weight, groups), 3.0 * weight.nbytes)
        return float(given + own + copied - results)
    gy = float(slope.nbytes) if transposed and slope.shape[1] < _block() else _reordered(slope)
    most = held = 0.0
    if mask[0]:
        gx = _reordered(inputs)
        strided = max(stride) > 1 and all(side == 1 for side in weight.shape[2:])  # sets what it skips to zero
        most = max(gy + _blocked(weight, groups, both=True) + gx, gx + inputs.nbytes * (1 + strided))
        held = inputs.nbytes
    if mask[1]:
        gw = _blocked(weight, groups)
        more = 0 if depthwise else gw * min(threads - 1, inputs.shape[0]) + 8576
        if weight.dtype != torch.float32:
            more = wide * min(threads, inputs.shape[0])
        most = max(most, held + gy + _read(inputs) + gw + more)
    return most - results


def _batch_norm_backward(args: tuple[Any, ...], _out: Any) -> float:
    inputs: Tensor = args[1]
    return float(inputs.nbytes) if inputs.device.type == "cpu" and args[-1][0] else 0


def _upsample(args: tuple[Any, ...], out: Tensor) -> float:
    inputs: Tensor = args[0]
    if inputs.device.type != "cpu" or _is_channels_last(inputs):
        return 0
    return float(inputs.nbytes + out.nbytes)  # works with the channels side by side


def _attention(args: tuple[Any, ...], _out: Any) -> float:
    query: Tensor = args[0]
    tiles: int = min(query.shape[-2], 32) * (min(args[1].shape[-2], 512) + 34) * 4
    return float(torch.get_num_threads() * tiles)


def _attention_backward(args: tuple[Any, ...], _out: Any) -> float:
    slope, query, key, _value, out = args[:5]
    tiles = torch.get_num_threads() * 2 * min(query.shape[-2], 32) * min(key.shape[-2], 512) * 4
    return float(tiles + (slope.nbytes if slope.stride() != out.stride() else 0))


def _encoder_layer(args: tuple[Any, ...], out: Tensor) -> float:
    """A whole layer in one operation, without gradients: queries, keys and values twice, or what is wide."""
    inputs, _features, heads = args[:3]
    batch, steps = inputs.shape[:2]
    scores: float = batch * heads * steps * steps * inputs.element_size()
    if len(args) > 18 and args[18] is not None:  # with a mask they stand there twice, and the mask for each of them
        scores = 2 * scores + scores / inputs.element_size()
    wide = inputs.nbytes // inputs.shape[-1] * args[14].shape[0]
    normed = out.nbytes if args[8] else 0  # normalised before, not after
    return float(max(6 * out.nbytes, 3 * out.nbytes + scores, 2 * out.nbytes + wide) + normed - out.nbytes)


def _mean_loss(args: tuple[Any, ...], out: Tensor) -> float:
    inputs: Tensor = args[0]
    return float(inputs.nbytes) if out.numel() < inputs.numel() else 0  # the loss of each number, before their mean


def _lstm(args: tuple[Any, ...], _out: Any) -> float:
    if torch.is_grad_enabled():
        return _weights_and_gates(args)
    steps, batch, taken, given, gates = _recurrent(args)
    return float((taken + given) * gates * 4 + steps * batch * _row(gates) * 4 + 10 * batch * _row(given) * 4)


def _lstm_backward(args: tuple[Any, ...], _out: Any) -> float:
    _steps, _batch, taken, given, gates = _recurrent(args)
    turned = sum(gates * _row(side) * 4 for side in (taken, given) if side != _row(side))
    slope = args[10]
    copied = slope.nbytes if isinstance(slope, Tensor) and not slope.is_contiguous() else 0
    return _weights_and_gates(args) + turned + copied


def _weights_and_gates(args: tuple[Any, ...]) -> float:
    steps, batch, taken, given, gates = _recurrent(args)
    weights = (taken + given) * _row(gates) * 4
    return float(weights + steps * batch * _row(gates) * 4 + batch * _row(given) * 8 + 2 * _PAGE)


def _recurrent(args: tuple[Any, ...]) -> tuple[int, int, int, int, int]:
    """T, B, features that come in and that come out, and K times those."""
    inputs, of_inputs, of_states = args[:3]
    return inputs.shape[0], inputs.shape[1], of_inputs.shape[1], of_states.shape[1], of_states.shape[0]


def _row(count: int) -> int:
    """Numbers that oneDNN leaves for a row: whole cache lines, and none that lie a multiple of 256 apart."""
    wide = _up(count)
    return wide + 16 if wide % 256 == 0 else wide


def _up(count: int, step: int = 16) -> int:
    return -(-count // step) * step


def _block() -> int:
    return 16 if "AVX512" in torch.backends.cpu.get_cpu_capability() else 8


def _reordered(value: Tensor) -> float:
    """Bytes of a tensor whose channels stand in whole blocks."""
    return value.nbytes / max(1, value.shape[1]) * _up(value.shape[1], _block())


def _read(value: Tensor) -> float:
    """The copy that a convolution reads: few channels are read as they are."""
    return _reordered(value) if value.shape[1] >= _block() else 0.0


def _blocked(weight: Tensor, groups: int, *, both: bool = False) -> float:
    """Bytes of a convolution's weights in blocks; `both`: few incoming channels become a whole block, too."""
    if groups > 1:
        return float(weight.nbytes)
    to, of = weight.shape[:2]
    of_wide = _up(of, _block()) if both or of >= _block() else of
    return weight.nbytes / (to * of) * _up(to, _block()) * of_wide


def _by_onednn(inputs: Tensor, weight: Tensor, groups: int, transposed: bool) -> bool:
    present = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]  # torch leaves it without types
    if not (present and torch.backends.mkldnn.enabled):
        return False
    if inputs.dtype not in (torch.float32, torch.bfloat16, torch.float16):
        return False
    small = inputs.shape[0] == 1 and inputs.numel() <= 20480 and all(side <= 3 for side in weight.shape[2:])
    return not small or groups > 1 or transposed


def _columns(weight: Tensor, out: Tensor) -> float:
    """PyTorch's own convolution lays each window out as a column, for one picture after the other."""
    return float(math.prod(weight.shape[1:]) * math.prod(out.shape[2:]) * out.element_size())


def _is_channels_last(value: Tensor) -> bool:
    if value.ndim not in (4, 5) or value.is_contiguous():
        return False
    return value.is_contiguous(memory_format=torch.channels_last if value.ndim == 4 else torch.channels_last_3d)


_KEEPS_ALL = (_aten.mse_loss.default, _aten.smooth_l1_loss.default, _aten.binary_cross_entropy.default)
_RULES: dict[Any, Callable[[tuple[Any, ...], Any], float]] = {
    _aten.convolution.default: _convolution,
    _aten.convolution_backward.default: _convolution_backward,
    _aten.native_batch_norm_backward.default: _batch_norm_backward,
    _aten.upsample_nearest2d.default: _upsample,
    _aten.upsample_bilinear2d.default: _upsample,
    _aten.upsample_bicubic2d.default: _upsample,
    _aten._scaled_dot_product_flash_attention_for_cpu.default: _attention,
    _aten._scaled_dot_product_flash_attention_for_cpu_backward.default: _attention_backward,
    _aten._transformer_encoder_layer_fwd.default: _encoder_layer,
    _aten.mse_loss.default: _mean_loss,
    _aten.smooth_l1_loss.default: _mean_loss,
    _aten.huber_loss.default: _mean_loss,
    _aten.mkldnn_rnn_layer.default: _lstm,
    _aten.mkldnn_rnn_layer_backward.default: _lstm_backward,
}
