"""The bounded least-squares solve over a whole clip at once."""

import numpy as np
from numba import njit


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def descend(
    weights: np.ndarray,
    free: np.ndarray,
    gram: np.ndarray,
    target: np.ndarray,
    confidence: np.ndarray,
    link: np.ndarray,
    smoothness: np.ndarray,
    sparsity: np.ndarray,
    row: np.ndarray,
    row_target: np.ndarray,
    row_weight: np.ndarray,
    sweeps: int,
    tolerance: float,
) -> int:
    """Minimise by coordinate descent, in place, over all frames t with 0 <= w <= 1.

        sum_t confidence_t (w_t' gram w_t / 2 - target_t' w_t) + sparsity' w_t
        + sum_t row_weight_t (row' w_t - row_target_t)^2 / 2
        + sum_t link_t smoothness' (w_t - w_{t-1})^2 / 2

    weights (T, K); free (F,) the columns that may change; target (T, K); confidence (T,); link (T,), how much frame t
    belongs to frame t - 1 (0 after a cut); smoothness, sparsity (K,). row (K,), row_target, row_weight (T,) are one
    more measurement, whose weight changes over time. The temporal term looks both ways, so it delays nothing. Stops
    when no weight moves by more than `tolerance` in a sweep; returns the number of sweeps.
    """
    frames = len(weights)
    for sweep in range(sweeps):
        largest = 0.0
        for step in range(frames):
            t = step if sweep % 2 == 0 else frames - 1 - step
            missing = row_target[t]
            for j in range(gram.shape[1]):
                missing -= row[j] * weights[t, j]
            for k in free:
                slope = target[t, k]
                for j in range(gram.shape[1]):
                    slope -= gram[k, j] * weights[t, j]
                slope = confidence[t] * (slope + gram[k, k] * weights[t, k]) - sparsity[k]
                slope += row_weight[t] * row[k] * (missing + row[k] * weights[t, k])
                curvature = confidence[t] * gram[k, k] + row_weight[t] * row[k] ** 2 + 1e-6
                if t > 0:
                    pull = link[t] * smoothness[k]
                    slope += pull * weights[t - 1, k]
                    curvature += pull
                if t + 1 < frames:
                    pull = link[t + 1] * smoothness[k]
                    slope += pull * weights[t + 1, k]
                    curvature += pull
                value = min(max(slope / curvature, 0.0), 1.0)
                largest = max(largest, abs(value - weights[t, k]))
                missing -= row[k] * (value - weights[t, k])
                weights[t, k] = value
        if largest < tolerance:
            return sweep + 1
    return sweeps
