// The gate of a layer and the exponential of the softmax, over the vectors of one instruction set `I`.
#pragma once

#include "target.h"

namespace vqspeech {
namespace {

// tanh(x) = p / q, a minimax ratio of polynomials that is exact to 3e-7 (Eigen's coefficients).
template <class I> INLINE void tanh_ratio(typename I::Float x, typename I::Float& p, typename I::Float& q) {
    x = I::clamp(x, I::set(7.90531110763549805f));
    const typename I::Float y = x * x;
    p = I::fma(I::set(-2.76076847742355e-16f), y, I::set(2.00018790482477e-13f));
    p = I::fma(p, y, I::set(-8.60467152213735e-11f));
    p = I::fma(p, y, I::set(5.12229709037114e-08f));
    p = I::fma(p, y, I::set(1.48572235717979e-05f));
    p = I::fma(p, y, I::set(6.37261928875436e-04f));
    p = I::fma(p, y, I::set(4.89352455891786e-03f)) * x;
    q = I::fma(I::set(1.19825839466702e-06f), y, I::set(1.18534705686654e-04f));
    q = I::fma(q, y, I::set(2.26843463243900e-03f));
    q = I::fma(q, y, I::set(4.89352518554385e-03f));
}

// tanh(a) sigmoid(2 b), with sigmoid(2 b) = (1 + tanh(b)) / 2, so that there is one division.
template <class I> INLINE typename I::Float gated_unit(typename I::Float a, typename I::Float b) {
    typename I::Float p, q, r, s;
    tanh_ratio<I>(a, p, q);
    tanh_ratio<I>(b, r, s);
    return p * (r + s) / ((q + q) * s);
}

// As tanh_ratio, exact to 8e-5: enough before rounding to bf16 or 8 bits. Fitted to the least largest error.
template <class I> INLINE void short_tanh_ratio(typename I::Float x, typename I::Float& p, typename I::Float& q) {
    x = I::clamp(x, I::set(5.25f));
    const typename I::Float y = x * x;
    p = I::fma(I::fma(I::set(6.17408677e-4f), y, I::set(1.00380866e-1f)), y, I::set(9.99762576e-1f)) * x;
    q = I::fma(I::fma(I::set(1.224637e-2f), y, I::set(4.3297091e-1f)), y, I::set(1.0f));
}

template <class I> INLINE typename I::Float short_gated_unit(typename I::Float a, typename I::Float b) {
    typename I::Float p, q, r, s;
    short_tanh_ratio<I>(a, p, q);
    short_tanh_ratio<I>(b, r, s);
    return p * (r + s) * I::reciprocal((q + q) * s);
}

// exp(x) for x <= 0 (Cephes).
template <class I> INLINE typename I::Float exponential(typename I::Float x) {
    x = I::max(x, I::set(-87.0f));
    const typename I::Float n = I::round(x * I::set(1.44269504088896341f));
    typename I::Float r = I::fma(n, I::set(-0.693359375f), x);
    r = I::fma(n, I::set(2.12194440e-4f), r);
    typename I::Float p = I::fma(I::set(1.9875691500e-4f), r, I::set(1.3981999507e-3f));
    p = I::fma(p, r, I::set(8.3334519073e-3f));
    p = I::fma(p, r, I::set(4.1665795894e-2f));
    p = I::fma(p, r, I::set(1.6666665459e-1f));
    p = I::fma(p, r, I::set(5.0000001201e-1f));
    p = I::fma(p, r * r, r + I::set(1.0f));
    return p * I::power_of_two(n);
}

}  // namespace
}  // namespace vqspeech
