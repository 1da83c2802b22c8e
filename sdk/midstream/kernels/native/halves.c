#include "halves.h"

#include <math.h>

#include "buffers.h"
#include "faces.h"

#if defined(__GNUC__) && defined(__x86_64__)

#include <cpuid.h>
#include <immintrin.h>

#define WIDE __attribute__((target("avx2,f16c")))
#define EIGHT 8
#define F16C (1u << 29) /* of the third register of leaf 1 */
/* Bits of a float64 that a float32 has no place for. */
#define DROPPED ((INT64_C(1) << 29) - 1)

static int has_halves(void)
{
    static int known = -1; /* whoever asks at the same time finds the same */
    unsigned a, b, c, d;
    if (known < 0)
        known = __builtin_cpu_supports("avx2") && __get_cpuid(1, &a, &b, &c, &d) && (c & F16C);
    return known;
}

/* Four products as float32 numbers, to odd: of two that are as near the last bit is 1 where
 * something is dropped, so that rounding once more is as if from the product. */
WIDE static inline __m128 four_singles(__m128i levels, __m256d size)
{
    const __m256i dropped = _mm256_set1_epi64x(DROPPED);
    __m256i bits = _mm256_castpd_si256(_mm256_mul_pd(_mm256_cvtepi32_pd(levels), size));
    __m256i sticky = _mm256_add_epi64(_mm256_and_si256(bits, dropped), dropped);
    bits = _mm256_andnot_si256(dropped, _mm256_or_si256(bits, sticky));
    return _mm256_cvtpd_ps(_mm256_castsi256_pd(bits));
}

WIDE static int64_t write_wide(uint8_t *out, const int32_t *levels, int64_t count, double size)
{
    const __m256d sizes = _mm256_set1_pd(size);
    int64_t i = 0;
    for (; count - i >= EIGHT; i += EIGHT) {
        __m256i level = _mm256_loadu_si256((const void *)(levels + i));
        __m128 lower = four_singles(_mm256_castsi256_si128(level), sizes);
        __m128 upper = four_singles(_mm256_extracti128_si256(level, 1), sizes);
        __m128i halves = _mm256_cvtps_ph(
            _mm256_set_m128(upper, lower), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
        _mm_storeu_si128((void *)(out + 2 * i), halves);
    }
    return i;
}

WIDE static int64_t read_wide(float *out, const uint16_t *halves, int64_t count)
{
    int64_t i = 0;
    for (; count - i >= EIGHT; i += EIGHT)
        _mm256_storeu_ps(out + i, _mm256_cvtph_ps(_mm_loadu_si128((const void *)(halves + i))));
    return i;
}

static int64_t read_some(float *out, const uint16_t *halves, int64_t count)
{
    return has_halves() ? read_wide(out, halves, count) : 0;
}

int64_t write_halves(uint8_t *out, const int32_t *levels, int64_t count, double size)
{
    return has_halves() ? write_wide(out, levels, count, size) : 0;
}

#else

static int64_t read_some(float *out, const uint16_t *halves, int64_t count)
{
    (void)out, (void)halves, (void)count;
    return 0;
}

int64_t write_halves(uint8_t *out, const int32_t *levels, int64_t count, double size)
{
    (void)out, (void)levels, (void)count, (void)size;
    return 0;
}

#endif

/* Sign, exponent and mantissa apart; what is not a number stays none. */
static float single_of(uint16_t half)
{
    int exponent = half >> 10 & 31, mantissa = half & 1023;
    float number = exponent ? ldexpf((float)(mantissa + 1024), exponent - 25)
                            : ldexpf((float)mantissa, -24);
    if (exponent == 31)
        number = mantissa ? NAN : INFINITY;
    return half >> 15 ? -number : number;
}

void read_halves(float *out, const uint16_t *halves, int64_t count)
{
    for (int64_t i = read_some(out, halves, count); i < count; i++)
        out[i] = single_of(halves[i]);
}

PyObject *widen_halves(PyObject *module, PyObject *args)
{
    (void)module;
    Py_buffer b[2];
    if (!PyArg_ParseTuple(args, "y*w*", &b[0], &b[1]))
        return NULL;
    Py_ssize_t count = items(&b[0], sizeof(uint16_t));
    int fits = count >= 0 && has_items(&b[1], sizeof(float), count);
    if (fits) {
        Py_BEGIN_ALLOW_THREADS
        read_halves(b[1].buf, b[0].buf, count);
        Py_END_ALLOW_THREADS
    }
    release(b, 2);
    return fits ? Py_NewRef(Py_None) : NULL;
}
