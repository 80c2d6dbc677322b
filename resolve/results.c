/* What a resolution has found: endpoints, most of them addresses that lie inside it and borrow
 * their names, and the list of them in the order in which to try them. */
#include <string.h>

#include "resolve/resolver.h"

/* Enlarges an array, which may still be the one `inside`, of `used` bytes; NULL: no memory. */
static void *enlarge(void *array, const void *inside, size_t used, size_t size)
{
    void *larger = mem_realloc(array == inside ? NULL : array, size);
    return larger && array == inside ? memcpy(larger, inside, used) : larger;
}

static bool make_room(struct cdt_resolution *r)
{
    if (r->result_count < r->result_room)
        return true;
    const size_t room = r->result_room * 2;
    struct result *results =
        enlarge(r->results, r->results_inline, sizeof r->results_inline, room * sizeof *results);
    if (!results)
        return false;
    r->results = results;
    r->result_room = room;
    return true;
}

static struct cdt_endp *take_endp(struct cdt_resolution *r)
{
    struct cdt_endp *endps = r->blocks ? r->blocks->endps : r->endps;
    if (r->endps_used == (r->blocks ? ENDPS_BLOCK : ENDPS_INLINE)) {
        struct endp_block *block = mem_alloc(sizeof *block);
        if (!block)
            return NULL;
        block->next = r->blocks;
        r->blocks = block;
        r->endps_used = 0;
        endps = block->endps;
    }
    return memset(&endps[r->endps_used++], 0, sizeof *endps);
}

/* An endpoint that borrows its name. */
static struct cdt_endp *borrow(struct cdt_resolution *r, enum cdt_endp_kind kind, const char *name,
                               size_t length)
{
    struct cdt_endp *endp = take_endp(r);
    if (!endp)
        return NULL;
    endp->kind = kind;
    endp->name = name;
    endp->name_length = length;
    endp->port = "";
    return endp;
}

static const char *tls_host(const struct cdt_resolution *r)
{
    return r->view.kind == CDT_URI_PATH ? "localhost" : r->view.host;
}

static bool add_tls(struct cdt_resolution *r, struct cdt_endp ***link, const char *name,
                    size_t length)
{
    struct cdt_endp *endp = borrow(r, CDT_ENDP_TLS, name, length);
    if (!endp)
        return false;
    **link = endp;
    *link = &endp->inner;
    return true;
}

static bool is_known(const struct cdt_resolution *r, uint32_t rank, const struct cdt_addr *addr)
{
    for (size_t i = 0; i < r->result_count; i++) {
        if (r->results[i].rank == rank && r->results[i].is_address &&
            cdt_addr_equal(&cdt_endp_base(r->results[i].endp)->addr, addr))
            return true;
    }
    return false;
}

static void add_result(struct cdt_resolution *r, struct result result)
{
    r->results[r->result_count++] = result;
    r->is_fresh = true;
}

int resolution_add_address(struct cdt_resolution *r, const struct lookup *lookup,
                           const struct cdt_addr *addr)
{
    struct cdt_endp *outer = NULL, **link = &outer;
    if (r->result_count >= RESULTS_MAX || is_known(r, lookup->rank, addr))
        return 0;
    if (!make_room(r))
        return -ENOMEM;
    if (r->tls && !add_tls(r, &link, tls_host(r), strlen(tls_host(r))))
        return -ENOMEM;
    for (const struct cdt_endp *s = lookup->shell; s && s->inner; s = s->inner) {
        if (!add_tls(r, &link, s->name, s->name_length))
            return -ENOMEM;
    }
    *link = borrow(r, CDT_ENDP_TCP, "", 0);
    if (!*link)
        return -ENOMEM;
    (*link)->addr = *addr;
    add_result(r, (struct result){.endp = outer, .rank = lookup->rank, .is_address = true});
    return 0;
}

static int wrap(struct cdt_resolution *r, struct cdt_endp *endp, struct result *result)
{
    *result = (struct result){.endp = endp, .owned = endp, .rank = r->ranks++};
    if (!make_room(r))
        return -ENOMEM;
    if (!r->tls)
        return 0;
    if (endp_depth(endp) >= CDT_ENDP_DEPTH)
        return -E2BIG;
    result->endp = borrow(r, CDT_ENDP_TLS, tls_host(r), strlen(tls_host(r)));
    if (!result->endp)
        return -ENOMEM;
    result->endp->inner = endp;
    return 0;
}

int resolution_add_owned(struct cdt_resolution *r, struct cdt_endp *endp)
{
    struct result result;
    const int status = wrap(r, endp, &result);
    if (status)
        cdt_endp_free(endp);
    else
        add_result(r, result);
    return status;
}

void results_drop(struct cdt_resolution *r)
{
    for (size_t i = 0; i < r->result_count; i++)
        cdt_endp_free(r->results[i].owned);
    r->result_count = 0;
}

/* ---- the list -------------------------------------------------------------------------------- */

static void find_keys(struct cdt_resolution *r)
{
    struct address_sources *sources = &r->resolver->sources;
    for (size_t i = 0; i < r->result_count; i++) {
        struct result *result = &r->results[i];
        struct cdt_addr from;
        if (result->is_keyed || !result->is_address)
            continue;
        const struct cdt_addr *to = &cdt_endp_base(result->endp)->addr;
        result->key = address_key(to, sources->find(sources, to, &from) ? &from : NULL);
        result->is_keyed = true;
    }
    if (sources->fd[0] >= 0 || sources->fd[1] >= 0)
        cdt_defer(r->resolver->reactor, &r->resolver->asked);
}

static bool is_before(const struct result *a, const struct result *b)
{
    return a->rank != b->rank ? a->rank < b->rank : a->key < b->key;
}

uint32_t resolution_group(const struct cdt_resolution *r, size_t index)
{
    return r->srv && index < r->result_count ? r->results[index].rank : 0;
}

/* Only here, just before a callback, the array that the user has may change. Without memory those that
 * come last are left out. */
static void make_list(struct cdt_resolution *r)
{
    if (r->result_count > r->list_room) {
        const size_t size = r->result_room * sizeof(struct cdt_endp *);
        struct cdt_endp **list = enlarge(r->list, r->list_inline, sizeof r->list_inline, size);
        if (list) {
            r->list = list;
            r->list_room = r->result_room;
        }
    }
    r->list_count = r->result_count < r->list_room ? r->result_count : r->list_room;
    for (size_t i = 0; i < r->list_count; i++)
        r->list[i] = r->results[i].endp;
}

/* By insertion: few, and nearly in order. Stable, as rule 10 of RFC 6724 wants it. */
void results_order(struct cdt_resolution *r)
{
    if (r->result_count > 1)
        find_keys(r);
    for (size_t i = 1; i < r->result_count; i++) {
        const struct result moving = r->results[i];
        size_t at = i;
        for (; at > 0 && is_before(&moving, &r->results[at - 1]); at--)
            r->results[at] = r->results[at - 1];
        r->results[at] = moving;
    }
    make_list(r);
}
