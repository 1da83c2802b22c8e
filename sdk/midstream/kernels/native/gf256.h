/* Products of matrices over GF(2^8). Knows nothing of codes (spec/recovery.md, "Field"). */
#ifndef MIDSTREAM_GF256_H
#define MIDSTREAM_GF256_H

#include <stdint.h>

#define GF_MOST 255 /* rows or columns of a matrix, as symbols of a codeword */
#define GF_CHUNK 64 /* bytes of a row at a time */

/* How to multiply; each is tried only where the processor has it, else the one before. */
enum gf_way { GF_PORTABLE, GF_SSSE3, GF_AVX2, GF_WAYS };

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

/* Fill gf_nibbles: once, before all else here. */
void gf_prepare(void);

/* The product by the best way that there is up to this one. */
void gf_multiply(const struct gf_product *product, enum gf_way most);

/* GF_CHUNK bytes of all rows that come out, from `at` on. */
typedef void gf_step(const struct gf_product *product, int64_t at);

/* The step of the best way up to this one; NULL where the processor has none of them. */
gf_step *gf_wide_step(enum gf_way most);

#endif
