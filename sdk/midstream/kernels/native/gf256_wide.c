/* Products of matrices over GF(2^8) by look-ups of nibbles, 16 or 32 at a time.
 *
 * Same results as gf256.c: K. Greenan and others, "Screaming Fast Galois Field Arithmetic Using
 * Intel SIMD Instructions" (FAST 2013).
 */
#include "gf256.h"

#if defined(__x86_64__) && defined(__GNUC__)

#include <immintrin.h>
#include <stddef.h>

#define GROUP 4 /* rows that come out at a time: their sums are in registers */
#define INLINE static inline __attribute__((always_inline))

#define SSSE3 __attribute__((target("ssse3")))
#define PARTS_16 (GF_CHUNK / 16)

/* So many rows, from `first` on. */
SSSE3 INLINE void group_of_16(
    const struct gf_product *product, int64_t at, int64_t first, const int group)
{
    const __m128i low = _mm_set1_epi8(15);
    const uint8_t *factors = product->matrix + first * product->terms;
    for (int part = 0; part < PARTS_16; part += 2) {
        int64_t place = at + 16 * part;
        __m128i sums[GROUP][2];
        for (int i = 0; i < group; i++)
            sums[i][0] = sums[i][1] = _mm_setzero_si128();
        for (int64_t j = 0; j < product->terms; j++) {
            const __m128i *row = (const __m128i *)(product->rows[j] + place);
            __m128i one = _mm_loadu_si128(row), two = _mm_loadu_si128(row + 1);
            __m128i low_one = _mm_and_si128(one, low), low_two = _mm_and_si128(two, low);
            one = _mm_and_si128(_mm_srli_epi64(one, 4), low);
            two = _mm_and_si128(_mm_srli_epi64(two, 4), low);
            for (int i = 0; i < group; i++) {
                const __m128i *table
                    = (const __m128i *)gf_nibbles[factors[i * product->terms + j]];
                __m128i lows = _mm_loadu_si128(table), highs = _mm_loadu_si128(table + 1);
                sums[i][0] = _mm_xor_si128(sums[i][0],
                    _mm_xor_si128(_mm_shuffle_epi8(lows, low_one), _mm_shuffle_epi8(highs, one)));
                sums[i][1] = _mm_xor_si128(sums[i][1],
                    _mm_xor_si128(_mm_shuffle_epi8(lows, low_two), _mm_shuffle_epi8(highs, two)));
            }
        }
        for (int i = 0; i < group; i++) {
            __m128i *out = (__m128i *)(product->out[first + i] + place);
            _mm_storeu_si128(out, sums[i][0]);
            _mm_storeu_si128(out + 1, sums[i][1]);
        }
    }
}

SSSE3 static void step_of_16(const struct gf_product *product, int64_t at, int64_t chunks)
{
    for (int64_t end = at + chunks * GF_CHUNK; at < end; at += GF_CHUNK) {
        int64_t first = 0;
        for (; first + GROUP <= product->count; first += GROUP)
            group_of_16(product, at, first, GROUP);
        for (; first < product->count; first++)
            group_of_16(product, at, first, 1);
    }
}

#define AVX2 __attribute__((target("avx2")))

/* The products of bytes, given as low and high nibbles, with one factor. */
AVX2 INLINE __m256i products_of_32(__m256i lows, __m256i highs, __m256i low, __m256i high)
{
    return _mm256_xor_si256(_mm256_shuffle_epi8(lows, low), _mm256_shuffle_epi8(highs, high));
}

AVX2 INLINE __m256i table_of_32(const uint8_t *nibbles)
{
    return _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)nibbles));
}

/* So many rows, from `first` on. */
AVX2 INLINE void group_of_32(
    const struct gf_product *product, int64_t at, int64_t first, const int group)
{
    const __m256i low = _mm256_set1_epi8(15);
    const uint8_t *factors = product->matrix + first * product->terms;
    __m256i sums[GROUP][2];
    for (int i = 0; i < group; i++)
        sums[i][0] = sums[i][1] = _mm256_setzero_si256();
    for (int64_t j = 0; j < product->terms; j++) {
        const __m256i *row = (const __m256i *)(product->rows[j] + at);
        __m256i one = _mm256_loadu_si256(row), two = _mm256_loadu_si256(row + 1);
        __m256i low_one = _mm256_and_si256(one, low), low_two = _mm256_and_si256(two, low);
        one = _mm256_and_si256(_mm256_srli_epi64(one, 4), low);
        two = _mm256_and_si256(_mm256_srli_epi64(two, 4), low);
        for (int i = 0; i < group; i++) {
            const uint8_t *nibbles = gf_nibbles[factors[i * product->terms + j]];
            __m256i lows = table_of_32(nibbles), highs = table_of_32(nibbles + 16);
            sums[i][0] = _mm256_xor_si256(sums[i][0], products_of_32(lows, highs, low_one, one));
            sums[i][1] = _mm256_xor_si256(sums[i][1], products_of_32(lows, highs, low_two, two));
        }
    }
    for (int i = 0; i < group; i++) {
        __m256i *out = (__m256i *)(product->out[first + i] + at);
        _mm256_storeu_si256(out, sums[i][0]);
        _mm256_storeu_si256(out + 1, sums[i][1]);
    }
}

AVX2 static void step_of_32(const struct gf_product *product, int64_t at, int64_t chunks)
{
    for (int64_t end = at + chunks * GF_CHUNK; at < end; at += GF_CHUNK) {
        int64_t first = 0;
        for (; first + GROUP <= product->count; first += GROUP)
            group_of_32(product, at, first, GROUP);
        for (; first < product->count; first++)
            group_of_32(product, at, first, 1);
    }
}

gf_step *gf_wide_step(enum gf_way most)
{
    gf_step *affine = most >= GF_AFFINE ? gf_affine_step() : NULL;
    if (affine)
        return affine;
    if (most >= GF_AVX2 && __builtin_cpu_supports("avx2"))
        return step_of_32;
    if (most >= GF_SSSE3 && __builtin_cpu_supports("ssse3"))
        return step_of_16;
    return NULL;
}

#else

#include <stddef.h>

gf_step *gf_wide_step(enum gf_way most)
{
    (void)most;
    return NULL;
}

#endif
