#include <stdlib.h>

#include "lists.h"
#include "networks.h"
#include "rows.h"

#define CODED 1
#define SHAPE_SHIFT 4
#define PREDICTOR (1 << 6)
#define LATTICE (1 << 10)
#define TIED (1 << 11)
#define ROW_FLAGS (1 << 1 | 1 << 8)
#define COLUMN_FLAGS (1 << 2 | 1 << 9)
#define STEP_FLAGS (1 << 8 | 1 << 9)
#define KNOWN (CODED | 3 << SHAPE_SHIFT | PREDICTOR | LATTICE | ROW_FLAGS | COLUMN_FLAGS | 1 << 3)
#define FLOATS_ONLY (LATTICE | STEP_FLAGS)
#define SHAPE_OF_RAW 1

#define MOST_STEP 2560
#define MOST_EXPONENT 20
#define MOST_WIDTH 512
#define MOST_COEFFICIENT 64
#define MOST_HALF_OCTAVES 24
#define FEWEST_ON_LATTICE 4096

#define LISTS_MEMORY 4096
#define ITEM_MEMORY 16 /* a width, a row, a shift and an escape take 13 */

/* The lists, in their order. */
enum { STEPS, WIDTHS, OFFSETS, SPREADS, MASKS, FIRST_LISTS };
enum { COEFFICIENTS = FIRST_LISTS, TIES, LISTS };

/* The bit of each vector among the flags. */
static const int vector_flags[VECTORS] = { 1 << 1, 1 << 2, 1 << 3, 1 << 8, 1 << 9 };

/* What flags announce, and what follows them. */
struct announced {
    int64_t count[LISTS];
    int32_t *numbers[LISTS]; /* of each list, one after the other */
    int64_t *sizes;          /* of vectors */
    int64_t items;           /* of all vectors */
    struct bytes rest;
};

static int flags_at(struct bytes flags, int64_t tensor)
{
    return flags.data[2 * tensor] | flags.data[2 * tensor + 1] << 8;
}

/* --- what flags announce ----------------------------------------------------------------- */

static int flags_fit(int flags, const struct tensor *tensor)
{
    return flags & CODED && !(flags & ~KNOWN) && (flags >> SHAPE_SHIFT & 3) < LEVEL_SHAPES
        && (is_float(tensor) || !(flags & FLOATS_ONLY))
        && (tensor->row_axis != NO_AXIS || !(flags & ROW_FLAGS))
        && (tensor->column_axis != NO_AXIS || !(flags & COLUMN_FLAGS));
}

static int announce(const struct tensor *tensor, int flags, int64_t most, struct announced *all)
{
    if (!flags_fit(flags, tensor))
        return 0;
    all->count[STEPS]++;
    all->count[WIDTHS]++;
    all->count[OFFSETS] += !is_float(tensor);
    all->count[MASKS] += (flags & PREDICTOR) != 0;
    for (int vector = 0; vector < VECTORS; vector++)
        if (flags & vector_flags[vector]) {
            int64_t size = items_of(tensor, vector);
            all->sizes[all->count[SPREADS]++] = size;
            all->items += size;
        }
    return all->items <= most;
}

static int announce_all(
    struct bytes flags, const struct parsed *parsed, int64_t most, struct announced *all)
{
    for (int64_t i = 0; i < parsed->count; i++) {
        int own = flags_at(flags, i);
        if (own == TIED)
            all->count[TIES]++;
        else if (own && !announce(&parsed->tensor[i], own, most, all))
            return 0;
    }
    return 1;
}

/* --- lists ------------------------------------------------------------------------------- */

/* Lists from the front of some bytes, none from nothing; NULL where they are damaged. */
static int32_t *read_lists(const struct level_slots *slots, struct lists lists, struct bytes *bytes)
{
    size_t size = LISTS_MEMORY + ITEM_MEMORY * (size_t)lists.items;
    int32_t *numbers = malloc(sizeof *numbers * (size_t)(lists.items + 1));
    uint8_t *memory = malloc(size);
    int64_t taken = -1;
    if (numbers && memory)
        taken = lists.items ? decode_lists_of(slots, &lists, bytes->data, bytes->size,
                    (struct room){ memory, memory + size }, numbers)
                            : 0;
    free(memory);
    if (taken < 0) {
        free(numbers);
        return NULL;
    }
    *bytes = (struct bytes){ bytes->data + taken, bytes->size - taken };
    return numbers;
}

static int read_some(const struct level_slots *slots, const uint8_t *widths, int first, int end,
    struct announced *all)
{
    struct lists lists = { widths + first, all->count + first, end - first, 0 };
    for (int i = first; i < end; i++)
        lists.items += all->count[i];
    int32_t *numbers = read_lists(slots, lists, &all->rest);
    all->numbers[first] = numbers;
    for (int i = first + 1; numbers && i < end; i++)
        all->numbers[i] = all->numbers[i - 1] + all->count[i - 1];
    return numbers != NULL;
}

static int read_all_lists(const struct level_slots *slots, struct announced *all)
{
    const uint8_t *widths = all->rest.data;
    if (all->rest.size < LISTS)
        return 0;
    for (int i = 0; i < LISTS; i++)
        if (widths[i] >= LEVEL_WIDTHS)
            return 0;
    all->rest = (struct bytes){ widths + LISTS, all->rest.size - LISTS };
    if (!read_some(slots, widths, STEPS, FIRST_LISTS, all))
        return 0;
    for (int64_t i = 0; i < all->count[MASKS]; i++) {
        int32_t mask = all->numbers[MASKS][i];
        if (mask < 1 || mask >= 1 << NEIGHBOURS)
            return 0;
        for (; mask; mask &= mask - 1)
            all->count[COEFFICIENTS]++;
    }
    return read_some(slots, widths, COEFFICIENTS, LISTS, all);
}

/* Vectors, which are all that is left. */
static int read_vectors(
    const struct level_slots *slots, struct announced *all, struct parsed *parsed)
{
    int64_t count = all->count[SPREADS], width = 0;
    uint8_t *widths = malloc((size_t)count + 1);
    int is_good = widths != NULL;
    for (int64_t i = 0; is_good && i < count; i++) {
        width += all->numbers[SPREADS][i];
        widths[i] = (uint8_t)width;
        is_good = width >= 0 && width < LEVEL_WIDTHS;
    }
    struct lists lists = { widths, all->sizes, count, all->items };
    int32_t *numbers = is_good ? read_lists(slots, lists, &all->rest) : NULL;
    parsed->vector = malloc((size_t)all->items + 1);
    parsed->vector_items = all->items;
    is_good = numbers && parsed->vector && !all->rest.size;
    for (int64_t i = 0; is_good && i < all->items; i++) {
        parsed->vector[i] = (int8_t)numbers[i];
        is_good = numbers[i] >= INT8_MIN && numbers[i] <= INT8_MAX;
    }
    free(numbers);
    free(widths);
    return is_good;
}

/* --- tensors ----------------------------------------------------------------------------- */

/* The next number of each list, and sums of those that are differences. */
struct cursor {
    int64_t at[LISTS], step, width, vector, vectors;
};

static int64_t next(const struct announced *all, struct cursor *cursor, int list)
{
    return all->numbers[list][cursor->at[list]++];
}

static int steps_fit(const struct parsed *parsed, int64_t first, int64_t size)
{
    for (int64_t i = first; i < first + size; i++)
        if (parsed->vector[i] > MOST_HALF_OCTAVES || parsed->vector[i] < -MOST_HALF_OCTAVES)
            return 0;
    return 1;
}

static int set_vectors(const struct announced *all, struct cursor *cursor, int flags,
    const struct parsed *parsed, struct tensor *tensor)
{
    for (int vector = 0; vector < VECTORS; vector++) {
        if (!(flags & vector_flags[vector]))
            continue;
        int64_t size = all->sizes[cursor->vectors++];
        tensor->vector[vector] = cursor->vector;
        if (vector >= ROW_STEPS && !steps_fit(parsed, cursor->vector, size))
            return 0;
        cursor->vector += size;
    }
    return 1;
}

static int set_predictor(const struct announced *all, struct cursor *cursor, struct tensor *tensor)
{
    int64_t mask = next(all, cursor, MASKS);
    for (int i = 0; i < NEIGHBOURS; i++) {
        int64_t coefficient = mask >> i & 1 ? next(all, cursor, COEFFICIENTS) : 0;
        if (coefficient < -MOST_COEFFICIENT || coefficient > MOST_COEFFICIENT)
            return 0;
        tensor->coefficient[i] = coefficient;
    }
    return 1;
}

static int grid_fits(const struct tensor *tensor)
{
    int64_t least = is_float(tensor) ? -MOST_STEP : 0;
    return tensor->step >= least && tensor->step <= (is_float(tensor) ? MOST_STEP : MOST_EXPONENT)
        && tensor->width >= -MOST_WIDTH && tensor->width <= MOST_WIDTH
        && (!tensor->is_lattice || tensor->weights >= FEWEST_ON_LATTICE);
}

static int set_coded(const struct announced *all, struct cursor *cursor, int flags,
    const struct parsed *parsed, struct tensor *tensor)
{
    tensor->zero = is_float(tensor) ? 0 : next(all, cursor, OFFSETS);
    tensor->step = cursor->step += next(all, cursor, STEPS);
    tensor->width = cursor->width += next(all, cursor, WIDTHS);
    tensor->shape = flags >> SHAPE_SHIFT & 3;
    tensor->is_lattice = (flags & LATTICE) != 0;
    return grid_fits(tensor) && set_vectors(all, cursor, flags, parsed, tensor)
        && (!(flags & PREDICTOR) || set_predictor(all, cursor, tensor));
}

/* A tensor of the same bytes as an earlier one, which is not itself such a copy. */
static int set_tied(const struct parsed *parsed, int64_t at, int64_t back)
{
    int64_t other = at - back;
    if (other < 0 || other >= at || parsed->same_as[other] != NO_TENSOR
        || parsed->tensor[other].type != parsed->tensor[at].type
        || parsed->tensor[other].weights != parsed->tensor[at].weights)
        return 0;
    parsed->same_as[at] = other;
    return 1;
}

static int set_all(struct bytes flags, const struct announced *all, const struct parsed *parsed)
{
    struct cursor cursor = { { 0 }, 0, 0, 0, 0 };
    for (int64_t i = 0; i < parsed->count; i++) {
        struct tensor *tensor = &parsed->tensor[i];
        int own = flags_at(flags, i);
        tensor->shape = SHAPE_OF_RAW;
        for (int vector = 0; vector < VECTORS; vector++)
            tensor->vector[vector] = NO_VECTOR;
        parsed->same_as[i] = NO_TENSOR;
        parsed->is_coded[i] = own & CODED;
        if (own == TIED ? !set_tied(parsed, i, next(all, &cursor, TIES))
                        : own && !set_coded(all, &cursor, own, parsed, tensor))
            return 0;
    }
    return 1;
}

int read_parameters(struct bytes flags, struct bytes rest, const struct level_slots *slots,
    const struct bounds *bounds, struct parsed *parsed)
{
    struct announced all = { .rest = rest,
        .sizes = malloc(sizeof *all.sizes * (size_t)(VECTORS * parsed->count + 1)) };
    int is_good = all.sizes && flags.size == 2 * parsed->count
        && announce_all(flags, parsed, bounds->vector_items, &all) && read_all_lists(slots, &all)
        && read_vectors(slots, &all, parsed) && set_all(flags, &all, parsed);
    free(all.numbers[STEPS]);
    free(all.numbers[COEFFICIENTS]);
    free(all.sizes);
    return is_good;
}
