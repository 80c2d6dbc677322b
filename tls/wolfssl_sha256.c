/* SHA-256 by the processor's own instructions, which this version of wolfSSL does not know on
 * x86-64: a block takes a tenth of what it takes without. The keys of TLS 1.3 and the random
 * generator are made of hundreds of blocks. */
#if defined CDT_HAVE_WOLFSSL && defined CDT_WOLFSSL_BUILT
#include "tls/wolfssl.h"

#include <wolfssl/wolfcrypt/sha256.h>

#ifdef __x86_64__
#include <cpuid.h>
#include <immintrin.h>

enum { BLOCK = 64 };

#define BY_SHA __attribute__((target("sha,ssse3,sse4.1")))

/* Four rounds' constants in each row (FIPS 180-4 section 4.2.2). */
static const uint32_t constants[16][4] __attribute__((aligned(16))) = {
    {0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5},
    {0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5},
    {0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3},
    {0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174},
    {0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc},
    {0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da},
    {0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7},
    {0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967},
    {0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13},
    {0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85},
    {0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3},
    {0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070},
    {0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5},
    {0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3},
    {0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208},
    {0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2},
};

/* The eight words of the state, as the instructions want them. */
struct state {
    __m128i abef, cdgh;
};

BY_SHA static inline void four_rounds(struct state *state, __m128i words, const uint32_t row[4])
{
    const __m128i sum = _mm_add_epi32(words, _mm_load_si128((const __m128i *)row));

    state->cdgh = _mm_sha256rnds2_epu32(state->cdgh, state->abef, sum);
    state->abef = _mm_sha256rnds2_epu32(state->abef, state->cdgh, _mm_shuffle_epi32(sum, 0x0e));
}

/* The four words after sixteen. */
BY_SHA static inline __m128i next(__m128i first, __m128i second, __m128i third, __m128i fourth)
{
    const __m128i sum = _mm_add_epi32(_mm_sha256msg1_epu32(first, second),
                                      _mm_alignr_epi8(fourth, third, sizeof(uint32_t)));

    return _mm_sha256msg2_epu32(sum, fourth);
}

BY_SHA static inline __m128i load(const uint8_t *data)
{
    const __m128i big_endian = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);

    return _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)data), big_endian);
}

BY_SHA static inline void add_block(struct state *state, const uint8_t *data)
{
    const struct state before = *state;
    __m128i w0 = load(data), w1 = load(data + 16), w2 = load(data + 32), w3 = load(data + 48);

    for (int row = 0;; row += 4) {
        four_rounds(state, w0, constants[row]);
        four_rounds(state, w1, constants[row + 1]);
        four_rounds(state, w2, constants[row + 2]);
        four_rounds(state, w3, constants[row + 3]);
        if (row == 12)
            break;
        w0 = next(w0, w1, w2, w3);
        w1 = next(w1, w2, w3, w0);
        w2 = next(w2, w3, w0, w1);
        w3 = next(w3, w0, w1, w2);
    }
    state->abef = _mm_add_epi32(state->abef, before.abef);
    state->cdgh = _mm_add_epi32(state->cdgh, before.cdgh);
}

BY_SHA static void add_blocks(word32 *digest, const byte *data, word32 count)
{
    const __m128i badc = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)digest), 0xb1);
    const __m128i hgfe = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)(digest + 4)), 0x1b);
    struct state state = {_mm_alignr_epi8(badc, hgfe, 8), _mm_blend_epi16(hgfe, badc, 0xf0)};

    for (; count; data += BLOCK, count--)
        add_block(&state, data);
    const __m128i feba = _mm_shuffle_epi32(state.abef, 0x1b);
    const __m128i dchg = _mm_shuffle_epi32(state.cdgh, 0xb1);
    _mm_storeu_si128((__m128i *)digest, _mm_blend_epi16(feba, dchg, 0xf0));
    _mm_storeu_si128((__m128i *)(digest + 4), _mm_alignr_epi8(dchg, feba, 8));
}

bool wolfssl_sha256_init(void)
{
    unsigned a, b, c, d;

    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_SSSE3) || !(c & bit_SSE4_1) ||
        !__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(b & bit_SHA))
        return false;
    wc_Sha256SetBlocks(add_blocks);
    return true;
}
#else
bool wolfssl_sha256_init(void)
{
    return false;
}
#endif
#endif
