"""Which axes of an ONNX weight are channels, by the operator that reads it. Knows no files."""

__all__ = ["channel_axes"]

_CONVOLUTIONS = {"Conv", "ConvInteger", "QLinearConv"}
_RECURRENT = {"LSTM", "GRU", "RNN"}
_PRODUCTS = {"MatMul", "MatMulInteger", "QLinearMatMul"}


def channel_axes(
    shape: tuple[int, ...], operator: str, place: int, is_transposed: bool
) -> tuple[int | None, int | None]:
    """Output and input channels of a weight.

    Args:
        shape: Its dimensions.
        operator: What reads it, as ONNX names it; empty where nothing does.
        place: Which input of it the weight is.
        is_transposed: Whether that operator's `transB` is set.

    Returns:
        The row axis and the column axis, None where it has none.
    """
    rank = len(shape)
    if rank < 2:
        return None, None
    if operator in _CONVOLUTIONS:
        return 0, 1 if shape[1] > 1 else None  # OIHW; one input each where it is depthwise
    if operator == "ConvTranspose":
        return (1, 0) if shape[1] > 1 else (0, None)  # IOHW
    if operator in _RECURRENT and rank == 3:
        return 1, 2  # directions, gates by outputs, inputs
    is_product = operator in _PRODUCTS or (operator == "Gemm" and not is_transposed)
    if is_product and place > 0:
        return rank - 1, rank - 2  # inputs by outputs
    return 0, 1
