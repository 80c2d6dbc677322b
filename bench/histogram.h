/* A histogram of times in ns: exact below 64, above to one part in 32 (32 places for each factor of
 * two, in the manner of HdrHistogram), however many there are. */
#ifndef BENCH_HISTOGRAM_H
#define BENCH_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum { HISTOGRAM_BITS = 5, HISTOGRAM_PLACES = (64 - HISTOGRAM_BITS + 1) << HISTOGRAM_BITS };

struct histogram {
    uint64_t count, max;
    uint64_t places[HISTOGRAM_PLACES];
};

static inline unsigned histogram_place(uint64_t value)
{
    if (value < 2u << HISTOGRAM_BITS)
        return (unsigned)value;
    const unsigned shift = 63 - (unsigned)__builtin_clzll(value) - HISTOGRAM_BITS;
    return (shift << HISTOGRAM_BITS) + (unsigned)(value >> shift);
}

/* The largest value of a place. */
static inline uint64_t histogram_value(unsigned place)
{
    if (place < 2u << HISTOGRAM_BITS)
        return place;
    const unsigned shift = (place >> HISTOGRAM_BITS) - 1;
    const uint64_t top = (place & ((1u << HISTOGRAM_BITS) - 1)) + (1u << HISTOGRAM_BITS);
    return ((top + 1) << shift) - 1;
}

static inline void histogram_add(struct histogram *histogram, uint64_t value)
{
    histogram->places[histogram_place(value)]++;
    histogram->count++;
    if (value > histogram->max)
        histogram->max = value;
}

/* The value that a share (0 to 1) of all does not exceed. */
static inline uint64_t histogram_quantile(const struct histogram *histogram, double share)
{
    const double wanted = share * (double)histogram->count;
    uint64_t seen = 0;
    for (unsigned place = 0; place < HISTOGRAM_PLACES; place++) {
        seen += histogram->places[place];
        if (seen && (double)seen >= wanted) {
            const uint64_t value = histogram_value(place);
            return value < histogram->max ? value : histogram->max;
        }
    }
    return histogram->max;
}

/* In us, as a member of a JSON object, after a comma; nothing if there are none, or none took time. */
static inline void histogram_print_us(const char *name, const struct histogram *histogram)
{
    static const struct {
        const char *name;
        double share;
    } quantiles[] = {{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"p999", 0.999}};
    if (histogram->max == 0)
        return;
    printf(", \"%s\": {", name);
    for (size_t i = 0; i < sizeof quantiles / sizeof quantiles[0]; i++)
        printf("\"%s\": %.2f, ", quantiles[i].name,
               (double)histogram_quantile(histogram, quantiles[i].share) / 1e3);
    printf("\"max\": %.2f}", (double)histogram->max / 1e3);
}

#endif
