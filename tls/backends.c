/* Which library speaks TLS: names, what is built in, and which one is in force: that of
 * cdt_tls_select(), else that of the environment's CONDUIT_TLS, else the first that is built in.
 * Each is initialised once, when it is first asked for. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "tls/config.h"

#ifdef CDT_HAVE_WOLFSSL
#define WOLFSSL_TABLE &tls_wolfssl
#else
#define WOLFSSL_TABLE NULL
#endif
#ifdef CDT_HAVE_OPENSSL
#define OPENSSL_TABLE &tls_openssl
#else
#define OPENSSL_TABLE NULL
#endif

static const struct tls_backend *const tables[] = {
    [CDT_TLS_WOLFSSL] = WOLFSSL_TABLE,
    [CDT_TLS_OPENSSL] = OPENSSL_TABLE,
    [CDT_TLS_NONE] = NULL,
};

static const struct {
    const char *text;
    enum cdt_tls_backend backend;
} names[] = {
    {"wolfssl", CDT_TLS_WOLFSSL},  {"native", CDT_TLS_WOLFSSL}, {"openssl", CDT_TLS_OPENSSL},
    {"libressl", CDT_TLS_OPENSSL}, {"none", CDT_TLS_NONE},      {"notls", CDT_TLS_NONE},
};

static bool is_backend(enum cdt_tls_backend backend)
{
    return (unsigned)backend <= CDT_TLS_NONE;
}

/* ---- names ----------------------------------------------------------------------------------- */

const char *cdt_tls_backend_name(enum cdt_tls_backend backend)
{
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (names[i].backend == backend)
            return names[i].text;
    }
    return "any";
}

int cdt_tls_backend_parse(const char *text, enum cdt_tls_backend *backend)
{
    if (!text || !backend)
        return -EINVAL;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcasecmp(names[i].text, text) == 0) {
            *backend = names[i].backend;
            return 0;
        }
    }
    return -EINVAL;
}

int cdt_tls_built_in(enum cdt_tls_backend backend)
{
    return backend == CDT_TLS_NONE ||
           (is_backend(backend) && backend != CDT_TLS_ANY && tables[backend]);
}

/* ---- the one in force ------------------------------------------------------------------------ */

static int selected; /* enum cdt_tls_backend, atomic: any thread may ask */

/* CONDUIT_TLS as it was when it was first looked at. */
static struct {
    pthread_once_t once;
    enum cdt_tls_backend backend; /* ANY: it says nothing */
    char ignored[32];             /* the beginning of one that cannot be followed */
    bool warned;                  /* atomic */
} wish = {.once = PTHREAD_ONCE_INIT};

static void read_wish(void)
{
    const char *text = secure_getenv("CONDUIT_TLS");
    enum cdt_tls_backend backend;
    if (!text || !*text)
        return;
    if (cdt_tls_backend_parse(text, &backend) == 0 && cdt_tls_built_in(backend))
        wish.backend = backend;
    else
        snprintf(wish.ignored, sizeof wish.ignored, "%.31s", text);
}

int cdt_tls_select(enum cdt_tls_backend backend)
{
    if (!is_backend(backend))
        return -EINVAL;
    if (backend != CDT_TLS_ANY && !cdt_tls_built_in(backend))
        return -EPROTONOSUPPORT;
    __atomic_store_n(&selected, (int)backend, __ATOMIC_RELAXED);
    return 0;
}

enum cdt_tls_backend cdt_tls_selected(void)
{
    const int mine = __atomic_load_n(&selected, __ATOMIC_RELAXED);
    if (mine != CDT_TLS_ANY)
        return (enum cdt_tls_backend)mine;
    pthread_once(&wish.once, read_wish);
    if (wish.backend != CDT_TLS_ANY)
        return wish.backend;
    for (enum cdt_tls_backend i = CDT_TLS_WOLFSSL; i < CDT_TLS_NONE; i++) {
        if (tables[i])
            return i;
    }
    return CDT_TLS_NONE;
}

void tls_backend_warn(struct cdt_reactor *reactor)
{
    pthread_once(&wish.once, read_wish);
    if (!*wish.ignored || __atomic_exchange_n(&wish.warned, true, __ATOMIC_RELAXED))
        return;
    reactor_log(
        reactor, CDT_LOG_WARNING, "CONDUIT_TLS is \"%s\", which is %s: ignored", wish.ignored,
        cdt_tls_backend_parse(wish.ignored, &(enum cdt_tls_backend){0}) == 0 ? "not built in"
                                                                             : "no TLS backend");
}

/* ---- tables ---------------------------------------------------------------------------------- */

static struct {
    pthread_once_t once;
    int status;
} begun[] = {
    [CDT_TLS_WOLFSSL] = {.once = PTHREAD_ONCE_INIT},
    [CDT_TLS_OPENSSL] = {.once = PTHREAD_ONCE_INIT},
};

static void init(enum cdt_tls_backend backend)
{
    begun[backend].status = tables[backend] ? tables[backend]->init() : -EPROTONOSUPPORT;
}

static void init_wolfssl(void)
{
    init(CDT_TLS_WOLFSSL);
}

static void init_openssl(void)
{
    init(CDT_TLS_OPENSSL);
}

const struct tls_backend *tls_backend(enum cdt_tls_backend backend)
{
    static void (*const once[])(void) = {
        [CDT_TLS_WOLFSSL] = init_wolfssl,
        [CDT_TLS_OPENSSL] = init_openssl,
    };
    if (backend == CDT_TLS_ANY)
        backend = cdt_tls_selected();
    if (!cdt_tls_built_in(backend) || backend == CDT_TLS_NONE)
        return NULL;
    pthread_once(&begun[backend].once, once[backend]);
    return begun[backend].status == 0 ? tables[backend] : NULL;
}
