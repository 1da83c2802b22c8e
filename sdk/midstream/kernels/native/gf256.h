/* Products of matrices over GF(2^8). Knows nothing of codes (spec/recovery.md, "Field"). */
#ifndef MIDSTREAM_GF256_H
#define MIDSTREAM_GF256_H

#include <stdint.h>

#define GF_MOST 255 /* rows or columns of a matrix, as symbols of a codeword */
#define GF_CHUNK 64 /* bytes of a row at a time */
#define GF_TILE 64 /* chunks that stay in a cache while all that needs them is made */

/* How to multiply; each is tried only where the processor has it, else the one before. */
enum gf_way { GF_PORTABLE, GF_SSSE3, GF_AVX2, GF_AFFINE, GF_WAYS };

/* A product: (count, terms) times (terms, size) gives (count, size). */
struct gf_product {
    const uint8_t *matrix;      /* row by row */
    const uint8_t *const *rows; /* the factors on the right, each of `size` bytes */
    uint8_t *const *out;        /* the rows that come out */
    int64_t count, terms;       /* at most GF_MOST */
    int64_t size;
};

/* Low nibble times a factor, then high nibble times it. */
extern uint8_t gf_nibbles[256][32];

/* The product with a factor as a map of bits: what gives bit i of it is byte 7 - i. */
extern uint64_t gf_maps[256];

/* Fill both tables: once, before all else here. */
void gf_prepare(void);

/* The product by the best way that there is up to this one. */
void gf_multiply(const struct gf_product *product, enum gf_way most);

/* So many chunks of all rows that come out, from the byte `at` on. */
typedef void gf_step(const struct gf_product *product, int64_t at, int64_t chunks);

/* The step of the best way up to this one; NULL where the processor has none of them. */
gf_step *gf_wide_step(enum gf_way most);

/* The step of the way GF_AFFINE; NULL where the processor has it not. */
gf_step *gf_affine_step(void);

#endif
