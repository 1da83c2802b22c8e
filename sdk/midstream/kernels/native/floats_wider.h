/* Symbols of floats for processors with AVX-512: the results of floats_wide.h.
 *
 * Elsewhere it does nothing.
 */
#ifndef MIDSTREAM_FLOATS_WIDER_H
#define MIDSTREAM_FLOATS_WIDER_H

#include "floats.h"

/* Whether this processor has what it takes. */
int has_wider(void);

/* As wide_symbols. */
int64_t wider_symbols(const uint32_t *slots, const uint8_t **next, const uint8_t *end,
    uint32_t *states, int64_t lanes, uint8_t *rows, int64_t count);

#endif
