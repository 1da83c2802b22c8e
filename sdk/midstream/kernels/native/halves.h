/* Levels as float16, many at a time, where the processor can. Same results as grid.c. */
#ifndef MIDSTREAM_HALVES_H
#define MIDSTREAM_HALVES_H

#include <stdint.h>

/* Write levels of one step, the first of them; gives how many, which may be none. */
int64_t write_halves(uint8_t *out, const int32_t *levels, int64_t count, double size);

/* float16 numbers as float32; what is not a number stays none, and may become a quiet one. */
void read_halves(float *out, const uint16_t *halves, int64_t count);

#endif
