#include "stacks.h"

#include "digits.h"
#include "exact.h"
#include "folds.h"
#include "holes.h"
#include "rows.h"

static const struct span *spans_of(const struct stack *stack, const struct entry *entry)
{
    return stack->span + entry->first_span;
}

static int64_t weights_of(const struct stack *stack, const struct entry *entry)
{
    int64_t weights = 0;
    for (int64_t i = 0; i < entry->spans; i++)
        weights += spans_of(stack, entry)[i].stop - spans_of(stack, entry)[i].start;
    return weights;
}

/* --- checks -------------------------------------------------------------------------------- */

static int is_span(const struct stack *stack, const struct span *span)
{
    if (span->tensor < 0 || span->tensor >= stack->network.tensors)
        return 0;
    const struct tensor *tensor = &stack->network.tensor[span->tensor];
    return span->start >= 0 && span->start < span->stop && span->stop <= tensor->weights
        && span->start * bits_of(tensor->type) % 8 == 0;
}

static int is_first(int64_t operation)
{
    return operation == LEVELS || operation == RAW || operation == VALUES || operation == REPEATS;
}

static int is_entry(const struct stack *stack, const struct entry *entry)
{
    return entry->first_span >= 0 && entry->spans >= 1 && entry->first_span <= stack->spans
        && entry->spans <= stack->spans - entry->first_span && entry->first_record >= 0
        && entry->records >= 1 && entry->records <= MOST_TRITS + 3 && entry->first_record <= stack->records
        && entry->records <= stack->records - entry->first_record
        && is_first(stack->operation[entry->first_record])
        && (entry->records > 1 || stack->operation[entry->first_record] != REPEATS);
}

int is_stack(const struct stack *stack)
{
    int64_t left = stack->entries;
    for (int64_t i = 0; i < stack->network.tensors; i++)
        if (!is_tensor(&stack->network, &stack->network.tensor[i], stack->model_size))
            return 0;
    for (int64_t i = 0; i < stack->spans; i++)
        if (!is_span(stack, &stack->span[i]))
            return 0;
    for (int64_t i = 0; i < stack->entries; i++)
        if (!is_entry(stack, &stack->entry[i]))
            return 0;
    for (int64_t i = 0; i < stack->groups; i++) {
        if (stack->group[i] < 1 || stack->group[i] > left)
            return 0;
        left -= stack->group[i];
    }
    return !left && stack->levels.rows >= LEVEL_TABLES;
}

/* --- groups -------------------------------------------------------------------------------- */

/* The slices of a group. */
struct group {
    const struct stack *stack;
    const struct entry *entries;
    int64_t count;
    struct value_tables *values;
    /* of those with levels */
    struct piece *pieces;
    struct fold *folds;
    const struct entry **of;
    int64_t found;
};

static int is_folded(const struct stack *stack, const struct entry *entry)
{
    return stack->operation[entry->first_record] == REPEATS;
}

/* The record that has the levels of a slice, if it has any. */
static int64_t levels_of(const struct stack *stack, const struct entry *entry)
{
    return entry->first_record + is_folded(stack, entry);
}

/* What is decoded of a slice. False where that is malformed, or there is no room. */
static int find_piece(const struct stack *stack, const struct entry *entry, struct piece *piece,
    struct fold *fold, struct room *room)
{
    *fold = (struct fold){ 0 };
    *piece = (struct piece){ spans_of(stack, entry), entry->spans, weights_of(stack, entry),
        stack->payload[levels_of(stack, entry)], NULL, 0 };
    if (is_folded(stack, entry)
        && !read_fold(stack->payload[entry->first_record], room, fold, piece))
        return 0;
    piece->levels = take_room(room, piece->weights, sizeof *piece->levels);
    return piece->levels != NULL;
}

/* The slices that have levels. False where there is no room. */
static int find_pieces(struct group *group, struct room *room)
{
    const struct stack *stack = group->stack;
    group->folds = take_room(room, group->count, sizeof *group->folds);
    group->pieces = take_room(room, group->count, sizeof *group->pieces);
    group->of = take_room(room, group->count, sizeof *group->of);
    if (!group->folds || !group->pieces || !group->of)
        return 0;
    for (int64_t i = 0; i < group->count; i++) {
        const struct entry *entry = &group->entries[i];
        if (stack->operation[levels_of(stack, entry)] != LEVELS)
            continue;
        if (!find_piece(stack, entry, &group->pieces[group->found], &group->folds[group->found], room))
            return 0;
        group->of[group->found++] = entry;
    }
    return 1;
}

static int fill_piece(
    const struct stack *stack, const struct piece *piece, int64_t trits, int64_t ratio,
    struct room room)
{
    int64_t done = 0;
    for (int64_t i = 0; i < piece->span_count; i++) {
        const struct span *span = &piece->spans[i];
        if (!fill_span(&stack->network, span, piece->levels + done, trits, ratio, stack->sizes,
                stack->model, room))
            return 0;
        done += span->stop - span->start;
    }
    return 1;
}

/* What follows the levels of a slice, up to its weights. */
static int finish_piece(
    const struct stack *stack, const struct entry *entry, struct piece *piece, struct room room)
{
    int64_t trits = 0, ratio = 1;
    for (int64_t i = levels_of(stack, entry) + 1; i < entry->first_record + entry->records; i++) {
        piece->payload = stack->payload[i];
        switch (stack->operation[i]) {
        case DIGITS:
            if (!decode_digits_of(&stack->network, &stack->levels, stack->digit_starts,
                    stack->digit_tables, piece, trits++, room))
                return 0;
            break;
        case POINTS: /* nothing follows */
            if (!decode_refined_points_of(stack, piece, trits, room, &ratio))
                return 0;
            break;
        case EXACT:
            return decode_exact_of(
                &stack->network, piece, trits, stack->sizes, stack->model, room);
        case RAW: /* all weights are left to others */
            return 1;
        default:
            return 0;
        }
    }
    return fill_piece(stack, piece, trits, ratio, room);
}

static int decode_values(struct group *group, struct room room)
{
    const struct stack *stack = group->stack;
    for (int64_t i = 0; i < group->count; i++) {
        const struct entry *entry = &group->entries[i];
        struct piece piece = { spans_of(stack, entry), entry->spans, weights_of(stack, entry),
            stack->payload[entry->first_record], NULL, 0 };
        if (stack->operation[entry->first_record] == VALUES
            && !decode_values_of(&stack->network, group->values, &piece, stack->model, room))
            return 0;
    }
    return 1;
}

static int decode_group(struct group *group, struct room room)
{
    const struct stack *stack = group->stack;
    if (!find_pieces(group, &room)
        || !decode_levels_of(&stack->network, &stack->levels, group->pieces, group->found, room))
        return 0;
    for (int64_t i = 0; i < group->found; i++) {
        if (!finish_piece(stack, group->of[i], &group->pieces[i], room)
            || !unfold(&stack->network, &group->folds[i], stack->model, room))
            return 0;
    }
    return decode_values(group, room);
}

int decode_stack(const struct stack *stack, struct room room)
{
    struct value_tables values = { stack->frequencies, stack->value_tables,
        take_room(&room, FLOAT_MEMORY, 1), 0, { 0 } };
    struct group group = { .stack = stack, .entries = stack->entry, .values = &values };
    for (int64_t i = 0; values.slots && i < stack->groups; i++) {
        group.count = stack->group[i];
        group.found = 0;
        if (!decode_group(&group, room))
            return 0;
        group.entries += group.count;
    }
    return values.slots != NULL;
}
