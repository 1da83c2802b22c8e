/* Loops that are compiled twice: for every processor, and for those with vectors of 32 bytes. Which
 * one is called is found out once, when the extension is loaded.
 */
#ifndef MIDSTREAM_CLONES_H
#define MIDSTREAM_CLONES_H

#include <stdint.h>

/* glibc resolves them; what sanitizers add is not yet there when it does */
#if defined(__x86_64__) && defined(__GLIBC__) && defined(__GNUC__) && !defined(__clang__) \
    && !defined(__SANITIZE_ADDRESS__)
#define FOR_EVERY_WIDTH __attribute__((target_clones("avx2", "default")))
#else
#define FOR_EVERY_WIDTH
#endif

#endif
