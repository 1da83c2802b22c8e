#include "straight.h"

#include <string.h>

#define TABLES_MEMORY ((int64_t)1 << 17)
#define WEIGHT_MEMORY 64
#define SLICE_MEMORY 1024

void free_straight(struct straight *straight)
{
    free_tensors(&straight->parsed);
    free_partition(&straight->cut);
    free_records(&straight->records);
}

int read_straight(const struct source *source, const struct stack *stack, struct straight *straight)
{
    const struct outline *outline = &source->outline;
    const struct bounds *bounds = &source->bounds;
    struct parsed *parsed = &straight->parsed;
    struct bytes rest = { source->units[0].data + outline->rest, outline->rest_size };
    return reserve_tensors(parsed, outline->tensors)
        && read_table(source->content, bounds, outline->model_size, parsed)
        && read_parameters(source->flags, rest, &stack->levels, bounds, parsed)
        && cut_slices(parsed, bounds, &straight->cut)
        && read_units(source->units, source->count, bounds, parsed, &straight->cut,
            &straight->records);
}

/* What lies between the tensors. */
static void fill_gaps(const struct source *source, const struct parsed *parsed, uint8_t *model)
{
    const uint8_t *next = source->content.data + parsed->table_size;
    int64_t end = 0;
    for (int64_t i = 0; i <= parsed->count; i++) {
        const struct tensor *tensor = &parsed->tensor[i];
        int64_t start = i < parsed->count ? tensor->offset : source->outline.model_size;
        memcpy(model + end, next, (size_t)(start - end));
        next += start - end;
        if (i < parsed->count)
            end = start + (tensor->weights * bits_of(tensor->type) + 7) / 8;
    }
}

static void set_stack(const struct source *source, const struct straight *straight, uint8_t *model,
    struct stack *stack)
{
    const struct parsed *parsed = &straight->parsed;
    const struct partition *cut = &straight->cut;
    stack->network = (struct network){ parsed->tensor, parsed->count, parsed->vector,
        parsed->vector_items };
    stack->span = cut->span;
    stack->spans = cut->spans;
    stack->entry = cut->entry;
    stack->entries = cut->entries;
    stack->group = cut->group;
    stack->groups = cut->groups;
    stack->operation = straight->records.operation;
    stack->payload = straight->records.payload;
    stack->records = straight->records.count;
    stack->model = model;
    stack->model_size = source->outline.model_size;
}

int64_t room_for(const struct straight *straight)
{
    return TABLES_MEMORY + WEIGHT_MEMORY * straight->cut.most_weights
        + SLICE_MEMORY * straight->cut.most_entries;
}

int decode_straight(const struct source *source, struct stack *stack, uint8_t *model,
    const struct straight *straight, struct room room)
{
    fill_gaps(source, &straight->parsed, model);
    set_stack(source, straight, model, stack);
    return is_stack(stack) && decode_stack(stack, room);
}
