#include "floats_wide.h"

#if defined(__GNUC__) && defined(__x86_64__)

#include <immintrin.h>
#include <string.h>

#include "rans.h"

#define WIDE __attribute__((target("avx2,bmi,bmi2,popcnt")))
#define LOW 1 /* the symbol of low magnitudes; the parts follow */
#define FIRST_PART 2
#define LAST_PART (FLOAT_SYMBOLS - 2)
#define NOTHING 255 /* of a look-up: no such symbol */
#define WORDS_AHEAD 16 /* bytes that are loaded at once */
#define EACH_BYTE UINT64_C(0x0101010101010101)
#define IN_ORDER UINT64_C(0x0706050403020100)

int has_wide(void)
{
    /* these two take hundreds of cycles for what others do in three */
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi")
        && __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("popcnt") && !__builtin_cpu_is("znver1")
        && !__builtin_cpu_is("znver2");
}

/* --- symbols ----------------------------------------------------------------------------- */

/* A symbol of each of eight lanes. */
WIDE static inline __m256i eight_symbols(
    const uint32_t *slots, const uint8_t **next, __m256i *states, const uint8_t *rows)
{
    const __m256i low = _mm256_set1_epi32(TOTAL - 1);
    __m256i row = _mm256_cvtepu8_epi32(_mm_loadl_epi64((const void *)rows));
    __m256i rest = _mm256_and_si256(*states, low);
    __m256i place = _mm256_or_si256(_mm256_slli_epi32(row, SLOT_BITS),
        _mm256_srli_epi32(rest, TOTAL_BITS - SLOT_BITS));
    __m256i slot = _mm256_i32gather_epi32((const int *)slots, place, 4);
    __m256i start = _mm256_and_si256(_mm256_srli_epi32(slot, 12), low);
    __m256i scaled = _mm256_mullo_epi32(
        _mm256_and_si256(slot, low), _mm256_srli_epi32(*states, TOTAL_BITS));
    __m256i state = _mm256_add_epi32(scaled, _mm256_sub_epi32(rest, start));
    __m256i hungry
        = _mm256_cmpeq_epi32(_mm256_srli_epi32(state, 16), _mm256_setzero_si256());
    uint32_t lanes = (uint32_t)_mm256_movemask_ps(_mm256_castsi256_ps(hungry));
    /* the first word for the first hungry lane, and so on */
    uint64_t order = _pdep_u64(IN_ORDER, _pdep_u64(lanes, EACH_BYTE) * 255);
    __m256i words = _mm256_cvtepu16_epi32(_mm_loadu_si128((const void *)*next));
    words = _mm256_permutevar8x32_epi32(
        words, _mm256_cvtepu8_epi32(_mm_cvtsi64_si128((long long)order)));
    *next += 2 * __builtin_popcount(lanes);
    __m256i refilled = _mm256_or_si256(_mm256_slli_epi32(state, 16), words);
    *states = _mm256_blendv_epi8(state, refilled, hungry);
    return _mm256_srli_epi32(slot, 24);
}

WIDE static inline void store_eight(uint8_t *rows, __m256i symbols)
{
    __m128i halves
        = _mm_packus_epi32(_mm256_castsi256_si128(symbols), _mm256_extracti128_si256(symbols, 1));
    _mm_storel_epi64((void *)rows, _mm_packus_epi16(halves, halves));
}

/* Rounds of so many times eight lanes. */
WIDE static inline int64_t rounds(const uint32_t *slots, const uint8_t **next, const uint8_t *end,
    uint32_t *states, uint8_t *rows, int64_t count, const int eights)
{
    const int lanes = 8 * eights;
    const uint8_t *word = *next;
    __m256i state[WIDE_LANES / 8];
    int64_t i = 0;
    for (int k = 0; k < eights; k++)
        state[k] = _mm256_loadu_si256((const void *)(states + 8 * k));
    for (; count - i >= lanes && end - word >= 2 * lanes + WORDS_AHEAD; i += lanes)
        for (int k = 0; k < eights; k++)
            store_eight(
                rows + i + 8 * k, eight_symbols(slots, &word, &state[k], rows + i + 8 * k));
    for (int k = 0; k < eights; k++)
        _mm256_storeu_si256((void *)(states + 8 * k), state[k]);
    *next = word;
    return i;
}

WIDE int64_t wide_symbols(const uint32_t *slots, const uint8_t **next, const uint8_t *end,
    uint32_t *states, int64_t lanes, uint8_t *rows, int64_t count)
{
    if (lanes == 32)
        return rounds(slots, next, end, states, rows, count, 4);
    /* fewer lanes wait for each other, and are no faster than one by one */
    return lanes == 16 ? rounds(slots, next, end, states, rows, count, 2) : 0;
}

/* --- fields ------------------------------------------------------------------------------ */

int find_wide_parts(const struct layout *layout, struct wide_parts *parts)
{
    if (layout->bits == 16 && layout->whole > 1)
        return 0;
    memset(parts, 0, sizeof *parts);
    parts->refused = layout->widths[LOW] > 8 ? 0 : NOTHING;
    for (int symbol = LOW; symbol <= LAST_PART; symbol++) {
        int eighths = layout->places[symbol] - layout->places[FIRST_PART];
        int width = layout->widths[symbol];
        if (symbol == LOW) {
            if (layout->moves[LOW] || layout->places[LOW])
                return 0;
            eighths = 0;
            width = parts->refused ? width : 0;
        } else if (eighths < 0 || eighths > 255 || width > 8 || layout->moves[symbol] != 8) {
            return 0;
        }
        parts->eighths[symbol - LOW] = (uint8_t)eighths;
        parts->rest[symbol - LOW] = (uint8_t)((1 << width) - 1);
    }
    return 1;
}

WIDE static inline __m256i look_up(const uint8_t *table, __m256i part)
{
    __m256i found[3];
    for (int k = 0; k < 3; k++)
        found[k] = _mm256_shuffle_epi8(
            _mm256_broadcastsi128_si256(_mm_loadu_si128((const void *)(table + 16 * k))), part);
    __m256i high = _mm256_blendv_epi8(
        found[1], found[2], _mm256_cmpgt_epi8(part, _mm256_set1_epi8(31)));
    return _mm256_blendv_epi8(found[0], high, _mm256_cmpgt_epi8(part, _mm256_set1_epi8(15)));
}

/* Eight fields, a byte for each, of as many bits as there are ones in `rest`. */
WIDE static inline uint64_t eight_fields(const uint8_t *data, int64_t *bit, uint64_t rest)
{
    uint64_t window;
    const uint8_t *place = data + (*bit >> 3);
    int shift = *bit & 7;
    memcpy(&window, place, sizeof window);
    window = window >> shift | (uint64_t)place[8] << 1 << (63 - shift);
    *bit += __builtin_popcountll(rest);
    return _pdep_u64(window, rest);
}

/* Where the numbers of a layout are held. */
struct shifts {
    __m128i unit, trailing, whole;
    int first; /* eighths of the first part */
};

WIDE static inline void eight_singles(const struct shifts *shifts, __m128i rest, __m128i eighths,
    __m128i is_part, __m256i whole, const int16_t *quarters, uint8_t *out)
{
    const __m256i sign = _mm256_set1_epi32(INT32_MIN);
    __m256i field
        = _mm256_or_si256(_mm256_sll_epi32(_mm256_cvtepu8_epi32(rest), shifts->whole), whole);
    __m256i octave = _mm256_srai_epi32(
        _mm256_cvtepi16_epi32(_mm_loadu_si128((const void *)quarters)), 2);
    __m256i place = _mm256_add_epi32(_mm256_cvtepu8_epi32(eighths),
        _mm256_add_epi32(_mm256_slli_epi32(octave, 3), _mm256_set1_epi32(shifts->first)));
    place = _mm256_and_si256(place, _mm256_cvtepi8_epi32(is_part));
    __m256i magnitude = _mm256_add_epi32(_mm256_sll_epi32(place, shifts->unit),
        _mm256_sll_epi32(_mm256_srli_epi32(field, 1), shifts->trailing));
    __m256i value = _mm256_or_si256(
        _mm256_andnot_si256(sign, magnitude), _mm256_slli_epi32(field, 31));
    _mm256_storeu_si256((void *)out, value);
}

WIDE static inline void sixteen_halves(const struct shifts *shifts, __m128i rest, __m128i eighths,
    __m128i is_part, __m256i whole, const int16_t *quarters, uint8_t *out)
{
    const __m256i sign = _mm256_set1_epi16(INT16_MIN);
    __m256i field
        = _mm256_or_si256(_mm256_sll_epi16(_mm256_cvtepu8_epi16(rest), shifts->whole), whole);
    __m256i octave = _mm256_srai_epi16(_mm256_loadu_si256((const void *)quarters), 2);
    __m256i place = _mm256_add_epi16(_mm256_cvtepu8_epi16(eighths),
        _mm256_add_epi16(_mm256_slli_epi16(octave, 3), _mm256_set1_epi16((short)shifts->first)));
    place = _mm256_and_si256(place, _mm256_cvtepi8_epi16(is_part));
    __m256i magnitude = _mm256_add_epi16(_mm256_sll_epi16(place, shifts->unit),
        _mm256_sll_epi16(_mm256_srli_epi16(field, 1), shifts->trailing));
    __m256i value = _mm256_or_si256(
        _mm256_andnot_si256(sign, magnitude), _mm256_slli_epi16(field, 15));
    _mm256_storeu_si256((void *)out, value);
}

WIDE static inline __m256i eight_whole(const uint8_t *data, int size)
{
    if (size == 2)
        return _mm256_cvtepu16_epi32(_mm_loadu_si128((const void *)data));
    if (size == 1)
        return _mm256_cvtepu8_epi32(_mm_loadl_epi64((const void *)data));
    return _mm256_setzero_si256();
}

/* A group whose symbols are all parts or low. */
WIDE static inline void write_group(const struct shifts *shifts, int bits, int whole,
    const uint8_t *data, const uint64_t *rest, __m256i eighths, __m256i is_part,
    const int16_t *quarters, uint8_t *out)
{
    uint8_t places[WIDE_GROUP], parts[WIDE_GROUP];
    _mm256_storeu_si256((void *)places, eighths);
    _mm256_storeu_si256((void *)parts, is_part);
    for (int k = 0; bits == 32 && k < 4; k++)
        eight_singles(shifts, _mm_cvtsi64_si128((long long)rest[k]),
            _mm_loadl_epi64((const void *)(places + 8 * k)),
            _mm_loadl_epi64((const void *)(parts + 8 * k)), eight_whole(data + 8 * k * whole, whole),
            quarters + 8 * k, out + 32 * k);
    for (int k = 0; bits == 16 && k < 2; k++) {
        __m256i low = whole
            ? _mm256_cvtepu8_epi16(_mm_loadu_si128((const void *)(data + 16 * k)))
            : _mm256_setzero_si256();
        sixteen_halves(shifts, _mm_set_epi64x((long long)rest[2 * k + 1], (long long)rest[2 * k]),
            _mm_loadu_si128((const void *)(places + 16 * k)),
            _mm_loadu_si128((const void *)(parts + 16 * k)), low, quarters + 16 * k,
            out + 32 * k);
    }
}

static inline int has_group(const struct layout *layout, const struct fields *fields)
{
    return fields->rest_size - (fields->bit >> 3) >= WIDE_REST
        && fields->whole_end - fields->whole >= layout->whole * WIDE_GROUP;
}

WIDE int64_t wide_floats(const struct layout *layout, const struct wide_parts *parts,
    struct fields *fields, const uint8_t *symbols, const int16_t *quarters, int64_t count, uint8_t *out)
{
    const int bits = layout->bits, whole = layout->whole;
    struct shifts shifts = { _mm_cvtsi32_si128(layout->mantissa - 3),
        _mm_cvtsi32_si128(layout->trailing), _mm_cvtsi32_si128(8 * whole),
        layout->places[FIRST_PART] };
    int64_t i = 0;
    const __m256i last = _mm256_set1_epi8(LAST_PART - LOW + 1);
    const __m256i refused = _mm256_set1_epi8((char)parts->refused);
    for (; count - i >= WIDE_GROUP && has_group(layout, fields); i += WIDE_GROUP) {
        __m256i part = _mm256_sub_epi8(
            _mm256_loadu_si256((const void *)(symbols + i)), _mm256_set1_epi8(LOW));
        __m256i beyond = _mm256_cmpeq_epi8(_mm256_max_epu8(part, last), part);
        if (_mm256_movemask_epi8(_mm256_or_si256(beyond, _mm256_cmpeq_epi8(part, refused))))
            break;
        __m256i is_part = _mm256_cmpgt_epi8(part, _mm256_setzero_si256());
        uint64_t rest[4];
        _mm256_storeu_si256((void *)rest, look_up(parts->rest, part));
        for (int k = 0; k < 4; k++)
            rest[k] = eight_fields(fields->rest, &fields->bit, rest[k]);
        write_group(&shifts, bits, whole, fields->whole, rest, look_up(parts->eighths, part),
            is_part, quarters + i, out + i * (bits / 8));
        fields->whole += whole * WIDE_GROUP;
    }
    return i;
}

#else

int has_wide(void)
{
    return 0;
}

int64_t wide_symbols(const uint32_t *slots, const uint8_t **next, const uint8_t *end,
    uint32_t *states, int64_t lanes, uint8_t *rows, int64_t count)
{
    (void)slots, (void)next, (void)end, (void)states, (void)lanes, (void)rows, (void)count;
    return 0;
}

int find_wide_parts(const struct layout *layout, struct wide_parts *parts)
{
    (void)layout, (void)parts;
    return 0;
}

int64_t wide_floats(const struct layout *layout, const struct wide_parts *parts,
    struct fields *fields, const uint8_t *symbols, const int16_t *quarters, int64_t count,
    uint8_t *out)
{
    (void)layout, (void)parts, (void)fields, (void)symbols, (void)quarters, (void)count, (void)out;
    return 0;
}

#endif
