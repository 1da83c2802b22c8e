/* Products of matrices over GF(2^8), 64 at a time, where the processor has GFNI and AVX-512.
 *
 * A product with a factor is a linear map of 8 bits, one instruction for each 64 bytes.
 */
#include "gf256.h"

#include <stddef.h>

#if defined(__x86_64__) && defined(__GNUC__)

#include <immintrin.h>

#define GROUP 8 /* rows that come out at a time: their sums are in registers */
#define EXCLUSIVE_OR 0x96 /* of three */
#define AFFINE __attribute__((target("gfni,avx512f,avx512bw")))
#define INLINE static inline __attribute__((always_inline)) AFFINE

/* The maps of a group's factors, of each row that goes in; after the last, of none. */
struct maps {
    uint64_t of[GF_MOST + 1][GROUP];
};

INLINE __m512i product_of(__m512i row, uint64_t map)
{
    return _mm512_gf2p8affine_epi64_epi8(row, _mm512_set1_epi64((long long)map), 0);
}

/* So many times 64 bytes of so many rows. Rows go in by two: three are added at once. */
INLINE void columns(const struct gf_product *product, const struct maps *maps, int64_t at,
    int64_t first, const int group, const int parts)
{
    __m512i sums[GROUP][2], one[2], two[2];
    for (int i = 0; i < group; i++)
        for (int part = 0; part < parts; part++)
            sums[i][part] = _mm512_setzero_si512();
    for (int64_t j = 0, last = product->terms - 1; j <= last; j += 2) {
        const uint8_t *here = product->rows[j] + at;
        const uint8_t *next = product->rows[j < last ? j + 1 : j] + at;
        for (int part = 0; part < parts; part++) {
            one[part] = _mm512_loadu_si512(here + GF_CHUNK * part);
            two[part] = _mm512_loadu_si512(next + GF_CHUNK * part);
        }
        for (int i = 0; i < group; i++)
            for (int part = 0; part < parts; part++)
                sums[i][part] = _mm512_ternarylogic_epi64(sums[i][part],
                    product_of(one[part], maps->of[j][i]),
                    product_of(two[part], maps->of[j + 1][i]), EXCLUSIVE_OR);
    }
    for (int i = 0; i < group; i++)
        for (int part = 0; part < parts; part++)
            _mm512_storeu_si512(product->out[first + i] + at + GF_CHUNK * part, sums[i][part]);
}

/* So many rows, from `first` on. */
INLINE void rows(
    const struct gf_product *product, int64_t at, int64_t chunks, int64_t first, const int group)
{
    struct maps maps;
    const uint8_t *factors = product->matrix + first * product->terms;
    for (int i = 0; i < group; i++) {
        for (int64_t j = 0; j < product->terms; j++)
            maps.of[j][i] = gf_maps[factors[i * product->terms + j]];
        maps.of[product->terms][i] = 0;
    }
    for (; chunks > 1; chunks -= 2, at += 2 * GF_CHUNK)
        columns(product, &maps, at, first, group, 2);
    if (chunks)
        columns(product, &maps, at, first, group, 1);
}

AFFINE static void step_of_64(const struct gf_product *product, int64_t at, int64_t chunks)
{
    int64_t first = 0;
    for (; first + GROUP <= product->count; first += GROUP)
        rows(product, at, chunks, first, GROUP);
    for (; first + GROUP / 2 <= product->count; first += GROUP / 2)
        rows(product, at, chunks, first, GROUP / 2);
    for (; first < product->count; first++)
        rows(product, at, chunks, first, 1);
}

gf_step *gf_affine_step(void)
{
    return __builtin_cpu_supports("gfni") && __builtin_cpu_supports("avx512bw") ? step_of_64 : NULL;
}

#else

gf_step *gf_affine_step(void)
{
    return NULL;
}

#endif
