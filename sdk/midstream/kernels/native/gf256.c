/* Products of matrices over GF(2^8), on any processor. */
#include "gf256.h"

#include <string.h>

#define POLYNOMIAL 0x1D /* x^8 + x^4 + x^3 + x^2 + 1, without its highest term */
#define WORDS (GF_CHUNK / 8)
#define GROUP 4 /* rows that come out at a time */
#define EACH_BYTE UINT64_C(0x0101010101010101)

uint8_t gf_nibbles[256][32];
uint64_t gf_maps[256];

static inline uint8_t doubled(uint8_t value)
{
    return (uint8_t)(value << 1 ^ (value >> 7) * POLYNOMIAL);
}

static uint8_t times(uint8_t factor, int other)
{
    uint8_t sum = 0;
    for (; other; other >>= 1, factor = doubled(factor))
        sum ^= other & 1 ? factor : 0;
    return sum;
}

/* Bit j of what gives bit i of a product is bit i of factor times 2^j. */
static uint64_t map_of(uint8_t factor)
{
    uint64_t map = 0;
    for (int j = 0; j < 8; j++, factor = doubled(factor))
        for (int i = 0; i < 8; i++)
            map |= (uint64_t)(factor >> i & 1) << (8 * (7 - i) + j);
    return map;
}

void gf_prepare(void)
{
    for (int factor = 0; factor < 256; factor++) {
        gf_maps[factor] = map_of((uint8_t)factor);
        for (int nibble = 0; nibble < 16; nibble++) {
            gf_nibbles[factor][nibble] = times((uint8_t)factor, nibble);
            gf_nibbles[factor][16 + nibble] = times((uint8_t)factor, nibble << 4);
        }
    }
}

/* Each of the bytes times 2. */
static inline uint64_t doubled_bytes(uint64_t word)
{
    return (word & 0x7F * EACH_BYTE) << 1 ^ (word >> 7 & EACH_BYTE) * POLYNOMIAL;
}

/* Add one row's chunk to some of those that come out, bit by bit of its factors. */
static inline void add_row(
    uint64_t sums[GROUP][WORDS], const uint8_t factors[GROUP], const uint8_t *row)
{
    uint64_t powers[WORDS];
    memcpy(powers, row, GF_CHUNK);
    for (int bit = 0; bit < 8; bit++) {
        for (int i = 0; i < GROUP; i++) {
            uint64_t mask = -(uint64_t)(factors[i] >> bit & 1);
            for (int w = 0; w < WORDS; w++)
                sums[i][w] ^= powers[w] & mask;
        }
        for (int w = 0; w < WORDS; w++)
            powers[w] = doubled_bytes(powers[w]);
    }
}

static void portable_chunk(const struct gf_product *product, int64_t at)
{
    for (int64_t first = 0; first < product->count; first += GROUP) {
        int64_t left = product->count - first, group = left < GROUP ? left : GROUP;
        const uint8_t *matrix = product->matrix + first * product->terms;
        uint64_t sums[GROUP][WORDS] = { { 0 } };
        for (int64_t j = 0; j < product->terms; j++) {
            uint8_t factors[GROUP] = { 0 };
            for (int64_t i = 0; i < group; i++)
                factors[i] = matrix[i * product->terms + j];
            add_row(sums, factors, product->rows[j] + at);
        }
        for (int64_t i = 0; i < group; i++)
            memcpy(product->out[first + i] + at, sums[i], GF_CHUNK);
    }
}

static void portable_step(const struct gf_product *product, int64_t at, int64_t chunks)
{
    for (int64_t i = 0; i < chunks; i++)
        portable_chunk(product, at + i * GF_CHUNK);
}

/* Rows shorter than a chunk, in chunks of their own. */
static void multiply_short(const struct gf_product *product, gf_step *step)
{
    uint8_t rows[GF_MOST][GF_CHUNK], out[GF_MOST][GF_CHUNK], *own_out[GF_MOST];
    const uint8_t *own_rows[GF_MOST];
    struct gf_product padded = *product;
    size_t size = (size_t)product->size;
    for (int64_t j = 0; j < product->terms; j++) {
        memcpy(rows[j], product->rows[j], size);
        memset(rows[j] + size, 0, GF_CHUNK - size);
        own_rows[j] = rows[j];
    }
    for (int64_t i = 0; i < product->count; i++)
        own_out[i] = out[i];
    padded.rows = own_rows;
    padded.out = own_out;
    step(&padded, 0, 1);
    for (int64_t i = 0; i < product->count; i++)
        memcpy(product->out[i], out[i], size);
}

void gf_multiply(const struct gf_product *product, enum gf_way most)
{
    gf_step *wide = gf_wide_step(most), *step = wide ? wide : portable_step;
    int64_t size = product->size;
    if (size < GF_CHUNK) {
        if (size)
            multiply_short(product, step);
        return;
    }
    for (int64_t done = 0, all = size / GF_CHUNK; done < all; done += GF_TILE)
        step(product, done * GF_CHUNK, all - done < GF_TILE ? all - done : GF_TILE);
    if (size % GF_CHUNK)
        step(product, size - GF_CHUNK, 1); /* what it has in common with the last comes out again */
}
