/* The levels of a slice to its payload. Knows nothing of tensors.
 *
 * (spec/coding.md, "Levels" and "Lattice".)
 */
#ifndef MIDSTREAM_PACKING_H
#define MIDSTREAM_PACKING_H

#include "levels.h"
#include "prediction.h"
#include "symbols.h"

struct packing {
    struct alphabets alphabets;
    struct entries entries;
    struct folds folds;
    struct choices choices;
    int64_t lanes, last_lanes; /* the latter of the last weights of points that nothing predicts */
    /* memory, for each weight one of each */
    int64_t *halves, *places, *escapes;
    int64_t *counts; /* of each entry */
    int32_t *symbols, *low, *numbers;
    int16_t *folded, *narrow;
    uint16_t *tables, *words;
    int8_t *shapes, *phases;
    uint8_t *shifts;
    uint8_t *out; /* what was packed so far ends here; NULL where bits are counted only */
    int64_t bits; /* of all but symbols, where they are counted */
};

/* Levels, or points, of so many weights. */
struct packed_levels {
    const int32_t *levels; /* at most 2^30 from zero */
    const int8_t *shapes;
    const int16_t *widths;
    int64_t count;
    struct terms *terms;   /* NULL where nothing is predicted */
    const int64_t *halves; /* what is expected; NULL where terms say that */
};

#define PACKING_MEMORY 48 /* bytes for each weight */
#define PACKED_BYTES 12   /* for each weight, at most */
#define PACKED_HEAD 512   /* and these */

/* Pack levels on the integers. False where a table, a term or a symbol is out of its range. */
int pack_integers(struct packing *packing, const struct packed_levels *given);

/* The same of points of the lattice, in half steps. */
int pack_points(struct packing *packing, const struct packed_levels *given);

#endif
