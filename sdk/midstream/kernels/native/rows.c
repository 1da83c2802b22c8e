#include "rows.h"

#include "clones.h"

#define WIDEST (LEVEL_WIDTHS - 1)
#define UNSHIFTED 24
#define MOST (WIDEST + 4 * 24)
#define LANE_SYMBOLS 2048
#define MOST_LANES 32

FOR_EVERY_WIDTH int64_t find_level_rows(const int16_t *widths, int64_t count, int less, int64_t shape,
    uint16_t *restrict rows, uint8_t *restrict shifts)
{
    const int16_t first = (int16_t)(shape * LEVEL_WIDTHS), lowered = (int16_t)less;
    int64_t bits = 0;
    for (int64_t i = 0; i < count; i++) {
        int16_t width = (int16_t)(widths[i] - lowered);
        width = width > 0 ? width : 0;
        width = width < MOST ? width : MOST;
        int16_t folded = width > WIDEST ? (int16_t)(width - WIDEST + 3) : 0;
        int16_t low = width > UNSHIFTED ? (int16_t)(width - UNSHIFTED + 3) : 0;
        rows[i] = (uint16_t)(first + width - (folded & ~3));
        shifts[i] = (uint8_t)(low >> 2);
    }
    for (int64_t i = 0; i < count; i++)
        bits += shifts[i];
    return bits;
}

int64_t lanes_for(int64_t symbols, int64_t nearest)
{
    int64_t lanes = 1;
    while (lanes < MOST_LANES && 2 * lanes * LANE_SYMBOLS <= symbols)
        lanes *= 2;
    while (nearest && lanes > nearest)
        lanes /= 2;
    return lanes;
}
